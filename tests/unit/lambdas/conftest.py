"""An account for the functions: moto in the process, golden events, a small project, and every client made anew."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws

from contracts.config import Config, parse_config
from lambdas import runtime
from tests.unit.lambdas.account import ACCOUNT, GROUP, LEDGER, REGION, make_client

EVENTS = Path(__file__).parents[2] / "events"

VARIABLES = {
    "AWS_DEFAULT_REGION": REGION,
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "POWERTOOLS_TRACE_DISABLED": "true",
    "DATA_BUCKET": "data-bucket",
    "ARTIFACTS_BUCKET": "artifacts-bucket",
    "LEDGER_TABLE": LEDGER,
    "PIPELINE_NAME": GROUP,
    "MODEL_PACKAGE_GROUP": GROUP,
    "ENDPOINT_NAME": GROUP,
    "ENDPOINT_STACK": f"{GROUP}-endpoint",
    "DEPLOYMENT_ROLE_ARN": f"arn:aws:iam::{ACCOUNT}:role/deployment",
    "ROLLBACK_ALARMS": f"{GROUP}-5xx {GROUP}-latency",
    "GIT_COMMIT": "0123456789abcdef",
    "IMAGE_URI": "image",
    "KEY_ARN": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/key",
    "COLLECT_ROLE_ARN": f"arn:aws:iam::{ACCOUNT}:role/collect",
}


class Context:
    """Lambda's context, as far as it is used."""

    function_name = "function"
    memory_limit_in_mb = 512
    invoked_function_arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:function"
    aws_request_id = "52fdfc07-2182-154f-163f-5f0f9a621d72"

    def get_remaining_time_in_millis(self) -> int:
        return 30_000


@pytest.fixture
def context() -> Context:
    return Context()


@pytest.fixture
def golden() -> Callable[[str], dict[str, Any]]:
    """A golden event by name, as it is."""

    def read(name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
        return found

    return read


@pytest.fixture
def event(golden: Callable[[str], dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """A golden event by name; keywords replace parts of its detail's object, or, for other events, of its detail."""

    def read(name: str, **changes: Any) -> dict[str, Any]:
        found = golden(name)
        detail = found["detail"]
        detail.get("object", detail).update({key.replace("_", "-"): value for key, value in changes.items()})
        return found

    return read


@pytest.fixture
def config() -> Config:
    """A binary problem with every kind of column."""
    return parse_config(
        {
            "project": "flowers",
            "data": {
                "dataset": "flowers",
                "target": "kind",
                "problem": "binary",
                "positive": "rose",
                "id": "id",
                "features": {"petal": "numeric", "colour": "categorical", "wild": "boolean", "seen": "datetime"},
                "quality": {"minimum_rows": 10},
            },
        }
    )


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, config: Config) -> Iterator[Callable[[str], Any]]:
    """An empty account with buckets, ledger and project.json; gives clients by service."""
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(runtime, "ROOT", tmp_path)
    (tmp_path / "project.json").write_text(config.model_dump_json())
    runtime.forget()
    with mock_aws():
        s3 = make_client("s3")
        for bucket in ("data-bucket", "artifacts-bucket"):
            s3.create_bucket(Bucket=bucket)
            s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        make_client("dynamodb").create_table(
            TableName=LEDGER,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
            BillingMode="PAY_PER_REQUEST",
        )
        yield make_client
    runtime.forget()
