"""The assembly as a whole: repeatable, valid, and nothing in it that only some machines have."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
import yaml
from aws_cdk import aws_s3 as s3

from contracts.config import Config
from contracts.environment import (
    ApproveModelEnvironment,
    DescribeModelEnvironment,
    Environment,
    IngestDatasetEnvironment,
    PredictEnvironment,
    ReconcileEndpointEnvironment,
    RecordFeedbackEnvironment,
    StartMonitoringEnvironment,
    StartTrainingEnvironment,
)
from stacks.project import read_project
from stacks.tidewheel import add_stacks, new_app
from tests.synth.conftest import ROOT
from tests.synth.templates import STACKS, Template, imports
from tests.synth.variants import VARIANTS, Assembly


def _content(out: Path) -> dict[str, bytes]:
    """What is deployed: templates, asset manifests and assets. (Reports and the construct tree are not.)"""
    deployed = [*out.glob("*.template.json"), *out.glob("*.assets.json"), *out.glob("asset.*/**/*")]
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in deployed if path.is_file()}


def test_two_synths_give_the_same_bytes(assembly: Path, strict_assembly: Path) -> None:
    first, second = _content(assembly), _content(strict_assembly)
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []


def test_production_is_as_clean(flags: Mapping[str, Any], tmp_path: Path) -> None:
    app = new_app(dict(flags) | {"environment": "prod"}, tmp_path / "cdk.out")
    add_stacks(app, read_project(app.node, ROOT, None))
    app.synth()
    assert len(list((tmp_path / "cdk.out").glob("breast-cancer-prod-*.template.json"))) == len(STACKS)


def test_the_longest_names_still_fit(flags: Mapping[str, Any], tmp_path: Path) -> None:
    content = yaml.safe_load((ROOT / "tidewheel.yaml").read_text()) | {"project": "a" * 24, "environments": {"production"[:8]: {}}}
    (tmp_path / "long.yaml").write_text(yaml.safe_dump(content))
    app = new_app(dict(flags) | {"environment": "producti", "config": str(tmp_path / "long.yaml")}, tmp_path / "cdk.out")
    add_stacks(app, read_project(app.node, ROOT, None))
    app.synth()
    control = Template(json.loads((tmp_path / "cdk.out" / f"{'a' * 24}-producti-control.template.json").read_text()))
    names = [function["Properties"]["FunctionName"] for function in control.of("Lambda::Function").values()]
    names += [rule["Properties"]["Name"] for rule in control.of("Events::Rule").values()]
    names += [schedule["Properties"]["Name"] for schedule in control.of("Scheduler::Schedule").values()]
    assert max(map(len, names)) <= 64


def test_an_unacknowledged_finding_stops_the_synth(flags: Mapping[str, Any], tmp_path: Path) -> None:
    app = new_app(flags, tmp_path / "cdk.out")
    s3.Bucket(cdk.Stack(app, "Careless"), "Open")
    with pytest.raises(RuntimeError, match="AwsSolutions-S10"):
        app.synth()


def test_cfn_lint_has_nothing_to_say(variant: Callable[[str], Assembly]) -> None:
    cfn_lint = Path(sys.executable).with_name("cfn-lint")
    templates = [template for name in VARIANTS for template in sorted(variant(name).folder.glob("*.template.json"))]
    # All at once, because to start costs as much as a configuration does. W3005: CDK's Function names its role in DependsOn too.
    command = [str(cfn_lint), "--ignore-checks", "W3005", "--", *map(str, templates)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_import_is_exported_by_a_stack_that_is_deployed_before(templates: Mapping[str, Template]) -> None:
    exported: set[str] = set()
    for part in STACKS:
        missing = set(imports(templates[part].body)) - exported
        assert not missing, f"{part} imports {missing} before it is exported"
        exported |= {output["Export"]["Name"] for output in templates[part].body.get("Outputs", {}).values() if "Export" in output}


def test_stacks_are_ordered(assembly: Path) -> None:
    artifacts = json.loads((assembly / "manifest.json").read_text())["artifacts"]
    after = {part: set(artifacts[f"breast-cancer-dev-{part}"]["dependencies"]) for part in STACKS}
    for earlier, later in [("data", "training"), ("training", "endpoint"), ("endpoint", "serving"), ("serving", "control")]:
        assert f"breast-cancer-dev-{earlier}" in after[later]


def test_there_is_no_custom_resource(templates: Mapping[str, Template]) -> None:
    kinds = {resource["Type"] for template in templates.values() for resource in template.resources.values()}
    assert not [kind for kind in kinds if kind.startswith("Custom::") or "CustomResource" in kind]
    assert "AWS::CDK::Metadata" not in kinds


def _asset(assembly: Path, function: Mapping[str, Any]) -> Path:
    key = function["Properties"]["Code"]["S3Key"]
    return assembly / f"asset.{key.removesuffix('.zip')}"


FUNCTIONS: dict[str, type[Environment]] = {
    "ingest_dataset": IngestDatasetEnvironment,
    "start_training": StartTrainingEnvironment,
    "start_monitoring": StartMonitoringEnvironment,
    "approve_model": ApproveModelEnvironment,
    "reconcile_endpoint": ReconcileEndpointEnvironment,
    "predict": PredictEnvironment,
    "describe_model": DescribeModelEnvironment,
    "record_feedback": RecordFeedbackEnvironment,
}


def _functions(templates: Mapping[str, Template]) -> dict[str, Any]:
    found = [function for part in ("serving", "control") for function in templates[part].of("Lambda::Function").values()]
    return {function["Properties"]["Handler"].split(".")[1]: function for function in found}


def test_a_function_holds_its_code_and_nothing_else(assembly: Path, templates: Mapping[str, Template]) -> None:
    functions = _functions(templates)
    assert functions.keys() == FUNCTIONS.keys()
    for name, function in functions.items():
        folder = _asset(assembly, function)
        files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        assert {"project.json", "contracts/config.py", "lambdas/__init__.py", f"lambdas/{name}/handler.py"} <= files
        assert {path.split("/")[0] for path in files} == {"contracts", "lambdas", "project.json"}
        folders = {path.split("/")[1] for path in files if path.startswith("lambdas/") and path.count("/") > 1}
        assert folders == {name}
        assert not [path for path in files if not path.endswith((".py", ".json"))]
        Config.model_validate_json((folder / "project.json").read_bytes())


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_finds_the_environment_that_its_contract_names(templates: Mapping[str, Template], name: str) -> None:
    properties = _functions(templates)[name]["Properties"]
    variables = properties["Environment"]["Variables"]
    own = {variable: str(value) for variable, value in variables.items() if not variable.startswith("POWERTOOLS_")}
    assert FUNCTIONS[name].read(own).render() == own
    assert properties["FunctionName"] == f"breast-cancer-dev-{name.replace('_', '-')}"
    assert variables["POWERTOOLS_SERVICE_NAME"] == name


def test_the_image_is_built_from_contracts_and_training_only(assembly: Path) -> None:
    (image,) = json.loads((assembly / "breast-cancer-dev-training.assets.json").read_text())["dockerImages"].values()
    folder = assembly / image["source"]["directory"]
    assert {path.name for path in folder.iterdir()} == {"contracts", "training"}
    assert (folder / image["source"]["dockerFile"]).is_file()
    assert not list(folder.rglob("__pycache__"))
