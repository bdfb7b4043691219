"""get_pipeline: what the definition says, that building it needs nobody, and that it is the same every time."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from contracts.config import Config
from contracts.evaluation import GateRules
from contracts.layout import ARTIFACT_VARIABLE
from contracts.metadata import ModelMetadata
from contracts.pipeline import RunParameters
from contracts.privacy import Privacy
from pipelines import placeholders
from pipelines.definition import get_pipeline

CONFIG = {
    "project": "demo",
    "data": {"dataset": "demo", "target": "answer", "problem": "binary", "positive": "yes", "features": {"size": "numeric"}},
    "training": {"seed": 5, "candidates": 3, "gate": {"minimum": 0.75}, "instance_type": "ml.c5.xlarge", "max_runtime_seconds": 600},
    "serving": {"instance_type": "ml.m5.xlarge"},
}

# Builds the definition where any attempt to reach anything fails, and prints it.
ALONE = f"""
import json, socket
def refuse(*arguments, **options):
    raise AssertionError(f"the network was used: {{arguments}}")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
from contracts.config import Config
from pipelines.definition import get_pipeline
print(json.dumps(get_pipeline(Config.model_validate({CONFIG!r}))))
"""


@pytest.fixture(scope="module")
def definition() -> dict[str, Any]:
    return get_pipeline(Config.model_validate(CONFIG))


@pytest.fixture(scope="module")
def steps(definition: dict[str, Any]) -> dict[str, Any]:
    gate = definition["Steps"][-1]
    listed = [*definition["Steps"], *gate["Arguments"]["IfSteps"], *gate["Arguments"]["ElseSteps"]]
    return {step["Name"]: step["Arguments"] for step in listed}


def test_it_is_built_alone_without_a_word_and_the_same_every_time(definition: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("not: the: SDK's business")
    environment = {
        "PATH": os.defpath,
        "HOME": str(tmp_path),
        "PYTHONHASHSEED": "3",
        "PYTHONPATH": str(Path.cwd()),
        "SAGEMAKER_USER_CONFIG_OVERRIDE": str(tmp_path / "config.yaml"),
    }
    done = subprocess.run([sys.executable, "-c", ALONE], env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout == json.dumps(definition) + "\n"
    assert done.stderr == ""


def test_the_environment_is_left_as_it_was() -> None:
    before = dict(os.environ)
    get_pipeline(Config.model_validate(CONFIG))
    assert dict(os.environ) == before


def test_a_run_must_say_everything_that_differs_from_run_to_run(definition: dict[str, Any]) -> None:
    required = {parameter["Name"] for parameter in definition["Parameters"] if "DefaultValue" not in parameter}
    assert required == {field.alias for field in RunParameters.model_fields.values()}
    defaults = {parameter["Name"]: parameter["DefaultValue"] for parameter in definition["Parameters"] if "DefaultValue" in parameter}
    assert defaults == {"InstanceType": "ml.c5.xlarge"}


def test_the_steps_and_their_settings(definition: dict[str, Any], steps: dict[str, Any]) -> None:
    assert [step["Name"] for step in definition["Steps"]] == ["Prepare", "Train", "Evaluate", "Gate"]
    assert steps["Train"]["HyperParameters"] == {"seed": "5", "folds": "4", "candidates": "3", "metric": "roc_auc"}
    prepare, evaluate = (steps[name]["AppSpecification"] for name in ("Prepare", "Evaluate"))
    assert prepare["ContainerEntrypoint"] == ["python", "-m", "training", "prepare"]
    expected = ["--dataset-version", {"Get": "Parameters.DatasetVersion"}, "--seed", "5", "--holdout", "0.2", "--folds", "4"]
    assert prepare["ContainerArguments"] == expected
    assert evaluate["ContainerEntrypoint"] == ["python", "-m", "training", "evaluate"]
    assert evaluate["ContainerArguments"][:3] == ["--metric", "roc_auc", "--gate"]
    assert GateRules.model_validate_json(evaluate["ContainerArguments"][3]) == GateRules(minimum=0.75)
    assert all(len(argument) <= 256 for argument in evaluate["ContainerArguments"])  # SageMaker's limit


def test_everything_is_encrypted_bounded_and_run_under_the_job_role(steps: dict[str, Any]) -> None:
    for name in ("Prepare", "Evaluate"):
        job = steps[name]
        assert job["ProcessingResources"]["ClusterConfig"]["VolumeKmsKeyId"] == placeholders.KMS_KEY_ARN
        assert job["ProcessingOutputConfig"]["KmsKeyId"] == placeholders.KMS_KEY_ARN
        assert job["AppSpecification"]["ImageUri"] == placeholders.IMAGE_URI
    train = steps["Train"]
    assert train["ResourceConfig"]["VolumeKmsKeyId"] == train["OutputDataConfig"]["KmsKeyId"] == placeholders.KMS_KEY_ARN
    assert train["AlgorithmSpecification"]["TrainingImage"] == placeholders.IMAGE_URI
    for name in ("Prepare", "Train", "Evaluate"):
        assert steps[name]["RoleArn"] == placeholders.JOB_ROLE_ARN
        assert steps[name]["StoppingCondition"] == {"MaxRuntimeInSeconds": 600}


def test_a_volume_that_encrypts_itself_gets_no_key() -> None:
    config = Config.model_validate(CONFIG | {"training": {"instance_type": "ml.m5d.xlarge"}})
    prepare, train, evaluate, _gate = (step["Arguments"] for step in get_pipeline(config)["Steps"])
    for resources in (train["ResourceConfig"], *(job["ProcessingResources"]["ClusterConfig"] for job in (prepare, evaluate))):
        assert "VolumeKmsKeyId" not in resources
    assert train["OutputDataConfig"]["KmsKeyId"] == placeholders.KMS_KEY_ARN


def test_no_experiment_is_kept_beside_the_registry(definition: dict[str, Any]) -> None:
    """It would need rights that the pipeline role does not have."""
    assert definition["PipelineExperimentConfig"] is None


def test_only_a_passed_gate_registers_and_the_other_way_says_why(steps: dict[str, Any]) -> None:
    gate = steps["Gate"]
    outcome = {"Get": "Steps.Evaluate.PropertyFiles.Outcome"}
    passed = {"Type": "Equals", "LeftValue": {"Std:JsonGet": {"PropertyFile": outcome, "Path": "gate"}}, "RightValue": "passed"}
    assert gate["Conditions"] == [passed]
    assert [step["Type"] for step in gate["IfSteps"]] == ["RegisterModel"]
    assert [step["Type"] for step in gate["ElseSteps"]] == ["Fail"]
    message = steps["Rejected"]["ErrorMessage"]["Std:Join"]["Values"]
    assert message[1] == {"Std:JsonGet": {"PropertyFile": outcome, "Path": "reasons"}}


def test_a_model_package_can_be_verified_traced_and_monitored(steps: dict[str, Any]) -> None:
    package = steps["Register"]
    assert package["ModelPackageGroupName"] == placeholders.MODEL_PACKAGE_GROUP
    assert package["ModelApprovalStatus"] == "PendingManualApproval"
    (container,) = package["InferenceSpecification"]["Containers"]
    digest = {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.Evaluate.PropertyFiles.Outcome"}, "Path": "artifact_sha256"}}
    assert container["Environment"] == {ARTIFACT_VARIABLE: digest}
    assert container["ModelDataUrl"] == {"Std:Join": {"On": "/", "Values": [{"Get": "Parameters.RunUri"}, "evaluation", "model.tar.gz"]}}
    assert package["InferenceSpecification"]["SupportedRealtimeInferenceInstanceTypes"] == ["ml.m5.xlarge"]
    metadata = package["CustomerMetadataProperties"]
    assert set(metadata) == {field.alias for field in ModelMetadata.model_fields.values()}
    assert metadata["ArtifactSha256"] == digest
    assert (metadata["Seed"], metadata["Metric"], metadata["Image"]) == ("5", "roc_auc", placeholders.IMAGE_URI)
    # All that it takes to make the model again, should the run be gone.
    told = steps["Prepare"]["AppSpecification"]["ContainerArguments"]
    assert told[:2] == ["--dataset-version", {"Get": "Parameters.DatasetVersion"}]
    assert metadata["PrepareArguments"].split() == told[2:]
    assert dict(part.split("=") for part in metadata["Hyperparameters"].split()) == steps["Train"]["HyperParameters"]
    assert all(len(value) <= 256 for value in metadata.values() if isinstance(value, str))
    baseline = package["DriftCheckBaselines"]["ModelDataQuality"]
    assert baseline == package["ModelMetrics"]["ModelDataQuality"]
    assert [part["S3Uri"]["Std:Join"]["Values"][-1] for part in baseline.values()] == ["statistics.json", "constraints.json"]


def test_no_placeholder_is_part_of_another() -> None:
    values = [value for name, value in vars(placeholders).items() if name.isupper()]
    assert not [(one, other) for one in values for other in values if one != other and one in other]


def test_prepare_is_told_what_is_private_and_where_the_key_is() -> None:
    data = CONFIG["data"] | {"features": {"size": "numeric", "email": "categorical"}, "privacy": {"drop": ["name"], "hash": ["email"]}}  # type: ignore[operator]  # a dict of several types
    prepare, train, evaluate, _gate = (step["Arguments"] for step in get_pipeline(Config.model_validate(CONFIG | {"data": data}))["Steps"])
    assert prepare["AppSpecification"]["ContainerArguments"][-2:] == ["--privacy", Privacy(drop=("name",), hash=("email",)).digest]
    assert prepare["Environment"] == {"HASH_KEY_SECRET": "demo-dev-hash-key"}
    assert "Environment" not in train
    assert "Environment" not in evaluate
