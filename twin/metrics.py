"""CloudWatch's metric store: what services measure and users put, aggregated per minute of twin time.

`cloud.measure` costs a dictionary look-up and five additions, because every invocation calls it four times. Each minute keeps a statistic
set and a bounded random sample for percentiles, as CloudWatch keeps statistic sets and distributions. GetMetricStatistics, GetMetricData,
ListMetrics and PutMetricData answer from here, and alarms evaluate on it.

Sources: CloudWatch user guide, cloudwatch_concepts (aggregation, retention), API_PutMetricData, API_MetricDatum.
Modelled: every metric has one-minute resolution (periods are multiples of 60 seconds); a series keeps 15 days; percentiles of more than
SAMPLE values a minute come from a random sample of that size; values are visible at once.
"""

import random
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from moto.cloudwatch.exceptions import CloudWatchException
from moto.cloudwatch.responses import CloudWatchResponse

from twin import metric_math, patches
from twin.cloud import Cloud
from twin.sagemaker import api

MINUTE = 60
KEPT_MINUTES = 15 * 24 * 60
SAMPLE = 500
STATISTICS = frozenset({"Average", "Sum", "Minimum", "Maximum", "SampleCount"})

Key = tuple[str, str, tuple[tuple[str, str], ...]]
Point = tuple[int, float]


@dataclass
class Bucket:
    """One minute of one unit of a series: a statistic set, and a sample of the values."""

    count: float = 0.0
    total: float = 0.0
    low: float = float("inf")
    high: float = float("-inf")
    sample: list[float] = field(default_factory=list)

    def add(self, value: float, count: float, chance: random.Random) -> None:
        """Take a value that was seen `count` times."""
        self.merge(count, value * count, value, value)
        if len(self.sample) < SAMPLE:
            self.sample.append(value)
        elif chance.random() < SAMPLE * count / self.count:
            self.sample[chance.randrange(SAMPLE)] = value

    def merge(self, count: float, total: float, low: float, high: float) -> None:
        """Take a statistic set."""
        self.count += count
        self.total += total
        self.low = min(self.low, low)
        self.high = max(self.high, high)

    def absorb(self, other: "Bucket") -> None:
        """Take what another minute holds."""
        self.merge(other.count, other.total, other.low, other.high)
        self.sample.extend(other.sample)

    def statistic(self, name: str) -> float | None:
        """The value of a statistic or percentile (p0 to p100); None when a percentile was asked of statistic sets."""
        if name == "Average":
            return self.total / self.count
        if name in STATISTICS:
            return {"Sum": self.total, "Minimum": self.low, "Maximum": self.high, "SampleCount": self.count}[name]
        return percentile(self.sample, _percent(name)) if self.sample else None


def percentile(values: Sequence[float], percent: float) -> float:
    """The percentile of at least one value, interpolated between neighbours."""
    ranked = sorted(values)
    position = (len(ranked) - 1) * percent / 100
    below = int(position)
    above = min(below + 1, len(ranked) - 1)
    return ranked[below] + (ranked[above] - ranked[below]) * (position - below)


def check_statistic(name: str) -> None:
    """Stop at a statistic that the store cannot compute. Raises InvalidParameterValue."""
    if name not in STATISTICS:
        _percent(name)


def _percent(name: str) -> float:
    try:
        percent = float(name[1:]) if name.startswith("p") else -1.0
    except ValueError:
        percent = -1.0
    if not 0 <= percent <= 100:
        raise CloudWatchException(
            "InvalidParameterValue", f"The statistic {name} is not one of {', '.join(sorted(STATISTICS))}, p0 to p100."
        )
    return percent


def key_of(namespace: str, name: str, dimensions: Mapping[str, str]) -> Key:
    """A series' identity: dimensions have no order."""
    return namespace, name, tuple(sorted(dimensions.items()))


class MetricStore:
    """All series of the account. Safe to use from any thread."""

    def __init__(self, chance: random.Random) -> None:
        self._series: dict[Key, dict[int, dict[str, Bucket]]] = {}
        self._chance = chance
        self._lock = threading.Lock()

    def add(self, key: Key, moment: float, value: float, unit: str, count: float = 1.0) -> None:
        """Take a value, seen `count` times at `moment` (seconds since the epoch)."""
        with self._lock:
            self._bucket(key, moment, unit).add(value, count, self._chance)

    def add_set(self, key: Key, moment: float, unit: str, statistics: Mapping[str, float]) -> None:
        """Take a statistic set as PutMetricData has it: SampleCount, Sum, Minimum, Maximum."""
        with self._lock:
            self._bucket(key, moment, unit).merge(*(statistics[name] for name in ("SampleCount", "Sum", "Minimum", "Maximum")))

    def _bucket(self, key: Key, moment: float, unit: str) -> Bucket:
        minutes = self._series.setdefault(key, {})
        minute = int(moment // MINUTE)
        if minute not in minutes:
            minutes[minute] = {}
            if len(minutes) > KEPT_MINUTES:
                del minutes[min(minutes)]
        return minutes[minute].setdefault(unit, Bucket())

    def read(self, key: Key, start: float, end: float, period: int, unit: str | None = None) -> dict[int, Bucket]:
        """What the series holds from `start` to before `end`, per period (seconds since the epoch at which each period starts)."""
        found: dict[int, Bucket] = {}
        with self._lock:
            minutes = self._series.get(key, {})
            first, last = int(start // MINUTE), -int(-end // MINUTE)
            wanted = range(first, last) if last - first < len(minutes) else sorted(m for m in minutes if first <= m < last)
            for minute in wanted:
                for of_unit, bucket in minutes.get(minute, {}).items():
                    if unit in {None, of_unit}:
                        found.setdefault(minute * MINUTE // period * period, Bucket()).absorb(bucket)
        return found

    def points(self, key: Key, start: float, end: float, period: int, statistic: str, unit: str | None = None) -> list[Point]:
        """(start of period, value), oldest first; periods without data are left out."""
        values = ((at, bucket.statistic(statistic)) for at, bucket in sorted(self.read(key, start, end, period, unit).items()))
        return [(at, value) for at, value in values if value is not None]

    def units(self, key: Key) -> set[str]:
        """The units that the series was measured in."""
        with self._lock:
            return {unit for minute in self._series.get(key, {}).values() for unit in minute}

    def series(self) -> list[Key]:
        """Every series' identity."""
        with self._lock:
            return sorted(self._series)


def dimensions_of(listed: Iterable[Mapping[str, str]] | None) -> dict[str, str]:
    """The API's list of Name and Value as a mapping."""
    return {dimension["Name"]: dimension["Value"] for dimension in listed or ()}


def check_period(period: int) -> int:
    """A period that one-minute resolution can give. Raises ValidationError."""
    if period <= 0 or period % MINUTE:
        raise CloudWatchException(
            "ValidationError", f"The twin keeps metrics per minute: period {period} must be a multiple of 60 seconds."
        )
    return period


class Metrics:
    """The part: the store behind `cloud.measure` and CloudWatch's metric operations."""

    def __init__(self, cloud: Cloud, chance: random.Random) -> None:
        self._cloud = cloud
        self.store = MetricStore(chance)

    def __call__(
        self, namespace: str, name: str, dimensions: Mapping[str, str], value: float, *, unit: str = "None", time: datetime | None = None
    ) -> None:
        """Take one measurement (twin.cloud.MetricSink)."""
        self.store.add(key_of(namespace, name, dimensions), (time or self._cloud.clock.now()).timestamp(), value, unit)

    def put_metric_data(self, request: api.Request) -> api.Reply:
        """PutMetricData, with single values, arrays of values and statistic sets."""
        if request.get("EntityMetricData"):
            raise CloudWatchException("InvalidParameterValue", "The twin does not keep EntityMetricData. Next: use MetricData.")
        for number, datum in enumerate(request.get("MetricData", []), 1):
            if not datum["MetricName"].isascii():
                what = f"The value for parameter MetricData.member.{number}.MetricName contains non-ASCII characters."
                raise CloudWatchException("InvalidParameterValue", what)
            key = key_of(request["Namespace"], datum["MetricName"], dimensions_of(datum.get("Dimensions")))
            moment = _seconds(datum.get("Timestamp") or self._cloud.clock.now())
            unit = datum.get("Unit") or "None"
            if datum.get("StatisticValues"):
                self.store.add_set(key, moment, unit, datum["StatisticValues"])
                continue
            values = datum.get("Values") or [datum.get("Value")]
            if None in values:
                raise CloudWatchException("MissingParameter", f"{datum['MetricName']} has no Value, Values or StatisticValues.")
            for value, count in zip(values, datum.get("Counts") or [1.0] * len(values), strict=True):
                self.store.add(key, moment, float(value), unit, float(count))
        return {}

    def get_metric_statistics(self, request: api.Request) -> api.Reply:
        """GetMetricStatistics. Datapoints have no order on AWS; here they are in that of time."""
        key = key_of(request["Namespace"], request["MetricName"], dimensions_of(request.get("Dimensions")))
        period = check_period(int(request["Period"]))
        plain, extended = request.get("Statistics") or [], request.get("ExtendedStatistics") or []
        if not plain and not extended:
            raise CloudWatchException("InvalidParameterCombination", "Must specify either Statistics or ExtendedStatistics")
        for name in [*plain, *extended]:
            check_statistic(name)
        unit = request.get("Unit")
        buckets = self.store.read(key, _seconds(request["StartTime"]), _seconds(request["EndTime"]), period, unit)
        shown = unit or min(self.store.units(key), default="None")
        points = []
        for at, bucket in sorted(buckets.items()):
            point: dict[str, Any] = {"Timestamp": datetime.fromtimestamp(at, UTC), "Unit": shown}
            point |= {name: bucket.statistic(name) for name in plain}
            if extended:
                point["ExtendedStatistics"] = {name: value for name in extended if (value := bucket.statistic(name)) is not None}
            points.append(point)
        return {"Label": request["MetricName"], "Datapoints": points}

    def get_metric_data(self, request: api.Request) -> api.Reply:
        """GetMetricData, with metrics and arithmetic expressions over them (see twin.metric_math)."""
        start, end = _seconds(request["StartTime"]), _seconds(request["EndTime"])
        queries = request["MetricDataQueries"]
        series = metric_math.resolve(queries, lambda stat: self.stat_points(stat, start, end))
        newest_first = (request.get("ScanBy") or "TimestampDescending") == "TimestampDescending"
        results = []
        for query in queries:
            if query.get("ReturnData") is False:
                continue
            points = sorted(series[query["Id"]].items(), reverse=newest_first)
            label = query.get("Label") or (query["MetricStat"]["Metric"]["MetricName"] if "MetricStat" in query else query["Id"])
            times, values = [datetime.fromtimestamp(at, UTC) for at, _ in points], [value for _, value in points]
            results.append({"Id": query["Id"], "Label": label, "Timestamps": times, "Values": values, "StatusCode": "Complete"})
        return {"MetricDataResults": results}

    def stat_points(self, stat: Mapping[str, Any], start: float, end: float) -> dict[int, float]:
        """The points of an API MetricStat, by the start of their period."""
        metric = stat["Metric"]
        check_statistic(stat["Stat"])
        key = key_of(metric["Namespace"], metric["MetricName"], dimensions_of(metric.get("Dimensions")))
        return dict(self.store.points(key, start, end, check_period(int(stat["Period"])), stat["Stat"], stat.get("Unit")))

    def windows(self, stat: Mapping[str, Any], start: int, end: int, length: int) -> dict[int, float]:
        """The values of an API MetricStat over windows of whole minutes, by their starts; those without data are left out."""
        metric, found = stat["Metric"], dict[int, Bucket]()
        key = key_of(metric["Namespace"], metric["MetricName"], dimensions_of(metric.get("Dimensions")))
        for minute, bucket in self.store.read(key, start, end, MINUTE, stat.get("Unit")).items():
            found.setdefault(start + (minute - start) // length * length, Bucket()).absorb(bucket)
        values = {at: bucket.statistic(stat["Stat"]) for at, bucket in found.items() if bucket.count}
        return {at: value for at, value in values.items() if value is not None}

    def list_metrics(self, request: api.Request) -> api.Reply:
        """ListMetrics: a dimension filter without a value asks only for the dimension."""
        wanted = [(each["Name"], each.get("Value")) for each in request.get("Dimensions") or ()]
        listed = []
        for namespace, name, dimensions in self.store.series():
            has = dict(dimensions)
            if request.get("Namespace") not in {None, namespace} or request.get("MetricName") not in {None, name}:
                continue
            if all(each in has and value in {None, has[each]} for each, value in wanted):
                shown = [{"Name": each, "Value": value} for each, value in dimensions]
                listed.append({"Namespace": namespace, "MetricName": name, "Dimensions": shown})
        return api.page(request, "Metrics", listed, default=500)

    def stop(self) -> None:
        """Nothing runs by itself here."""


def _seconds(moment: Any) -> float:
    if isinstance(moment, datetime):
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return float(moment)


def install(cloud: Cloud) -> Metrics:
    """Open `cloud.measure` and put the store behind CloudWatch's metric operations."""
    part = Metrics(cloud, random.Random(0))  # noqa: S311 - picks a sample, keeps no secret
    names = ("put_metric_data", "get_metric_statistics", "get_metric_data", "list_metrics")
    why = "moto keeps metrics apart from what services measure, on real time, and computes no percentiles"
    patches.apply(*api.patches(CloudWatchResponse, why, replaced={name: getattr(part, name) for name in names}))
    cloud.measure = part
    return part
