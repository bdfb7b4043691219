"""Parquet files and Arrow streams in requests, as rows of texts: the texts that contracts/tables gives training for the same values.

They are read by a process of their own, started when the first one comes. Broken ones can abort their reader, and small ones can unpack to
more memory than there is; both then happen to that process alone, which has a limit and no credentials, and the next request starts
another. So the model server stays as small as it is, and never imports pyarrow.

To it: a line of JSON {"kind", "size", "cells"}, and then so many bytes. From it: lines of JSON: lists of rows, the columns' names as the
first row of all; at last {} or {"problem"}. One request at a time.
"""

import json
import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from contracts.errors import RequestError
from contracts.tables import apart

SECONDS = 50  # SageMaker gives an answer 60
_KEPT = ("LD_LIBRARY_PATH", "LANG", "PATH")
# Allocators reserve address space, which is what is limited, far beyond what they use.
_OWN = {"ARROW_DEFAULT_MEMORY_POOL": "system", "MALLOC_ARENA_MAX": "1", "OMP_NUM_THREADS": "1", "ARROW_IO_THREADS": "1"}
_MODULE = "training.serving.tables_reader"

Row = list[str]


class TableReader:
    """Reads tables by one other process. Any number of threads may ask."""

    def __init__(self, budget: int = apart.BUDGET) -> None:
        """`budget`: bytes of memory for a table."""
        self._budget = budget
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def read(self, kind: str, body: bytes, most_cells: int) -> list[Row]:
        """The columns' names, then the rows. Raises RequestError."""
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self.stop()
                self._process = _start(self._budget)
            process, self._process = self._process, None
            timer = threading.Timer(SECONDS, process.kill)
            timer.start()
            try:
                rows, problem = _ask(process, kind, body, most_cells)
                self._process = process
            finally:
                timer.cancel()
                if self._process is None:
                    _end(process)
        if problem:
            raise RequestError([problem])
        return rows

    def stop(self) -> None:
        """End the process; not while a table is read."""
        if self._process is not None:
            _end(self._process)
            self._process = None


def _start(budget: int) -> subprocess.Popen[bytes]:
    places = os.pathsep.join([str(Path(__file__).parents[2]), *(place for place in sys.path if place)])
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ} | _OWN | {"PYTHONPATH": places}
    command = [sys.executable, "-SP", "-m", _MODULE, str(budget)]
    return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(BrokenPipeError):
                pipe.close()
    process.wait()


def _ask(process: subprocess.Popen[bytes], kind: str, body: bytes, most_cells: int) -> tuple[list[Row], str]:
    """(the rows, what is wrong). Raises RequestError when the process ended."""
    assert process.stdin is not None  # noqa: S101 - both are pipes
    assert process.stdout is not None  # noqa: S101 - as above
    rows: list[Row] = []
    with suppress(BrokenPipeError):  # then it has ended, and says no more below
        process.stdin.write(json.dumps({"kind": kind, "size": len(body), "cells": most_cells}).encode() + b"\n" + body)
        process.stdin.flush()
    for line in process.stdout:
        found: Any = orjson.loads(line) if line.endswith(b"\n") else []
        if isinstance(found, dict):
            return rows, found.get("problem", "")
        rows += found
    raise RequestError([f"the body is not valid {kind}, or unpacks to more than can be held: it ended what read it"])


_reader = TableReader()
read_table = _reader.read
