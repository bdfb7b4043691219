"""Jobs and places of a batch, and the requests that make its model and its transform jobs.

artifacts bucket    batch/<batch>/in/<round>/<part>.jsonl        what a round sends
                    batch/<batch>/out/<part>.jsonl.out           what came back, of any round

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateTransformJob.html
"""

from datetime import UTC, datetime
from typing import Any

from contracts.instances import has_local_storage
from contracts.layout import BATCH, WORKERS_VARIABLE

JSON_LINES = "application/jsonlines"
PAYLOAD_MEGABYTES = 1
WORKERS = 2
CONCURRENT = 4
"""Requests at a time: twice as many as the server has workers, so that none waits for S3."""


def batch_name(prefix: str, moment: datetime, token: str) -> str:
    """A batch's name, unique by a token of 4 letters and digits; a round's number still fits into SageMaker's 63 characters."""
    return f"{batch_prefix(prefix)}{moment.astimezone(UTC):%Y%m%d%H%M%S}-{token}"


def batch_prefix(prefix: str) -> str:
    """What the names of all batches of a project begin with."""
    return f"{prefix}-batch-"


def folder(batch: str) -> str:
    """Everything of a batch."""
    return f"{BATCH}{batch}/"


def input_folder(batch: str, number: int) -> str:
    """What round `number` sends."""
    return f"{folder(batch)}in/{number}/"


def output_folder(batch: str) -> str:
    """What came back."""
    return f"{folder(batch)}out/"


def job_name(batch: str, number: int) -> str:
    """The transform job of a round."""
    return f"{batch}-{number}"


def model_request(batch: str, package: str, role: str, subnets: str = "", security_group: str = "") -> dict[str, Any]:
    """CreateModel: the version's own container, under the batches' role. `subnets`: separated by spaces; none: on AWS's network."""
    where = {"SecurityGroupIds": [security_group], "Subnets": subnets.split()}
    isolated = {"EnableNetworkIsolation": True, "VpcConfig": where} if subnets else {}
    return {"ModelName": batch, "Containers": [{"ModelPackageName": package}], "ExecutionRoleArn": role} | isolated


def job_request(batch: str, number: int, *, bucket: str, key_arn: str, instance_type: str) -> dict[str, Any]:
    """CreateTransformJob of a round."""
    volume = {} if has_local_storage(instance_type) else {"VolumeKmsKeyId": key_arn}
    return {
        "TransformJobName": job_name(batch, number),
        "ModelName": batch,
        "BatchStrategy": "MultiRecord",
        "MaxPayloadInMB": PAYLOAD_MEGABYTES,
        "MaxConcurrentTransforms": CONCURRENT,
        "Environment": {WORKERS_VARIABLE: str(WORKERS)},
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/{input_folder(batch, number)}"}},
            "ContentType": JSON_LINES,
            "SplitType": "Line",
        },
        "TransformOutput": {
            "S3OutputPath": f"s3://{bucket}/{output_folder(batch)}",
            "Accept": JSON_LINES,
            "AssembleWith": "Line",
            "KmsKeyId": key_arn,
        },
        "TransformResources": {"InstanceType": instance_type, "InstanceCount": 1} | volume,
        "DataProcessing": {"InputFilter": "$.features", "JoinSource": "Input", "OutputFilter": "$['row','id','SageMakerOutput']"},
    }
