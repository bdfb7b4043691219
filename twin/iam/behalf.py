"""What a service needs of a role, or of its caller, where it makes no call through the twin's door: pull an image, make a grant, write a
log.

Such needs are decided and written down like those of calls. A service that acts for its caller's call finds the caller in `calling`.
"""

from collections.abc import Mapping
from contextvars import ContextVar

from twin.cloud import Cloud, Credentials
from twin.iam import installed
from twin.iam.actions import Need, Place
from twin.iam.errors import AccessDenied
from twin.iam.identity import Caller, UnknownKeyError
from twin.iam.special import key_arn

calling: ContextVar[Caller] = ContextVar("calling")
"""Who made the API call that is being answered."""


def require(
    cloud: Cloud, credentials: Credentials, operation: str, action: str, resource: str, context: Mapping[str, str] | None = None
) -> None:
    """Raises AccessDenied unless the role behind these credentials may do one thing. `operation`: what is under way, for the record."""
    try:
        part = installed(cloud)
    except StopIteration:
        raise AccessDenied(f"{action} on {resource}: the account is gone") from None
    try:
        caller = part.directory.caller(credentials.access_key, credentials.session_token)
    except UnknownKeyError as error:
        raise AccessDenied(f"{action} on {resource}: {error}") from error  # the stack with the role was deleted meanwhile
    part.authoriser.require(caller, Need(action, resource, context or {}), operation)


def require_of_caller(cloud: Cloud, operation: str, need: Need) -> None:
    """Raises AccessDenied unless whoever made the call that is being answered may do one thing."""
    installed(cloud).authoriser.require(calling.get(), need, operation)


def grant(cloud: Cloud, key: str, service: str) -> Need:
    """What it takes that a service may use a key for its resource.

    https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-grant-is-for-aws-resource
    """
    via = f"{service}.{cloud.region}.amazonaws.com"
    context = {"kms:grantisforawsresource": "true", "kms:viaservice": via, "kms:calleraccount": cloud.account}
    return Need("kms:CreateGrant", key_arn(key, Place(cloud.account, cloud.region)), context)
