"""A model, made again."""
