"""What the page says in words: of every column only what was compared."""

import pytest

from contracts.monitoring import Counts, DriftVerdict, FeatureVerdict, MonitoringVerdict, QualityReport, QualityVerdict, Thresholds, Window
from tests.unit.training.monitoring import traffic
from training.monitoring.report import sentences


@pytest.mark.parametrize(
    ("second", "said"),
    [
        (DriftVerdict.NO_DRIFT, "All 2 features look as they did in training"),
        (DriftVerdict.NOT_COMPARED, "Of 2 features 1 could be compared and look as they did in training"),
        (DriftVerdict.NOT_ENOUGH_DATA, "Of 2 features 1 could be compared and look as they did in training"),
    ],
)
def test_a_feature_that_was_not_compared_is_not_said_to_be_the_same(second: DriftVerdict, said: str) -> None:
    features = [
        FeatureVerdict(name=str(verdict), verdict=verdict, rows=500, missing=0, invalid=0, threshold=0.1)
        for verdict in (DriftVerdict.NO_DRIFT, second)
    ]
    verdict = MonitoringVerdict(
        window=Window(start=traffic.START, end=traffic.END, endpoint="shop-dev"),
        drift=DriftVerdict.NO_DRIFT,
        features=tuple(features),
        predictions=(),
        quality=QualityReport(verdict=QualityVerdict.NOT_ENOUGH_DATA, labels=0),
        violations=0,
        counts=Counts(rows=500),
        thresholds=Thresholds(),
    )
    assert sentences(verdict)[0].startswith(said)
