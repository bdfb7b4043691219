"""The steps of a pipeline execution: each is a call of an AWS API under the pipeline's role, and the wait for its end.

Because the calls go through the twin's own door, the role needs exactly what it needs on AWS: the Create and Describe actions, PassRole
for the jobs' roles, s3:GetObject for property files, lambda:InvokeFunction
(https://docs.aws.amazon.com/sagemaker/latest/dg/build-and-manage-access.html). Modelled: jobs are tagged with their execution, for which
the role needs sagemaker:AddTags; AWS writes of such a tag nowhere, and a role that lacked it would fail there late.
"""

import json
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from twin.cloud import Cloud, Credentials
from twin.sagemaker.context import random_name
from twin.sagemaker.definition import DefinitionError, Step
from twin.sagemaker.references import Resolver

POLL = 0.1
NAME_LIMIT = 63
EXECUTION_TAG = "sagemaker:pipeline-execution-arn"


class StepError(Exception):
    """The step failed; the message is its FailureReason."""


class Stopped(Exception):  # noqa: N818 - not an error: the execution was asked to stop
    """The execution was stopped while the step ran."""


@dataclass
class Run:
    """One execution as its steps see it."""

    cloud: Cloud
    credentials: Credentials
    execution_id: str
    execution_arn: str
    resolver: Resolver
    stop: threading.Event
    metadata: dict[str, dict[str, Any]] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        """A client under the pipeline's role."""
        return self.cloud.client(service, self.credentials)

    def job_name(self, step: str) -> str:
        """A unique name as SageMaker makes them: pipelines-<execution>-<step>-<random>."""
        head, tail = f"pipelines-{self.execution_id}-", f"-{random_name(10)}"
        return head + re.sub(r"[^A-Za-z0-9]+", "-", step)[: NAME_LIMIT - len(head) - len(tail)].strip("-") + tail


def run_step(run: Run, step: Step) -> dict[str, Any]:
    """Run a step; what later steps may refer to. Raises StepError or Stopped.

    `run.metadata` gets the step's Metadata as soon as it is known.
    """
    try:
        return _STEPS[step["Type"]](run, step)
    except ClientError as error:
        # As SageMaker does, the reason is that of the failed call.
        raise StepError(f"ClientError: {error.response['Error']['Code']}: {error.response['Error']['Message']}") from error
    except (BotoCoreError, DefinitionError) as error:
        raise StepError(f"ClientError: {error}") from error


def _processing(run: Run, step: Step) -> dict[str, Any]:
    client, name = run.client("sagemaker"), run.job_name(step["Name"])
    arn = client.create_processing_job(**_job(run, step), ProcessingJobName=name)["ProcessingJobArn"]
    run.metadata[step["Name"]] = {"ProcessingJob": {"Arn": arn}}
    return _await(
        run,
        lambda: client.describe_processing_job(ProcessingJobName=name),
        "ProcessingJobStatus",
        lambda: client.stop_processing_job(ProcessingJobName=name),
    )


def _training(run: Run, step: Step) -> dict[str, Any]:
    client, name = run.client("sagemaker"), run.job_name(step["Name"])
    arn = client.create_training_job(**_job(run, step), TrainingJobName=name)["TrainingJobArn"]
    run.metadata[step["Name"]] = {"TrainingJob": {"Arn": arn}}
    return _await(
        run,
        lambda: client.describe_training_job(TrainingJobName=name),
        "TrainingJobStatus",
        lambda: client.stop_training_job(TrainingJobName=name),
    )


def _job(run: Run, step: Step) -> dict[str, Any]:
    """A job's arguments, with the tag of its execution."""
    arguments = _without_empty(run.resolver.value(step["Arguments"]))
    return arguments | {"Tags": [*arguments.get("Tags", []), {"Key": EXECUTION_TAG, "Value": run.execution_arn}]}


def _await(run: Run, describe: Callable[[], dict[str, Any]], key: str, stop: Callable[[], Any]) -> dict[str, Any]:
    while (described := describe())[key] in {"InProgress", "Stopping"}:
        if run.stop.is_set() and described[key] == "InProgress":
            stop()
        time.sleep(POLL)
    if described[key] == "Completed":
        return described
    if run.stop.is_set():
        raise Stopped
    raise StepError(described.get("FailureReason") or f"The job ended as {described[key]}.")


def _register(run: Run, step: Step) -> dict[str, Any]:
    arguments = _without_empty(run.resolver.value(step["Arguments"]))
    arguments.setdefault("MetadataProperties", {}).setdefault("GeneratedBy", run.execution_arn)
    client = run.client("sagemaker")
    arn = client.create_model_package(**arguments)["ModelPackageArn"]
    run.metadata[step["Name"]] = {"RegisterModel": {"Arn": arn}}
    # What later steps may refer to is what was registered; SageMaker needs no DescribeModelPackage of the role for it.
    group, version = arn.split("/")[-2:]
    return arguments | {"ModelPackageArn": arn, "ModelPackageGroupName": group, "ModelPackageVersion": int(version)}


def _model(run: Run, step: Step) -> dict[str, Any]:
    arguments, name = _without_empty(run.resolver.value(step["Arguments"])), run.job_name(step["Name"])
    arn = run.client("sagemaker").create_model(**arguments, ModelName=name)["ModelArn"]
    run.metadata[step["Name"]] = {"Model": {"Arn": arn}}
    return arguments | {"ModelName": name, "ModelArn": arn}


def _condition(run: Run, step: Step) -> dict[str, Any]:
    holds = all(run.resolver.holds(each) for each in step["Arguments"]["Conditions"])
    outcome = "true" if holds else "false"
    run.metadata[step["Name"]] = {"Condition": {"Outcome": outcome}}
    return {"Outcome": outcome}


def _fail(run: Run, step: Step) -> dict[str, Any]:
    message = str(run.resolver.value((step.get("Arguments") or {}).get("ErrorMessage", "")))
    run.metadata[step["Name"]] = {"Fail": {"ErrorMessage": message}}
    raise StepError(message)


def _lambda(run: Run, step: Step) -> dict[str, Any]:
    payload = json.dumps(run.resolver.value(step.get("Arguments") or {})).encode()
    arn = run.resolver.value(step["FunctionArn"])
    run.metadata[step["Name"]] = {"Lambda": {"Arn": arn, "OutputParameters": []}}
    reply = run.client("lambda").invoke(FunctionName=arn, Payload=payload)
    answer = json.loads(reply["Payload"].read() or b"null")
    if reply.get("FunctionError"):
        raise StepError(f"ClientError: Lambda function {arn} failed: {json.dumps(answer)}")
    names = [each["OutputName"] for each in step.get("OutputParameters") or ()]
    lacking = [name for name in names if not isinstance(answer, dict) or name not in answer]
    if lacking:
        raise StepError(f"ClientError: Lambda function {arn} did not return {', '.join(lacking)}.")
    outputs = {name: answer[name] for name in names}
    run.metadata[step["Name"]]["Lambda"]["OutputParameters"] = [{"Name": name, "Value": str(value)} for name, value in outputs.items()]
    return {"OutputParameters": outputs}


def _without_empty(arguments: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in arguments.items() if value is not None}


_STEPS: dict[str, Callable[[Run, Step], dict[str, Any]]] = {
    "Processing": _processing,
    "Training": _training,
    "RegisterModel": _register,
    "Model": _model,
    "Condition": _condition,
    "Fail": _fail,
    "Lambda": _lambda,
}
