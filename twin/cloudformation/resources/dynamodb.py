"""DynamoDB tables, also as global tables with one replica, in this region.

docs: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-dynamodb-table.html
"""

from collections.abc import Mapping
from typing import Any

from twin.cloudformation.resources.base import Call, Created, Handler, HandlerError, changed, gone, tag_list
from twin.cloudformation.shapes import as_bool, request

_CREATED_WITH = (
    "KeySchema",
    "AttributeDefinitions",
    "BillingMode",
    "GlobalSecondaryIndexes",
    "LocalSecondaryIndexes",
    "ProvisionedThroughput",
    "OnDemandThroughput",
    "TableClass",
    "DeletionProtectionEnabled",
)
_UPDATED_WITH = ("BillingMode", "ProvisionedThroughput", "OnDemandThroughput", "TableClass", "DeletionProtectionEnabled")


class Table(Handler):
    """Changes of global secondary indexes are refused: they need one UpdateTable an index, and time."""

    type = "AWS::DynamoDB::Table"
    properties = frozenset(_CREATED_WITH) | {
        "TableName",
        "PointInTimeRecoverySpecification",
        "SSESpecification",
        "StreamSpecification",
        "TimeToLiveSpecification",
        "Tags",
    }
    required = frozenset({"KeySchema"})
    replacement = frozenset({"TableName", "KeySchema", "LocalSecondaryIndexes"})
    attributes = frozenset({"Arn", "StreamArn"})
    name_property = "TableName"

    def create(self, call: Call) -> Created:
        return _create(call, self._plain(call.properties))

    def update(self, call: Call, physical_id: str, before: Mapping[str, Any]) -> Mapping[str, Any]:
        return _update(call, physical_id, self._plain(call.properties), self._plain(before))

    def delete(self, call: Call, physical_id: str) -> None:
        with gone("ResourceNotFoundException"):
            call.client("dynamodb").delete_table(TableName=physical_id)

    def _plain(self, properties: Mapping[str, Any]) -> Mapping[str, Any]:
        return properties


_REPLICA = frozenset({"Region", "PointInTimeRecoverySpecification", "SSESpecification", "Tags", "DeletionProtectionEnabled", "TableClass"})


class GlobalTable(Table):
    """docs: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-dynamodb-globaltable.html"""

    type = "AWS::DynamoDB::GlobalTable"
    properties = frozenset(
        {
            "TableName",
            "KeySchema",
            "AttributeDefinitions",
            "BillingMode",
            "GlobalSecondaryIndexes",
            "LocalSecondaryIndexes",
            "Replicas",
            "SSESpecification",
            "StreamSpecification",
            "TimeToLiveSpecification",
        }
    )
    required = frozenset({"KeySchema", "AttributeDefinitions", "Replicas"})

    def _plain(self, properties: Mapping[str, Any]) -> Mapping[str, Any]:
        replicas = properties["Replicas"]
        if len(replicas) != 1 or replicas[0].keys() - _REPLICA:
            raise HandlerError(f"the twin emulates global tables with one replica that has {sorted(_REPLICA)}, not {replicas}")
        replica = {key: value for key, value in replicas[0].items() if key not in {"Region", "SSESpecification"}}
        plain = {key: value for key, value in properties.items() if key != "Replicas"} | replica
        if "SSESpecification" in properties:
            plain["SSESpecification"] = {**properties["SSESpecification"], **replicas[0].get("SSESpecification", {})}
        return plain


def _create(call: Call, plain: Mapping[str, Any]) -> Created:
    dynamodb, name = call.client("dynamodb"), call.name("TableName", 255)
    given: dict[str, Any] = {key: plain[key] for key in _CREATED_WITH if key in plain}
    if "SSESpecification" in plain:
        given["SSESpecification"] = _encryption(plain)
    if "StreamSpecification" in plain:
        given["StreamSpecification"] = {"StreamEnabled": True, **plain["StreamSpecification"]}
    given["Tags"] = tag_list(plain.get("Tags"))
    dynamodb.create_table(TableName=name, **request("dynamodb", "CreateTable", given))
    call.begun(name)
    _extras(call, name, plain, {})
    return Created(name, _attributes(call, name))


def _update(call: Call, name: str, plain: Mapping[str, Any], before: Mapping[str, Any]) -> Mapping[str, Any]:
    dynamodb = call.client("dynamodb")
    frozen = [key for key in ("GlobalSecondaryIndexes", "AttributeDefinitions", "StreamSpecification") if plain.get(key) != before.get(key)]
    if frozen:
        raise HandlerError(f"the twin does not emulate a change of {', '.join(frozen)} of a table")
    given = {key: plain[key] for key in _UPDATED_WITH if key in plain and plain[key] != before.get(key)}
    if plain.get("SSESpecification") != before.get("SSESpecification"):
        given["SSESpecification"] = _encryption(plain)
    if given:
        dynamodb.update_table(TableName=name, **request("dynamodb", "UpdateTable", given))
    _extras(call, name, plain, before)
    if changed(call, before, "Tags"):
        arn = call.account.arn("dynamodb", f"table/{name}")
        dynamodb.untag_resource(ResourceArn=arn, TagKeys=[tag["Key"] for tag in tag_list(before.get("Tags"))])
        dynamodb.tag_resource(ResourceArn=arn, Tags=tag_list(plain.get("Tags")))
    return _attributes(call, name)


def _extras(call: Call, name: str, plain: Mapping[str, Any], before: Mapping[str, Any]) -> None:
    """What has calls of its own."""
    dynamodb = call.client("dynamodb")
    recovery, ttl = "PointInTimeRecoverySpecification", "TimeToLiveSpecification"
    if plain.get(recovery) != before.get(recovery):
        enabled = as_bool(plain.get(recovery, {}).get("PointInTimeRecoveryEnabled", False))
        dynamodb.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": enabled})
    if plain.get(ttl) != before.get(ttl):
        wanted = plain.get(ttl) or {**before[ttl], "Enabled": False}
        specification = {"Enabled": as_bool(wanted["Enabled"]), "AttributeName": wanted["AttributeName"]}
        dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=specification)


def _encryption(plain: Mapping[str, Any]) -> dict[str, Any]:
    given = dict(plain.get("SSESpecification", {"SSEEnabled": False}))
    return {"Enabled": as_bool(given.pop("SSEEnabled")), **given}


def _attributes(call: Call, name: str) -> Mapping[str, Any]:
    table = call.client("dynamodb").describe_table(TableName=name)["Table"]
    return {"Arn": table["TableArn"]} | ({"StreamArn": table["LatestStreamArn"]} if "LatestStreamArn" in table else {})


HANDLERS: tuple[Handler, ...] = (Table(), GlobalTable())
