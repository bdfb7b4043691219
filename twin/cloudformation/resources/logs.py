"""CloudWatch Logs groups.

docs: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-logs-loggroup.html
"""

from collections.abc import Mapping
from typing import Any

from twin.cloudformation.resources.base import Call, Created, Handler, changed, gone, tag_list, tag_map


class LogGroup(Handler):
    """GetAtt Arn ends in `:*`, as on AWS."""

    type = "AWS::Logs::LogGroup"
    properties = frozenset({"LogGroupName", "RetentionInDays", "KmsKeyId", "LogGroupClass", "Tags"})
    replacement = frozenset({"LogGroupName"})
    attributes = frozenset({"Arn"})
    name_property = "LogGroupName"

    def create(self, call: Call) -> Created:
        logs, name, given = call.client("logs"), call.name("LogGroupName", 512), call.properties
        more = {member: given[key] for key, member in (("KmsKeyId", "kmsKeyId"), ("LogGroupClass", "logGroupClass")) if key in given}
        if given.get("Tags"):
            more["tags"] = tag_map(given["Tags"])
        logs.create_log_group(logGroupName=name, **more)
        call.begun(name)
        if "RetentionInDays" in given:
            logs.put_retention_policy(logGroupName=name, retentionInDays=int(given["RetentionInDays"]))
        return Created(name, self._attributes(call, name))

    def update(self, call: Call, physical_id: str, before: Mapping[str, Any]) -> Mapping[str, Any]:
        logs, given = call.client("logs"), call.properties
        if changed(call, before, "RetentionInDays"):
            if "RetentionInDays" in given:
                logs.put_retention_policy(logGroupName=physical_id, retentionInDays=int(given["RetentionInDays"]))
            else:
                logs.delete_retention_policy(logGroupName=physical_id)
        if changed(call, before, "KmsKeyId"):
            if "KmsKeyId" in given:
                logs.associate_kms_key(logGroupName=physical_id, kmsKeyId=given["KmsKeyId"])
            else:
                logs.disassociate_kms_key(logGroupName=physical_id)
        if changed(call, before, "Tags"):
            arn = call.account.arn("logs", f"log-group:{physical_id}")
            logs.untag_resource(resourceArn=arn, tagKeys=[tag["Key"] for tag in tag_list(before.get("Tags"))])
            logs.tag_resource(resourceArn=arn, tags=tag_map(given.get("Tags")))
        return self._attributes(call, physical_id)

    def delete(self, call: Call, physical_id: str) -> None:
        with gone("ResourceNotFoundException"):
            call.client("logs").delete_log_group(logGroupName=physical_id)

    def _attributes(self, call: Call, name: str) -> Mapping[str, Any]:
        return {"Arn": call.account.arn("logs", f"log-group:{name}:*")}


HANDLERS: tuple[Handler, ...] = (LogGroup(),)
