"""Secrets of Secrets Manager, whose values CloudFormation makes up.

docs: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-secretsmanager-secret.html

Refused: a new value for a secret that exists, which CloudFormation would make when GenerateSecretString changes. Modelled: a deleted secret
is gone at once.
"""

import json
from collections.abc import Mapping
from typing import Any

from twin.cloudformation.resources.base import Call, Created, Handler, HandlerError, changed, gone, tag_list
from twin.cloudformation.shapes import as_bool

_SWITCHES = ("ExcludeLowercase", "ExcludeNumbers", "ExcludePunctuation", "ExcludeUppercase", "IncludeSpace", "RequireEachIncludedType")


class Secret(Handler):
    """Ref and Id are the secret's ARN."""

    type = "AWS::SecretsManager::Secret"
    properties = frozenset({"Description", "GenerateSecretString", "KmsKeyId", "Name", "SecretString", "Tags"})
    replacement = frozenset({"Name"})
    attributes = frozenset({"Id"})
    name_property = "Name"

    def create(self, call: Call) -> Created:
        given = call.properties
        if "GenerateSecretString" in given and "SecretString" in given:
            raise HandlerError("you can specify either GenerateSecretString or SecretString, not both")
        request = {key: given[key] for key in ("Description", "KmsKeyId") if key in given}
        arn = call.client("secretsmanager").create_secret(
            Name=call.name("Name", 255), SecretString=_value(call), Tags=tag_list(given.get("Tags")), **request
        )["ARN"]
        return Created(arn, {"Id": arn})

    def update(self, call: Call, physical_id: str, before: Mapping[str, Any]) -> Mapping[str, Any]:
        secrets, given = call.client("secretsmanager"), call.properties
        if changed(call, before, "GenerateSecretString", "SecretString"):
            raise HandlerError("the twin gives no new value to a secret that exists")
        if changed(call, before, "Description", "KmsKeyId"):
            request = {key: given.get(key, "") for key in ("Description", "KmsKeyId")}
            secrets.update_secret(SecretId=physical_id, **request)
        if changed(call, before, "Tags"):
            secrets.untag_resource(SecretId=physical_id, TagKeys=[tag["Key"] for tag in tag_list(before.get("Tags"))])
            secrets.tag_resource(SecretId=physical_id, Tags=tag_list(given.get("Tags")))
        return {"Id": physical_id}

    def delete(self, call: Call, physical_id: str) -> None:
        with gone("ResourceNotFoundException"):
            call.client("secretsmanager").delete_secret(SecretId=physical_id, ForceDeleteWithoutRecovery=True)


def _value(call: Call) -> str:
    """The given value, or one that Secrets Manager makes up; in a template of JSON when there is one."""
    if "GenerateSecretString" not in call.properties:
        return str(call.properties.get("SecretString", ""))
    wanted = dict(call.properties["GenerateSecretString"])
    template, name = wanted.pop("SecretStringTemplate", None), wanted.pop("GenerateStringKey", None)
    if (template is None) != (name is None):
        raise HandlerError("SecretStringTemplate and GenerateStringKey must come together")
    request: dict[str, Any] = {"PasswordLength": int(wanted.pop("PasswordLength", 32))}
    request |= {switch: as_bool(wanted.pop(switch)) for switch in _SWITCHES if switch in wanted}
    if "ExcludeCharacters" in wanted:
        request["ExcludeCharacters"] = wanted.pop("ExcludeCharacters")
    if wanted:
        raise HandlerError(f"the twin does not know GenerateSecretString's {', '.join(sorted(wanted))}")
    password = str(call.client("secretsmanager").get_random_password(**request)["RandomPassword"])
    return password if template is None else json.dumps(json.loads(template) | {name: password})


HANDLERS: tuple[Handler, ...] = (Secret(),)
