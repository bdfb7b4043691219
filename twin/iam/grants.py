"""The statements of the deployed stacks, from the resolved properties of their resources.

A resource that carries a policy in a property that is not in the table below is refused by name, so that no statement stays unproven.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from twin.cloudformation.stack import Made, Stack
from twin.iam.errors import PolicyError
from twin.iam.policy import Key
from twin.iam.usage import Grant

_Document = tuple[str, str, Any, tuple[str, ...]]
"""(kind, policy name, document, the ARNs that carry it)"""


def grants_of(stacks: Iterable[Stack], account: str, region: str) -> list[Grant]:
    """Every statement of every living stack. Raises PolicyError for a policy where the twin does not know of one."""
    living = [(stack.name, made) for stack in stacks if not stack.is_gone for made in list(stack.made.values())]
    roles = {made.physical_id: str(made.attributes["Arn"]) for _, made in living if made.type == "AWS::IAM::Role"}
    names = _Names(account, region, roles)
    found = [grant for stack, made in living for grant in _of(stack, made, names)]
    return sorted(found, key=lambda grant: grant.id)


class _Names:
    """ARNs of what templates name otherwise."""

    def __init__(self, account: str, region: str, roles: Mapping[str, str]) -> None:
        self._account = account
        self._region = region
        self._roles = roles

    def role(self, name: str) -> str:
        if name not in self._roles:
            raise PolicyError(f"a policy is put on role {name}, which no stack makes, so nothing proves what else that role may do")
        return self._roles[name]

    def queue(self, url: str) -> str:
        return f"arn:aws:sqs:{self._region}:{self._account}:{url.rpartition('/')[2]}"

    def function(self, name: str) -> str:
        return name if name.startswith("arn:") else f"arn:aws:lambda:{self._region}:{self._account}:function:{name}"


def _of(stack: str, made: Made, names: _Names) -> Iterator[Grant]:
    if made.type == "AWS::Lambda::Permission":
        yield _permission(stack, made, names)
        return
    read = KINDS.get(made.type)
    unread = {name for name, value in made.properties.items() if _has_policy(value)} - (read[0] if read else set())
    if unread:
        raise PolicyError(
            f"{made.logical_id} of stack {stack} ({made.type}) carries a policy in {', '.join(sorted(unread))}, "
            "and nothing proves its statements. Next: name it in twin/iam/grants.py"
        )
    for kind, policy, document, holders in read[1](made, names) if read else ():
        yield from _statements(stack, made, kind, policy, document, holders)


def _statements(stack: str, made: Made, kind: str, policy: str, document: Any, holders: tuple[str, ...]) -> Iterator[Grant]:
    content = json.loads(document) if isinstance(document, str) else document
    items = content.get("Statement", [])
    for index, item in enumerate(items if isinstance(items, list) else [items]):
        keys = tuple(Key(kind, holder, _name(kind, policy, holder), index) for holder in holders)
        path = "/".join(part for part in (stack, made.logical_id, kind, policy, str(index)) if part)
        yield Grant(path, made.logical_id, stack, kind, index, str(item.get("Sid", "")), item, keys)


def _name(kind: str, policy: str, holder: str) -> str:
    """A policy's name where it is evaluated (twin.iam.authorise)."""
    return {"trust": "trust policy", "resource": f"policy of {holder}"}.get(kind, policy)


def _permission(stack: str, made: Made, names: _Names) -> Grant:
    given = made.properties
    holder = names.function(given["FunctionName"])
    principal = given["Principal"]
    conditions = {"ArnLike": {"aws:SourceArn": given["SourceArn"]}} if "SourceArn" in given else {}
    conditions |= {"StringEquals": {"aws:SourceAccount": given["SourceAccount"]}} if "SourceAccount" in given else {}
    document = {"Effect": "Allow", "Action": given["Action"], "Resource": holder, "Principal": {"Service": principal}}
    document |= {"Condition": conditions} if conditions else {}
    key = Key("permission", holder, made.physical_id, 0)
    return Grant(f"{stack}/{made.logical_id}/permission/0", made.logical_id, stack, "permission", 0, "", document, (key,))


def _role(made: Made, _names: _Names) -> Iterator[_Document]:
    arn = made.attributes["Arn"]
    yield "trust", "", made.properties["AssumeRolePolicyDocument"], (arn,)
    for policy in made.properties.get("Policies", ()):
        yield "identity", policy["PolicyName"], policy["PolicyDocument"], (arn,)
    managed = [each for each in made.properties.get("ManagedPolicyArns", ()) if ":iam::aws:" in each]
    if managed:
        raise PolicyError(f"role {made.logical_id} carries {', '.join(managed)}, which AWS may change. Next: write out what it needs")


def _policy(made: Made, names: _Names) -> Iterator[_Document]:
    others = [name for name in ("Users", "Groups") if made.properties.get(name)]
    if others:
        raise PolicyError(f"{made.logical_id} is a policy of {' and '.join(others).lower()}, and the project has roles only")
    roles = made.properties.get("Roles", ())
    yield "identity", made.properties["PolicyName"], made.properties["PolicyDocument"], tuple(map(names.role, roles))


def _managed(made: Made, _names: _Names) -> Iterator[_Document]:
    name = made.physical_id.rpartition("/")[2]
    yield "identity", name, made.properties["PolicyDocument"], (made.physical_id,)


def _key(made: Made, _names: _Names) -> Iterator[_Document]:
    yield "resource", "", made.properties["KeyPolicy"], (made.attributes["Arn"],)


def _bucket(made: Made, _names: _Names) -> Iterator[_Document]:
    yield "resource", "", made.properties["PolicyDocument"], (f"arn:aws:s3:::{made.properties['Bucket']}",)


def _queue(made: Made, names: _Names) -> Iterator[_Document]:
    yield "resource", "", made.properties["PolicyDocument"], tuple(map(names.queue, made.properties["Queues"]))


def _topic(made: Made, _names: _Names) -> Iterator[_Document]:
    yield "resource", "", made.properties["PolicyDocument"], tuple(made.properties["Topics"])


def _has_policy(value: Any) -> bool:
    if isinstance(value, Mapping):
        return "Statement" in value or any(map(_has_policy, value.values()))
    return isinstance(value, list) and any(map(_has_policy, value))


_Reader = Callable[[Made, _Names], Iterator[_Document]]
KINDS: dict[str, tuple[set[str], _Reader]] = {
    "AWS::IAM::Role": ({"AssumeRolePolicyDocument", "Policies"}, _role),
    "AWS::IAM::Policy": ({"PolicyDocument"}, _policy),
    "AWS::IAM::ManagedPolicy": ({"PolicyDocument"}, _managed),
    "AWS::KMS::Key": ({"KeyPolicy"}, _key),
    "AWS::S3::BucketPolicy": ({"PolicyDocument"}, _bucket),
    "AWS::SQS::QueuePolicy": ({"PolicyDocument"}, _queue),
    "AWS::SNS::TopicPolicy": ({"PolicyDocument"}, _topic),
}
"""Resource type -> (the properties that hold a policy, how they are read)."""
