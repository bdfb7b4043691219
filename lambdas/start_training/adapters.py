"""start_training's view of the buckets, the live model and the pipeline."""

from typing import Any
from urllib.parse import urlparse

from botocore.exceptions import ClientError
from pydantic import ValidationError

from contracts.layout import CHAMPION, MODEL_ARCHIVE, champion_prefix
from contracts.metadata import ChampionReference, ModelMetadata
from contracts.pipeline import RunParameters
from lambdas.live import LiveEndpoint


class Manifests:
    """Manifests on S3."""

    def __init__(self, s3: Any) -> None:
        self._s3 = s3

    def read(self, bucket: str, key: str, version_id: str) -> bytes:
        """A manifest's content at one object version."""
        content: bytes = self._s3.get_object(Bucket=bucket, Key=key, VersionId=version_id)["Body"].read()
        return content


class LiveModel:
    """The model package behind the endpoint."""

    def __init__(self, sagemaker: Any, endpoint: str) -> None:
        self._sagemaker = sagemaker
        self._endpoint = LiveEndpoint(sagemaker, endpoint)

    def champion(self) -> ChampionReference:
        """Who is to be beaten; nobody when no endpoint serves a package of this project's pipeline."""
        live = self._endpoint.read()
        arn = live.package_arn if live else None
        if arn is None:
            return ChampionReference()
        try:
            package = self._sagemaker.describe_model_package(ModelPackageName=arn)
        except ClientError as error:
            if error.response["Error"]["Code"] not in {"ValidationException", "ResourceNotFound"}:
                raise
            return ChampionReference()  # deleted from the registry: nothing says any more what its artifact is
        try:
            metadata = ModelMetadata.from_properties(package.get("CustomerMetadataProperties", {}))
        except ValidationError:
            return ChampionReference()  # made by hand: its artifact cannot be verified, so it is no measure
        return ChampionReference(model_package_arn=arn, artifact_sha256=metadata.artifact_sha256)

    def archive(self, arn: str) -> tuple[str, str]:
        """(bucket, key) of a package's model.tar.gz."""
        package = self._sagemaker.describe_model_package(ModelPackageName=arn)
        place = urlparse(package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"])
        return place.netloc, place.path.lstrip("/")


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

    def copy_archive(self, run: str, bucket: str, key: str) -> None:
        """Put the champion's model.tar.gz beside champion.json, on S3's side. The same champion again is the same file."""
        source = {"Bucket": bucket, "Key": key}
        self._s3.copy(source, self._bucket, champion_prefix(run) + MODEL_ARCHIVE, ExtraArgs={"TaggingDirective": "REPLACE"})


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
