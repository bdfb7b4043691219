"""The key that hashes private columns: in the template only where columns are hashed, and nowhere its value."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.synth.templates import STACKS, Template, as_list, text
from tests.synth.variants import Assembly, private, synthesise

SECRET = "breast-cancer-dev-hash-key"


@pytest.fixture(scope="module")
def hashing(variant: Callable[[str], Assembly]) -> Mapping[str, Template]:
    return variant("private").templates


def statements(templates: Mapping[str, Template], action: str) -> dict[str, dict[str, Any]]:
    """Role -> its statement with this action."""
    return {
        f"{part}/{name}": statement
        for part, template in templates.items()
        for name in template.of("IAM::Role")
        for statement in template.statements(name)
        if action in as_list(statement["Action"])
    }


def test_cloudformation_makes_the_key_up_and_keeps_it(hashing: Mapping[str, Template]) -> None:
    (secret,) = hashing["data"].of("SecretsManager::Secret").values()
    assert secret["Properties"] == {
        "Name": SECRET,
        "Description": "Hashes the private columns of breast-cancer-dev",
        "KmsKeyId": {"Fn::GetAtt": [next(iter(hashing["data"].of("KMS::Key"))), "Arn"]},
        "GenerateSecretString": {"PasswordLength": 43, "ExcludePunctuation": True},
    }
    assert (secret["DeletionPolicy"], secret["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_predict_the_jobs_and_scheduled_batches_read_it_and_nobody_else(hashing: Mapping[str, Template]) -> None:
    found = statements(hashing, "secretsmanager:GetSecretValue")
    assert {role.rstrip("0123456789ABCDEF") for role in found} == {"serving/PredictRole", "training/RolesJob", "batch/StartBatchRole"}
    for statement in found.values():
        assert statement["Action"] == "secretsmanager:GetSecretValue"
        assert text(statement["Resource"]).endswith(f':secret:{SECRET}-??????"]]}}')
    (predict,) = (statement for role, statement in statements(hashing, "kms:Decrypt").items() if role.startswith("serving/Predict"))
    assert "secretsmanager." in text(predict["Condition"]["StringEquals"]["kms:ViaService"])


def test_functions_and_jobs_are_told_its_name(hashing: Mapping[str, Template]) -> None:
    told = [
        name
        for part in STACKS
        for name, function in hashing[part].of("Lambda::Function").items()
        if SECRET in text(function["Properties"]["Environment"])
    ]
    assert [name.startswith("PredictFunction") for name in told] == [True]
    assert SECRET in text(hashing["training"].only("SageMaker::Pipeline"))


@pytest.mark.parametrize("privacy", [{}, {"drop": ["name"]}])
def test_without_hashed_columns_there_is_no_key(tmp_path: Path, flags: Mapping[str, Any], privacy: dict[str, list[str]]) -> None:
    templates = synthesise(private(**privacy), flags, tmp_path).templates
    for part in STACKS:
        assert "secretsmanager" not in text(templates[part].body).lower()
        assert SECRET not in text(templates[part].body)
