"""Baseline statistics and constraints of a table's columns, as monitoring will compare with them. Pure."""

from collections import Counter
from collections.abc import Mapping

import numpy as np

from contracts.baseline import (
    PROBABILITY,
    Bucket,
    Buckets,
    Categories,
    Category,
    Constraints,
    Counts,
    DatasetStatistics,
    FeatureConstraints,
    FeatureStatistics,
    InferredType,
    NumberConstraints,
    NumericDistribution,
    NumericStatistics,
    Statistics,
    StringConstraints,
    StringDistribution,
    StringStatistics,
)
from contracts.columns import ColumnKind
from training.frame import Column

BINS = 20
DOMAIN = 100  # a column with more categories than this has no closed domain


def describe(kinds: Mapping[str, ColumnKind], columns: Mapping[str, Column]) -> Statistics:
    """statistics.json of these columns."""
    rows = len(next(iter(columns.values())))
    features = tuple(
        _texts(name, columns[name]) if kind is ColumnKind.CATEGORICAL else _numbers(name, columns[name]) for name, kind in kinds.items()
    )
    return Statistics(dataset=DatasetStatistics(item_count=rows), features=features)


def _numbers(name: str, column: Column) -> FeatureStatistics:
    present = column[~np.isnan(column)]
    filled = present if len(present) else np.zeros(1)
    bins = _even() if name == PROBABILITY else _frequent(present)
    whole = len(present) > 0 and bool(np.all(present == np.floor(present)))
    return FeatureStatistics(
        name=name,
        inferred_type=InferredType.INTEGRAL if whole else InferredType.FRACTIONAL,
        numerical_statistics=NumericStatistics(
            common=Counts(num_present=len(present), num_missing=len(column) - len(present)),
            mean=float(filled.mean()),
            sum=float(filled.sum()),
            std_dev=float(filled.std()),
            min=float(filled.min()),
            max=float(filled.max()),
            distribution=NumericDistribution(kll=Buckets(buckets=_histogram(present, bins))),
        ),
    )


def _frequent(present: Column) -> tuple[Column, float]:
    """(lower bounds, last upper bound) of bins of equal frequency: a long tail does not swallow all of them; fewer where values repeat.

    A highest value that fills a bin by itself has one of its own, from itself to itself: else the two values of a boolean column, being
    the two ends of one bin, would be told apart by nobody.
    """
    quantiles = np.quantile(present if len(present) else np.zeros(1), np.linspace(0, 1, BINS + 1))
    return np.unique(quantiles if quantiles[-2] == quantiles[-1] else quantiles[:-1]), float(quantiles[-1])


def _even() -> tuple[Column, float]:
    """The same of a probability: bins of equal width.

    The baseline holds what models of the search said of rows that they had not seen, the window what the live one says. They agree about a
    rare class to a percent or so, and not about which hundredths of a percent are likely: bins of equal frequency lie there, and every
    window would have drifted.
    """
    edges = np.linspace(0, 1, BINS + 1)
    return edges[:-1], 1.0


def _histogram(present: Column, bins: tuple[Column, float]) -> tuple[Bucket, ...]:
    """The values by bin; none without values."""
    if not len(present):
        return ()
    lowers, last = bins
    uppers = np.append(lowers[1:], last)
    counts = np.bincount(np.searchsorted(lowers, present, side="right") - 1, minlength=len(lowers))
    return tuple(Bucket(lower_bound=low, upper_bound=high, count=count) for low, high, count in zip(lowers, uppers, counts, strict=True))


def _texts(name: str, column: Column) -> FeatureStatistics:
    counts = Counter(text for text in column if text)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    present = counts.total()
    return FeatureStatistics(
        name=name,
        inferred_type=InferredType.STRING,
        string_statistics=StringStatistics(
            common=Counts(num_present=present, num_missing=len(column) - present),
            distinct_count=len(counts),
            distribution=StringDistribution(
                categorical=Categories(buckets=tuple(Category(value=text, count=count) for text, count in ordered))
            ),
        ),
    )


def constrain(statistics: Statistics) -> Constraints:
    """constraints.json that the described table itself satisfies."""
    return Constraints(features=tuple(_constraint(feature) for feature in statistics.features))


def _constraint(feature: FeatureStatistics) -> FeatureConstraints:
    numbers, texts = feature.numerical_statistics, feature.string_statistics
    described = numbers or texts
    if described is None:
        raise ValueError(f"column {feature.name!r} has no statistics")
    common = described.common
    domain = None
    if texts is not None and texts.distinct_count <= DOMAIN:
        domain = tuple(sorted(category.value for category in texts.distribution.categorical.buckets))
    return FeatureConstraints(
        name=feature.name,
        inferred_type=feature.inferred_type,
        completeness=common.num_present / max(1, common.num_present + common.num_missing),
        num_constraints=NumberConstraints(is_non_negative=numbers.min >= 0) if numbers else None,
        string_constraints=StringConstraints(domains=domain) if domain is not None else None,
    )
