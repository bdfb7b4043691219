"""Calls whose permissions AWS documents apart from its tables, and the permission to pass a role.

PassRole: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html. S3: twin.iam.buckets. DynamoDB:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html. API Gateway:
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-control-access-using-iam-policies-to-create-and-manage-api.html.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from moto.iam.models import iam_backends
from moto.kms.models import kms_backends
from moto.secretsmanager.models import secretsmanager_backends

from twin.iam import buckets, scaling, streams
from twin.iam.actions import Need, Place, is_action, needs_of
from twin.iam.calls import Call, UnmappedCallError
from twin.iam.identity import PARTITION

_PASSED_TO = {
    "lambda": "lambda.amazonaws.com",
    "sagemaker": "sagemaker.amazonaws.com",
    "cloudformation": "cloudformation.amazonaws.com",
    "scheduler": "scheduler.amazonaws.com",
    "events": "events.amazonaws.com",
    "application-autoscaling": "application-autoscaling.amazonaws.com",
    "apigatewayv2": "apigateway.amazonaws.com",
    "stepfunctions": "states.amazonaws.com",
}
_PASSING = ("Create", "Update", "Put", "Register", "Start", "Delete")


def needs(call: Call, place: Place) -> list[Need]:
    """Everything that a call must be allowed. Raises UnmappedCallError for a call that the twin does not understand."""
    by_service = _SERVICES.get(call.service)
    found = by_service(call, place) if by_service else needs_of(call, place)
    invented = next((need.action for need in found if not is_action(need.action)), None)
    if invented:
        raise UnmappedCallError(f"the twin cannot map {call.name} to an IAM action: there is no {invented}")
    return found + [Need("iam:PassRole", role, {"iam:passedtoservice": service}) for role, service in dict.fromkeys(_passed_roles(call))]


def _passed_roles(call: Call) -> Iterator[tuple[str, str]]:
    if call.service in {"iam", "sts", "s3"} or not call.operation.startswith(_PASSING):
        return
    for role in _roles(call.parameters):
        if call.service not in _PASSED_TO:
            raise UnmappedCallError(f"{call.name} passes {role}, and the twin does not know to which service")
        yield role, _PASSED_TO[call.service]


def _roles(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            if isinstance(item, str) and name.lower() in {"role", "rolearn", "executionrolearn", "credentialsarn"} and ":iam::" in item:
                yield item
            else:
                yield from _roles(item)
    elif isinstance(value, list):
        for item in value:
            yield from _roles(item)


def _lambda(call: Call, place: Place) -> list[Need]:
    if call.operation.endswith("EventSourceMapping"):
        return streams.mapping_needs(call, place)
    action = {"Invoke": "InvokeFunction", "InvokeAsync": "InvokeFunction"}.get(call.operation)
    name = call.parameters.get("FunctionName")
    if action is None or not name:
        return needs_of(call, place, action) + _code(call)
    full = name if name.startswith("arn:") else f"arn:aws:lambda:{place.region}:{place.account}:function:{name.rpartition(':function:')[2]}"
    qualifier = call.parameters.get("Qualifier")
    return [Need("lambda:InvokeFunction", f"{full}:{qualifier}" if qualifier else full)]


def _code(call: Call) -> list[Need]:
    """A function's code and layers are read for whoever names them: the handler's permissions in AWS::Lambda::Function's schema."""
    code = call.parameters.get("Code") or call.parameters
    if call.operation not in {"CreateFunction", "UpdateFunctionCode", "UpdateFunctionConfiguration"}:
        return []
    found = [Need("lambda:GetLayerVersion", layer) for layer in call.parameters.get("Layers") or []]
    if code.get("S3Bucket"):
        found.append(Need("s3:GetObject", f"arn:aws:s3:::{code['S3Bucket']}/{code['S3Key']}"))
    return found


def _dynamodb(call: Call, place: Place) -> list[Need]:
    parameters = call.parameters

    def table(name: str) -> str:
        return name if name.startswith("arn:") else f"arn:aws:dynamodb:{place.region}:{place.account}:table/{name}"

    match call.operation:
        case "TransactWriteItems":
            actions = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}
            items = ((actions[kind], item["TableName"]) for entry in parameters["TransactItems"] for kind, item in entry.items())
            return [Need(f"dynamodb:{action}", table(name)) for action, name in dict.fromkeys(items)]
        case "TransactGetItems":
            names = dict.fromkeys(entry["Get"]["TableName"] for entry in parameters["TransactItems"])
            return [Need("dynamodb:GetItem", table(name)) for name in names]
        case "BatchGetItem" | "BatchWriteItem":
            return [Need(f"dynamodb:{call.operation}", table(name)) for name in parameters["RequestItems"]]
        case "Query" | "Scan":
            index = parameters.get("IndexName")
            return [Need(f"dynamodb:{call.operation}", table(parameters["TableName"]) + (f"/index/{index}" if index else ""))]
        case _:
            return needs_of(call, place)


def _logs(call: Call, place: Place) -> list[Need]:
    """Log calls are asked about the stream's ARN, whose stream is empty when none is named."""
    group = call.parameters.get("logGroupName") or call.parameters.get("logGroupIdentifier")
    if not group:
        return [Need(f"logs:{need.action.partition(':')[2]}", "*") for need in needs_of(call, place)[:1]]
    stream = call.parameters.get("logStreamName") or ""
    arn = group if group.startswith("arn:") else f"arn:aws:logs:{place.region}:{place.account}:log-group:{group}"
    return [Need(f"logs:{call.operation}", f"{arn}:log-stream:{stream}")]


def _sqs(call: Call, place: Place) -> list[Need]:
    name = call.parameters.get("QueueName") or str(call.parameters.get("QueueUrl", "")).rpartition("/")[2]
    action = {
        "SendMessageBatch": "SendMessage",
        "DeleteMessageBatch": "DeleteMessage",
        "ChangeMessageVisibilityBatch": "ChangeMessageVisibility",
    }
    resource = f"arn:aws:sqs:{place.region}:{place.account}:{name}" if name else "*"
    return [Need(f"sqs:{action.get(call.operation, call.operation)}", resource)]


def _events(call: Call, place: Place) -> list[Need]:
    base = f"arn:aws:events:{place.region}:{place.account}"
    if call.operation == "PutEvents":
        found = []
        for entry in call.parameters.get("Entries", []):
            bus = str(entry.get("EventBusName") or "default").rpartition("/")[2]
            context = {"events:source": str(entry.get("Source", "")), "events:detail-type": str(entry.get("DetailType", ""))}
            found.append(Need("events:PutEvents", f"{base}:event-bus/{bus}", context))
        return found
    name = call.parameters.get("Rule") or (call.parameters.get("Name") if "Rule" in call.operation else None)
    if not name:
        return needs_of(call, place)
    bus = str(call.parameters.get("EventBusName") or "default").rpartition("/")[2]
    return [Need(f"events:{call.operation}", f"{base}:rule/{name}" if bus == "default" else f"{base}:rule/{bus}/{name}")]


def _kms(call: Call, place: Place) -> list[Need]:
    key = call.parameters.get("KeyId") or call.parameters.get("TargetKeyId")
    found = []
    if alias := call.parameters.get("AliasName"):
        # An alias is allowed by IAM, its key by the key's policy: https://docs.aws.amazon.com/kms/latest/developerguide/alias-access.html
        found.append(Need(f"kms:{call.operation}", f"arn:aws:kms:{place.region}:{place.account}:{alias}"))
        key = key or alias
    if key:
        found.append(Need(f"kms:{call.operation}", key_arn(str(key), place)))
    return found or needs_of(call, place)


def key_arn(key: str, place: Place) -> str:
    """The ARN of a key that is named by id, ARN or alias."""
    backend = kms_backends[place.account][place.region]
    name = key.rpartition(":")[2]
    key_id = backend.get_key_id_from_alias(name) if name.startswith("alias/") else name.rpartition("/")[2]
    return f"arn:aws:kms:{place.region}:{place.account}:key/{key_id}"


def _ssm(call: Call, place: Place) -> list[Need]:
    names = call.parameters.get("Names") or [call.parameters.get("Name") or call.parameters.get("Path")]
    if names == [None]:
        return needs_of(call, place)
    base = f"arn:aws:ssm:{place.region}:{place.account}:parameter"
    return [Need(f"ssm:{call.operation}", f"{base}/{str(name).lstrip('/')}") for name in names]


def _secrets(call: Call, place: Place) -> list[Need]:
    """A secret by name or ARN is asked about by its full ARN, one that is not there by what it is called. A new one's end is any."""
    given, name = call.parameters.get("SecretId"), call.parameters.get("Name")
    if given is None and call.operation != "CreateSecret":
        return needs_of(call, place)
    secrets = secretsmanager_backends[place.account][place.region].secrets
    found = secrets.get(str(given)) if given is not None else None
    new = f"arn:aws:secretsmanager:{place.region}:{place.account}:secret:{name}-??????"
    arn = new if given is None else str(given) if found is None else found.arn
    tagging = [Need("secretsmanager:TagResource", arn)] if call.operation == "CreateSecret" and call.parameters.get("Tags") else []
    return [Need(f"secretsmanager:{call.operation}", arn), *tagging]


_DELIVERY = (
    *("CreateLogDelivery", "GetLogDelivery", "UpdateLogDelivery", "DeleteLogDelivery", "ListLogDeliveries"),
    *("PutResourcePolicy", "DescribeResourcePolicies", "DescribeLogGroups"),
)


def _api_gateway(call: Call, place: Place) -> list[Need]:
    """The access log of a stage is a log delivery: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging.html."""
    found = [Need(f"apigateway:{call.method}", f"arn:aws:apigateway:{place.region}::{call.path.removeprefix('/v2')}")]
    if call.operation in {"CreateStage", "UpdateStage"} and call.parameters.get("AccessLogSettings"):
        found += [Need(f"logs:{action}", "*") for action in _DELIVERY]
    return found


def _sagemaker(call: Call, place: Place) -> list[Need]:
    group = call.parameters.get("ModelPackageGroupName")
    if call.operation == "CreateModelPackage" and group:
        name = str(group).rpartition("/")[2]
        base = f"arn:aws:sagemaker:{place.region}:{place.account}"
        found = [
            Need("sagemaker:CreateModelPackage", f"{base}:model-package/{name}/*"),
            Need("sagemaker:CreateModelPackage", f"{base}:model-package-group/{name}"),
        ]
        return found + ([Need("sagemaker:AddTags", found[0].resource)] if call.parameters.get("Tags") else [])
    if call.operation == "CreateModel":
        # Who makes a model of a package must be allowed to read it:
        # https://docs.aws.amazon.com/sagemaker/latest/dg/model-registry-deploy-xaccount.html. Modelled: within the account too.
        containers = [call.parameters.get("PrimaryContainer") or {}, *(call.parameters.get("Containers") or [])]
        packages = [each["ModelPackageName"] for each in containers if each.get("ModelPackageName")]
        return needs_of(call, place) + [Need("sagemaker:DescribeModelPackage", package) for package in packages]
    if call.operation == "ListModelPackages" and group:
        # A group's packages: https://docs.aws.amazon.com/sagemaker/latest/dg/model-registry-deploy-xaccount.html
        name = str(group).rpartition("/")[2]
        return [Need("sagemaker:ListModelPackages", f"arn:aws:sagemaker:{place.region}:{place.account}:model-package/{name}/*")]
    return needs_of(call, place)


def _cloudwatch(call: Call, place: Place) -> list[Need]:
    """Alarms and dashboards that are asked for by name are checked one by one; without names the permission must be on all of them.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html
    """
    if call.operation == "DeleteDashboards":
        base = f"arn:aws:cloudwatch::{place.account}:dashboard"
        return [Need("cloudwatch:DeleteDashboards", f"{base}/{name}") for name in call.parameters.get("DashboardNames", [])]
    names = call.parameters.get("AlarmNames")
    if call.operation not in {"DescribeAlarms", "DeleteAlarms"} or not names:
        return needs_of(call, place)
    base = f"arn:aws:cloudwatch:{place.region}:{place.account}:alarm"
    return [Need(f"cloudwatch:{call.operation}", f"{base}:{name}") for name in names]


def _scheduler(call: Call, place: Place) -> list[Need]:
    if call.operation.endswith("Schedule"):
        group, name = call.parameters.get("GroupName") or "default", call.parameters.get("Name", "*")
        return [Need(f"scheduler:{call.operation}", f"arn:aws:scheduler:{place.region}:{place.account}:schedule/{group}/{name}")]
    return needs_of(call, place)


def _iam(call: Call, place: Place) -> list[Need]:
    """A role's ARN holds its path, which only the call that makes it names; a new identity provider is named by its URL."""
    if call.operation == "CreateOpenIDConnectProvider":
        url = str(call.parameters.get("Url", "")).removeprefix("https://")
        return [Need("iam:CreateOpenIDConnectProvider", f"arn:aws:iam::{place.account}:oidc-provider/{url}")]
    found, name = needs_of(call, place), call.parameters.get("RoleName")
    made = next((role for role in list(iam_backends[place.account][PARTITION].roles.values()) if role.name == name), None)
    path = call.parameters.get("Path") if call.operation == "CreateRole" else getattr(made, "path", None)
    if not name or not path:
        return found
    plain = f"arn:aws:iam::{place.account}:role/{name}"
    return [replace(need, resource=need.resource.replace(plain, f"arn:aws:iam::{place.account}:role{path}{name}")) for need in found]


def _sts(call: Call, place: Place) -> list[Need]:
    if call.operation == "GetCallerIdentity":
        return []  # https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html: no permissions are required
    return needs_of(call, place)


_SERVICES: dict[str, Callable[[Call, Place], list[Need]]] = {
    "s3": buckets.needs,
    "lambda": _lambda,
    "dynamodb": _dynamodb,
    "kinesis": streams.needs,
    "logs": _logs,
    "sqs": _sqs,
    "events": _events,
    "kms": _kms,
    "ssm": _ssm,
    "secretsmanager": _secrets,
    "apigatewayv2": _api_gateway,
    "application-autoscaling": scaling.needs,
    "cloudwatch": _cloudwatch,
    "sagemaker": _sagemaker,
    "scheduler": _scheduler,
    "iam": _iam,
    "sts": _sts,
}
