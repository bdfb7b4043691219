"""Counters of all workers, in Prometheus's text format: https://prometheus.io/docs/instrumenting/exposition_formats/

They lie in memory that the workers share, a row of numbers for each worker. A worker writes to its own row alone, so no lock is needed;
whichever is asked adds up all rows. The row of a worker that died goes on counting when the next one takes it over, so counters never fall.
"""

import mmap
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping

PATHS = ("/invocations", "/ping", "/metrics", "other")
STATUSES = (200, 400, 404, 405, 406, 408, 413, 415, 417, 431, 500, 501, 503)
BOUNDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper ends of the latency's buckets, in seconds."""

_SECONDS = len(PATHS) * len(STATUSES)  # after the requests: the buckets, and their sum
_SUM = _SECONDS + len(BOUNDS) + 1
_ROWS, _IN_FLIGHT, _CONNECTIONS, _STARTS, _STARTED = range(_SUM + 1, _SUM + 6)
_WIDTH = _STARTED + 1
_REQUESTS = {(path, status): row * len(STATUSES) + column for row, path in enumerate(PATHS) for column, status in enumerate(STATUSES)}
NUMBER_BYTES = 8


def size(workers: int) -> int:
    """Bytes of memory that the metrics of so many workers take."""
    return workers * _WIDTH * NUMBER_BYTES


class Metrics:
    """The metrics as one worker sees them. `memory` is zero at first, and all workers map the same."""

    def __init__(self, memory: mmap.mmap | bytearray, workers: int, worker: int) -> None:
        self._all = memoryview(memory)[: size(workers)].cast("d")
        self._own = self._all[worker * _WIDTH : (worker + 1) * _WIDTH]
        self.load(0, 0)

    def begin(self, now: float) -> None:
        """This worker answers, from this Unix time on."""
        self._own[_STARTED] = now
        self._own[_STARTS] += 1

    def end(self) -> None:
        """This worker answers nobody any more; whoever looks after it says so."""
        self._own[_STARTED] = 0
        self.load(0, 0)

    def observe(self, path: str, status: int, seconds: float) -> None:
        """One answer."""
        own = self._own
        own[_REQUESTS[(path if path in PATHS else "other", status)]] += 1
        if path == "/invocations":
            own[_SECONDS + bisect_left(BOUNDS, seconds)] += 1
            own[_SUM] += seconds

    def predicted(self, rows: int) -> None:
        """Rows that were answered."""
        self._own[_ROWS] += rows

    def load(self, in_flight: int, connections: int) -> None:
        """How much is under way now: requests in the worker's thread or waiting for it, and connections."""
        self._own[_IN_FLIGHT], self._own[_CONNECTIONS] = in_flight, connections

    def crowded(self, connections: int) -> bool:
        """Whether this worker, with so many connections, has more than another."""
        self._own[_CONNECTIONS] = connections
        others = [row[_CONNECTIONS] for row in self._rows() if row[_STARTED]]
        return connections > min(others, default=connections)

    def _rows(self) -> list["memoryview[float]"]:
        return [self._all[start : start + _WIDTH] for start in range(0, len(self._all), _WIDTH)]

    def text(self, model: Mapping[str, str]) -> bytes:
        """All workers together. `model` says which model they serve."""
        rows = self._rows()
        total = [sum(column) for column in zip(*rows, strict=True)]
        live = [row for row in rows if row[_STARTED]]
        return "".join(_lines(total, live, model)).encode()


def _lines(total: list[float], live: list["memoryview[float]"], model: Mapping[str, str]) -> Iterator[str]:
    requests = [(f'path="{path}",status="{status}"', total[index]) for (path, status), index in _REQUESTS.items() if total[index]]
    yield from _family("tidewheel_requests_total", "counter", "Answers, by path and status.", requests)
    yield from _histogram(total)
    yield from _family("tidewheel_rows_total", "counter", "Rows that were predicted.", [("", total[_ROWS])])
    yield from _family("tidewheel_requests_in_flight", "gauge", "Requests whose answer is being computed.", [("", total[_IN_FLIGHT])])
    yield from _family("tidewheel_connections", "gauge", "Open connections.", [("", total[_CONNECTIONS])])
    yield from _family("tidewheel_workers", "gauge", "Worker processes.", [("", len(live))])
    yield from _family("tidewheel_worker_starts_total", "counter", "Starts of workers, replacements too.", [("", total[_STARTS])])
    since = min((row[_STARTED] for row in live), default=0)
    yield from _family("tidewheel_start_time_seconds", "gauge", "When the oldest worker started, in Unix time.", [("", since)])
    labels = ",".join(f'{name}="{_escaped(value)}"' for name, value in sorted(model.items()))
    yield from _family("tidewheel_model_info", "gauge", "The model that is served; always 1.", [(labels, 1)])


def _histogram(total: list[float]) -> Iterator[str]:
    name, below = "tidewheel_request_seconds", 0.0
    yield f"# HELP {name} Seconds from a complete request to its answer, of /invocations.\n# TYPE {name} histogram\n"
    for number, bound in enumerate([*map(repr, BOUNDS), "+Inf"]):
        below += total[_SECONDS + number]
        yield f'{name}_bucket{{le="{bound}"}} {below:.0f}\n'
    yield f"{name}_sum {total[_SUM]!r}\n{name}_count {below:.0f}\n"


def _family(name: str, kind: str, help_text: str, samples: Iterable[tuple[str, float]]) -> Iterator[str]:
    yield f"# HELP {name} {help_text}\n# TYPE {name} {kind}\n"
    for labels, value in samples:
        yield f"{name}{{{labels}}} {value!r}\n" if labels else f"{name} {value!r}\n"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
