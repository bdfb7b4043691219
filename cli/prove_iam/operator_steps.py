"""What people of the account do with what is encrypted under the project's key: they are no roles of the project, and no root."""

import uuid
from typing import Any

from botocore.exceptions import ClientError

from cli.prove_iam.attack_steps import somebody
from cli.prove_iam.endpoint_steps import with_live
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
    """Everything that a key's administrator does, and undoes."""
    # By its id: the account's stand-in knows no other name of a key in some of these calls.
    kms, key, alias = _as_somebody(session, "kms"), {"KeyId": _key(session).rpartition("/")[2]}, f"alias/{uuid.uuid4().hex}"
    described = kms.describe_key(**key)["KeyMetadata"]
    kms.put_key_policy(**key, PolicyName="default", Policy=kms.get_key_policy(**key, PolicyName="default")["Policy"])
    kms.update_key_description(**key, Description=described["Description"])
    for look in (kms.list_key_policies, kms.list_grants, kms.list_resource_tags, kms.get_key_rotation_status):
        look(**key)
    kms.tag_resource(**key, Tags=[{"TagKey": "proof", "TagValue": "yes"}])
    kms.untag_resource(**key, TagKeys=["proof"])
    kms.create_alias(AliasName=alias, TargetKeyId=described["KeyId"])
    kms.update_alias(AliasName=alias, TargetKeyId=described["KeyId"])
    kms.delete_alias(AliasName=alias)
    _revoke(kms, key)
    for act in (kms.disable_key_rotation, kms.enable_key_rotation, kms.disable_key, kms.enable_key):
        act(**key)
    kms.schedule_key_deletion(**key, PendingWindowInDays=30)
    kms.cancel_key_deletion(**key)
    kms.enable_key(**key)


def _revoke(kms: Any, key: dict[str, str]) -> None:
    """A grant that is not there: that it is not found is said to those only who may revoke it."""
    try:
        kms.revoke_grant(**key, GrantId="0" * 64)
    except ClientError as error:
        if error.response["Error"]["Code"] != "NotFoundException":
            raise


def _make_configuration(session: Session) -> None:
    sagemaker, name = _as_somebody(session, "sagemaker"), session.name(f"{session.app.prefix}-proof")
    endpoint = session.app.sagemaker.describe_endpoint(EndpointName=session.app.prefix)
    known = session.app.sagemaker.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
    sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=known["ProductionVariants"], KmsKeyId=_key(session))
    try:
        _deploy_in_vain(sagemaker, session.app.prefix, name)
    finally:
        sagemaker.delete_endpoint_config(EndpointConfigName=name)


def _deploy_in_vain(sagemaker: Any, endpoint: str, configuration: str) -> None:
    """An update whose canary is larger than the fleet. That it is wrong is said to those only who may let volumes use the key."""
    canary = {"Type": "CANARY", "CanarySize": {"Type": "INSTANCE_COUNT", "Value": 1000}, "WaitIntervalInSeconds": 60}
    shift = {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": canary}}
    try:
        sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=configuration, DeploymentConfig=shift)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationException":
            raise
    else:
        raise StateError("an endpoint was updated with a canary larger than its fleet")


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
    Step("key of a person", "somebody of the account administers the key", _administer, ready=_ready),
    Step("table of a person", "somebody of the account makes a table under the key", _make_table, ready=_ready),
    Step("log group of a person", "somebody of the account makes a function's log group under the key", _make_log_group, ready=_ready),
)
SERVING_STEPS = (
    Step(
        "endpoint of a person",
        "somebody of the account configures an endpoint under the key",
        _make_configuration,
        ready=with_live,
    ),
)
