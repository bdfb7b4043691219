"""What references resolve to for one stack: pseudo parameters, parameters, what is made already, and other stacks' exports."""

from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from twin.cloudformation.errors import ValidationError
from twin.cloudformation.intrinsics import Scope
from twin.cloudformation.parameters import check_rules, resolved
from twin.cloudformation.resources import Account
from twin.cloudformation.stack import Desired, Made, Stack
from twin.cloudformation.template import Resource


def scope_of(desired: Desired, name: str, stack_id: str, account: Account, imports: Callable[[str], str]) -> Scope:
    """The scope with nothing made yet. Raises ValidationError when a rule of the template does not hold."""
    template = desired.template
    refs: dict[str, Any] = {
        "AWS::AccountId": account.account_id,
        "AWS::Region": account.region,
        "AWS::Partition": "aws",
        "AWS::URLSuffix": "amazonaws.com",
        "AWS::StackName": name,
        "AWS::StackId": stack_id,
        "AWS::NotificationARNs": [],
    }
    refs |= resolved(template.parameters, desired.values, lambda parameter: _read_ssm(account, parameter))
    scope = Scope(refs=refs, mappings=template.mappings, conditions=template.conditions, imports=imports)
    check_rules(template.rules, scope)
    return scope


def know(scope: Scope, made: Made) -> None:
    """Let references to a resource resolve."""
    scope.refs[made.logical_id] = made.physical_id
    scope.attributes[made.logical_id] = made.attributes


def active(desired: Desired, scope: Scope) -> list[Resource]:
    """The resources whose condition holds, dependencies first."""
    resources = desired.template.resources
    ordered = (resources[logical_id] for logical_id in desired.template.order)
    return [resource for resource in ordered if resource.condition is None or scope.holds(resource.condition)]


def outputs_of(desired: Desired, scope: Scope) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    """(outputs as Describe shows them, export name -> value)."""
    outputs: dict[str, dict[str, str]] = {}
    exports: dict[str, str] = {}
    for key, output in desired.template.outputs.items():
        if "Condition" in output and not scope.holds(output["Condition"]):
            continue
        shown = {"OutputValue": scope.text(output["Value"])}
        if "Description" in output:
            shown["Description"] = output["Description"]
        if "Export" in output:
            shown["ExportName"] = scope.text(output["Export"]["Name"])
            exports[shown["ExportName"]] = shown["OutputValue"]
        outputs[key] = shown
    return outputs, exports


def changes_nothing(stack: Stack, desired: Desired, scope: Scope) -> bool:
    """Whether the stack is already what is asked for. `scope` knows nothing yet; afterwards it knows what is made."""
    for made in stack.made.values():
        know(scope, made)
    resources = {resource.logical_id: resource for resource in active(desired, scope)}
    if resources.keys() != stack.made.keys() or list(desired.tags) != list(stack.desired.tags):
        return False
    if not all(is_unchanged(stack.made[key], resource, scope.resolve(resource.properties)) for key, resource in resources.items()):
        return False
    return outputs_of(desired, scope)[0] == stack.outputs


def is_unchanged(made: Made, resource: Resource, properties: Mapping[str, Any]) -> bool:
    """Whether a template's resource asks for exactly what is made."""
    policies = (made.deletion_policy, made.replace_policy) == (resource.deletion_policy, resource.replace_policy)
    return made.type == resource.type and made.properties == properties and made.metadata == resource.metadata and policies


def _read_ssm(account: Account, name: str) -> str:
    """A parameter's value, read under the stack's role: a role without ssm:GetParameters cannot make any stack of CDK's."""
    try:
        found = account.client("ssm").get_parameters(Names=[name])["Parameters"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "AccessDeniedException":
            raise
        raise ValidationError("AccessDenied. User doesn't have permission to call ssm:GetParameters") from error
    if not found:
        raise ValidationError(f"Unable to fetch parameters [{name}] from parameter store for this account.")
    return str(found[0]["Value"])
