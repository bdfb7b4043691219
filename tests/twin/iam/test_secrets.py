"""Secrets of Secrets Manager under IAM: who may read one, by its full ARN, and with the key that it is encrypted with."""

import json

from tests.twin.iam.test_gate import BASE, Role, refused, role
from twin.server import TwinServer

__all__ = ["role"]

PATTERN = f"arn:aws:secretsmanager:{BASE}:secret:hash-key-??????"


def test_a_secret_is_read_under_its_full_arn_and_with_its_key(role: Role, twin: TwinServer) -> None:
    key = twin.cloud.client("kms").create_key()["KeyMetadata"]["Arn"]
    arn = twin.cloud.client("secretsmanager").create_secret(Name="hash-key", SecretString="x", KmsKeyId=key)["ARN"]
    other = twin.cloud.client("secretsmanager").create_secret(Name="hash-key-of-others", SecretString="y")["ARN"]
    secrets = role.client("secretsmanager")
    for name in ("hash-key", arn):
        assert refused(secrets.get_secret_value, SecretId=name) == ("secretsmanager:GetSecretValue", arn)
    role.may(("secretsmanager:GetSecretValue", PATTERN))
    assert refused(secrets.get_secret_value, SecretId="hash-key") == ("kms:Decrypt", key)
    decrypt = {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": key}
    read = {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": PATTERN}
    for service, allowed in (("s3", False), ("secretsmanager", True)):
        via = {"Condition": {"StringEquals": {"kms:ViaService": f"{service}.us-east-1.amazonaws.com"}}}
        role.may(document=json.dumps({"Statement": [read, decrypt | via]}))
        if allowed:
            assert secrets.get_secret_value(SecretId="hash-key")["SecretString"] == "x"
        else:
            assert refused(secrets.get_secret_value, SecretId="hash-key") == ("kms:Decrypt", key)
    assert refused(secrets.get_secret_value, SecretId=other) == ("secretsmanager:GetSecretValue", other)
    assert refused(secrets.get_secret_value, SecretId="none") == ("secretsmanager:GetSecretValue", "none")


def test_making_a_secret_needs_a_data_key(role: Role, twin: TwinServer) -> None:
    key = twin.cloud.client("kms").create_key()["KeyMetadata"]["Arn"]
    secrets = role.client("secretsmanager")
    create = {"Name": "hash-key", "SecretString": "x", "KmsKeyId": key}
    assert refused(secrets.create_secret, **create) == ("secretsmanager:CreateSecret", PATTERN)
    assert refused(secrets.get_random_password) == ("secretsmanager:GetRandomPassword", "*")
    role.may(("secretsmanager:CreateSecret", PATTERN))
    assert refused(secrets.create_secret, **create) == ("kms:GenerateDataKey", key)
    role.may(("secretsmanager:CreateSecret", PATTERN), (["kms:GenerateDataKey", "kms:Decrypt"], key))
    assert refused(secrets.create_secret, **create, Tags=[{"Key": "a", "Value": "b"}])[0] == "secretsmanager:TagResource"
    secrets.create_secret(**create)
