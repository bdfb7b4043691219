"""What a resource type is to the engine, and how CloudFormation properties become API requests.

A handler names the properties it understands; the engine refuses all others. Which changes need a replacement is, per type, what
CloudFormation's reference says ("Update requires: Replacement"); every other understood property is updated in place.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

from botocore.exceptions import ClientError

from twin.cloud import Cloud, Credentials
from twin.cloudformation.shapes import request


class HandlerError(Exception):
    """The resource cannot be made or changed; the message becomes the reason in the stack's events."""


@dataclass(frozen=True)
class Account:
    """The account as one deployment sees it: clients under its role, and where it is."""

    cloud: Cloud
    credentials: Credentials
    stopping: threading.Event
    _clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        """A boto3 client under the deployment's credentials."""
        if service not in self._clients:
            self._clients[service] = self.cloud.client(service, self.credentials)
        return self._clients[service]

    @property
    def account_id(self) -> str:
        """The twelve digits."""
        return self.cloud.account

    @property
    def region(self) -> str:
        """Such as us-east-1."""
        return self.cloud.region

    def arn(self, service: str, resource: str) -> str:
        """The ARN of a regional resource of this account."""
        return f"arn:aws:{service}:{self.region}:{self.account_id}:{resource}"


@dataclass(frozen=True)
class Call:
    """One create, update or delete of one resource."""

    account: Account
    stack_name: str
    stack_id: str
    logical_id: str
    properties: Mapping[str, Any]
    new_name: Callable[[], str]
    begun: Callable[[str], None] = lambda _: None
    """Called with the physical id as soon as the resource exists, so that a failure in a later step still deletes it."""

    def client(self, service: str) -> Any:
        """A boto3 client under the deployment's credentials."""
        return self.account.client(service)

    def name(self, key: str, limit: int = 64, *, lower: bool = False) -> str:
        """The resource's own name, or a generated one of at most `limit` characters that keeps its random end."""
        if key in self.properties:
            return str(self.properties[key])
        stack_and_logical, _, random = self.new_name().rpartition("-")
        name = f"{stack_and_logical[: limit - len(random) - 1].rstrip('-')}-{random}"
        return name.lower() if lower else name

    def request(self, service: str, operation: str, *left_out: str, **more: Any) -> dict[str, Any]:
        """The properties as the input of an API operation; see shapes.request."""
        properties = {key: value for key, value in self.properties.items() if key not in left_out}
        return request(service, operation, properties) | {key: value for key, value in more.items() if value is not None}


@dataclass(frozen=True)
class Created:
    """What Ref gives, and what Fn::GetAtt gives."""

    physical_id: str
    attributes: Mapping[str, Any] = field(default_factory=dict)


class Handler:
    """One resource type. Subclasses set the class variables and the three methods."""

    type: ClassVar[str]
    properties: ClassVar[frozenset[str]]
    required: ClassVar[frozenset[str]] = frozenset()
    replacement: ClassVar[frozenset[str]] = frozenset()
    attributes: ClassVar[frozenset[str]] = frozenset()
    name_property: ClassVar[str | None] = None
    is_iam: ClassVar[bool] = False

    def create(self, call: Call) -> Created:
        """Make it. Raises a botocore ClientError or HandlerError."""
        raise NotImplementedError

    def update(self, call: Call, physical_id: str, before: Mapping[str, Any]) -> Mapping[str, Any]:
        """Change it in place, from the properties `before` to the call's; its attributes after that. Used for rolling back too."""
        raise NotImplementedError

    def delete(self, call: Call, physical_id: str) -> None:
        """Remove it. What is not there any more is removed already."""
        raise NotImplementedError


@contextmanager
def gone(*codes: str) -> Iterator[None]:
    """Deleting what is not there any more is done: these error codes of the service say so."""
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] not in codes:
            raise


def changed(call: Call, before: Mapping[str, Any], *keys: str) -> bool:
    """Whether any of these properties differs from before."""
    return any(call.properties.get(key) != before.get(key) for key in keys)


def tag_list(tags: Any) -> list[dict[str, str]]:
    """Tags as most APIs take them, from CloudFormation's list or mapping."""
    if isinstance(tags, Mapping):
        return [{"Key": key, "Value": str(value)} for key, value in tags.items()]
    return [{"Key": tag["Key"], "Value": str(tag["Value"])} for tag in tags or ()]


def tag_map(tags: Any) -> dict[str, str]:
    """Tags as a mapping."""
    return {tag["Key"]: tag["Value"] for tag in tag_list(tags)}
