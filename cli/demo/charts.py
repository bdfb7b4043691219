"""What a client saw over time, in bars: who answered, and how well."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from cli.demo.traffic import Sent
from cli.score import tally
from contracts.evaluation import Metric

BARS = " ▁▂▃▄▅▆▇█"
PLAIN_BARS = " .:-=+*#@"


def shares_over_time(sent: Sequence[Sent], names: Mapping[str, str], slots: int) -> dict[str, list[float]]:
    """For each name (artifact -> name), its share of the answers in each of `slots` equal parts of the time."""
    counts = [
        Counter(names.get(one.artifact, one.artifact[:8]) if one.artifact else "failed" for one in part) for part in _parts(sent, slots)
    ]
    seen = sorted({name for count in counts for name in count})
    return {name: [count[name] / count.total() if count.total() else 0.0 for count in counts] for name in seen}


def quality_over_time(sent: Sequence[Sent], metric: Metric, slots: int) -> list[float | None]:
    """The metric on the answers of each of `slots` equal parts of the time; None where there were none."""
    return [tally(metric, (pair for one in part for pair in one.pairs)).score for part in _parts(sent, slots)]


def bars_of(values: Sequence[float | None], bars: str, highest: float = 1.0) -> str:
    """A bar for each value, from nothing to `highest`; any value above nothing shows."""
    return "".join(bars[_height(value or 0.0, highest, len(bars) - 1)] for value in values)


def _parts(sent: Sequence[Sent], slots: int) -> list[list[Sent]]:
    """The requests of each equal part of the time; none at all when nothing was sent."""
    if not sent:
        return []
    length = max(one.at for one in sent) / slots or 1.0
    parts = defaultdict[int, list[Sent]](list)
    for one in sent:
        parts[min(int(one.at / length), slots - 1)].append(one)
    return [parts[number] for number in range(slots)]


def _height(value: float, highest: float, most: int) -> int:
    return 0 if value <= 0 else max(1, round(min(value / highest, 1.0) * most))
