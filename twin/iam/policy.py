"""Policies: parsed once, then asked. Pure.

The order is AWS's (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html): an explicit deny anywhere
ends it; within the account an allow of the identity's or of the resource's policy suffices; a boundary or session policy limits it.

A condition key that the twin never fills could be there on AWS. So an Allow that asks for one does not apply, and a Deny does; the same
goes for a statement with a variable that the request lacks. Refused by name: NotPrincipal, which AWS advises against
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notprincipal.html), elements with nothing in them, and
variables in a policy without Version 2012-10-17, where they are plain text (reference_policies_elements_version.html).
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

from twin.iam import conditions
from twin.iam.conditions import Context, as_list, like, substitute, wildcard
from twin.iam.errors import PolicyError

KNOWN_KEYS = frozenset(
    {
        "application-autoscaling:service-namespace",
        "aws:currenttime",
        "aws:principalaccount",
        "aws:principalarn",
        "aws:principalisawsservice",
        "aws:principaltype",
        "aws:requestedregion",
        "aws:resourceaccount",
        "aws:securetransport",
        "aws:sourceaccount",
        "aws:sourceowner",
        "aws:sourcearn",
        "aws:sourceip",
        "aws:userid",
        "aws:username",
        "aws:viaawsservice",
        "cloudformation:rolearn",
        "cloudwatch:namespace",
        "events:detail-type",
        "events:source",
        "iam:awsservicename",
        "iam:passedtoservice",
        "kms:calleraccount",
        "kms:encryptioncontext:aws:logs:arn",
        "kms:grantisforawsresource",
        "kms:viaservice",
        "lambda:functionarn",
        "s3:delimiter",
        "s3:prefix",
        "s3:versionid",
        "s3:x-amz-acl",
        "s3:x-amz-server-side-encryption",
        "s3:x-amz-server-side-encryption-aws-kms-key-id",
        "sts:externalid",
        "sts:rolesessionname",
        "token.actions.githubusercontent.com:aud",
        "token.actions.githubusercontent.com:sub",
    }
)
"""Keys of which the twin knows whether a request has them."""


@dataclass(frozen=True)
class Principal:
    """Who asks: a role session, a user, the account itself, or a service."""

    kind: str
    """AWS or Service."""
    names: frozenset[str]
    """Every name under which a policy may mean it: ARNs, account ids, or the service's domain."""


@dataclass(frozen=True)
class Request:
    """One action on one resource, with the condition keys of the request (in lower case)."""

    principal: Principal
    action: str
    resource: str
    context: Context = field(default_factory=dict)


class Key(NamedTuple):
    """Where a statement is: the kind of its policy, the ARN that the policy is on, the policy's name there, and its place in it."""

    kind: str
    """identity, trust, resource or permission."""
    holder: str
    policy: str
    position: int


@dataclass(frozen=True)
class Statement:
    """One statement of a policy, and the name of the policy it is from."""

    key: Key
    policy: str
    sid: str
    allow: bool
    actions: tuple[str, ...]
    not_actions: tuple[str, ...]
    resources: tuple[str, ...]
    not_resources: tuple[str, ...]
    principals: Mapping[str, tuple[str, ...]] | None
    condition: Mapping[str, Mapping[str, Any]]

    def __hash__(self) -> int:
        return hash(self.key)  # its condition block has no hash

    @property
    def name(self) -> str:
        """Policy and statement id, for people."""
        return f"{self.policy}/{self.sid}" if self.sid else self.policy

    @cached_property
    def looks_at(self) -> frozenset[str]:
        """The condition keys on which its answer may depend."""
        return frozenset(conditions.keys(self.condition)) | self.variables

    @cached_property
    def variables(self) -> frozenset[str]:
        """The condition keys that are variables of its texts."""
        texts = [*self.resources, *self.not_resources]
        texts += [item for names in self.condition.values() for wanted in names.values() for item in as_list(wanted)]
        return frozenset[str]().union(*map(conditions.variables, texts))

    def applies(self, request: Request) -> bool:
        """Does the statement speak about this request?"""
        if not (self._names_principal(request) and self._names_action(request)):
            return False
        if not all(isinstance(request.context.get(name), str) for name in self.variables):
            return not self.allow
        return self._names_resource(request) and self._condition(request)

    def names(self, principal: Principal) -> bool:
        """Is the principal named by a name of its own, and not as everybody?"""
        return not principal.names.isdisjoint((self.principals or {}).get(principal.kind, ()))

    def _names_principal(self, request: Request) -> bool:
        return self.principals is None or _meant(self.principals, request.principal)

    def _names_action(self, request: Request) -> bool:
        if self.not_actions:
            return not any(wildcard(p, ignore_case=True).fullmatch(request.action) for p in self.not_actions)
        return any(wildcard(p, ignore_case=True).fullmatch(request.action) for p in self.actions)

    def _names_resource(self, request: Request) -> bool:
        if self.not_resources:
            return not _any_resource(self.not_resources, request)
        return not self.resources or _any_resource(self.resources, request)

    def _condition(self, request: Request) -> bool:
        if not self.condition:
            return True
        if not conditions.keys(self.condition) <= KNOWN_KEYS:
            return not self.allow
        return conditions.fulfilled(self.condition, request.context)


@dataclass(frozen=True)
class Decision:
    """The answer, and the statement that gave it (None: nothing allowed it)."""

    allowed: bool
    statement: Statement | None = None

    @property
    def is_explicit_deny(self) -> bool:
        """Denied by a statement, not by silence."""
        return not self.allowed and self.statement is not None


@lru_cache(maxsize=2048)
def parse(document: str, name: str, kind: str = "identity", holder: str = "") -> tuple[Statement, ...]:
    """The statements of a policy document; `kind` and `holder` as in Key. Raises PolicyError for an element the twin does not know."""
    content = json.loads(document)
    statements = content.get("Statement", [])
    items = statements if isinstance(statements, list) else [statements]
    found = tuple(_statement(item, name, Key(kind, holder, name, index)) for index, item in enumerate(items))
    variables = [statement.variables for statement in found]
    if any(variables) and content.get("Version") != _WITH_VARIABLES:
        raise PolicyError(f"policy {name} has variables, which are plain text but in Version {_WITH_VARIABLES}. Next: state that version")
    return found


def evaluate(statements: Iterable[Statement], request: Request) -> Decision:
    """An explicit deny, else an allow, else silence."""
    allowing: Statement | None = None
    for statement in statements:
        if allowing is not None and statement.allow:
            continue
        if statement.applies(request):
            if not statement.allow:
                return Decision(False, statement)
            allowing = statement
    return Decision(allowing is not None, allowing)


_WITH_VARIABLES = "2012-10-17"
_ELEMENTS = {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Principal", "Condition"}
_LISTS = ("Action", "NotAction", "Resource", "NotResource", "Principal")


def _statement(item: Mapping[str, Any], policy: str, key: Key) -> Statement:
    unknown = set(item) - _ELEMENTS
    if unknown or item.get("Effect") not in {"Allow", "Deny"}:
        raise PolicyError(f"policy {policy} has a statement that the twin does not understand: {sorted(unknown) or item.get('Effect')}")
    empty = [name for name in _LISTS if name in item and not item[name]]
    of_what, of_whom = sum(name in item for name in ("Action", "NotAction")), sum(name in item for name in ("Resource", "NotResource"))
    if empty or of_what != 1 or of_whom > 1 or (key.kind == "identity" and of_whom == 0):
        raise PolicyError(
            f"policy {policy} has a statement that AWS takes for malformed: {sorted(item)}" + f", empty: {empty}" * bool(empty)
        )
    return Statement(
        key=key,
        policy=policy,
        sid=str(item.get("Sid", "")),
        allow=item["Effect"] == "Allow",
        actions=tuple(as_list(item.get("Action", []))),
        not_actions=tuple(as_list(item.get("NotAction", []))),
        resources=tuple(as_list(item.get("Resource", []))),
        not_resources=tuple(as_list(item.get("NotResource", []))),
        principals=_principals(item.get("Principal")),
        condition=item.get("Condition") or {},
    )


def _principals(element: Any) -> Mapping[str, tuple[str, ...]] | None:
    if element is None:
        return None
    if isinstance(element, str):
        element = {"AWS": element}
    found = {kind: tuple(as_list(names)) for kind, names in element.items()}
    # "*" and {"AWS": "*"} mean the same: everybody, services too.
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html#principal-anonymous
    return found | {"Service": ("*",)} if "*" in found.get("AWS", ()) else found


def _meant(principals: Mapping[str, tuple[str, ...]], principal: Principal) -> bool:
    return any(name == "*" or name in principal.names for name in principals.get(principal.kind, ()))


def _any_resource(patterns: Iterable[str], request: Request) -> bool:
    return any(like(request.resource, substitute(pattern, request.context)) for pattern in patterns)
