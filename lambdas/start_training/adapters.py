"""start_training's view of the buckets, the live model and the pipeline."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlparse

from botocore.exceptions import ClientError
from pydantic import ValidationError

from contracts.errors import DataError, StateError
from contracts.layout import CHAMPION, EVALUATION, EVALUATION_CHANNEL, MODEL_ARCHIVE, champion_prefix, former_folder, run_prefix
from contracts.ledger import Evidence
from contracts.metadata import ChampionReference, FormerReference, ModelMetadata
from contracts.pipeline import RunParameters
from lambdas.live import Endpoint, LiveEndpoint
from lambdas.start_training.states import Run
from lambdas.unknown import unless_unknown

NEWEST_FORMERS = 4
NOT_FOUND = "404"  # HeadObject has no body that could say NoSuchKey: https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html


class Manifests:
    """Manifests on S3."""

    def __init__(self, s3: Any) -> None:
        self._s3 = s3

    def read(self, bucket: str, key: str, version_id: str | None = None) -> bytes:
        """A manifest's content, at one object version when that is known. Raises DataError when it is gone."""
        version = {"VersionId": version_id} if version_id else {}
        try:
            content: bytes = self._s3.get_object(Bucket=bucket, Key=key, **version)["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] not in {"NoSuchKey", "NoSuchVersion"}:
                raise
            raise DataError([f"{key} is gone. Next: upload the table again"]) from None
        return content


class LiveModel:
    """The model package behind the endpoint."""

    def __init__(self, sagemaker: Any, endpoint: str) -> None:
        self._sagemaker = sagemaker
        self._endpoint = LiveEndpoint(sagemaker, endpoint)

    def endpoint(self) -> Endpoint | None:
        """The endpoint's state, or None when it does not exist."""
        return self._endpoint.read()

    def champion(self) -> ChampionReference:
        """Who is to be beaten; nobody when no endpoint serves a package of this project's pipeline."""
        live = self._endpoint.read()
        arn = live.package_arn if live else None
        metadata = self.metadata(arn) if arn else None
        if metadata is None:
            return ChampionReference()
        return ChampionReference(model_package_arn=arn, artifact_sha256=metadata.artifact_sha256)

    def metadata(self, arn: str) -> ModelMetadata | None:
        """What the pipeline wrote into a package, or None."""
        package = unless_unknown(self._sagemaker.describe_model_package, ModelPackageName=arn)
        if package is None:
            return None  # deleted from the registry: nothing says any more what its artifact is
        try:
            return ModelMetadata.from_properties(package.get("CustomerMetadataProperties", {}))
        except ValidationError:
            return None  # made by hand: its artifact cannot be verified, so it is no measure

    def archive(self, arn: str) -> tuple[str, str]:
        """(bucket, key) of a package's model.tar.gz. Raises StateError when the package is no longer in the registry."""
        package = unless_unknown(self._sagemaker.describe_model_package, ModelPackageName=arn)
        if package is None:
            raise StateError(f"{arn} is no longer in the registry. Next: tide train, which meets who is live by then")
        place = urlparse(package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"])
        return place.netloc, place.path.lstrip("/")


class Formers:
    """Versions of the group that were approved, and so were live before: each has a chance again when the world turns back."""

    def __init__(self, sagemaker: Any, group: str, live: LiveModel) -> None:
        self._sagemaker = sagemaker
        self._group = group
        self._live = live

    def find(self, champion: ChampionReference) -> tuple[FormerReference, ...]:
        """The first version and the newest ones, the oldest first, without the champion and what was made elsewhere."""
        pages = self._sagemaker.get_paginator("list_model_packages").paginate(
            ModelPackageGroupName=self._group, ModelApprovalStatus="Approved"
        )
        summaries = [summary for page in pages for summary in page["ModelPackageSummaryList"]]
        ordered = sorted(summaries, key=lambda summary: int(summary["ModelPackageVersion"]))
        arns = [summary["ModelPackageArn"] for summary in ordered if summary["ModelPackageArn"] != champion.model_package_arn]
        found: dict[str, FormerReference] = {}  # by artifact: a former that went live again is two versions of one model
        for arn in [*arns[:1], *arns[1:][-NEWEST_FORMERS:]]:
            metadata = self._live.metadata(arn)
            if metadata is not None and metadata.artifact_sha256 != champion.artifact_sha256:
                found.setdefault(metadata.artifact_sha256, FormerReference(model_package_arn=arn, artifact_sha256=metadata.artifact_sha256))
        return tuple(found.values())


class Runs:
    """The runs' folders in the artifacts bucket."""

    def __init__(self, s3: Any, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def name_champion(self, run: str, champion: ChampionReference) -> ChampionReference:
        """Write the run's champion.json, once. Gives the champion that the run has: the first one named stays."""
        key = champion_prefix(run) + CHAMPION
        try:
            self._s3.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=champion.model_dump_json(indent=2).encode(),
                ContentType="application/json",
                IfNoneMatch="*",
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "PreconditionFailed":
                raise
            return ChampionReference.model_validate_json(self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read())
        return champion

    def has_archive(self, bucket: str, key: str) -> bool:
        """Whether a model.tar.gz is still there."""
        try:
            self._s3.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] != NOT_FOUND:
                raise
            return False
        return True

    def copy_archive(self, run: str, bucket: str, key: str, former: int | None = None) -> None:
        """Put the champion's model.tar.gz beside champion.json, or a former's below it, on S3's side. The same again is the same file.

        Raises StateError when it is gone.
        """
        folder = champion_prefix(run) + (f"{former_folder(former)}/" if former else "")
        source = {"Bucket": bucket, "Key": key}
        try:
            self._s3.copy(source, self._bucket, folder + MODEL_ARCHIVE, ExtraArgs={"TaggingDirective": "REPLACE"})
        except ClientError as error:
            if error.response["Error"]["Code"] not in {NOT_FOUND, "NoSuchKey"}:
                raise
            raise StateError(f"s3://{bucket}/{key} is gone. Next: put it back, or approve another version, then tide train") from None

    def evaluation(self, run: str) -> tuple[Evidence, ...]:
        """The run's evaluation.json as evidence; nothing when the run did not come so far."""
        key = f"{run_prefix(run)}{EVALUATION_CHANNEL}/{EVALUATION}"
        try:
            body = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchKey":
                raise
            return ()
        return (Evidence(uri=f"s3://{self._bucket}/{key}", sha256=hashlib.sha256(body).hexdigest()),)


@dataclass(frozen=True)
class Execution:
    """A run of the pipeline by its name; `moved`: when its status changed last."""

    name: str
    run: Run
    moved: datetime


class Pipeline:
    """The SageMaker pipeline."""

    def __init__(self, sagemaker: Any, name: str) -> None:
        self._sagemaker = sagemaker
        self._name = name

    def start(self, parameters: RunParameters, token: str) -> str:
        """Start a run; the same token again gives the execution that is there already. Gives its ARN."""
        reply = self._sagemaker.start_pipeline_execution(
            PipelineName=self._name,
            PipelineExecutionDisplayName=parameters.run,
            PipelineParameters=parameters.parameters(),
            ClientRequestToken=token,
        )
        arn: str = reply["PipelineExecutionArn"]
        return arn

    def execution(self, arn: str) -> Execution | None:
        """A run, or None when there is no such execution."""
        found = unless_unknown(self._sagemaker.describe_pipeline_execution, PipelineExecutionArn=arn)
        if found is None:
            return None
        status = found["PipelineExecutionStatus"]
        reason = self._failure(arn, found.get("FailureReason", "")) if status == "Failed" else ""
        return Execution(found.get("PipelineExecutionDisplayName") or arn, Run(status, reason), found["LastModifiedTime"])

    def unsuccessful(self, since: datetime) -> list[str]:
        """The ARNs of the runs that began since then and failed or were stopped."""
        return [
            found["PipelineExecutionArn"]
            for found in self._executions(CreatedAfter=since)
            if found["PipelineExecutionStatus"] in {"Failed", "Stopped"}
        ]

    def last_success(self) -> datetime | None:
        """When the newest run began that succeeded."""
        return next((found["StartTime"] for found in self._executions() if found["PipelineExecutionStatus"] == "Succeeded"), None)

    def _executions(self, **request: Any) -> Iterator[dict[str, Any]]:
        """Summaries of the runs, newest first, page by page as they are asked for."""
        pages = self._sagemaker.get_paginator("list_pipeline_executions").paginate(
            PipelineName=self._name, SortBy="CreationTime", SortOrder="Descending", PaginationConfig={"PageSize": 100}, **request
        )
        return (found for page in pages for found in page["PipelineExecutionSummaries"])

    def _failure(self, arn: str, reason: str) -> str:
        """Why a run failed. The execution only says that a step did; the step itself says why, the gate's FailStep among them.

        https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_PipelineExecutionStep.html, FailureReason
        """
        pages = self._sagemaker.get_paginator("list_pipeline_execution_steps").paginate(PipelineExecutionArn=arn)
        told = [
            step.get("FailureReason", "") for page in pages for step in page["PipelineExecutionSteps"] if step["StepStatus"] == "Failed"
        ]
        return "; ".join(text for text in told if text) or reason
