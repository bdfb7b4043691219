"""The counters of all workers add up, never fall, and are what Prometheus reads."""

import re

from hypothesis import given
from hypothesis import strategies as st

from training.serving.metrics import BOUNDS, PATHS, STATUSES, Metrics, size

LINE = re.compile(r'^(# (HELP \w+ .+|TYPE \w+ (counter|gauge|histogram))|\w+(\{(\w+="([^"\\\n]|\\[\\n"])*",?)+\})? [0-9.e+-]+)$')

answers = st.tuples(st.integers(0, 2), st.sampled_from([*PATHS[:3], "", "/favicon.ico"]), st.sampled_from(STATUSES), st.floats(0, 100))


def samples(metrics: Metrics, **model: str) -> dict[str, float]:
    lines = metrics.text(model).decode().splitlines()
    assert all(LINE.match(line) for line in lines), [line for line in lines if not LINE.match(line)]
    pairs = [line.rsplit(" ", 1) for line in lines if not line.startswith("#")]
    assert len(dict(pairs)) == len(pairs)
    return {name: float(value) for name, value in pairs}


@given(st.lists(answers, max_size=60))
def test_any_worker_tells_of_all(given: list[tuple[int, str, int, float]]) -> None:
    memory = bytearray(size(3))
    workers = [Metrics(memory, 3, number) for number in range(3)]
    for number, worker in enumerate(workers):
        worker.begin(100.0 + number)
    for number, path, status, seconds in given:
        workers[number].observe(path, status, seconds)
    found = samples(workers[0])
    assert found == samples(workers[2])
    assert sum(value for name, value in found.items() if name.startswith("tidewheel_requests_total")) == len(given)
    latencies = [seconds for _, path, _, seconds in given if path == "/invocations"]
    for bound in BOUNDS:
        assert found[f'tidewheel_request_seconds_bucket{{le="{bound!r}"}}'] == sum(each <= bound for each in latencies)
    assert found["tidewheel_request_seconds_count"] == found['tidewheel_request_seconds_bucket{le="+Inf"}'] == len(latencies)
    assert found["tidewheel_workers"] == found["tidewheel_worker_starts_total"] == 3
    assert found["tidewheel_start_time_seconds"] == 100


def test_counters_outlive_a_worker_and_gauges_do_not() -> None:
    memory = bytearray(size(2))
    first = Metrics(memory, 2, 0)
    first.begin(1.0)
    first.observe("/ping", 200, 0.1)
    first.predicted(7)
    first.load(3, 4)
    assert samples(first)["tidewheel_requests_in_flight"] == 3
    Metrics(memory, 2, 0).end()
    gone = samples(first)
    assert (gone["tidewheel_workers"], gone["tidewheel_connections"], gone["tidewheel_start_time_seconds"]) == (0, 0, 0)
    second = Metrics(memory, 2, 0)
    second.begin(2.0)
    again = samples(second)
    assert (again['tidewheel_requests_total{path="/ping",status="200"}'], again["tidewheel_rows_total"]) == (1, 7)
    assert (again["tidewheel_requests_in_flight"], again["tidewheel_connections"]) == (0, 0)
    assert (again["tidewheel_workers"], again["tidewheel_worker_starts_total"]) == (1, 2)


def test_a_worker_is_crowded_when_another_has_fewer_connections() -> None:
    memory = bytearray(size(3))
    first, second, _ = (Metrics(memory, 3, number) for number in range(3))
    first.begin(1.0)
    assert not first.crowded(9)  # nobody else answers yet
    second.begin(1.0)
    assert first.crowded(9)
    assert not second.crowded(9)
    assert not first.crowded(9)
    second.crowded(1)
    assert first.crowded(9)
    second.end()
    assert not first.crowded(9)


def test_no_name_of_a_model_breaks_the_format() -> None:
    metrics = Metrics(bytearray(size(1)), 1, 0)
    name = 'tidewheel_model_info{reason="a \\"b\\"\\\\\\n"}'
    assert samples(metrics, reason='a "b"\\\n')[name] == 1
