"""The serving stack: a signed HTTP API whose one route calls predict, which calls the endpoint by name."""

import aws_cdk as cdk
from constructs import Construct

from contracts.environment import PredictEnvironment
from stacks.constructs.function import ProjectFunction
from stacks.constructs.http_api import SignedApi
from stacks.constructs.policy import allow
from stacks.data import DataStack
from stacks.names import Arns, stack_name
from stacks.project import Project


class ServingStack(cdk.Stack):
    """The API and predict. It can be deployed before there is an endpoint: predict then says that no model is deployed yet."""

    def __init__(self, scope: Construct, project: Project, data: DataStack) -> None:
        super().__init__(scope, stack_name(project, "serving"), description=f"Tidewheel {project.prefix}: the API in front of the model")
        predict = ProjectFunction(
            self,
            project,
            "predict",
            environment=PredictEnvironment(endpoint_name=project.prefix),
            statements=[allow(["sagemaker:InvokeEndpoint"], [Arns(self, project).endpoint])],
            key=data.key,
            timeout_seconds=29,  # an HTTP API gives up after 30
            memory_megabytes=1024,
        )
        api = SignedApi(self, project.prefix, "POST /predict", predict.function, data.key)
        cdk.CfnOutput(self, "ApiUrl", value=api.url)
