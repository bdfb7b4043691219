"""The deployed app, read through AWS APIs: stacks, datasets, runs, versions, endpoint, ledger. Nothing here changes anything.

The `Deployment` of a project finds its places (buckets, ledger, API) in the stacks' outputs and everything else by the project's names.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from botocore.exceptions import ClientError
from pydantic import ValidationError

from cli.account import Account
from cli.deploy import find_stack, outputs_of
from cli.ledger import LedgerView
from cli.project import Project
from contracts.errors import StateError
from contracts.evaluation import Evaluation
from contracts.layout import DATASETS, MANIFEST, REASON, manifest_key, quarantine_prefix
from contracts.ledger import Decision
from contracts.manifest import Manifest
from contracts.metadata import ModelMetadata
from contracts.refusal import Refusal

PREDICT_PATH = "/predict"
FEEDBACK_PATH = "/feedback"
MODEL_PATH = "/model"
OPENAPI_PATH = "/openapi.json"
STACKS = ("data", "training", "endpoint", "serving", "control")


@dataclass(frozen=True)
class Version:
    """A model package. `approval` is PendingManualApproval, Approved or Rejected; `metadata` is None for a package made elsewhere.

    `metrics` are over the rows of its holdout.
    """

    number: int
    arn: str
    approval: str
    why: str
    created: datetime
    metadata: ModelMetadata | None
    metrics: dict[str, float]
    holdout_rows: int | None = None

    @property
    def dataset_version(self) -> str | None:
        """The dataset version that it was trained on."""
        return self.metadata.dataset_version if self.metadata else None


@dataclass(frozen=True)
class Execution:
    """A run of the pipeline. `reason` says why it failed."""

    arn: str
    name: str
    status: str
    started: datetime
    dataset_version: str | None
    reason: str


@dataclass(frozen=True)
class Endpoint:
    """The endpoint: its status, the version that it serves, and the share of traffic that each model package gets (ARN -> 0..1)."""

    status: str
    live: str | None
    traffic: dict[str, float]
    reason: str


class App:
    """A project's app in an account."""

    def __init__(self, account: Account, project: Project) -> None:
        self.account = account
        self.project = project
        self.prefix = project.config.prefix
        self.s3 = account.client("s3")
        self.cloudformation = account.client("cloudformation")
        self.sagemaker = account.client("sagemaker")
        self.dynamodb = account.client("dynamodb")
        self.cloudwatch = account.client("cloudwatch")
        self._evaluations: dict[str, Evaluation] = {}
        self._packages: dict[str, str] = {}
        self._manifests: dict[str, Manifest] = {}

    @cached_property
    def data_bucket(self) -> str:
        """Where tables are uploaded."""
        return self.output("data", "DataBucketName")

    @cached_property
    def artifacts_bucket(self) -> str:
        """Where runs write, and the endpoint captures its traffic."""
        return self.output("data", "ArtifactsBucketName")

    @cached_property
    def ledger(self) -> LedgerView:
        """Decisions, and what is open."""
        return LedgerView(self.dynamodb, self.output("data", "LedgerTableName"))

    @cached_property
    def api_url(self) -> str:
        """The prediction API's URL, as it is reached from here."""
        return self.account.api_url(self.output("serving", "ApiUrl")) + PREDICT_PATH

    @cached_property
    def feedback_url(self) -> str:
        """Where labels of predictions are sent, as it is reached from here."""
        return self.base_url + FEEDBACK_PATH

    @cached_property
    def base_url(self) -> str:
        """The API's URL, as it is reached from here, without a slash at the end."""
        return self.api_url.removesuffix(PREDICT_PATH)

    def output(self, part: str, key: str) -> str:
        """An output of one of the stacks. Raises StateError when the stack or the output is not there."""
        name = f"{self.prefix}-{part}"
        stack = find_stack(self.cloudformation, name)
        if stack is None:
            raise StateError(f"stack {name} is not in {self.account.name}. Next: tide up (or cdk deploy --all for your AWS account)")
        try:
            return outputs_of(stack)[key]
        except KeyError:
            raise StateError(f"stack {name} ({stack['StackStatus']}) has no output {key}. Next: deploy it again") from None

    def stacks(self) -> dict[str, dict[str, Any]]:
        """DescribeStacks of the stacks that are there, by part."""
        found = {part: find_stack(self.cloudformation, f"{self.prefix}-{part}") for part in STACKS}
        return {part: stack for part, stack in found.items() if stack is not None}

    def manifests(self) -> list[tuple[Manifest, datetime]]:
        """Every dataset version with the time of its acceptance, newest first."""
        prefix = f"{DATASETS}{self.project.config.data.dataset}/"
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.data_bucket, Prefix=prefix)
        objects = [found for page in pages for found in page.get("Contents", []) if found["Key"].endswith(f"/{MANIFEST}")]
        objects.sort(key=lambda found: found["LastModified"], reverse=True)
        return [(self._manifest(found["Key"]), found["LastModified"]) for found in objects]

    def manifest_object(self, version: str) -> dict[str, Any]:
        """HeadObject of a version's manifest. Raises StateError when there is no such version."""
        key = manifest_key(self.project.config.data.dataset, version)
        try:
            head: dict[str, Any] = self.s3.head_object(Bucket=self.data_bucket, Key=key)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
                raise
            raise StateError(f"there is no dataset version {version}. Next: tide status lists them") from None
        return head | {"Key": key}

    def executions(self) -> list[Execution]:
        """The pipeline's runs, newest first."""
        pages = self.sagemaker.get_paginator("list_pipeline_executions").paginate(
            PipelineName=self.prefix, SortBy="CreationTime", SortOrder="Descending"
        )
        return [self.execution(summary["PipelineExecutionArn"]) for page in pages for summary in page["PipelineExecutionSummaries"]]

    def execution(self, arn: str) -> Execution:
        """One run of the pipeline."""
        described = self.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
        parameters = self.sagemaker.list_pipeline_parameters_for_execution(PipelineExecutionArn=arn)["PipelineParameters"]
        values = {parameter["Name"]: parameter["Value"] for parameter in parameters}
        return Execution(
            arn,
            described.get("PipelineExecutionDisplayName") or arn.rpartition("/")[2],
            described["PipelineExecutionStatus"],
            described["CreationTime"],
            values.get("DatasetVersion"),
            described.get("FailureReason", ""),
        )

    def versions(self) -> list[Version]:
        """The model packages of the group, newest first."""
        pages = self.sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=self.prefix)
        arns = [summary["ModelPackageArn"] for page in pages for summary in page["ModelPackageSummaryList"]]
        return sorted((self.package(arn) for arn in arns), key=lambda version: version.number, reverse=True)

    def version(self, number: int) -> Version:
        """One model package. Raises StateError when there is no such version."""
        versions = {version.number: version for version in self.versions()}
        if number not in versions:
            known = ", ".join(map(str, sorted(versions))) or "none yet"
            raise StateError(f"there is no version {number} in {self.prefix} (versions: {known}). Next: tide status")
        return versions[number]

    def endpoint(self) -> Endpoint | None:
        """The endpoint; None before the first deployment."""
        try:
            found = self.sagemaker.describe_endpoint(EndpointName=self.prefix)
        except ClientError as error:
            # SageMaker answers ValidationException "Could not find endpoint" for one that is not there.
            if error.response["Error"]["Code"] == "ValidationException":
                return None
            raise
        live = self._package_of(found["EndpointConfigName"])
        return Endpoint(found["EndpointStatus"], live, self._traffic(found, live), found.get("FailureReason", ""))

    def decisions(self) -> list[Decision]:
        """The ledger's decisions, oldest first."""
        return self.ledger.decisions()

    def firing(self, *names: str) -> dict[str, str]:
        """Those of the project's alarms, by the end of their names, that are in ALARM, with their reasons."""
        found = self.cloudwatch.describe_alarms(AlarmNames=[f"{self.prefix}-{name}" for name in names])["MetricAlarms"]
        return {alarm["AlarmName"]: alarm["StateReason"] for alarm in found if alarm["StateValue"] == "ALARM"}

    def refusal(self, sha256: str) -> Refusal | None:
        """Why an upload of this content was put into quarantine the last time; None when it never was."""
        key = quarantine_prefix(self.project.config.data.dataset, sha256) + REASON
        try:
            return Refusal.model_validate_json(self.read(self.data_bucket, key))
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchKey":
                return None
            raise

    def read(self, bucket: str, key: str) -> bytes:
        """An object's content."""
        content: bytes = self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return content

    def _manifest(self, key: str) -> Manifest:
        """A manifest, which never changes once it is written."""
        if key not in self._manifests:
            self._manifests[key] = Manifest.from_json(self.read(self.data_bucket, key))
        return self._manifests[key]

    def package(self, arn: str) -> Version:
        """One model package, by its ARN."""
        found = self.sagemaker.describe_model_package(ModelPackageName=arn)
        try:
            metadata = ModelMetadata.from_properties(found.get("CustomerMetadataProperties", {}))
        except ValidationError:
            metadata = None  # registered by hand, not by this project's pipeline
        evaluation = self.evaluation(found)
        return Version(
            found["ModelPackageVersion"],
            arn,
            found["ModelApprovalStatus"],
            found.get("ApprovalDescription", ""),
            found["CreationTime"],
            metadata,
            {str(name): value for name, value in evaluation.metrics.items()} if evaluation else {},
            evaluation.rows if evaluation else None,
        )

    def evaluation(self, package: Mapping[str, Any]) -> Evaluation | None:
        """The evaluation.json that a described model package names, which never changes once it is written; None when it names none."""
        uri = evaluation_uri(package)
        if uri is None:
            return None
        if uri not in self._evaluations:
            bucket, _, key = uri.removeprefix("s3://").partition("/")
            self._evaluations[uri] = Evaluation.model_validate_json(self.read(bucket, key))
        return self._evaluations[uri]

    def _traffic(self, endpoint: dict[str, Any], live: str | None) -> dict[str, float]:
        """During a shift SageMaker lists the new fleet under PendingDeploymentSummary, each fleet with its weight."""
        fleets = [(live, endpoint.get("ProductionVariants", []))]
        pending = endpoint.get("PendingDeploymentSummary")
        if pending:
            fleets.append((self._package_of(pending["EndpointConfigName"]), pending.get("ProductionVariants", [])))
        weights: dict[str, float] = {}
        for package, variants in fleets:
            if package is not None:
                weights[package] = weights.get(package, 0.0) + sum(variant.get("CurrentWeight", 0.0) for variant in variants)
        total = sum(weights.values())
        return {package: weight / total for package, weight in weights.items()} if total else {}

    def _package_of(self, endpoint_config: str) -> str | None:
        """The model package that an endpoint configuration serves. Neither can change, so it is asked for once."""
        if endpoint_config not in self._packages:
            variants = self.sagemaker.describe_endpoint_config(EndpointConfigName=endpoint_config)["ProductionVariants"]
            model = self.sagemaker.describe_model(ModelName=variants[0]["ModelName"])
            containers = [model["PrimaryContainer"]] if "PrimaryContainer" in model else model.get("Containers", [])
            package = containers[0].get("ModelPackageName") if containers else None
            if package is None:
                return None
            self._packages[endpoint_config] = package
        return self._packages[endpoint_config]


def evaluation_uri(package: Mapping[str, Any]) -> str | None:
    """Where the evaluation.json of a described model package is."""
    uri: str | None = package.get("ModelMetrics", {}).get("ModelQuality", {}).get("Statistics", {}).get("S3Uri")
    return uri


def version_number(arn: str | None) -> int | None:
    """The version in a model package's ARN, .../model-package/<group>/<version>."""
    return int(arn.rpartition("/")[2]) if arn else None
