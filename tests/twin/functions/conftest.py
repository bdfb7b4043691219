"""Fixtures of the function tests."""

from tests.twin.functions.helpers import function

__all__ = ["function"]
