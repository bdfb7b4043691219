"""Lambda functions, versions, aliases, permissions, event source mappings and asynchronous invocation settings.

docs: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_Lambda.html
"""

import io
import zipfile
from collections.abc import Mapping
from typing import Any

from twin.cloudformation.resources.base import Call, Created, Handler, HandlerError, changed, gone, tag_map
from twin.cloudformation.shapes import request

_GONE = "ResourceNotFoundException"
_CONFIGURATION = frozenset(
    {
        "Architectures",
        "DeadLetterConfig",
        "Description",
        "Environment",
        "EphemeralStorage",
        "Handler",
        "KmsKeyArn",
        "Layers",
        "LoggingConfig",
        "MemorySize",
        "Role",
        "Runtime",
        "Timeout",
        "TracingConfig",
    }
)
_INLINE_FILES = {"python": "index.py", "nodejs": "index.js"}
# What UpdateFunctionConfiguration takes for a property that the template no longer has (docs: the defaults of each).
_DEFAULTS: Mapping[str, Any] = {
    "DeadLetterConfig": {},
    "Description": "",
    "Environment": {"Variables": {}},
    "EphemeralStorage": {"Size": 512},
    "KmsKeyArn": "",
    "Layers": [],
    "MemorySize": 128,
    "Timeout": 3,
    "TracingConfig": {"Mode": "PassThrough"},
}


class Function(Handler):
    """Zip packages only; ZipFile is packed as index.py or index.js."""

    type = "AWS::Lambda::Function"
    properties = _CONFIGURATION | {"Code", "FunctionName", "PackageType", "ReservedConcurrentExecutions", "Tags"}
    required = frozenset({"Code", "Role"})
    replacement = frozenset({"FunctionName", "PackageType"})
    attributes = frozenset({"Arn"})
    name_property = "FunctionName"

    def create(self, call: Call) -> Created:
        functions, name, given = call.client("lambda"), call.name("FunctionName", 64), call.properties
        configuration = request("lambda", "CreateFunction", {key: given[key] for key in sorted(_CONFIGURATION & given.keys())})
        arn = functions.create_function(
            FunctionName=name,
            Code=_code(given),
            Tags=tag_map(given.get("Tags")),
            PackageType=given.get("PackageType", "Zip"),
            **configuration,
        )["FunctionArn"]
        call.begun(name)
        self._reserve(call, name, {})
        return Created(name, {"Arn": arn})

    def update(self, call: Call, physical_id: str, before: Mapping[str, Any]) -> Mapping[str, Any]:
        functions, given = call.client("lambda"), call.properties
        arn = call.account.arn("lambda", f"function:{physical_id}")
        if changed(call, before, "Code", "Architectures"):
            more = {"Architectures": given["Architectures"]} if "Architectures" in given else {}
            functions.update_function_code(FunctionName=physical_id, **_code(given), **more)
        settings = [key for key in sorted(_CONFIGURATION - {"Architectures"}) if changed(call, before, key)]
        if settings:
            values = {key: given[key] if key in given else _DEFAULTS[key] for key in settings if key in given or key in _DEFAULTS}
            functions.update_function_configuration(FunctionName=physical_id, **request("lambda", "UpdateFunctionConfiguration", values))
        if changed(call, before, "Tags"):
            functions.untag_resource(Resource=arn, TagKeys=list(tag_map(before.get("Tags"))))
            functions.tag_resource(Resource=arn, Tags=tag_map(given.get("Tags")))
        self._reserve(call, physical_id, before)
        return {"Arn": arn}

    def delete(self, call: Call, physical_id: str) -> None:
        with gone(_GONE):
            call.client("lambda").delete_function(FunctionName=physical_id)

    def _reserve(self, call: Call, name: str, before: Mapping[str, Any]) -> None:
        key = "ReservedConcurrentExecutions"
        if not changed(call, before, key):
            return
        if key in call.properties:
            call.client("lambda").put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=int(call.properties[key]))
        else:
            call.client("lambda").delete_function_concurrency(FunctionName=name)


def _code(given: Mapping[str, Any]) -> dict[str, Any]:
    code = dict(given["Code"])
    if "ZipFile" not in code:
        return request("lambda", "UpdateFunctionCode", code)
    runtime = str(given.get("Runtime", ""))
    file = next((file for prefix, file in _INLINE_FILES.items() if runtime.startswith(prefix)), "index.py")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(zipfile.ZipInfo(file), code["ZipFile"])
    return {"ZipFile": packed.getvalue()}


class Permission(Handler):
    """A statement of a function's resource policy; Ref is the statement's id."""

    type = "AWS::Lambda::Permission"
    properties = frozenset(
        {"Action", "EventSourceToken", "FunctionName", "FunctionUrlAuthType", "Principal", "PrincipalOrgID", "SourceAccount", "SourceArn"}
    )
    required = frozenset({"Action", "FunctionName", "Principal"})
    replacement = properties

    def create(self, call: Call) -> Created:
        statement = call.name("Id", 100)
        call.client("lambda").add_permission(StatementId=statement, **call.request("lambda", "AddPermission"))
        return Created(statement)

    def delete(self, call: Call, physical_id: str) -> None:
        with gone(_GONE):
            call.client("lambda").remove_permission(FunctionName=call.properties["FunctionName"], StatementId=physical_id)


class EventInvokeConfig(Handler):
    """docs: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-eventinvokeconfig.html"""

    type = "AWS::Lambda::EventInvokeConfig"
    properties = frozenset({"DestinationConfig", "FunctionName", "MaximumEventAgeInSeconds", "MaximumRetryAttempts", "Qualifier"})
    required = frozenset({"FunctionName", "Qualifier"})
    replacement = frozenset({"FunctionName", "Qualifier"})

    def create(self, call: Call) -> Created:
        self._put(call)
        return Created(f"{call.properties['FunctionName']}|{call.properties['Qualifier']}")

    def update(self, call: Call, physical_id: str, before: Mapping[str, Any]) -> Mapping[str, Any]:
        self._put(call)
        return {}

    def delete(self, call: Call, physical_id: str) -> None:
        with gone(_GONE):
            call.client("lambda").delete_function_event_invoke_config(**self._target(call))

    def _put(self, call: Call) -> None:
        settings = call.request("lambda", "PutFunctionEventInvokeConfig", "FunctionName", "Qualifier")
        call.client("lambda").put_function_event_invoke_config(**self._target(call), **settings)

    def _target(self, call: Call) -> dict[str, Any]:
        qualifier = call.properties["Qualifier"]
        return {"FunctionName": call.properties["FunctionName"]} | ({} if qualifier == "$LATEST" else {"Qualifier": qualifier})


class Version(Handler):
    """A published version; Ref is its ARN. On AWS every property is immutable."""

    type = "AWS::Lambda::Version"
    properties = frozenset({"CodeSha256", "Description", "FunctionName"})
    required = frozenset({"FunctionName"})
    replacement = properties
    attributes = frozenset({"Version", "FunctionArn"})

    def create(self, call: Call) -> Created:
        published = call.client("lambda").publish_version(**call.request("lambda", "PublishVersion"))
        function, version = published["FunctionArn"], published["Version"]
        arn = function if function.endswith(f":{version}") else f"{function}:{version}"
        return Created(arn, {"Version": version, "FunctionArn": arn})

    def delete(self, call: Call, physical_id: str) -> None:
        function, _, version = physical_id.rpartition(":")
        with gone(_GONE):
            call.client("lambda").delete_function(FunctionName=function, Qualifier=version)


class Alias(Handler):
    """Ref is the alias's ARN."""

    type = "AWS::Lambda::Alias"
    properties = frozenset({"Description", "FunctionName", "FunctionVersion", "Name", "RoutingConfig"})
    required = frozenset({"FunctionName", "FunctionVersion", "Name"})
    replacement = frozenset({"FunctionName", "Name"})
    attributes = frozenset({"AliasArn"})
    name_property = "Name"

    def create(self, call: Call) -> Created:
        arn = call.client("lambda").create_alias(**call.request("lambda", "CreateAlias"))["AliasArn"]
        return Created(arn, {"AliasArn": arn})

    def update(self, call: Call, physical_id: str, before: Mapping[str, Any]) -> Mapping[str, Any]:
        call.client("lambda").update_alias(**call.request("lambda", "UpdateAlias"))
        return {"AliasArn": physical_id}

    def delete(self, call: Call, physical_id: str) -> None:
        with gone(_GONE):
            call.client("lambda").delete_alias(FunctionName=call.properties["FunctionName"], Name=call.properties["Name"])


class EventSourceMapping(Handler):
    """docs: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-eventsourcemapping.html

    Ref is the mapping's id.
    """

    type = "AWS::Lambda::EventSourceMapping"
    properties = frozenset(
        {
            "BatchSize",
            "BisectBatchOnFunctionError",
            "DestinationConfig",
            "Enabled",
            "EventSourceArn",
            "FunctionName",
            "FunctionResponseTypes",
            "MaximumBatchingWindowInSeconds",
            "MaximumRecordAgeInSeconds",
            "MaximumRetryAttempts",
            "ParallelizationFactor",
            "StartingPosition",
        }
    )
    required = frozenset({"FunctionName"})
    replacement = frozenset({"EventSourceArn", "StartingPosition"})
    attributes = frozenset({"EventSourceMappingArn", "Id"})

    def create(self, call: Call) -> Created:
        made = call.client("lambda").create_event_source_mapping(**call.request("lambda", "CreateEventSourceMapping"))
        return Created(made["UUID"], self._known(made))

    def update(self, call: Call, physical_id: str, before: Mapping[str, Any]) -> Mapping[str, Any]:
        if removed := sorted(before.keys() - call.properties.keys()):
            raise HandlerError(f"the twin does not set {', '.join(removed)} of an event source mapping back")
        settings = call.request("lambda", "UpdateEventSourceMapping", *self.replacement)
        return self._known(call.client("lambda").update_event_source_mapping(UUID=physical_id, **settings))

    def delete(self, call: Call, physical_id: str) -> None:
        with gone(_GONE):
            call.client("lambda").get_event_source_mapping(UUID=physical_id)
            call.client("lambda").delete_event_source_mapping(UUID=physical_id)

    def _known(self, mapping: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"Id": mapping["UUID"], "EventSourceMappingArn": mapping["EventSourceMappingArn"]}


HANDLERS: tuple[Handler, ...] = (Function(), Permission(), EventInvokeConfig(), EventSourceMapping(), Version(), Alias())
