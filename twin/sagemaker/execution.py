"""One execution of a pipeline: its record, its steps' records, its events, and the thread that runs it."""

import json
import logging
import secrets
import string
import threading
from typing import Any

from botocore.exceptions import ClientError

from twin.sagemaker import api
from twin.sagemaker.context import Context, iso
from twin.sagemaker.definition import Definition, DefinitionError, Step, all_steps, needs
from twin.sagemaker.references import Resolver
from twin.sagemaker.steps import Run, StepError, Stopped, run_step
from twin.sagemaker.storage import split

log = logging.getLogger(__name__)

RUNNING = frozenset({"Executing", "Stopping"})
_ID = string.ascii_lowercase + string.digits


class Execution:
    """A running or finished execution."""

    def __init__(
        self,
        context: Context,
        pipeline: dict[str, Any],
        definition: Definition,
        parameters: dict[str, Any],
        request: dict[str, Any],
    ) -> None:
        self._context = context
        self._definition = definition
        self.pipeline = pipeline
        self.parameters = parameters
        self.id = "".join(secrets.choice(_ID) for _ in range(12))
        self.arn = f"{pipeline['PipelineArn']}/execution/{self.id}"
        now = context.now()
        shown: dict[str, Any] = api.pick(request, ("PipelineExecutionDisplayName", "PipelineExecutionDescription"))
        named: dict[str, Any] = {"PipelineExecutionDisplayName": f"execution-{int(now.timestamp() * 1000)}"}
        self.record: dict[str, Any] = (
            {
                "PipelineArn": pipeline["PipelineArn"],
                "PipelineExecutionArn": self.arn,
                "PipelineExecutionStatus": "Executing",
                "CreationTime": now,
                "LastModifiedTime": now,
            }
            | named
            | shown
        )
        self._steps: dict[str, dict[str, Any]] = {}
        self._described: dict[str, dict[str, Any]] = {}
        self._by_name = {step["Name"]: step for step in all_steps(definition.steps)}
        self._stop = threading.Event()
        self._abandoned = False
        self._run: Run | None = None
        self._thread = threading.Thread(target=self._work, name=f"pipeline-{self.id}", daemon=True)

    @property
    def is_running(self) -> bool:
        """Whether the execution has not ended."""
        return self.record["PipelineExecutionStatus"] in RUNNING

    def start(self) -> None:
        """Begin."""
        self._publish(None)
        self._thread.start()

    def stop(self) -> None:
        """Stop the running job, and start nothing new."""
        self._move("Stopping")
        self._stop.set()

    def abandon(self) -> None:
        """The account goes away: the thread ends without further calls."""
        self._abandoned = True
        self._stop.set()

    def steps(self) -> list[dict[str, Any]]:
        """The steps that have begun, with their metadata, in the order in which they began."""
        metadata = self._run.metadata if self._run else {}
        return [dict(step) | ({"Metadata": metadata[name]} if name in metadata else {}) for name, step in list(self._steps.items())]

    def _work(self) -> None:
        try:
            credentials = self._context.assume(self.pipeline["RoleArn"], f"SageMaker-{self.id}")
            cloud = self._context.cloud
            self._run = Run(cloud, credentials, self.id, self.arn, self._resolver(), self._stop)
            failure = self._run_all(self._run)
            if self._stop.is_set():
                self._end("Stopped")
            else:
                self._end("Failed" if failure else "Succeeded", failure)
        except Exception as error:
            if self._abandoned:
                return
            log.exception("pipeline execution %s broke", self.arn)
            self._end("Failed", f"InternalServerError: the twin could not go on: {error!r}")

    def _run_all(self, run: Run) -> str:
        """Run every step that is to run; the reason of the first failure, or nothing."""
        waiting, done = list(self._definition.steps), set[str]()
        while waiting and not self._stop.is_set():
            step = next((each for each in waiting if needs(each) <= done), None)
            if step is None:
                # What is left depends on a branch that was not taken.
                return ""
            waiting.remove(step)
            try:
                described = self._run_one(run, step)
            except StepError as error:
                return f"Step failure: One or multiple steps failed. {step['Name']}: {error}"
            except Stopped:
                return ""
            done.add(step["Name"])
            if step["Type"] == "Condition":
                waiting += step["Arguments"].get("IfSteps" if described["Outcome"] == "true" else "ElseSteps") or []
        return ""

    def _run_one(self, run: Run, step: Step) -> dict[str, Any]:
        name = step["Name"]
        shown = {"StepDisplayName": step.get("DisplayName"), "StepDescription": step.get("Description")}
        self._steps[name] = {"StepName": name, "StartTime": self._context.now(), "AttemptCount": 1} | {k: v for k, v in shown.items() if v}
        self._move_step(step, "Executing")
        try:
            described = self._described[name] = run_step(run, step)
        except StepError as error:
            self._move_step(step, "Failed", str(error))
            raise
        except Stopped:
            self._move_step(step, "Stopped")
            raise
        self._move_step(step, "Succeeded")
        return described

    def _resolver(self) -> Resolver:
        execution = {
            "PipelineName": self.pipeline["PipelineName"],
            "PipelineArn": self.pipeline["PipelineArn"],
            "PipelineExecutionId": self.id,
            "PipelineExecutionArn": self.arn,
            "StartDateTime": self.record["CreationTime"],
            "CurrentDateTime": self._context.now(),
        }
        return Resolver(self.parameters, execution, lambda name: self._described[name], self._property_file, self._json)

    def _property_file(self, step: str, file: str) -> Any:
        declared = next(each for each in self._by_name[step]["PropertyFiles"] if each["PropertyFileName"] == file)
        outputs = self._described[step]["ProcessingOutputConfig"]["Outputs"]
        uri = next((each["S3Output"]["S3Uri"] for each in outputs if each["OutputName"] == declared["OutputName"]), None)
        if uri is None:
            raise DefinitionError(f"Property file {file}: step {step} has no output {declared['OutputName']}.")
        return self._json(f"{uri.rstrip('/')}/{declared['FilePath']}")

    def _json(self, uri: str) -> Any:
        bucket, key = split(uri)
        if self._run is None:
            raise RuntimeError("a step was resolved before the execution began")
        try:
            body = self._run.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
            return json.loads(body)
        except ClientError as error:
            raise DefinitionError(f"The pipeline's role could not read {uri}: {error}") from error
        except ValueError as error:
            raise DefinitionError(f"{uri} is not JSON: {error}") from error

    def _end(self, status: str, reason: str = "") -> None:
        self._move(status, **({"FailureReason": reason} if reason else {}))

    def _move(self, status: str, **changes: Any) -> None:
        before = self.record["PipelineExecutionStatus"]
        self.record = self.record | changes | {"PipelineExecutionStatus": status, "LastModifiedTime": self._context.now()}
        self._publish(before)

    def _publish(self, before: str | None) -> None:
        status, ended = self.record["PipelineExecutionStatus"], not self.is_running
        detail = {
            "pipelineExecutionDisplayName": self.record["PipelineExecutionDisplayName"],
            "pipelineExecutionDescription": self.record.get("PipelineExecutionDescription"),
            "currentPipelineExecutionStatus": status,
            "previousPipelineExecutionStatus": before,
            "executionStartTime": iso(self.record["CreationTime"]),
            "executionEndTime": iso(self.record["LastModifiedTime"]) if ended else None,
            "pipelineArn": self.pipeline["PipelineArn"],
            "pipelineExecutionArn": self.arn,
        }
        self._context.publish("SageMaker Model Building Pipeline Execution Status Change", detail, [self.pipeline["PipelineArn"], self.arn])

    def _move_step(self, step: Step, status: str, reason: str = "") -> None:
        record, now = self._steps[step["Name"]], self._context.now()
        before = record.get("StepStatus")
        ended = status not in RUNNING
        changes = {"StepStatus": status} | ({"EndTime": now} if ended else {}) | ({"FailureReason": reason} if reason else {})
        self._steps[step["Name"]] = record = record | changes
        metadata = (self._run.metadata if self._run else {}).get(step["Name"], {})
        detail = {
            "metadata": {kind[0].lower() + kind[1:]: {k[0].lower() + k[1:]: v for k, v in each.items()} for kind, each in metadata.items()},
            "stepStartTime": iso(record["StartTime"]),
            "stepEndTime": iso(record.get("EndTime")),
            "stepName": step["Name"],
            "stepType": step["Type"],
            "previousStepStatus": before,
            "currentStepStatus": status,
            "failureReason": reason or None,
            "pipelineArn": self.pipeline["PipelineArn"],
            "pipelineExecutionArn": self.arn,
        }
        kind = "SageMaker Model Building Pipeline Execution Step Status Change"
        self._context.publish(kind, detail, [self.pipeline["PipelineArn"], self.arn])
