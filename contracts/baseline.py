"""The baseline that monitoring compares with: Model Monitor's statistics.json and constraints.json, typed.

Schemas: https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-interpreting-statistics.html and
https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-byoc-constraints.html. Only what Tidewheel writes is modelled.
"""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

# The columns in which the baseline describes what the model says: its answer, and a binary model's probability of `positive`.
PREDICTION = "prediction"
PROBABILITY = "probability"


class InferredType(StrEnum):
    """Model Monitor's column types."""

    FRACTIONAL = "Fractional"
    INTEGRAL = "Integral"
    STRING = "String"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Counts(_Part):
    """Cells that hold a value, and cells that do not."""

    num_present: int = Field(ge=0)
    num_missing: int = Field(ge=0)


class Bucket(_Part):
    """A histogram's bin: lower_bound <= value < upper_bound; the last bin includes its upper bound, and may be one value."""

    lower_bound: float
    upper_bound: float
    count: float = Field(ge=0)


class Buckets(_Part):
    """A histogram; bins are adjacent and in order."""

    buckets: tuple[Bucket, ...] = ()


class NumericDistribution(_Part):
    """Where Model Monitor keeps a numeric histogram."""

    kll: Buckets


class NumericStatistics(_Part):
    """A numeric column. Boolean columns are 0 and 1; datetime columns are seconds since 1970 in UTC."""

    common: Counts
    mean: float
    sum: float
    std_dev: float
    min: float
    max: float
    distribution: NumericDistribution


class Category(_Part):
    """How often a value occurs."""

    value: str
    count: int = Field(ge=0)


class Categories(_Part):
    """Values, most frequent first."""

    buckets: tuple[Category, ...] = ()


class StringDistribution(_Part):
    """Where Model Monitor keeps category counts."""

    categorical: Categories


class StringStatistics(_Part):
    """A categorical column."""

    common: Counts
    distinct_count: int = Field(ge=0)
    distribution: StringDistribution


class FeatureStatistics(_Part):
    """One column's statistics: numeric or string, by its type. The model's prediction is a column like any other."""

    name: str
    inferred_type: InferredType
    numerical_statistics: NumericStatistics | None = None
    string_statistics: StringStatistics | None = None


class DatasetStatistics(_Part):
    """The whole table."""

    item_count: int = Field(ge=0)


class Statistics(_Part):
    """statistics.json."""

    version: int = 0
    dataset: DatasetStatistics
    features: tuple[FeatureStatistics, ...]


class NumberConstraints(_Part):
    """What numbers may be."""

    is_non_negative: bool


class StringConstraints(_Part):
    """What texts may be."""

    domains: tuple[str, ...] | None = None


class FeatureConstraints(_Part):
    """What one column must look like: `completeness` is the share of cells that hold a value."""

    name: str
    inferred_type: InferredType
    completeness: float = Field(ge=0, le=1)
    num_constraints: NumberConstraints | None = None
    string_constraints: StringConstraints | None = None


class Constraints(_Part):
    """constraints.json."""

    version: int = 0
    features: tuple[FeatureConstraints, ...]
