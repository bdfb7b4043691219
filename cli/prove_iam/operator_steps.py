"""What people of the account do with what is encrypted under the project's key: they are no roles of the project, and no root."""

import uuid
from typing import Any

from cli.prove_iam.attack_steps import somebody
from cli.prove_iam.session import Session
from cli.prove_iam.step import Step
from contracts.errors import StateError


def _as_somebody(session: Session, service: str) -> Any:
    make: Any = somebody(session).client  # typed by literal service names
    return make(service, endpoint_url=session.app.account.endpoint)


def _key(session: Session) -> str:
    """The key's id, as root finds it."""
    found: str = session.client("kms").describe_key(KeyId=f"alias/{session.app.prefix}")["KeyMetadata"]["Arn"]
    return found


def _store(session: Session) -> None:
    s3, place = _as_somebody(session, "s3"), {"Bucket": session.app.data_bucket, "Key": session.name("proof/object")}
    s3.put_object(**place, Body=b"content")
    if s3.get_object(**place)["Body"].read() != b"content":
        raise StateError("the object is not what was put")


def _administer(session: Session) -> None:
    _as_somebody(session, "kms").get_key_rotation_status(KeyId=_key(session))


def _make_table(session: Session) -> None:
    dynamodb, name = _as_somebody(session, "dynamodb"), session.name(f"{session.app.prefix}-proof")
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        SSESpecification={"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": _key(session)},
    )
    dynamodb.delete_table(TableName=name)


def _make_log_group(session: Session) -> None:
    logs, name = _as_somebody(session, "logs"), f"/aws/lambda/{session.app.prefix}-{uuid.uuid4().hex}"
    logs.create_log_group(logGroupName=name, kmsKeyId=_key(session))
    logs.delete_log_group(logGroupName=name)


def _ready(session: Session) -> None:
    somebody(session)


OPERATOR_STEPS = (
    Step("object of a person", "somebody of the account puts and reads an encrypted object", _store, ready=_ready),
    Step("key of a person", "somebody of the account looks at the key", _administer, ready=_ready),
    Step("table of a person", "somebody of the account makes a table under the key", _make_table, ready=_ready),
    Step("log group of a person", "somebody of the account makes a function's log group under the key", _make_log_group, ready=_ready),
)
