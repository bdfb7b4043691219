"""What the SageMaker parts share: ARNs, names, the role behind a job, and how an event of SageMaker is published."""

import secrets
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from twin.cloud import Cloud, Credentials
from twin.iam.errors import AccessDenied
from twin.images import Images
from twin.sagemaker import api

PRINCIPAL = "sagemaker.amazonaws.com"
_ALPHABET = string.ascii_letters + string.digits


@dataclass(frozen=True)
class Context:
    """The account as SageMaker sees it. `folder` is its part of the state folder."""

    cloud: Cloud
    images: Images
    tags: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where SageMaker keeps its files."""
        return self.cloud.folder / "sagemaker"

    def arn(self, kind: str, name: str) -> str:
        """The ARN of a SageMaker resource. Modelled: names keep their case, AWS writes some in lower case."""
        return f"arn:aws:sagemaker:{self.cloud.region}:{self.cloud.account}:{kind}/{name}"

    def now(self) -> datetime:
        """Twin time, in whole milliseconds as the APIs show it."""
        moment = self.cloud.clock.now()
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)

    def publish(self, detail_type: str, detail: Mapping[str, Any], resources: Sequence[str]) -> None:
        """Put an event of SageMaker on the default bus."""
        self.cloud.publish("aws.sagemaker", detail_type, {key: value for key, value in detail.items() if value is not None}, resources)

    def assume(self, role: str, session: str) -> Credentials:
        """The role's credentials for SageMaker. Raises ValidationException, as the Create operations do when they cannot assume it."""
        try:
            return self.cloud.assume(role, PRINCIPAL, session[:64])
        except AccessDenied as error:
            raise api.invalid(
                f"Could not assume role {role}. Please ensure that the role exists and allows principal '{PRINCIPAL}'. {error}"
            ) from error

    def tag(self, arn: str, tags: Sequence[Mapping[str, str]] | None) -> None:
        """Remember the tags of a new resource (every resource has an entry, so that ListTags knows it)."""
        self.tags.setdefault(arn, {}).update({tag["Key"]: tag["Value"] for tag in tags or ()})

    def untag(self, arn: str) -> None:
        """Forget a deleted resource."""
        self.tags.pop(arn, None)


def random_name(length: int) -> str:
    """A random name as SageMaker makes them: letters and digits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def millis(moment: datetime | None) -> int | None:
    """A time as SageMaker's job and endpoint events write it: milliseconds since the epoch."""
    return None if moment is None else int(moment.timestamp() * 1000)


def iso(moment: datetime | None) -> str | None:
    """A time as SageMaker's registry and pipeline events write it: seconds, with a Z."""
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")


class Tags:
    """AddTags, ListTags, DeleteTags."""

    def __init__(self, context: Context) -> None:
        self._tags = context.tags

    def operations(self) -> dict[str, api.Operation]:
        """By moto's names."""
        return {"add_tags": self.add_tags, "list_tags": self.list_tags, "delete_tags": self.delete_tags}

    def add_tags(self, request: api.Request) -> api.Reply:
        """AddTags."""
        self._of(request).update({tag["Key"]: tag["Value"] for tag in request["Tags"]})
        return {"Tags": self._listed(request)}

    def list_tags(self, request: api.Request) -> api.Reply:
        """ListTags."""
        return api.page(request, "Tags", self._listed(request))

    def delete_tags(self, request: api.Request) -> api.Reply:
        """DeleteTags."""
        for key in request["TagKeys"]:
            self._of(request).pop(key, None)
        return {}

    def _listed(self, request: api.Request) -> list[dict[str, str]]:
        return [{"Key": key, "Value": value} for key, value in self._of(request).items()]

    def _of(self, request: api.Request) -> dict[str, str]:
        if request["ResourceArn"] not in self._tags:
            raise api.invalid(f"Could not find a resource with ARN {request['ResourceArn']}.")
        return self._tags[request["ResourceArn"]]
