"""Tables that wait in an account in the process, and what came of them."""

import json

from contracts.batch.names import input_folder, output_folder
from contracts.batch.schedule import INPUT, plan_key, result_key, scheduled_name
from tests.unit.lambdas.account import make_client

TABLE = b"id,petal,colour,wild,seen\na,1,red,yes,2026-01-01\nb,long,red,yes,\nc,2,,no,2026-01-02\n"
DATA, ARTIFACTS = "data-bucket", "artifacts-bucket"


def put(name: str, content: bytes) -> str:
    """A table that waits; the name of its batch."""
    found = make_client("s3").put_object(Bucket=DATA, Key=INPUT + name, Body=content)
    return scheduled_name("flowers-dev", INPUT + name, found["VersionId"])


def answer(batch: str, part: str, rows: list[tuple[int, str]]) -> None:
    """What Batch Transform writes of a part."""
    lines = [
        json.dumps({"row": row, "id": name, "SageMakerOutput": {"prediction": "rose", "probability": 0.75}}) + "\n" for row, name in rows
    ]
    make_client("s3").put_object(Bucket=ARTIFACTS, Key=f"{output_folder(batch)}{part}.jsonl.out", Body="".join(lines).encode())


def plan_of(batch: str, package: str) -> None:
    """What another invocation left that planned a table, and sent a row of it."""
    s3 = make_client("s3")
    plan = {"package": package, "rejected": 0, "parts": [{"name": "00000", "rows": 1, "first": 2, "last": 2}]}
    s3.put_object(Bucket=ARTIFACTS, Key=plan_key(batch, 0), Body=json.dumps(plan).encode())
    s3.put_object(Bucket=ARTIFACTS, Key=f"{input_folder(batch, 0)}00000.jsonl", Body=b'{"row":2,"id":"z","features":{}}\n')


def jobs() -> list[str]:
    listed = make_client("sagemaker").list_transform_jobs()["TransformJobSummaries"]
    return sorted(job["TransformJobName"] for job in listed)


def models() -> list[str]:
    return [model["ModelName"] for model in make_client("sagemaker").list_models()["Models"]]


def keys(bucket: str, prefix: str) -> list[str]:
    return [each["Key"] for each in make_client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])]


def result(batch: str, name: str) -> str:
    content: bytes = make_client("s3").get_object(Bucket=DATA, Key=result_key(batch, name))["Body"].read()
    return content.decode()
