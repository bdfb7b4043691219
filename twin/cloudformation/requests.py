"""Reading requests: the template that is given or named, tags, capabilities, and what is refused about them."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote, urlparse

from botocore.exceptions import ClientError

from twin.cloud import Cloud, Credentials
from twin.cloudformation.errors import InsufficientCapabilitiesException, ValidationError
from twin.cloudformation.stack import Stack
from twin.cloudformation.template import MAX_BODY, Template

ON_FAILURE = frozenset({"ROLLBACK", "DO_NOTHING", "DELETE"})


def template_body(cloud: Cloud, request: Mapping[str, Any], caller: Credentials, stack: Stack | None) -> str:
    """The text of TemplateBody, of the object at TemplateURL (read under the caller's credentials), or of the stack's previous template."""
    given = [key for key in ("TemplateBody", "TemplateURL", "UsePreviousTemplate") if request.get(key)]
    if not given:
        raise ValidationError("Either Template URL or Template Body must be specified.")
    if len(given) > 1:
        raise ValidationError(f"Give only one of {', '.join(given)}.")
    if given[0] == "TemplateBody":
        if len(request["TemplateBody"].encode()) > MAX_BODY:
            raise ValidationError(f"1 validation error detected: Value at 'templateBody' must have length less than or equal to {MAX_BODY}")
        return str(request["TemplateBody"])
    if given[0] == "TemplateURL":
        return _fetch(cloud, request["TemplateURL"], caller)
    if stack is None:
        raise ValidationError("UsePreviousTemplate is for stacks that exist")
    return stack.desired.template.body


def tags_of(request: Mapping[str, Any]) -> list[dict[str, str]]:
    """The tags of a request."""
    return [{"Key": tag["Key"], "Value": tag["Value"]} for tag in request.get("Tags", ())]


def on_failure_of(request: Mapping[str, Any]) -> str:
    """What happens when a create fails: ROLLBACK, DO_NOTHING or DELETE."""
    if request.get("DisableRollback") and request.get("OnFailure"):
        raise ValidationError("You can specify either DisableRollback or OnFailure, but not both.")
    value = str(request.get("OnFailure") or ("DO_NOTHING" if request.get("DisableRollback") else "ROLLBACK"))
    if value not in ON_FAILURE:
        raise ValidationError(f"OnFailure must be one of {sorted(ON_FAILURE)}, and is {value}")
    return value


def check_capabilities(template: Template, given: Sequence[str]) -> None:
    """CAPABILITY_NAMED_IAM covers CAPABILITY_IAM, and not the other way round."""
    enough = {"CAPABILITY_NAMED_IAM"} | ({"CAPABILITY_IAM"} if template.capabilities == ("CAPABILITY_IAM",) else set())
    if template.capabilities and not enough & set(given):
        raise InsufficientCapabilitiesException(f"Requires capabilities : [{template.capabilities[0]}]")


def check_types(stack: Stack, template: Template) -> None:
    """A logical id keeps its type."""
    moved = [key for key, made in stack.made.items() if key in template.resources and template.resources[key].type != made.type]
    if moved:
        raise ValidationError(
            "Update of resource type is not permitted. The new template modifies resource type of the following resources: "
            f"[{', '.join(sorted(moved))}]"
        )


def _fetch(cloud: Cloud, url: str, caller: Credentials) -> str:
    bucket, key = _bucket_and_key(url)
    try:
        body: bytes = cloud.client("s3", caller).get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        raise ValidationError(f"S3 error: {error.response['Error']['Message']} ({url})") from error
    return body.decode()


def _bucket_and_key(url: str) -> tuple[str, str]:
    parsed = urlparse(url)
    host, path = parsed.hostname or "", unquote(parsed.path.lstrip("/"))
    if ".s3" in host and host.endswith(".amazonaws.com"):
        return host.partition(".s3")[0], path
    bucket, _, key = path.partition("/")
    if not key or not (host.startswith("s3.") or host == "127.0.0.1"):
        raise ValidationError(f"TemplateURL must be a supported URL, and is {url}")
    return bucket, key
