"""What monitoring says about a window of traffic: thresholds, Model Monitor's violations, and the verdict (verdict.json).

A feature has drifted when the Jensen-Shannon distance between the baseline's histogram and the window's, empty cells in a bin of their own,
exceeds `distance`, and a test of homogeneity says that samples of these sizes do not differ so much by chance. The distance decides; the
test only guards small samples.
benchmarks/false_alarms.py shows both at work: with a p-value alone every large window drifts, with a distance alone every small one.

The model's quality has fallen when a judged metric is worse than on the champion's holdout by more than `quality_tolerance`, relative to
it, and by more than chance explains. Too few rows or labels give no verdict: `not_enough_data` never means `no_drift`.
"""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from contracts.evaluation import Metric, Problem

NAMESPACE = "Tidewheel"  # of CloudWatch metrics, those of the functions among them
ENDPOINT_DIMENSION = "Endpoint"

# CloudWatch metrics of a window. The first three are Model Monitor's names, with the feature's name after the underscore
# (https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-interpreting-cloudwatch.html); the others are ours.
FEATURE_DRIFT = "feature_baseline_drift_"
FEATURE_PRESENT = "feature_non_null_"
FEATURE_DATA = "feature_data_"
ROWS = "rows"
UNREADABLE = "unreadable_records"
DRIFTED = "drifted_features"
DRIFT_ALARM = "drift"  # 1 drift, 0 no drift, absent when there was not enough data
QUALITY_ALARM = "quality_fell"  # 1 or 0, absent when there were not enough labels
VIOLATED = "violations"
QUALITY = "quality_"  # and the metric's name

# Of start_training and of reconcile_endpoint, for people: what the loop cannot mend by itself.
RETRAINING_STOPPED = "retraining_stopped"
TOO_FEW_LABELS = "too_few_labels"
ENDPOINT_HELD = "endpoint_held"

LONGEST_METRIC_NAME = 255  # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Thresholds(_Part):
    """When a window is called different. Nothing here depends on the table; distances and shares are between 0 and 1."""

    distance: float = Field(default=0.1, gt=0, lt=1, description="Jensen-Shannon distance; a normal column's mean moved by a quarter sd")
    significance: float = Field(default=0.01, gt=0, lt=1, description="false alarms of a window by chance, all features together")
    minimum_rows: int = Field(default=100, ge=20, description="fewer rows say nothing about drift")
    minimum_labels: int = Field(default=100, ge=20, description="fewer labelled predictions say nothing about quality")
    drifted_share: float = Field(default=0, ge=0, le=1, description="share of the features that must drift; 0: one is enough")
    completeness: float = Field(default=0.05, ge=0, le=1, description="how much less complete than in the baseline a column may be")
    wrong_type: float = Field(default=0.01, ge=0, le=1, description="share of a column's cells that may be of a wrong type")
    outside: float = Field(default=0.01, ge=0, le=1, description="share of unknown categories, or of numbers beyond the baseline's range")
    wrong_columns: float = Field(default=0.01, ge=0, le=1, description="share of rows that may lack a column or have one too many")
    quality_tolerance: float = Field(default=0.03, ge=0, description="how much worse than the holdout, relative to it, is accepted")


class CheckType(StrEnum):
    """Model Monitor's constraint checks (https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-interpreting-violations.html).

    `range_check` and `quality_check` are ours; Model Monitor leaves the names to containers of one's own.
    """

    DATA_TYPE = "data_type_check"
    COMPLETENESS = "completeness_check"
    BASELINE_DRIFT = "baseline_drift_check"
    MISSING_COLUMN = "missing_column_check"
    EXTRA_COLUMN = "extra_column_check"
    CATEGORICAL_VALUES = "categorical_values_check"
    RANGE = "range_check"
    QUALITY = "quality_check"


class Violation(_Part):
    """What is wrong with one column. For a fall in quality `feature_name` is the metric."""

    feature_name: str
    constraint_check_type: CheckType
    description: str


class Violations(_Part):
    """constraint_violations.json."""

    violations: tuple[Violation, ...] = ()


class DriftVerdict(StrEnum):
    """`not_compared`: a datetime moves by nature, and so do categories that are all rare; of both only whether cells are filled may drift.

    A column that the baseline never saw filled has nothing to be compared with, nor has a window of which only labelled predictions were
    looked at.
    """

    DRIFT = "drift"
    NO_DRIFT = "no_drift"
    NOT_ENOUGH_DATA = "not_enough_data"
    NOT_COMPARED = "not_compared"


class QualityVerdict(StrEnum):
    """Of the model, by labels."""

    FELL = "fell"
    HELD = "held"
    NOT_ENOUGH_DATA = "not_enough_data"


class FeatureVerdict(_Part):
    """One column against its baseline. `distance`: Jensen-Shannon's, 0 to 1. `chance`: the probability of a larger difference by chance."""

    name: str
    verdict: DriftVerdict
    rows: int = Field(ge=0, description="cells that hold a value")
    missing: int = Field(ge=0)
    invalid: int = Field(ge=0, description="cells of a wrong type")
    distance: float | None = None
    chance: float | None = None
    threshold: float


class MetricVerdict(_Part):
    """One metric on the window's labelled predictions, and on the champion's holdout when that is known. `error` is a standard error."""

    metric: Metric
    value: float
    error: float = Field(ge=0)
    holdout: float | None = None
    fell: bool | None = Field(default=None, description="None: not judged")


class Counts(_Part):
    """What was read, and what became of it."""

    records: int = Field(default=0, ge=0, description="inside the window, each event once")
    rows: int = Field(default=0, ge=0)
    unreadable_lines: int = Field(default=0, ge=0, description="not a capture record")
    unreadable_requests: int = Field(default=0, ge=0, description="records whose input is no request")
    unreadable_answers: int = Field(default=0, ge=0, description="records whose output is no prediction")
    duplicates: int = Field(default=0, ge=0)
    outside_window: int = Field(default=0, ge=0)
    files: int = Field(default=0, ge=0)
    predictions: int = Field(default=0, ge=0, description="of the model that the window is compared with")
    other_models: int = Field(default=0, ge=0, description="predictions that say that another model gave them, left out")
    labels: int = Field(default=0, ge=0, description="of the window's predictions, joined")
    unreadable_labels: int = Field(default=0, ge=0, description="ground truth lines, or labels that are no value of the target")
    unknown_labels: int = Field(default=0, ge=0, description="joined labels of a class that the model does not know")
    repeated_labels: int = Field(default=0, ge=0, description="labels that a later one for the same prediction replaced")


class Window(_Part):
    """start <= inference time < end."""

    start: datetime
    end: datetime
    endpoint: str = ""
    schedule: str = ""


class QualityReport(_Part):
    """The model's quality by labels, start <= inference time < end: an earlier window than that of drift, when labels come late."""

    start: datetime | None = None
    end: datetime | None = None
    verdict: QualityVerdict
    labels: int = Field(ge=0)
    metrics: tuple[MetricVerdict, ...] = ()


class MonitoringVerdict(_Part):
    """verdict.json: features by distance, the furthest first. `drift` is the window's; the model's own answers count like a feature."""

    window: Window
    problem: Problem | None = None
    drift: DriftVerdict
    drifted: tuple[str, ...] = ()
    features: tuple[FeatureVerdict, ...]
    predictions: tuple[FeatureVerdict, ...]
    quality: QualityReport
    violations: int = Field(ge=0)
    counts: Counts
    thresholds: Thresholds
