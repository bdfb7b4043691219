"""The serving stack: an HTTP API.

POST /predict asks the endpoint; POST /feedback takes labels of earlier predictions; GET /model tells what is live; GET /openapi.json tells
what the API takes and gives.

Labels come as files too: S3 Object Created, feedback/ -> record_feedback, which a schedule wakes too, for files whose event was lost. That,
and what it could not handle, is in this stack and not in the control stack, because the function is: the API's stack is deployed first.
"""

import aws_cdk as cdk
from constructs import Construct

from contracts.environment import DescribeModelEnvironment, PredictEnvironment, RecordFeedbackEnvironment
from contracts.events import DetailType
from contracts.layout import FEEDBACK
from contracts.privacy import secret_name
from stacks.constructs.alerts import DeadLetters
from stacks.constructs.function import ProjectFunction
from stacks.constructs.function_policies import FunctionPolicies
from stacks.constructs.hash_key import decrypt_hash_key
from stacks.constructs.http_api import ProjectApi
from stacks.constructs.policy import allow
from stacks.constructs.triggers import Tick, Trigger
from stacks.data import DataStack
from stacks.names import Arns, stack_name
from stacks.project import Project

FUNCTIONS = ("predict", "describe_model", "record_feedback")
_TIMEOUT_SECONDS = 29  # an HTTP API gives up after 30


class ServingStack(cdk.Stack):
    """The API and its functions. Without an endpoint it can be deployed too: it then says that there is no model yet."""

    def __init__(self, scope: Construct, project: Project, data: DataStack) -> None:
        super().__init__(scope, stack_name(project, "serving"), description=f"Tidewheel {project.prefix}: the API in front of the model")
        self.dead_letters = DeadLetters(self, data.key)
        secret = secret_name(project.prefix) if project.config.data.privacy.hash else ""
        invoke = allow(["sagemaker:InvokeEndpoint"], [Arns(self, project).endpoint])
        predict = ProjectFunction(
            self,
            project,
            "predict",
            environment=PredictEnvironment(endpoint_name=project.prefix, hash_key_secret=secret),
            statements=[invoke, *decrypt_hash_key(self, project, data.key)],
            key=data.key,
            timeout_seconds=_TIMEOUT_SECONDS,
            memory_megabytes=1024,
        )
        feedback = self._record_feedback(project, data)
        describe = self._describe_model(project, data).function
        routes = {
            "POST /predict": predict.function,
            "POST /feedback": feedback.function,
            "GET /model": describe,
            "GET /openapi.json": describe,
        }
        api = ProjectApi(self, project.prefix, project.config.api, routes, data.key)
        cdk.CfnOutput(self, "ApiUrl", value=api.url)

    def _describe_model(self, project: Project, data: DataStack) -> ProjectFunction:
        return ProjectFunction(
            self,
            project,
            "describe_model",
            environment=DescribeModelEnvironment(endpoint_name=project.prefix),
            statements=FunctionPolicies(self, project, data).describe_model(),
            key=data.key,
            timeout_seconds=_TIMEOUT_SECONDS,
        )

    def _record_feedback(self, project: Project, data: DataStack) -> ProjectFunction:
        bucket = data.data_bucket.bucket_name
        feedback = ProjectFunction(
            self,
            project,
            "record_feedback",
            environment=RecordFeedbackEnvironment(data_bucket=bucket),
            statements=FunctionPolicies(self, project, data).record_feedback(),
            key=data.key,
            dead_letters=self.dead_letters,
            timeout_seconds=900,  # for files; the API does not wait that long, and a request holds few labels
            memory_megabytes=1024,
        )
        Trigger(
            self,
            project.prefix,
            "feedback-created",
            source="aws.s3",
            detail_type=DetailType.OBJECT_CREATED,
            detail={"bucket": {"name": [bucket]}, "object": {"key": [{"prefix": FEEDBACK}]}},
            function=feedback.function,
            dead_letters=self.dead_letters,
        )
        Tick(
            self,
            "FeedbackTick",
            name=f"{project.prefix}-feedback",
            expression="cron(40 * * * ? *)",
            why="Looks again at files of labels, whatever event was lost",
            function=feedback.function,
            dead_letters=self.dead_letters,
            key=data.key,
        )
        return feedback
