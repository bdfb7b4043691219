"""Settings of every test."""

import gc
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes is the machine's matter, and a busy one must not fail a property; pytest bounds the whole test.
settings.register_profile("tidewheel", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tidewheel")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    """No collection of garbage while a failure is put into words.

    Python before 3.11.8 keeps one recursion depth for all threads that parse (https://github.com/python/cpython/issues/106905): where
    a finalizer lets another thread parse, pytest dies with a SystemError, and the failure is never seen.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
