"""The model server: from the bytes of a request to the bytes of its answer, without pandas and scikit-learn."""
