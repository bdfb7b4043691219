"""Fixtures of the event tests."""

from tests.twin.functions.helpers import function

__all__ = ["function"]
