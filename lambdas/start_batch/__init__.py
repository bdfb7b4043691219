"""A schedule -> every table in batch/input/ without a result is predicted by a transform job, and its result put beside it."""
