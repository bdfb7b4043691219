"""CloudFormation's properties become API requests, strictly."""

from typing import Any

import pytest

from twin.cloudformation.errors import ValidationError
from twin.cloudformation.shapes import request


def test_capitals_and_types_follow_the_api() -> None:
    properties = {"ApiId": "a", "StageName": "s", "AutoDeploy": "true", "DefaultRouteSettings": {"ThrottlingBurstLimit": "10"}}
    assert request("apigatewayv2", "CreateStage", properties) == {
        "ApiId": "a",
        "StageName": "s",
        "AutoDeploy": True,
        "DefaultRouteSettings": {"ThrottlingBurstLimit": 10},
    }


def test_a_document_becomes_text() -> None:
    assert request("iam", "CreateRole", {"AssumeRolePolicyDocument": {"Version": "2012-10-17"}}) == {
        "AssumeRolePolicyDocument": '{"Version": "2012-10-17"}'
    }


@pytest.mark.parametrize(
    ("properties", "names"),
    [
        ({"TracingConfig": {"Colour": "red"}}, r"extraneous key \[Colour\] is not permitted in CreateFunction/TracingConfig"),
        ({"MemorySize": "much"}, "CreateFunction/MemorySize must be a number"),
        ({"Layers": "one"}, "CreateFunction/Layers must be of type List"),
        ({"Environment": "x"}, "CreateFunction/Environment must be an object"),
        ({"Publish": "perhaps"}, "CreateFunction/Publish must be of type Boolean"),
    ],
)
def test_what_does_not_fit_is_named_with_its_path(properties: dict[str, Any], names: str) -> None:
    with pytest.raises(ValidationError, match=names):
        request("lambda", "CreateFunction", properties)
