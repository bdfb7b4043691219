"""monitoring.backend: model_monitor: Model Monitor's schedules follow the champion, and nothing else changes."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from contracts.config import Monitoring, MonitoringBackend
from contracts.instances import has_local_storage
from stacks.constructs.model_monitor import offsets, window_ends
from stacks.project import read_project
from stacks.tidewheel import add_stacks, new_app
from tests.synth.conftest import ROOT
from tests.synth.templates import STACKS, Template, as_list, imports, text
from twin.events.pattern import matches

KINDS = ("DataQuality", "ModelQuality")


def synthesise(flags: Mapping[str, Any], out: Path, **monitoring: Any) -> Path:
    """The example project's assembly, with Model Monitor."""
    app = new_app(flags, out)
    project = read_project(app.node, ROOT, None)
    settings = Monitoring(backend=MonitoringBackend.MODEL_MONITOR, **monitoring)
    add_stacks(app, replace(project, config=project.config.model_copy(update={"monitoring": settings})))
    app.synth()
    return out


def read(out: Path) -> dict[str, Template]:
    """Its templates."""
    return {part: Template(json.loads((out / f"breast-cancer-dev-{part}.template.json").read_text())) for part in STACKS}


@pytest.fixture(scope="session")
def monitor_assembly(tmp_path_factory: pytest.TempPathFactory, flags: Mapping[str, Any]) -> Path:
    return synthesise(flags, tmp_path_factory.mktemp("model-monitor") / "cdk.out", window_hours=6, label_delay_hours=48)


@pytest.fixture(scope="session")
def monitored(monitor_assembly: Path) -> Mapping[str, Template]:
    return read(monitor_assembly)


def _properties(template: Template, kind: str) -> dict[str, Any]:
    return template.only(f"SageMaker::{kind}JobDefinition")


def test_the_default_has_none_of_it(templates: Mapping[str, Template]) -> None:
    for template in templates.values():
        assert "Monitoring" not in "".join(resource["Type"] for resource in template.resources.values())
        assert "JobDefinition" not in text(template.resources)


def test_a_schedule_runs_its_definition_after_the_endpoint_is_there(monitored: Mapping[str, Template]) -> None:
    template = monitored["endpoint"]
    schedules = template.of("SageMaker::MonitoringSchedule").values()
    assert len(schedules) == 2
    (endpoint,) = template.of("SageMaker::Endpoint")
    for kind in KINDS:
        ((name, definition),) = template.of(f"SageMaker::{kind}JobDefinition").items()
        assert definition["Condition"] == "HasModel"
        assert endpoint in as_list(definition["DependsOn"])
        (schedule,) = (each for each in schedules if each["Properties"]["MonitoringScheduleConfig"]["MonitoringType"] == kind)
        assert schedule["Condition"] == "HasModel"
        assert name in as_list(schedule["DependsOn"])
        config = schedule["Properties"]["MonitoringScheduleConfig"]
        assert config["MonitoringJobDefinitionName"] == definition["Properties"]["JobDefinitionName"]
        assert config["ScheduleConfig"] == {"ScheduleExpression": "cron(0 0/6 ? * * *)"}


def test_a_definition_names_the_champion_and_is_named_after_it(monitored: Mapping[str, Template]) -> None:
    for kind in KINDS:
        properties = _properties(monitored["endpoint"], kind)
        application = properties[f"{kind}AppSpecification"]
        assert application["Environment"]["model_package"] == {"Ref": "ModelPackageArn"}
        assert application["ContainerEntrypoint"] == ["python", "-m", "training", "monitor"]
        assert all(len(text(value)) <= 256 for value in application["Environment"].values())
        prefix, version = properties["JobDefinitionName"]["Fn::Join"][1]
        assert re.fullmatch(r"breast-cancer-dev-(data|model)-quality-[0-9a-f]{8}-", prefix)
        assert version == {"Fn::Select": [2, {"Fn::Split": ["/", {"Ref": "ModelPackageArn"}]}]}
        assert len(prefix) - len("breast-cancer-dev") + 33 + 6 <= 63


def test_only_quality_waits_for_labels(monitored: Mapping[str, Template]) -> None:
    template = monitored["endpoint"]
    data = _properties(template, "DataQuality")["DataQualityJobInput"]
    model = _properties(template, "ModelQuality")["ModelQualityJobInput"]
    assert "StartTimeOffset" not in data["EndpointInput"]
    assert (model["EndpointInput"]["StartTimeOffset"], model["EndpointInput"]["EndTimeOffset"]) == ("-PT54H", "-PT48H")
    assert "/ground-truth" in text(model["GroundTruthS3Input"])
    problem = _properties(template, "ModelQuality")["ModelQualityAppSpecification"]["ProblemType"]
    assert problem == "BinaryClassification"


def test_an_hourly_execution_ends_before_the_next_and_a_changed_definition_has_a_name_of_its_own(
    monitored: Mapping[str, Template], flags: Mapping[str, Any], tmp_path: Path
) -> None:
    hourly = read(synthesise(flags, tmp_path / "cdk.out", window_hours=1, max_runtime_seconds=7200))["endpoint"]
    limits = [_properties(hourly, kind)["StoppingCondition"]["MaxRuntimeInSeconds"] for kind in KINDS]
    assert limits == [3600, 1800]
    before, after = ([_properties(template, kind)["JobDefinitionName"] for kind in KINDS] for template in (monitored["endpoint"], hourly))
    assert before[0] == after[0]
    assert before[1] != after[1]


def test_start_monitoring_is_left_to_people(templates: Mapping[str, Template], monitored: Mapping[str, Template]) -> None:
    named = [
        {each["Properties"]["Name"] for each in stack["control"].of("Scheduler::Schedule").values()} for stack in (templates, monitored)
    ]
    assert named[0] - named[1] == {"breast-cancer-dev-window"}


def test_the_alarms_are_the_same(templates: Mapping[str, Template], monitored: Mapping[str, Template]) -> None:
    def windows(stacks: Mapping[str, Template]) -> list[tuple[Any, ...]]:
        alarms = [alarm["Properties"] for alarm in stacks["control"].of("CloudWatch::Alarm").values()]
        keys = ("AlarmName", "Namespace", "MetricName", "Threshold")
        return sorted((*(a[key] for key in keys), text(a["Dimensions"])) for a in alarms if a.get("Namespace") == "Tidewheel")

    assert len(windows(monitored)) >= 2
    assert windows(templates) == windows(monitored)


def test_operators_hear_of_failed_executions(monitored: Mapping[str, Template]) -> None:
    template = monitored["control"]
    (rule,) = (each["Properties"] for each in template.of("Events::Rule").values() if each["Properties"]["Name"].endswith("window-failed"))
    pattern = rule["EventPattern"]["detail"]
    role = next(iter(imports(pattern["RoleArn"])))
    assert "RolesMonitor" in role
    found = {"RoleArn": "role", "ProcessingJobName": "model-monitoring-202601051000-x", "ProcessingJobStatus": "Failed"}
    readable = pattern | {"RoleArn": ["role"]}
    assert matches(readable, found)
    assert not matches(readable, found | {"ProcessingJobStatus": "Completed"})
    assert not matches(readable, found | {"ProcessingJobName": "groundtruth-merge-202601051000-x"})
    assert not matches(readable, found | {"RoleArn": "another"})


def _actions(template: Template, role: str) -> set[str]:
    return {action for statement in template.statements(role) for action in as_list(statement["Action"])}


def test_roles_get_what_model_monitor_needs_and_no_more(templates: Mapping[str, Template], monitored: Mapping[str, Template]) -> None:
    verbs = {f"sagemaker:{verb}{kind}JobDefinition" for verb in ("Create", "Describe", "Delete") for kind in KINDS}
    verbs |= {f"sagemaker:{verb}MonitoringSchedule" for verb in ("Create", "Describe", "Update", "Delete")}
    before, after = (_actions(stacks["control"], "DeploymentRole") for stacks in (templates, monitored))
    assert after - before == verbs
    before, after = (_actions(stacks["training"], "RolesMonitor") for stacks in (templates, monitored))
    assert after - before == {"sagemaker:DescribeModelPackage"}
    for statement in monitored["control"].statements("DeploymentRole"):
        assert "*" not in as_list(statement["Resource"]) or all("application-autoscaling" in each for each in as_list(statement["Action"]))


def test_keys_are_named_where_the_instance_takes_one(monitored: Mapping[str, Template]) -> None:
    for kind in KINDS:
        properties = _properties(monitored["endpoint"], kind)
        cluster = properties["JobResources"]["ClusterConfig"]
        assert ("VolumeKmsKeyId" in cluster) is not has_local_storage(cluster["InstanceType"])
        assert "KmsKeyId" in properties[f"{kind}JobOutputConfig"]


def test_cfn_lint_finds_nothing(monitor_assembly: Path) -> None:
    cfn_lint = Path(sys.executable).with_name("cfn-lint")
    path = monitor_assembly / "breast-cancer-dev-endpoint.template.json"
    done = subprocess.run([cfn_lint, "--", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(("hours", "expression"), [(1, "cron(0 * ? * * *)"), (8, "cron(0 0/8 ? * * *)"), (24, "cron(0 0 ? * * *)")])
def test_windows_end_at_multiples_of_their_length(hours: int, expression: str) -> None:
    assert window_ends(hours) == expression


def test_without_a_delay_there_is_no_offset() -> None:
    assert offsets(Monitoring()) == {}
