"""The API: signed, logged, limited, and one route."""

import json
from collections.abc import Mapping

from tests.synth.templates import Template, text


def test_the_one_route_is_signed_and_leads_to_predict(templates: Mapping[str, Template]) -> None:
    template = templates["serving"]
    route = template.only("ApiGatewayV2::Route")
    assert (route["RouteKey"], route["AuthorizationType"]) == ("POST /predict", "AWS_IAM")
    (function,) = template.of("Lambda::Function")
    integration = template.only("ApiGatewayV2::Integration")
    assert integration["IntegrationUri"] == {"Fn::GetAtt": [function, "Arn"]}
    assert integration["PayloadFormatVersion"] == "2.0"
    permission = template.only("Lambda::Permission")
    assert permission["Principal"] == "apigateway.amazonaws.com"
    assert "/*/POST/predict" in text(permission["SourceArn"])


def test_requests_are_logged_as_json_and_limited(templates: Mapping[str, Template]) -> None:
    stage = templates["serving"].only("ApiGatewayV2::Stage")
    assert {"requestId", "status", "caller"} <= json.loads(stage["AccessLogSettings"]["Format"]).keys()
    assert stage["DefaultRouteSettings"]["ThrottlingRateLimit"] > 0


def test_predict_gives_up_before_the_api_does(templates: Mapping[str, Template]) -> None:
    assert templates["serving"].only("Lambda::Function")["Timeout"] < 30


def test_the_url_is_an_output(templates: Mapping[str, Template]) -> None:
    assert templates["serving"].body["Outputs"]["ApiUrl"]["Value"]["Fn::GetAtt"][1] == "ApiEndpoint"
