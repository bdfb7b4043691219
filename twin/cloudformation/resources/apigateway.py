"""API Gateway HTTP APIs: APIs, stages, authorizers, routes and integrations.

docs: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_ApiGatewayV2.html
"""

from collections.abc import Mapping
from typing import Any

from twin.cloudformation.resources.base import Call, Created, Handler, gone

_SERVICE = "apigatewayv2"
_GONE = "NotFoundException"


class Api(Handler):
    """Ref is the API's id. GetAtt ApiEndpoint is AWS's address; the twin serves the API under /execute-api/<id>."""

    type = "AWS::ApiGatewayV2::Api"
    properties = frozenset(
        {
            "CorsConfiguration",
            "Description",
            "DisableExecuteApiEndpoint",
            "IpAddressType",
            "Name",
            "ProtocolType",
            "RouteSelectionExpression",
            "Tags",
            "Version",
        }
    )
    required = frozenset({"Name", "ProtocolType"})
    replacement = frozenset({"ProtocolType"})
    attributes = frozenset({"ApiEndpoint", "ApiId"})

    def create(self, call: Call) -> Created:
        api = call.client(_SERVICE).create_api(**call.request(_SERVICE, "CreateApi"))
        return Created(api["ApiId"], self._known(call, api["ApiId"]))

    def update(self, call: Call, physical_id: str, before: Mapping[str, Any]) -> Mapping[str, Any]:
        api = call.client(_SERVICE)
        api.update_api(ApiId=physical_id, **call.request(_SERVICE, "UpdateApi", "ProtocolType", "Tags"))
        if call.properties.get("Tags") != before.get("Tags"):
            arn = f"arn:aws:apigateway:{call.account.region}::/apis/{physical_id}"
            api.untag_resource(ResourceArn=arn, TagKeys=list(before.get("Tags", {})))
            api.tag_resource(ResourceArn=arn, Tags=dict(call.properties.get("Tags", {})))
        return self._known(call, physical_id)

    def delete(self, call: Call, physical_id: str) -> None:
        with gone(_GONE):
            call.client(_SERVICE).delete_api(ApiId=physical_id)

    def _known(self, call: Call, api_id: str) -> Mapping[str, Any]:
        return {"ApiEndpoint": f"https://{api_id}.execute-api.{call.account.region}.amazonaws.com", "ApiId": api_id}


class Stage(Handler):
    """Ref is the stage's name."""

    type = "AWS::ApiGatewayV2::Stage"
    properties = frozenset(
        {
            "AccessLogSettings",
            "ApiId",
            "AutoDeploy",
            "DefaultRouteSettings",
            "DeploymentId",
            "Description",
            "RouteSettings",
            "StageName",
            "StageVariables",
            "Tags",
        }
    )
    required = frozenset({"ApiId", "StageName"})
    replacement = frozenset({"ApiId", "StageName"})

    def create(self, call: Call) -> Created:
        call.client(_SERVICE).create_stage(**call.request(_SERVICE, "CreateStage"))
        return Created(call.properties["StageName"])

    def update(self, call: Call, physical_id: str, before: Mapping[str, Any]) -> Mapping[str, Any]:
        call.client(_SERVICE).update_stage(**call.request(_SERVICE, "UpdateStage", "Tags"))
        return {}

    def delete(self, call: Call, physical_id: str) -> None:
        with gone(_GONE):
            call.client(_SERVICE).delete_stage(ApiId=call.properties["ApiId"], StageName=physical_id)


class Route(Handler):
    """Ref is the route's id."""

    type = "AWS::ApiGatewayV2::Route"
    properties = frozenset(
        {"ApiId", "ApiKeyRequired", "AuthorizationScopes", "AuthorizationType", "AuthorizerId", "OperationName", "RouteKey", "Target"}
    )
    required = frozenset({"ApiId", "RouteKey"})
    replacement = frozenset({"ApiId"})
    attributes = frozenset({"RouteId"})

    def create(self, call: Call) -> Created:
        route = call.client(_SERVICE).create_route(**call.request(_SERVICE, "CreateRoute"))["RouteId"]
        return Created(route, {"RouteId": route})

    def update(self, call: Call, physical_id: str, before: Mapping[str, Any]) -> Mapping[str, Any]:
        call.client(_SERVICE).update_route(RouteId=physical_id, **call.request(_SERVICE, "UpdateRoute"))
        return {"RouteId": physical_id}

    def delete(self, call: Call, physical_id: str) -> None:
        with gone(_GONE):
            call.client(_SERVICE).delete_route(ApiId=call.properties["ApiId"], RouteId=physical_id)


class Integration(Handler):
    """Ref is the integration's id."""

    type = "AWS::ApiGatewayV2::Integration"
    properties = frozenset(
        {
            "ApiId",
            "ConnectionType",
            "CredentialsArn",
            "Description",
            "IntegrationMethod",
            "IntegrationType",
            "IntegrationUri",
            "PayloadFormatVersion",
            "RequestParameters",
            "TimeoutInMillis",
        }
    )
    required = frozenset({"ApiId", "IntegrationType"})
    replacement = frozenset({"ApiId"})
    attributes = frozenset({"IntegrationId"})

    def create(self, call: Call) -> Created:
        integration = call.client(_SERVICE).create_integration(**call.request(_SERVICE, "CreateIntegration"))["IntegrationId"]
        return Created(integration, {"IntegrationId": integration})

    def update(self, call: Call, physical_id: str, before: Mapping[str, Any]) -> Mapping[str, Any]:
        call.client(_SERVICE).update_integration(IntegrationId=physical_id, **call.request(_SERVICE, "UpdateIntegration"))
        return {"IntegrationId": physical_id}

    def delete(self, call: Call, physical_id: str) -> None:
        with gone(_GONE):
            call.client(_SERVICE).delete_integration(ApiId=call.properties["ApiId"], IntegrationId=physical_id)


class Authorizer(Handler):
    """Ref is the authorizer's id. Only of type JWT."""

    type = "AWS::ApiGatewayV2::Authorizer"
    properties = frozenset({"ApiId", "AuthorizerType", "IdentitySource", "JwtConfiguration", "Name"})
    required = frozenset({"ApiId", "AuthorizerType", "Name"})
    replacement = frozenset({"ApiId"})
    attributes = frozenset({"AuthorizerId"})

    def create(self, call: Call) -> Created:
        made = call.client(_SERVICE).create_authorizer(**call.request(_SERVICE, "CreateAuthorizer"))["AuthorizerId"]
        return Created(made, {"AuthorizerId": made})

    def update(self, call: Call, physical_id: str, before: Mapping[str, Any]) -> Mapping[str, Any]:
        call.client(_SERVICE).update_authorizer(AuthorizerId=physical_id, **call.request(_SERVICE, "UpdateAuthorizer"))
        return {"AuthorizerId": physical_id}

    def delete(self, call: Call, physical_id: str) -> None:
        with gone(_GONE):
            call.client(_SERVICE).delete_authorizer(ApiId=call.properties["ApiId"], AuthorizerId=physical_id)


HANDLERS: tuple[Handler, ...] = (Api(), Stage(), Authorizer(), Route(), Integration())
