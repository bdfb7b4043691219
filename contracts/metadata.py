"""What a model package carries beside its artifact: enough to say where it came from and to make it again.

SageMaker's CustomerMetadataProperties hold text of at most 256 characters, without braces and quotes, so library versions are one line of
`name=version`, and so is what the jobs were told. It is here because a run can be deleted with its pipeline, and configurations change.
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateModelPackage.html
"""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from contracts.runtime import RuntimeName


class ModelMetadata(BaseModel):
    """The CustomerMetadataProperties of a model package; aliases are the property names in the registry."""

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)

    dataset_version: str = Field(alias="DatasetVersion")
    run: str = Field(alias="Run")
    git_commit: str = Field(alias="GitCommit")
    image: str = Field(alias="Image")
    seed: int = Field(alias="Seed")
    libraries: str = Field(alias="Libraries", description="name=version, separated by spaces")
    artifact_sha256: str = Field(alias="ArtifactSha256")
    metric: str = Field(alias="Metric")
    score: float = Field(alias="Score")
    dataset: str = Field(default="", alias="Dataset", description="the dataset's name")
    prepare: str = Field(default="", alias="PrepareArguments", description="of prepare, but for the dataset version, separated by spaces")
    train: str = Field(default="", alias="Hyperparameters", description="of train: name=value, separated by spaces")
    # Packages from before there was a choice have neither.
    runtime: str = Field(default=str(RuntimeName.SKOPS), alias="Runtime", description="what it is served from")
    runtime_difference: str = Field(default="none", alias="RuntimeDifference", description="from scikit-learn's answers, at most")

    def properties(self) -> dict[str, str]:
        """As the registry holds them."""
        return {name: str(value) for name, value in self.model_dump(by_alias=True).items()}

    @classmethod
    def from_properties(cls, properties: dict[str, str]) -> Self:
        """What the registry gave. Raises pydantic.ValidationError when a package was not made by this project's pipeline."""
        return cls.model_validate(properties)


class FormerReference(BaseModel):
    """A model that was live before, and may fit the world again."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model_package_arn: str
    artifact_sha256: str


class ChampionReference(BaseModel):
    """champion.json: who is to be beaten in a run; None: nothing is deployed yet. `formers`: for fresh rows, the oldest first."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model_package_arn: str | None = None
    artifact_sha256: str | None = None
    formers: tuple[FormerReference, ...] = ()


APPROVAL_DESCRIPTION_LENGTH = 1024


def approval_description(why: str) -> str:
    """A reason as the registry takes it: one line of at most 1,024 characters (its pattern is `.*`, which stops at a line break).

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_UpdateModelPackage.html
    """
    return " ".join(why.split())[:APPROVAL_DESCRIPTION_LENGTH]
