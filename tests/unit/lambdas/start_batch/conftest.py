"""A live version, which is to predict tables."""

from collections.abc import Callable
from typing import Any

import pytest

from contracts.config import Config
from contracts.signature import Signature
from tests.unit.lambdas.account import METADATA, register, serve
from tests.unit.lambdas.start_batch.waiting import ARTIFACTS

Client = Callable[[str], Any]


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch, account: Client, config: Config) -> str:
    """A live version whose run left its signature."""
    monkeypatch.setenv("BATCH_ROLE_ARN", "arn:aws:iam::123456789012:role/batch")
    signature = Signature.of(config.data, ("lily", "rose")).model_dump_json().encode()
    account("s3").put_object(Bucket=ARTIFACTS, Key=f"runs/{METADATA['Run']}/evaluation/signature.json", Body=signature)
    package = register("Approved")
    serve(package)
    return package
