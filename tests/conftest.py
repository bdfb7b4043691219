"""Settings of every test."""

import ast
import gc
import sys
from threading import RLock
from typing import Any

from hypothesis import HealthCheck, settings

# How long an example takes is the machine's matter, and a busy one must not fail a property; pytest bounds the whole test.
settings.register_profile("tidewheel", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tidewheel")


def _parse_alone() -> None:
    """One thread parses at a time, and meanwhile no garbage is collected.

    Python before 3.11.8 keeps one recursion depth for all threads that parse (https://github.com/python/cpython/pull/113035): where a
    finalizer lets another thread in, parsing ends with a SystemError. pytest and Hypothesis parse, and so does every traceback of the twin.
    """
    parse, lock = ast.parse, RLock()

    def alone(*given: Any, **named: Any) -> Any:
        with lock:
            was_enabled = gc.isenabled()
            gc.disable()
            try:
                return parse(*given, **named)
            finally:
                if was_enabled:
                    gc.enable()

    ast.parse = alone


if sys.version_info < (3, 11, 8):
    _parse_alone()
