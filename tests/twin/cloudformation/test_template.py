"""What is wrong with a template is found before anything is made, and named."""

import json
from typing import Any

import pytest

from twin.cloudformation.errors import ValidationError
from twin.cloudformation.template import parse

QUEUE: dict[str, Any] = {"Type": "AWS::SQS::Queue"}


def template(**sections: Any) -> str:
    return json.dumps({"Resources": {"Queue": QUEUE}} | sections)


def resources(**entries: Any) -> str:
    return json.dumps({"Resources": entries})


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ("Resources:\n  A: {}", "JSON not well-formed"),
        ("{}", "At least one Resources member"),
        (template(Transform="AWS::Serverless-2016-10-31"), "Transform"),
        (resources(A={"Properties": {}}), "Type"),
        (resources(A={"Type": "AWS::SQS::Queue", "CreationPolicy": {}}), "CreationPolicy of A"),
        (resources(A={"Type": "AWS::SQS::Queue", "Colour": 1}), "Colour"),
        (resources(A={"Type": "AWS::SQS::Queue", "DeletionPolicy": "Snapshot"}), "Snapshot"),
        (resources(A={"Type": "AWS::EC2::VPC"}), r"A \(AWS::EC2::VPC\) is of a type .* set network.mode to public"),
        (resources(A={"Type": "Custom::S3AutoDeleteObjects"}), "Custom::S3AutoDeleteObjects"),
        (resources(A={"Type": "AWS::SQS::Queue", "Properties": {"Colour": "red", "Size": 1}}), "Colour, Size"),
        (resources(A={"Type": "AWS::Lambda::Function", "Properties": {"Code": {}}}), "lacks the required properties Role"),
        (resources(A={"Type": "AWS::SQS::Queue", "Condition": "Maybe"}), "undefined condition Maybe"),
        (resources(A={"Type": "AWS::SQS::Queue", "DependsOn": "B"}), "depends on B"),
        (resources(A={"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Ref": "Nowhere"}}}), r"\[Nowhere\]"),
        (resources(A={"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Fn::Sub": "x-${Nowhere}"}}}), r"\[Nowhere\]"),
        (
            resources(A={"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Fn::If": ["Maybe", "a", "b"]}}}),
            "undefined condition Maybe",
        ),
        (template(Outputs={"O": {"Value": {"Fn::GetAtt": ["Queue", "Colour"]}}}), "does not support attribute type Colour"),
        (template(Outputs={"O": {"Description": "no value"}}), "output O has no Value"),
        (resources(A={"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "{{resolve:ssm:/x}}"}}), "dynamic reference"),
        (
            resources(
                A={"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Fn::GetAtt": ["B", "QueueName"]}}},
                B={"Type": "AWS::SQS::Queue", "DependsOn": ["A"]},
            ),
            r"Circular dependency between resources: \[A, B\]",
        ),
    ],
)
def test_a_mistake_is_named(body: str, names: str) -> None:
    with pytest.raises(ValidationError, match=names):
        parse(body)


def test_every_mistake_is_reported_at_once() -> None:
    with pytest.raises(ValidationError) as caught:
        parse(resources(A={"Type": "AWS::EC2::VPC"}, B={"Type": "AWS::SQS::Queue", "Properties": {"Colour": 1}}))
    assert "AWS::EC2::VPC" in caught.value.message
    assert "Colour" in caught.value.message


def test_dependencies_come_first() -> None:
    parsed = parse(
        resources(
            Last={"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Fn::Sub": "${Middle.QueueName}-x"}}},
            Middle={"Type": "AWS::SQS::Queue", "DependsOn": "First"},
            First=QUEUE,
        )
    )
    assert parsed.order == ("First", "Middle", "Last")


def test_iam_resources_need_a_capability_and_named_ones_a_stronger_one() -> None:
    role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {}}}
    named = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {}, "RoleName": "x"}}
    assert parse(template()).capabilities == ()
    assert parse(resources(A=role)).capabilities == ("CAPABILITY_IAM",)
    assert parse(resources(A=role, B=named)).capabilities == ("CAPABILITY_NAMED_IAM",)
