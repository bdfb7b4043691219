"""An HTTP API whose routes lead to a function each; every request is signed (IAM) or carries a token (JWT), and is logged.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-access-control.html
"""

import json
from collections.abc import Mapping

import aws_cdk as cdk
from aws_cdk import aws_apigatewayv2 as api
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from contracts.api import Api, Jwt
from stacks.constructs.logs import ProjectLogs
from stacks.names import LOGS_OF_APIS

# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging-variables.html
_ACCESS_LOG = {
    "requestId": "$context.requestId",
    "time": "$context.requestTime",
    "route": "$context.routeKey",
    "status": "$context.status",
    "latencyMilliseconds": "$context.responseLatency",
    "error": "$context.integrationErrorMessage",
}


class ProjectApi(Construct):
    """`routes`: route ("POST /predict") -> function. `url` has no slash at the end.

    Callers may execute-api:Invoke the route, or have a token of the configured issuer.
    """

    def __init__(self, scope: Construct, name: str, settings: Api, routes: Mapping[str, lambda_.IFunction], key: kms.IKey) -> None:
        super().__init__(scope, "Api")
        self._api = api.CfnApi(self, "Api", name=name, protocol_type="HTTP", description=f"Predictions of {name}, and their labels")
        self._authorizer = self._jwt(name, settings.jwt) if settings.jwt else None
        self._caller = "$context.authorizer.claims.sub" if settings.jwt else "$context.identity.userArn"
        for route, function in routes.items():
            self._route(route, function)
        self._stage(name, settings, key)

    def _jwt(self, name: str, jwt: Jwt) -> str:
        authorizer = api.CfnAuthorizer(
            self,
            "Authorizer",
            api_id=self._api.ref,
            name=name,
            authorizer_type="JWT",
            identity_source=["$request.header.Authorization"],
            jwt_configuration=api.CfnAuthorizer.JWTConfigurationProperty(issuer=jwt.issuer, audience=list(jwt.audience)),
        )
        return authorizer.ref

    def _route(self, route: str, function: lambda_.IFunction) -> None:
        method, path = route.split(" ")
        part = path.strip("/").replace(".", "").capitalize()
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
            target=f"integrations/{integration.ref}",
            authorization_type="JWT" if self._authorizer else "AWS_IAM",
            authorizer_id=self._authorizer,
        )
        function.add_permission(
            f"Invoke{part}",
            principal=iam.ServicePrincipal("apigateway.amazonaws.com"),
            source_arn=cdk.Stack.of(self).format_arn(service="execute-api", resource=self._api.ref, resource_name=f"*/{method}{path}"),
        )

    @property
    def url(self) -> str:
        """Where clients find it."""
        return self._api.attr_api_endpoint

    def _stage(self, name: str, settings: Api, key: kms.IKey) -> None:
        group = ProjectLogs(self, "AccessLogs", f"{LOGS_OF_APIS}{name}", key)
        api.CfnStage(
            self,
            "Stage",
            api_id=self._api.ref,
            stage_name="$default",
            auto_deploy=True,
            default_route_settings=api.CfnStage.RouteSettingsProperty(
                throttling_rate_limit=settings.requests_per_second, throttling_burst_limit=settings.burst
            ),
            access_log_settings=api.CfnStage.AccessLogSettingsProperty(
                destination_arn=group.log_group_arn, format=json.dumps(_ACCESS_LOG | {"caller": self._caller}, separators=(",", ":"))
            ),
        )
