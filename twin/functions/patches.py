"""moto's Lambda keeps the records; these patches make it keep all of them, refuse what the twin cannot run, and run the rest."""

import base64
import json
import re
import uuid
from typing import Any
from urllib.parse import unquote

from moto.awslambda.exceptions import InvalidParameterValueException
from moto.awslambda.models import LambdaBackend, LambdaFunction
from moto.awslambda.responses import LambdaResponse

from twin.functions.limits import ASYNCHRONOUS_BYTES, SYNCHRONOUS_BYTES, configuration_problem
from twin.functions.pool import ThrottledError
from twin.functions.runtime import UnknownLayerError, find_layers
from twin.functions.service import Functions
from twin.patches import Patch

_RUNTIME = re.compile(r"^python3\.\d+$")
_EXTRAS = ("DeadLetterConfig", "LoggingConfig")
"""What moto's record of a function leaves out."""


def patches(functions: Functions) -> tuple[Patch, ...]:
    """The patches, around moto's own methods as they are now."""
    return (
        _init(),
        _configuration(),
        _update(),
        _layers(),
        _event_invoke_config(),
        _concurrency(),
        _invoke(functions),
        _choke_point(functions),
    )


def _init() -> Patch:
    original = LambdaFunction.__init__

    def init(self: Any, account_id: str, spec: dict[str, Any], region: str, version: Any = 1) -> None:
        _refuse(spec)
        self.twin_extras = {name: spec[name] for name in _EXTRAS if spec.get(name)}
        original(self, account_id, spec, region, version)

    expects = "(self, account_id: 'str', spec: 'dict[str, Any]', region: 'str', version: 'str | int' = 1)"
    return Patch(
        LambdaFunction, "__init__", init, expects, "moto drops the dead-letter and logging settings, and takes functions nothing can run"
    )


def _refuse(spec: dict[str, Any]) -> None:
    runtime = spec.get("Runtime") or ""
    if spec.get("PackageType", "Zip") != "Zip" or not _RUNTIME.match(runtime):
        raise InvalidParameterValueException(
            f"the twin runs Python functions from a zip asset; {spec.get('FunctionName')} has runtime {runtime or 'of an image'}"
        )
    if spec.get("VpcConfig") or spec.get("FileSystemConfigs") or spec.get("ImageConfig"):
        raise InvalidParameterValueException(f"the twin has no VPC, file system or image for functions ({spec.get('FunctionName')})")
    if problem := configuration_problem(spec):
        raise InvalidParameterValueException(problem)


def _configuration() -> Patch:
    original = LambdaFunction.get_configuration

    def get_configuration(self: Any, on_create: bool = False) -> dict[str, Any]:
        configuration: dict[str, Any] = original(self, on_create) | self.twin_extras
        return configuration

    return Patch(
        LambdaFunction,
        "get_configuration",
        get_configuration,
        "(self, on_create: 'bool' = False) -> 'dict[str, Any]'",
        "shows what moto drops",
    )


def _update() -> Patch:
    original = LambdaFunction.update_configuration

    def update_configuration(self: Any, config_updates: dict[str, Any]) -> dict[str, Any]:
        _refuse({"Runtime": self.run_time, "FunctionName": self.function_name} | config_updates)
        original(self, config_updates)
        self.twin_extras |= {name: config_updates[name] for name in _EXTRAS if name in config_updates}
        self.tracing_config = config_updates.get("TracingConfig", self.tracing_config)
        self.kms_key_arn = config_updates.get("KMSKeyArn", self.kms_key_arn)
        if "EphemeralStorage" in config_updates:
            self.ephemeral_storage = config_updates["EphemeralStorage"]["Size"]
        updated: dict[str, Any] = self.get_configuration()
        return updated

    expects = "(self, config_updates: 'dict[str, Any]') -> 'dict[str, Any]'"
    return Patch(LambdaFunction, "update_configuration", update_configuration, expects, "moto ignores most updated settings")


def _layers() -> Patch:
    def get_layers_data(_: Any, layers_versions_arns: list[str]) -> list[dict[str, Any]]:
        try:
            find_layers(layers_versions_arns)
        except UnknownLayerError as error:
            raise InvalidParameterValueException(str(error)) from error
        return [{"Arn": arn, "CodeSize": 0} for arn in layers_versions_arns]

    expects = "(self, layers_versions_arns: 'list[str]') -> 'list[LayerDataType]'"
    return Patch(LambdaFunction, "_get_layers_data", get_layers_data, expects, "AWS's public layers are not in moto's store")


def _event_invoke_config() -> Patch:
    original = LambdaBackend.put_function_event_invoke_config

    def put(self: Any, function_name: str, config: dict[str, Any]) -> dict[str, Any]:
        self.get_function(function_name).event_invoke_config = []
        return dict(original(self, function_name, config))

    expects = "(self, function_name: 'str', config: 'dict[str, Any]') -> 'dict[str, Any]'"
    return Patch(LambdaBackend, "put_function_event_invoke_config", put, expects, "moto keeps and answers with the first one for ever")


def _concurrency() -> Patch:
    def put_function_concurrency(self: Any) -> tuple[int, dict[str, Any], bytes]:
        limit = self.json_body["ReservedConcurrentExecutions"]
        self.backend.get_function(unquote(self.path.rsplit("/", 2)[-2])).reserved_concurrency = limit
        return _json(200, {"ReservedConcurrentExecutions": limit}, {})

    expects = "(self) -> tuple[int, dict[str, typing.Any], str | bytes]"
    return Patch(LambdaResponse, "put_function_concurrency", put_function_concurrency, expects, "moto takes 0 for no limit")


def _invoke(functions: Functions) -> Patch:
    def invoke(self: Any) -> tuple[int, dict[str, Any], bytes]:
        """The Invoke operation (https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html)."""
        name = self.uri_match.get("FunctionName") or self.path.rsplit("/", 2)[-2]
        function = self.backend.get_function(unquote(name), self._get_param("Qualifier"))
        payload, request_id = self.raw_body or b"{}", str(uuid.uuid4())
        kind = self.headers.get("X-Amz-Invocation-Type", "RequestResponse")
        limit = ASYNCHRONOUS_BYTES if kind == "Event" else SYNCHRONOUS_BYTES
        if len(payload) > limit:
            message = f"Request must be smaller than {limit} bytes for the InvokeFunction operation"
            return _json(413, {"Type": "User", "message": message}, {"x-amzn-ErrorType": "RequestTooLargeException"})
        try:
            json.loads(payload)
        except ValueError as error:
            message = f"Could not parse request body into json: {error}"
            return _json(400, {"Type": "User", "message": message}, {"x-amzn-ErrorType": "InvalidRequestContentException"})
        if kind == "DryRun":
            return 204, {"status": 204}, b""
        if kind == "Event":
            functions.queue(function, payload, request_id)
            return 202, {"status": 202, "x-amzn-RequestId": request_id}, b""
        try:
            reply = functions.run(function, payload, request_id)
        except ThrottledError as error:
            content = {"Reason": "ReservedFunctionConcurrentInvocationLimitExceeded", "Type": "User", "message": str(error)}
            return _json(429, content, {"x-amzn-ErrorType": "TooManyRequestsException"})
        headers = {"content-type": "application/json", "x-amz-executed-version": "$LATEST"}
        if reply.error:
            headers["x-amz-function-error"] = reply.error
        if self.headers.get("X-Amz-Log-Type") == "Tail":
            headers["x-amz-log-result"] = base64.b64encode("\n".join(reply.log).encode()[-4096:]).decode()
        return 200, headers, reply.payload

    return Patch(LambdaResponse, "invoke", invoke, "(self) -> tuple[int, dict[str, str], str | bytes]", "moto runs nothing without Docker")


def _choke_point(functions: Functions) -> Patch:
    def invoke_lambda(self: Any, event: Any = None) -> tuple[str, bool, str]:
        """S3 and SNS notifications end here; on AWS they are asynchronous, and the function must permit them."""
        functions.notify(self, *_origin(event), json.dumps(event).encode())
        return "", False, ""

    expects = "(self, event: 'str | None' = None) -> 'tuple[str, bool, str]'"
    return Patch(LambdaFunction, "_invoke_lambda", invoke_lambda, expects, "moto runs nothing without Docker")


def _origin(event: Any) -> tuple[str, str]:
    """(principal, source ARN) of a notification."""
    record = (event.get("Records") or [{}])[0] if isinstance(event, dict) else {}
    match record.get("eventSource") or record.get("EventSource"):
        case "aws:s3":
            return "s3.amazonaws.com", record["s3"]["bucket"]["arn"]
        case "aws:sns":
            return "sns.amazonaws.com", record["Sns"]["TopicArn"]
        case other:
            raise NotImplementedError(f"the invocation of a function by {other}")


def _json(status: int, content: dict[str, Any], headers: dict[str, str]) -> tuple[int, dict[str, Any], bytes]:
    # moto takes the status from the headers
    return status, {"status": status, "content-type": "application/json"} | headers, json.dumps(content).encode()
