"""Which event wakes which function, and where failures go. Patterns are run against the golden events, by the twin's matcher."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from contracts.events import Anything, DetailType, Event
from contracts.layout import LARGEST_UPLOAD_BYTES
from tests.synth.templates import Template, text
from twin.events.pattern import matches
from twin.events.transform import target_input

EVENTS = Path(__file__).parents[1] / "events"


def _literal(value: Any) -> Any:
    """A template value as the example account resolves it."""
    if isinstance(value, list):
        return [_literal(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "Fn::ImportValue" in value:
        return "data-bucket"
    if "Fn::Join" in value:
        return "".join(_literal(value["Fn::Join"][1]))
    known = {"AWS::Partition": "aws", "AWS::Region": "us-east-1", "AWS::AccountId": "123456789012"}
    return known[value["Ref"]] if "Ref" in value else {key: _literal(item) for key, item in value.items()}


def _golden(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text().replace("flowers", "breast-cancer"))
    return event


def _functions(rule: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The targets of a rule that are functions; the others are people."""
    return [target for target in rule["Properties"]["Targets"] if "Fn::GetAtt" in target["Arn"]]


def _woken(template: Template, event: Mapping[str, Any]) -> set[str]:
    names: set[str] = set()
    for rule in template.of("Events::Rule").values():
        if matches(_literal(rule["Properties"]["EventPattern"]), event):
            for target in _functions(rule):
                function = template.resources[target["Arn"]["Fn::GetAtt"][0]]
                names.add(function["Properties"]["Handler"].split(".")[1])
    return names


def _changed(event: dict[str, Any], **detail: Any) -> dict[str, Any]:
    return event | {"detail": event["detail"] | detail}


def _endpoint_event(detail_type: DetailType, name: str) -> dict[str, Any]:
    return {"source": "aws.sagemaker", "detail-type": detail_type.value, "detail": {"EndpointName": name}}


def _key(name: str, key: str) -> dict[str, Any]:
    event = _golden(name)
    return _changed(event, object=event["detail"]["object"] | {"key": key})


CASES = {
    "an upload": (_golden("upload_created"), {"ingest_dataset"}),
    "a manifest": (_golden("manifest_created"), {"start_training"}),
    "something else beside a manifest": (_key("manifest_created", "datasets/breast-cancer/0/notes.txt"), set()),
    "a refused upload": (_key("upload_created", "quarantine/breast-cancer/0/reason.json"), set()),
    "an upload elsewhere": (_changed(_golden("upload_created"), bucket={"name": "another"}), set()),
    "labels": (_key("upload_created", "feedback/labels.csv"), {"record_feedback"}),
    "ground truth": (_key("upload_created", "ground-truth/2026/01/05/08/30-00-000-0000-0.jsonl"), set()),
    "refused labels": (_key("upload_created", "quarantine/feedback/0/labels.csv"), set()),
    "a registered model": (_golden("model_package_pending"), {"approve_model", "reconcile_endpoint"}),
    "a model not ready yet": (_changed(_golden("model_package_pending"), ModelPackageStatus="InProgress"), {"reconcile_endpoint"}),
    "an approval": (_changed(_golden("model_package_pending"), ModelApprovalStatus="Approved"), {"reconcile_endpoint"}),
    "another project's model": (_changed(_golden("model_package_pending"), ModelPackageGroupName="another"), set()),
    "the Endpoint stack": (_golden("endpoint_stack_updated"), {"reconcile_endpoint"}),
    "another stack": (
        _changed(
            _golden("endpoint_stack_updated"),
            **{"stack-id": "arn:aws:cloudformation:us-east-1:123456789012:stack/breast-cancer-dev-data/1"},
        ),
        set(),
    ),
    "the endpoint": (_endpoint_event(DetailType.ENDPOINT, "breast-cancer-dev"), {"reconcile_endpoint"}),
    "its deployment": (_endpoint_event(DetailType.ENDPOINT_DEPLOYMENT, "breast-cancer-dev"), {"reconcile_endpoint"}),
    "an alarm on windows": (_golden("alarm_state_changed"), {"start_training"}),
    "another alarm": (_changed(_golden("alarm_state_changed"), alarmName="breast-cancer-dev-latency"), set()),
    "a collect job": (_golden("job_ended"), {"start_training"}),
    "a monitoring job": (_changed(_golden("job_ended"), ProcessingJobName="breast-cancer-dev-monitor-202601091200"), {"start_training"}),
    "a job that goes on": (_changed(_golden("job_ended"), ProcessingJobStatus="InProgress"), set()),
    "a pipeline's job": (_changed(_golden("job_ended"), ProcessingJobName="pipelines-p4jn9xou8a8s-Prepare-1"), set()),
    "a run": (_golden("run_ended"), {"start_training"}),
    "a run that begins": (_changed(_golden("run_ended"), currentPipelineExecutionStatus="Executing"), set()),
    "another pipeline's run": (
        _changed(_golden("run_ended"), pipelineArn="arn:aws:sagemaker:us-east-1:123456789012:pipeline/breast-cancer-prod"),
        set(),
    ),
    "another endpoint": (_endpoint_event(DetailType.ENDPOINT, "breast-cancer-prod"), set()),
}


@pytest.mark.parametrize("case", CASES)
def test_an_event_wakes_whom_it_concerns(templates: Mapping[str, Template], case: str) -> None:
    event, woken = CASES[case]
    assert _woken(templates["control"], event) | _woken(templates["serving"], event) == woken


def test_what_cannot_be_delivered_is_kept(templates: Mapping[str, Template]) -> None:
    template = templates["control"]
    (queue,) = template.of("SQS::Queue")
    kept = {"Fn::GetAtt": [queue, "Arn"]}
    targets = [target for rule in template.of("Events::Rule").values() for target in rule["Properties"]["Targets"]]
    targets += [schedule["Properties"]["Target"] for schedule in template.of("Scheduler::Schedule").values()]
    for target in targets:
        assert target["DeadLetterConfig"] == {"Arn": kept}
        assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 21600, "MaximumRetryAttempts": 8}
    failures = [config["Properties"] for config in template.of("Lambda::EventInvokeConfig").values()]
    assert len(failures) == 5
    for config in failures:
        assert config["DestinationConfig"] == {"OnFailure": {"Destination": kept}}
        assert config["MaximumRetryAttempts"] == 2


def test_the_dead_letters_are_encrypted_and_only_this_projects_rules_write_them(templates: Mapping[str, Template]) -> None:
    template = templates["control"]
    assert "KmsMasterKeyId" in template.only("SQS::Queue")
    statements = template.only("SQS::QueuePolicy")["PolicyDocument"]["Statement"]
    denied = [statement for statement in statements if statement["Effect"] == "Deny"]
    assert [statement["Condition"] for statement in denied] == [{"Bool": {"aws:SecureTransport": "false"}}]
    allowed = [statement for statement in statements if statement["Effect"] == "Allow"]
    sources = {text(statement["Condition"]["ArnEquals"]["aws:SourceArn"]) for statement in allowed}
    assert {text({"Fn::GetAtt": [rule, "Arn"]}) for rule in template.of("Events::Rule")} == sources
    assert {statement["Principal"]["Service"] for statement in allowed} == {"events.amazonaws.com"}


def test_a_rule_may_invoke_its_function_and_no_other(templates: Mapping[str, Template]) -> None:
    template = templates["control"]
    allowed = {
        (text(permission["Properties"]["FunctionName"]), text(permission["Properties"]["SourceArn"]))
        for permission in template.of("Lambda::Permission").values()
    }
    wired = {
        (text(target["Arn"]), text({"Fn::GetAtt": [name, "Arn"]}))
        for name, rule in template.of("Events::Rule").items()
        for target in _functions(rule)
    }
    assert allowed == wired


def test_the_tick_is_an_event_at_the_time_it_was_due(templates: Mapping[str, Template]) -> None:
    schedules = {each["Properties"]["Name"]: each["Properties"] for each in templates["control"].of("Scheduler::Schedule").values()}
    for name in ("tick", "approval"):
        assert schedules[f"breast-cancer-dev-{name}"]["ScheduleExpression"] == "rate(15 minutes)"
    # After monitoring has looked at the hour that ended.
    assert schedules["breast-cancer-dev-retraining"]["ScheduleExpression"] == "cron(20 * * * ? *)"
    envelope = _literal(schedules["breast-cancer-dev-tick"]["Target"]["Input"])
    filled = envelope.replace("<aws.scheduler.execution-id>", "d32c5kddcf5bb8c3").replace(
        "<aws.scheduler.scheduled-time>", "2026-01-05T09:30:00Z"
    )
    event = Event[Anything].model_validate_json(filled)
    assert (event.detail_type, event.time.isoformat()) == (DetailType.TICK, "2026-01-05T09:30:00+00:00")


def test_operators_hear_of_windows_that_nobody_looked_at(templates: Mapping[str, Template]) -> None:
    template = templates["control"]
    (topic,) = template.of("SNS::Topic")
    (rule,) = (rule["Properties"] for rule in template.of("Events::Rule").values() if not _functions(rule))
    (target,) = rule["Targets"]
    assert target["Arn"] == {"Ref": topic}
    job = _changed(_golden("job_ended"), ProcessingJobName="breast-cancer-dev-monitor-202601091200", ProcessingJobStatus="Failed")
    job = _changed(job, FailureReason='AlgorithmError: "no" baseline')
    assert matches(_literal(rule["EventPattern"]), job)
    assert not matches(_literal(rule["EventPattern"]), _changed(job, ProcessingJobStatus="Completed"))
    assert not matches(_literal(rule["EventPattern"]), _changed(job, ProcessingJobName="breast-cancer-dev-collect-1"))
    told = json.loads(target_input(target, job, "arn", "name"))
    assert told.startswith('breast-cancer-dev-monitor-202601091200 failed, so its window has no verdict: AlgorithmError: "no" baseline.')


def test_operators_hear_of_dead_letters_and_of_failing_functions(templates: Mapping[str, Template]) -> None:
    template = templates["control"]
    (topic,) = template.of("SNS::Topic")
    alarms = [alarm["Properties"] for alarm in template.of("CloudWatch::Alarm").values()]
    assert {alarm["AlarmName"].removeprefix("breast-cancer-dev-") for alarm in alarms} == {
        "dead-letters",
        "ingest-dataset-errors",
        "start-training-errors",
        "approve-model-errors",
        "reconcile-endpoint-errors",
        "predict-errors",
        "describe-model-errors",
        "record-feedback-errors",
        "feedback-dead-letters",
        "start-monitoring-errors",
        "drift",
        "quality",
        "refused",
        "endpoint-held",
        "retraining-stopped",
        "too-few-labels",
    }
    assert all(alarm["AlarmActions"] == [{"Ref": topic}] for alarm in alarms)


def test_ingest_dataset_alone_has_what_reads_parquet_and_room_for_the_largest_table(templates: Mapping[str, Template]) -> None:
    known = [(name, each["Properties"]) for part in ("control", "serving") for name, each in templates[part].of("Lambda::Function").items()]
    ((name, ingest),) = [(name, properties) for name, properties in known if len(properties["Layers"]) > 1]
    assert name.startswith("IngestDataset")
    # The later layer's file counts where both have it: what pydantic needs is in Powertools.
    pandas, powertools = ingest["Layers"]
    mapping, region, attribute = pandas["Fn::FindInMap"]
    assert (region, attribute) == ({"Ref": "AWS::Region"}, "Arn")
    assert "AWSLambdaPowertoolsPythonV3" in text(powertools)
    for region, found in templates["control"].body["Mappings"][mapping].items():
        assert re.fullmatch(rf"arn:aws:lambda:{region}:\d{{12}}:layer:AWSSDKPandas-Python313:\d+", found["Arn"])
    assert ingest["EphemeralStorage"]["Size"] * 1024**2 > LARGEST_UPLOAD_BYTES
