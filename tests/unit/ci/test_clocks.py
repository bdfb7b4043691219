"""Which code of functions and jobs reads a clock, and what for (docs/adr/0005): what is not listed here takes its time from the event."""

import re

from cli.project import REPOSITORY

FOLDERS = ("contracts", "lambdas", "training", "pipelines")
CLOCK = re.compile(
    r"\btime\.(?:time|monotonic|perf_counter|process_time)(?:_ns)?\b"
    r"|\bfrom time import\b|\bloop\.time\(|\bformatdate\(|\.(?:now|utcnow|today)\(|get_remaining_time_in_millis"
)
ALLOWED = {
    "lambdas/describe_model/handler.py": "how long an answer is kept",
    "lambdas/predict/handler.py": "how long an answer is kept, and how much time an invocation has left to try again",
    "training/serving/http.py": "how long a request takes, and when a connection has waited long enough",
    "training/serving/server.py": "when connections have waited long enough, and HTTP's Date header",
    "training/serving/worker.py": "since when a worker serves, as GET /metrics shows it",
}


def test_durations_and_budgets_alone_are_measured_by_a_clock() -> None:
    files = [path for folder in FOLDERS for path in (REPOSITORY / folder).rglob("*.py")]
    reads = {str(path.relative_to(REPOSITORY)) for path in files if CLOCK.search(path.read_text(encoding="utf-8"))}
    assert reads == ALLOWED.keys()


def test_the_pattern_knows_a_clock_when_it_sees_one() -> None:
    for text in (
        "time.time()",
        "perf(time.monotonic)",
        "from time import perf_counter",
        "datetime.now(UTC)",
        "self.loop.time()",
        "date.today()",
    ):
        assert CLOCK.search(text), text
    for text in ("event.time", "time.sleep(1)", "from datetime import timedelta", "time.gmtime(floor(seconds))"):
        assert not CLOCK.search(text), text
