"""The pipeline's parameters: start_training fills them in, pipelines/ declares them, under the same names."""

from pydantic import BaseModel, ConfigDict, Field

LOST = "The model did not pass the gate: "
"""How the reason of a run begins whose model was no better; so it is told from a run that failed."""


class RunParameters(BaseModel):
    """What differs from run to run. Role and image are not parameters: whoever may start a run must not choose them."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    run: str = Field(alias="Run", description="the run's name; derived from its cause, so one cause is one run")
    run_uri: str = Field(alias="RunUri", description="s3://<artifacts bucket>/runs/<run>, without a slash at the end")
    manifest_uri: str = Field(alias="ManifestUri", description="s3://<data bucket>/datasets/<dataset>/<version>/manifest.json")
    dataset_version: str = Field(alias="DatasetVersion")
    git_commit: str = Field(alias="GitCommit")

    def parameters(self) -> list[dict[str, str]]:
        """As StartPipelineExecution takes them."""
        return [{"Name": name, "Value": value} for name, value in self.model_dump(by_alias=True).items()]
