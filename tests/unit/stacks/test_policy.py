"""cdk-nag's findings are answered one by one: the ids must be exactly those that it gives."""

import aws_cdk as cdk
import pytest

from stacks.constructs.policy import allow, pass_role, resource_id, service_role


def test_a_resource_is_written_as_cdk_nag_writes_it() -> None:
    app = cdk.App()
    stack, other = cdk.Stack(app, "Here"), cdk.Stack(app, "There")
    exported = other.export_value("literal", name="There:Name")
    assert resource_id(stack, stack.format_arn(service="sagemaker", resource="model", resource_name="x-*")) == (
        "arn:<AWS::Partition>:sagemaker:<AWS::Region>:<AWS::AccountId>:model/x-*"
    )
    assert resource_id(stack, f"{exported}/runs/*") == "There:Name/runs/*"
    parameter = cdk.CfnParameter(stack, "Parameter")
    resource = cdk.CfnResource(stack, "Resource", type="AWS::SQS::Queue")
    assert resource_id(stack, f"{parameter.value_as_string}/{resource.get_att('Arn').to_string()}/*") == "<Parameter>/<Resource.Arn>/*"


def test_a_wildcard_without_a_reason_is_refused() -> None:
    with pytest.raises(StopIteration):
        service_role(cdk.Stack(), "Role", "lambda.amazonaws.com", "careless", [allow(["s3:GetObject"], ["*"])])


def test_only_services_that_name_the_account_are_asked_for_it() -> None:
    stack = cdk.Stack()
    roles = {
        service: service_role(stack, service.split(".")[0], service, "", [pass_role("arn:aws:iam::123456789012:role/x", service)])
        for service in ("sagemaker.amazonaws.com", "lambda.amazonaws.com")
    }
    trust = {service: stack.resolve(role.assume_role_policy)["Statement"][0] for service, role in roles.items()}
    assert trust["sagemaker.amazonaws.com"]["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    assert "Condition" not in trust["lambda.amazonaws.com"]
