"""The events that drive the loop, as EventBridge delivers them. Delivery is best effort, in any order, and may repeat.

Sources: https://docs.aws.amazon.com/sagemaker/latest/dg/automating-sagemaker-with-eventbridge.html,
https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html,
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/eventbridge-schemas.html.
Fields that the project does not read are ignored, so that AWS can add some.
"""

from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field


class _Event(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)


Detail = TypeVar("Detail", bound=BaseModel)


class Event(_Event, Generic[Detail]):
    """EventBridge's envelope. `time` is when it happened, and the only clock that the functions know."""

    id: str
    source: str
    detail_type: str = Field(alias="detail-type")
    time: datetime
    region: str
    account: str
    resources: tuple[str, ...] = ()
    detail: Detail


class DetailType(StrEnum):
    """The detail types that the rules match on."""

    OBJECT_CREATED = "Object Created"
    MODEL_PACKAGE = "SageMaker Model Package State Change"
    PIPELINE_EXECUTION = "SageMaker Model Building Pipeline Execution Status Change"
    ENDPOINT = "SageMaker Endpoint State Change"
    ENDPOINT_DEPLOYMENT = "SageMaker Endpoint Deployment State Change"
    PROCESSING_JOB = "SageMaker Processing Job State Change"
    TRANSFORM_JOB = "SageMaker Transform Job State Change"
    ALARM = "CloudWatch Alarm State Change"
    STACK = "CloudFormation Stack Status Change"
    TICK = "Tidewheel Tick"


class S3Bucket(_Event):
    """The bucket of an object event."""

    name: str


class S3Object(_Event):
    """The object of an object event. `key` is not URL-encoded, unlike in S3's own notifications."""

    key: str
    size: int = 0
    etag: str = ""
    version_id: str = Field(alias="version-id")


class ObjectCreated(_Event):
    """S3 "Object Created"; the bucket must be versioned."""

    bucket: S3Bucket
    object: S3Object


class ModelPackageStateChange(_Event):
    """A model package was created, or its status or approval changed."""

    arn: str = Field(alias="ModelPackageArn")
    group: str = Field(alias="ModelPackageGroupName")
    version: int = Field(alias="ModelPackageVersion")
    status: str = Field(alias="ModelPackageStatus")
    approval: str = Field(alias="ModelApprovalStatus")


class PipelineExecutionStatusChange(_Event):
    """A run of the pipeline began or ended."""

    arn: str = Field(alias="pipelineExecutionArn")
    status: str = Field(alias="currentPipelineExecutionStatus")


class MonitoringWindow(_Event):
    """What a person asks start_monitoring for; the schedule's tick names no window, and means the one that ended last."""

    start: datetime | None = None
    end: datetime | None = None


class Anything(_Event):
    """A detail that only says "look again": the reconciler reads the account instead."""
