"""What GET /model answers: the model that is live, what it takes and gives, how good it was on its holdout, and where it came from."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from contracts.evaluation import Metric
from contracts.runtime import RuntimeCheck
from contracts.signature import Signature


class LiveModel(BaseModel):
    """The live model. What could not be read is null or empty, and `notes` say why."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(description="the project and environment, which is what the endpoint is called too")
    version: int | None = Field(description="the number in the registry; null: what is live was not deployed from this project's registry")
    status: str = Field(description="the endpoint's status, such as InService, or Updating while another version comes")
    approval: str | None = Field(description="the version's status in the registry")
    since: datetime | None = Field(description="when the deployment began that brought it")
    dataset_version: str | None = Field(description="what it was trained on")
    artifact_sha256: str | None = Field(description="the digest that every answer of POST /predict repeats")
    runtime: RuntimeCheck | None = Field(description="what it is served from, and how that compares with scikit-learn's answers")
    metric: Metric | None = Field(description="the metric that decided")
    metrics: dict[Metric, float] = Field(description="over the rows of its holdout")
    holdout_rows: int | None
    signature: Signature | None = Field(description="the features and their kinds, and the classes")
    notes: tuple[str, ...] = Field(default=(), description="what a reader should know, such as a report that cannot be read")
