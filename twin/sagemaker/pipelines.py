"""Pipelines and their executions: the stored definition is what runs.

An execution runs in a thread of its own under the pipeline's role; its steps run one after another, in an order that their dependencies
allow (modelled: AWS runs independent ones side by side). The first failed step fails the execution; its FailureReason names the step and
the real reason (modelled: AWS says only that steps failed, and the reason is the step's).
Sources: API_StartPipelineExecution, API_ListPipelineExecutionSteps; events: developer guide, automating-sagemaker-with-eventbridge.
"""

import json
import threading
from typing import Any

from twin.sagemaker import api
from twin.sagemaker.context import Context
from twin.sagemaker.definition import Definition, DefinitionError, parse
from twin.sagemaker.execution import Execution

_PIPELINE = ("PipelineName", "PipelineDisplayName", "PipelineDescription", "RoleArn", "ParallelismConfiguration")
_CREATE = (*_PIPELINE, "PipelineDefinition", "ClientRequestToken", "Tags")
_START = (
    "PipelineName",
    "PipelineExecutionDisplayName",
    "PipelineParameters",
    "PipelineExecutionDescription",
    "ClientRequestToken",
    "ParallelismConfiguration",
)
_SUMMARY = (
    "PipelineArn",
    "PipelineName",
    "PipelineDisplayName",
    "PipelineDescription",
    "RoleArn",
    "CreationTime",
    "LastModifiedTime",
    "LastExecutionTime",
)
_LIST_EXECUTIONS = ("PipelineName", "CreatedAfter", "SortBy", "SortOrder", "NextToken", "MaxResults")
_EXECUTION_SUMMARY = {
    "PipelineExecutionArn": "PipelineExecutionArn",
    "StartTime": "CreationTime",
    "PipelineExecutionStatus": "PipelineExecutionStatus",
    "PipelineExecutionDescription": "PipelineExecutionDescription",
    "PipelineExecutionDisplayName": "PipelineExecutionDisplayName",
    "PipelineExecutionFailureReason": "FailureReason",
}


class Pipelines:
    """Pipelines by name, executions by ARN."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._pipelines: dict[str, dict[str, Any]] = {}
        self._definitions: dict[str, Definition] = {}
        self._executions: dict[str, Execution] = {}
        self._tokens: dict[tuple[str, str], str] = {}
        self._lock = threading.RLock()

    def replaced(self) -> dict[str, api.Operation]:
        """Operations that moto has."""
        return {
            "create_pipeline": self.create,
            "update_pipeline": self.update,
            "delete_pipeline": self.delete,
            "describe_pipeline": self.describe,
            "list_pipelines": self.list_all,
            "start_pipeline_execution": self.start,
            "describe_pipeline_execution": self.describe_execution,
            "list_pipeline_executions": self.list_executions,
            "list_pipeline_parameters_for_execution": self.list_parameters,
            "describe_pipeline_definition_for_execution": self.describe_definition,
        }

    def added(self) -> dict[str, api.Operation]:
        """Operations that moto lacks."""
        return {"list_pipeline_execution_steps": self.list_steps, "stop_pipeline_execution": self.stop}

    @property
    def is_busy(self) -> bool:
        """An execution has not ended."""
        return any(each.is_running for each in list(self._executions.values()))

    def create(self, request: api.Request) -> api.Reply:
        """CreatePipeline: the definition is checked now, not when it runs."""
        api.refuse_unknown(request, _CREATE, "CreatePipeline")
        name, now = request["PipelineName"], self._context.now()
        arn = self._context.arn("pipeline", name)
        definition = _parsed(request["PipelineDefinition"])
        self._context.assume(request["RoleArn"], f"SageMaker-{name}")
        with self._lock:
            if name in self._pipelines:
                raise api.invalid(
                    f"Pipeline names must be unique within an AWS account and region. Pipeline with name ({name}) already exists."
                )
            self._definitions[name] = definition
            self._pipelines[name] = (
                {"PipelineDisplayName": name}
                | api.pick(request, (*_PIPELINE, "PipelineDefinition"))
                | {
                    "PipelineArn": arn,
                    "PipelineStatus": "Active",
                    "CreationTime": now,
                    "LastModifiedTime": now,
                }
            )
        self._context.tag(arn, request.get("Tags"))
        return {"PipelineArn": arn}

    def update(self, request: api.Request) -> api.Reply:
        """UpdatePipeline. Running executions keep the definition that they started with."""
        api.refuse_unknown(request, _CREATE, "UpdatePipeline")
        pipeline = self._find(request["PipelineName"])
        changes = api.pick(request, (*_PIPELINE, "PipelineDefinition"))
        if "RoleArn" in changes:
            self._context.assume(changes["RoleArn"], f"SageMaker-{pipeline['PipelineName']}")
        definition = _parsed(changes.get("PipelineDefinition") or pipeline["PipelineDefinition"])
        with self._lock:
            self._definitions[pipeline["PipelineName"]] = definition
            self._pipelines[pipeline["PipelineName"]] = pipeline | changes | {"LastModifiedTime": self._context.now()}
        return {"PipelineArn": pipeline["PipelineArn"]}

    def delete(self, request: api.Request) -> api.Reply:
        """DeletePipeline: not while an execution runs."""
        pipeline = self._find(request["PipelineName"])
        with self._lock:
            mine = [each for each in self._executions.values() if each.pipeline["PipelineArn"] == pipeline["PipelineArn"]]
            if any(each.is_running for each in mine):
                raise api.conflict(f"Pipeline {pipeline['PipelineArn']} has running executions. Next: stop them, then delete it.")
            del self._pipelines[pipeline["PipelineName"]]
            for each in mine:
                del self._executions[each.arn]
        self._context.untag(pipeline["PipelineArn"])
        return {"PipelineArn": pipeline["PipelineArn"]}

    def describe(self, request: api.Request) -> api.Reply:
        """DescribePipeline."""
        return {key: value for key, value in self._find(request["PipelineName"]).items() if key != "LastExecutionTime"} | self._last_run(
            request
        )

    def list_all(self, request: api.Request) -> api.Reply:
        """ListPipelines."""
        prefix = request.get("PipelineNamePrefix") or ""
        found = [api.pick(each, _SUMMARY) for name, each in list(self._pipelines.items()) if name.startswith(prefix)]
        return api.page(request, "PipelineSummaries", api.ordered(request, found))

    def start(self, request: api.Request) -> api.Reply:
        """StartPipelineExecution; the same token starts nothing twice."""
        api.refuse_unknown(request, _START, "StartPipelineExecution")
        pipeline = self._find(request["PipelineName"])
        given = {each["Name"]: each["Value"] for each in request.get("PipelineParameters") or ()}
        token = (pipeline["PipelineArn"], request["ClientRequestToken"]) if request.get("ClientRequestToken") else None
        with self._lock:
            if token in self._tokens and token is not None:
                return {"PipelineExecutionArn": self._tokens[token]}
            definition = self._definitions[pipeline["PipelineName"]]
            try:
                parameters = definition.values(given)
            except DefinitionError as error:
                raise api.invalid(str(error)) from error
            execution = Execution(self._context, pipeline, definition, parameters, request)
            self._executions[execution.arn] = execution
            if token is not None:
                self._tokens[token] = execution.arn
            self._pipelines[pipeline["PipelineName"]]["LastExecutionTime"] = execution.record["CreationTime"]
        execution.start()
        return {"PipelineExecutionArn": execution.arn}

    def stop(self, request: api.Request) -> api.Reply:
        """StopPipelineExecution: running jobs are stopped, nothing new starts."""
        execution = self._execution(request)
        if not execution.is_running:
            raise api.invalid(
                f"Pipeline execution with ARN {execution.arn} is {execution.record['PipelineExecutionStatus']} and cannot be stopped."
            )
        execution.stop()
        return {"PipelineExecutionArn": execution.arn}

    def describe_execution(self, request: api.Request) -> api.Reply:
        """DescribePipelineExecution."""
        return dict(self._execution(request).record)

    def list_executions(self, request: api.Request) -> api.Reply:
        """ListPipelineExecutions, the newest first, by the time of their creation."""
        api.refuse_unknown(request, _LIST_EXECUTIONS, "ListPipelineExecutions")
        arn, after = self._find(request["PipelineName"])["PipelineArn"], api.moment(request.get("CreatedAfter"))
        records = [each.record for each in list(self._executions.values()) if each.pipeline["PipelineArn"] == arn]
        records = [record for record in records if after is None or record["CreationTime"] > after]
        found = [{shown: record[key] for shown, key in _EXECUTION_SUMMARY.items() if key in record} for record in records]
        return api.page(request, "PipelineExecutionSummaries", api.ordered({"SortOrder": request.get("SortOrder")}, found, by="StartTime"))

    def list_steps(self, request: api.Request) -> api.Reply:
        """ListPipelineExecutionSteps, the newest first."""
        steps = self._execution(request).steps()
        return api.page(request, "PipelineExecutionSteps", api.ordered({"SortOrder": request.get("SortOrder")}, steps, by="StartTime"))

    def list_parameters(self, request: api.Request) -> api.Reply:
        """ListPipelineParametersForExecution: every parameter, defaults included."""
        parameters = [{"Name": name, "Value": _shown(value)} for name, value in self._execution(request).parameters.items()]
        return api.page(request, "PipelineParameters", parameters)

    def describe_definition(self, request: api.Request) -> api.Reply:
        """DescribePipelineDefinitionForExecution."""
        execution = self._execution(request)
        return {"PipelineDefinition": execution.pipeline["PipelineDefinition"], "CreationTime": execution.record["CreationTime"]}

    def close(self) -> None:
        """End every execution with the twin."""
        for execution in list(self._executions.values()):
            execution.abandon()

    def _last_run(self, request: api.Request) -> api.Reply:
        last = self._find(request["PipelineName"]).get("LastExecutionTime")
        return {"LastRunTime": last} if last else {}

    def _find(self, name_or_arn: str) -> dict[str, Any]:
        name = name_or_arn.rpartition("/")[2]
        if name not in self._pipelines:
            raise api.not_found(f"Pipeline '{self._context.arn('pipeline', name)}' does not exist.")
        return dict(self._pipelines[name])

    def _execution(self, request: api.Request) -> Execution:
        arn = request["PipelineExecutionArn"]
        if arn not in self._executions:
            raise api.not_found(f"Pipeline execution with ARN {arn} does not exist.")
        return self._executions[arn]


def _parsed(text: str) -> Definition:
    try:
        return parse(text)
    except (DefinitionError, KeyError) as error:
        raise api.invalid(f"Unable to parse pipeline definition. {error}") from error


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
