"""cdk-nag's findings are answered one by one: the ids must be exactly those that it gives."""

import aws_cdk as cdk
import pytest

from stacks.constructs.policy import allow, pass_role, reason, resource_id, service_role


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


@pytest.mark.parametrize(
    "resource",
    [
        *("*", "arn:*", "arn:aws:s3:::*", "arn:aws:s3:::other-dev-*", "arn:aws:s3:::*-tides-dev"),
        *(f"arn:aws:{kind}*" for kind in ("sagemaker:us-east-1:123456789012:endpoint/", "sqs:us-east-1:123456789012:")),
    ],
)
def test_a_wildcard_without_a_reason_is_refused(resource: str) -> None:
    with pytest.raises(ValueError, match="does not name tides-dev or a resource of it"):
        service_role(cdk.Stack(None, "tides-dev-data"), "Role", "lambda.amazonaws.com", "careless", [allow(["s3:GetObject"], [resource])])


@pytest.mark.parametrize(
    "resource",
    [
        "arn:<AWS::Partition>:sqs:<AWS::Region>:<AWS::AccountId>:tides-dev-*",
        "arn:<AWS::Partition>:sagemaker:<AWS::Region>:<AWS::AccountId>:model/tidesdevmodel-*",
        "tides-dev-data:ExportsOutputFnGetAttDataArn/uploads/*",
        "<Data.Arn>/uploads/*",
    ],
)
def test_a_pattern_that_names_the_project_or_its_resource_is_accepted(resource: str) -> None:
    assert "belong to this project" in reason(resource, ["s3:GetObject"], "tides-dev")


def test_only_services_that_name_the_account_are_asked_for_it() -> None:
    stack = cdk.Stack()
    roles = {
        service: service_role(stack, service.split(".")[0], service, "", [pass_role("arn:aws:iam::123456789012:role/x", service)])
        for service in ("sagemaker.amazonaws.com", "lambda.amazonaws.com")
    }
    trust = {service: stack.resolve(role.assume_role_policy)["Statement"][0] for service, role in roles.items()}
    assert trust["sagemaker.amazonaws.com"]["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    assert "Condition" not in trust["lambda.amazonaws.com"]
