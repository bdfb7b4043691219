"""An HTTP API whose routes lead to a function each; every request is signed (IAM) and logged."""

import json
from collections.abc import Mapping

import aws_cdk as cdk
from aws_cdk import aws_apigatewayv2 as api
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from stacks.constructs.logs import ProjectLogs
from stacks.names import LOGS_OF_APIS

# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging-variables.html
_ACCESS_LOG = {
    "requestId": "$context.requestId",
    "time": "$context.requestTime",
    "route": "$context.routeKey",
    "status": "$context.status",
    "caller": "$context.identity.userArn",
    "latencyMilliseconds": "$context.responseLatency",
    "error": "$context.integrationErrorMessage",
}


class SignedApi(Construct):
    """`routes`: route ("POST /predict") -> function, for callers who may execute-api:Invoke it. `url` has no slash at the end."""

    def __init__(self, scope: Construct, name: str, routes: Mapping[str, lambda_.IFunction], key: kms.IKey) -> None:
        super().__init__(scope, "Api")
        self._api = api.CfnApi(self, "Api", name=name, protocol_type="HTTP", description=f"Predictions of {name}, and their labels")
        for route, function in routes.items():
            self._route(route, function)
        self._stage(name, key)

    def _route(self, route: str, function: lambda_.IFunction) -> None:
        method, path = route.split(" ")
        part = path.strip("/").capitalize()
        integration = api.CfnIntegration(
            self,
            f"{part}Integration",
            api_id=self._api.ref,
            integration_type="AWS_PROXY",
            integration_uri=function.function_arn,
            payload_format_version="2.0",
        )
        api.CfnRoute(
            self,
            f"{part}Route",
            api_id=self._api.ref,
            route_key=route,
            authorization_type="AWS_IAM",
            target=f"integrations/{integration.ref}",
        )
        function.add_permission(
            "Invoke",
            principal=iam.ServicePrincipal("apigateway.amazonaws.com"),
            source_arn=cdk.Stack.of(self).format_arn(service="execute-api", resource=self._api.ref, resource_name=f"*/{method}{path}"),
        )

    @property
    def url(self) -> str:
        """Where clients find it."""
        return self._api.attr_api_endpoint

    def _stage(self, name: str, key: kms.IKey) -> None:
        group = ProjectLogs(self, "AccessLogs", f"{LOGS_OF_APIS}{name}", key)
        api.CfnStage(
            self,
            "Stage",
            api_id=self._api.ref,
            stage_name="$default",
            auto_deploy=True,
            default_route_settings=api.CfnStage.RouteSettingsProperty(throttling_rate_limit=500, throttling_burst_limit=1000),
            access_log_settings=api.CfnStage.AccessLogSettingsProperty(
                destination_arn=group.log_group_arn, format=json.dumps(_ACCESS_LOG, separators=(",", ":"))
            ),
        )
