"""The API: signed, logged, limited, and four routes."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.synth.templates import Template, text
from tests.synth.variants import Assembly


def _function(template: Template, name: str) -> tuple[str, Any]:
    """(logical id, properties) of a function."""
    (found,) = (item for item in template.of("Lambda::Function").items() if item[1]["Properties"]["Handler"].split(".")[1] == name)
    return found[0], found[1]["Properties"]


ROUTES = [
    ("POST /predict", "predict"),
    ("POST /feedback", "record_feedback"),
    ("GET /model", "describe_model"),
    ("GET /openapi.json", "describe_model"),
]


@pytest.mark.parametrize(("route", "function"), ROUTES)
def test_a_route_is_signed_and_leads_to_its_function(templates: Mapping[str, Template], route: str, function: str) -> None:
    template = templates["serving"]
    routes = {each["Properties"]["RouteKey"]: each["Properties"] for each in template.of("ApiGatewayV2::Route").values()}
    assert len(routes) == len(ROUTES)
    assert routes[route]["AuthorizationType"] == "AWS_IAM"
    target = next(part["Ref"] for part in routes[route]["Target"]["Fn::Join"][1] if isinstance(part, dict))
    integration = template.resources[target]["Properties"]
    name, _ = _function(template, function)
    assert integration["IntegrationUri"] == {"Fn::GetAtt": [name, "Arn"]}
    assert integration["PayloadFormatVersion"] == "2.0"
    permissions = [each["Properties"] for each in template.of("Lambda::Permission").values()]
    sources = [
        text(each["SourceArn"])
        for each in permissions
        if each["Principal"] == "apigateway.amazonaws.com" and each["FunctionName"] == {"Fn::GetAtt": [name, "Arn"]}
    ]
    own = [each for each, owner in ROUTES if owner == function]
    assert len(sources) == len(own)
    assert sum(f"/*/{route.replace(' ', '')}" in source for source in sources) == 1


def test_requests_are_logged_as_json_and_limited(templates: Mapping[str, Template]) -> None:
    stage = templates["serving"].only("ApiGatewayV2::Stage")
    assert {"requestId", "status", "caller"} <= json.loads(stage["AccessLogSettings"]["Format"]).keys()
    assert stage["DefaultRouteSettings"]["ThrottlingRateLimit"] > 0


def test_with_jwt_every_route_asks_for_a_token_of_the_issuer(variant: Callable[[str], Assembly]) -> None:
    template = variant("jwt").templates["serving"]
    (authorizer,) = template.of("ApiGatewayV2::Authorizer")
    settings = template.only("ApiGatewayV2::Authorizer")
    assert settings["JwtConfiguration"] == {"Issuer": "https://id.example.com/tenant", "Audience": ["tides"]}
    assert settings["IdentitySource"] == ["$request.header.Authorization"]
    for route in template.of("ApiGatewayV2::Route").values():
        assert route["Properties"]["AuthorizationType"] == "JWT"
        assert route["Properties"]["AuthorizerId"] == {"Ref": authorizer}
    stage = template.only("ApiGatewayV2::Stage")
    assert stage["DefaultRouteSettings"] == {"ThrottlingRateLimit": 20, "ThrottlingBurstLimit": 40}
    assert json.loads(stage["AccessLogSettings"]["Format"])["caller"] == "$context.authorizer.claims.sub"


def test_predict_gives_up_before_the_api_does(templates: Mapping[str, Template]) -> None:
    assert _function(templates["serving"], "predict")[1]["Timeout"] < 30


def test_what_record_feedback_could_not_handle_waits_and_raises_an_alarm(templates: Mapping[str, Template]) -> None:
    serving = templates["serving"]
    (queue,) = serving.of("SQS::Queue")
    (config,) = serving.of("Lambda::EventInvokeConfig").values()
    assert config["Properties"]["DestinationConfig"]["OnFailure"]["Destination"] == {"Fn::GetAtt": [queue, "Arn"]}
    (target,) = serving.only("Events::Rule")["Targets"]
    schedule = serving.only("Scheduler::Schedule")
    assert schedule["ScheduleExpression"] == "cron(40 * * * ? *)"
    assert schedule["Target"]["Arn"] == target["Arn"]
    for waits in (target, schedule["Target"]):
        assert waits["DeadLetterConfig"]["Arn"] == {"Fn::GetAtt": [queue, "Arn"]}
    alarms = {each["Properties"]["AlarmName"]: text(each) for each in templates["control"].of("CloudWatch::Alarm").values()}
    assert f"DeadLetters{queue.removeprefix('DeadLetters')}" in alarms["breast-cancer-dev-feedback-dead-letters"]
    assert "breast-cancer-dev-record-feedback-errors" in alarms


def test_the_url_is_an_output(templates: Mapping[str, Template]) -> None:
    assert templates["serving"].body["Outputs"]["ApiUrl"]["Value"]["Fn::GetAtt"][1] == "ApiEndpoint"
