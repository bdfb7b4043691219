"""KMS keys and aliases.

docs: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-kms-key.html
"""

from collections.abc import Mapping
from typing import Any

from twin.cloudformation.resources.base import Call, Created, Handler, changed, gone, tag_list
from twin.cloudformation.shapes import as_bool, as_text


class Key(Handler):
    """Deleting schedules the deletion, after PendingWindowInDays (30 by default)."""

    type = "AWS::KMS::Key"
    properties = frozenset(
        {"KeyPolicy", "Description", "EnableKeyRotation", "Enabled", "KeySpec", "KeyUsage", "PendingWindowInDays", "MultiRegion", "Tags"}
    )
    replacement = frozenset({"KeySpec", "KeyUsage", "MultiRegion"})
    attributes = frozenset({"Arn", "KeyId"})

    def create(self, call: Call) -> Created:
        kms, given = call.client("kms"), call.properties
        request: dict[str, Any] = {key: given[key] for key in ("Description", "KeySpec", "KeyUsage") if key in given}
        if "KeyPolicy" in given:
            request["Policy"] = as_text(given["KeyPolicy"])
        if "MultiRegion" in given:
            request["MultiRegion"] = as_bool(given["MultiRegion"])
        tags = [{"TagKey": tag["Key"], "TagValue": tag["Value"]} for tag in tag_list(given.get("Tags"))]
        metadata = kms.create_key(**request, Tags=tags)["KeyMetadata"]
        key_id = metadata["KeyId"]
        call.begun(key_id)
        self._switch(call, key_id, {})
        return Created(key_id, {"Arn": metadata["Arn"], "KeyId": key_id})

    def update(self, call: Call, physical_id: str, before: Mapping[str, Any]) -> Mapping[str, Any]:
        kms, given = call.client("kms"), call.properties
        if changed(call, before, "KeyPolicy"):
            kms.put_key_policy(KeyId=physical_id, PolicyName="default", Policy=as_text(given["KeyPolicy"]))
        if changed(call, before, "Description"):
            kms.update_key_description(KeyId=physical_id, Description=given.get("Description", ""))
        if changed(call, before, "Tags"):
            kms.untag_resource(KeyId=physical_id, TagKeys=[tag["Key"] for tag in tag_list(before.get("Tags"))])
            tags = [{"TagKey": tag["Key"], "TagValue": tag["Value"]} for tag in tag_list(given.get("Tags"))]
            kms.tag_resource(KeyId=physical_id, Tags=tags)
        self._switch(call, physical_id, before)
        return {"Arn": call.account.arn("kms", f"key/{physical_id}"), "KeyId": physical_id}

    def delete(self, call: Call, physical_id: str) -> None:
        with gone("NotFoundException", "KMSInvalidStateException"):
            days = int(call.properties.get("PendingWindowInDays", 30))
            call.client("kms").schedule_key_deletion(KeyId=physical_id, PendingWindowInDays=days)

    def _switch(self, call: Call, key_id: str, before: Mapping[str, Any]) -> None:
        kms, given = call.client("kms"), call.properties
        rotates, enabled = as_bool(given.get("EnableKeyRotation", False)), as_bool(given.get("Enabled", True))
        if rotates != as_bool(before.get("EnableKeyRotation", False)):
            (kms.enable_key_rotation if rotates else kms.disable_key_rotation)(KeyId=key_id)
        if enabled != as_bool(before.get("Enabled", True)):
            (kms.enable_key if enabled else kms.disable_key)(KeyId=key_id)


class Alias(Handler):
    """docs: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-kms-alias.html"""

    type = "AWS::KMS::Alias"
    properties = frozenset({"AliasName", "TargetKeyId"})
    required = properties
    replacement = frozenset({"AliasName"})
    name_property = "AliasName"

    def create(self, call: Call) -> Created:
        name = call.properties["AliasName"]
        call.client("kms").create_alias(AliasName=name, TargetKeyId=call.properties["TargetKeyId"])
        return Created(name)

    def update(self, call: Call, physical_id: str, before: Mapping[str, Any]) -> Mapping[str, Any]:
        call.client("kms").update_alias(AliasName=physical_id, TargetKeyId=call.properties["TargetKeyId"])
        return {}

    def delete(self, call: Call, physical_id: str) -> None:
        with gone("NotFoundException"):
            call.client("kms").delete_alias(AliasName=physical_id)


HANDLERS: tuple[Handler, ...] = (Key(), Alias())
