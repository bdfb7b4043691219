"""What is wrong with the deployed policies, in words that name who, which action and which resource. Pure.

denied          a call was refused that no step wanted to see refused
never needed    no recorded decision needs a statement, or an action, resource pattern or principal that it lists
wildcard        an action with a wildcard allows more actions than were needed
any resource    a statement allows "*", or a pattern with a wildcard where the name begins, and what was needed are resources with names
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from twin.iam.actions import expand
from twin.iam.conditions import as_list
from twin.iam.pieces import ACTION, PRINCIPAL, RESOURCE
from twin.iam.policy import Key
from twin.iam.record import Recorded
from twin.iam.usage import Grant, Superfluous, Usage

_ARN_PARTS = 6
_TYPE = re.compile(r"[a-z-]+[/:]")
"""What stands before a name in an ARN: endpoint/, function:, ..."""
_NAMED_BY_AWS = frozenset({"scalable-target/", "network-interface/"})
"""Types whose names AWS makes up, so that no policy can name them beforehand."""
LISTED = 4
"""How many of a long list are written out."""
EXAMPLES = 2
"""How many requests are given as examples."""


@dataclass(frozen=True)
class Finding:
    """One thing to mend. `stack` and `owner` (a logical id) are of the policy; for a denied call, of the role that was denied."""

    problem: str
    kind: str
    """The policy's kind (see Grant), identity for a denied call of a role."""
    stack: str
    owner: str
    action: str
    resource: str
    step: str
    words: str


def findings_of(usages: Sequence[Usage], decisions: Iterable[Recorded]) -> list[Finding]:
    """Everything that is wrong: denied calls first."""
    grants = [each.grant for each in usages]
    found = list(_denied(grants, decisions))
    for each in usages:
        found += _superfluous(each, grants)
        if each.grant.document["Effect"] == "Allow":
            found += _wildcards(each)
            found += _any_resource(each)
    return found


def statement_in_words(grant: Grant) -> str:
    """Effect, actions, resources, and for whom and when."""
    deny = "deny " if grant.document["Effect"] == "Deny" else ""
    return f"{deny}{_listed(_actions(grant))} on {_listed(_resources(grant))}{limits_in_words(grant)}"


def limits_in_words(grant: Grant) -> str:
    """For whom, and under which conditions."""
    principals = grant.document.get("Principal", {})
    named = [name for names in principals.values() for name in as_list(names)] if isinstance(principals, Mapping) else as_list(principals)
    blocks = grant.document.get("Condition") or {}
    conditions = [
        f"{key}{'!=' if 'Not' in operator else '='}{'|'.join(as_list(value))}"
        for operator, block in blocks.items()
        for key, value in block.items()
    ]
    return (f" for {_listed(named)}" if named else "") + (f" if {_listed(conditions)}" if conditions else "")


def carrier(grant: Grant) -> str:
    """Whose statement it is."""
    what = {"identity": "role", "trust": "trust policy of role", "permission": "permission"}.get(grant.kind, "policy")
    return f"{what} {grant.owner} of stack {grant.stack}"


def _denied(grants: Sequence[Grant], decisions: Iterable[Recorded]) -> Iterator[Finding]:
    owners = {key.holder: grant for grant in grants for key in grant.keys if grant.kind == "trust"}
    groups: dict[tuple[str, str, str, str], list[Recorded]] = {}
    for decision in decisions:
        if not decision.allowed and not decision.expected:
            groups.setdefault((decision.caller, decision.action, decision.step, decision.why), []).append(decision)
    for (caller, action, step, why), denied in groups.items():
        role = owners.get(caller)
        who = f"role {role.owner} of stack {role.stack}" if role else caller
        resource = _listed([each.resource for each in denied])
        by = next((each.statement for each in denied if each.statement), None)
        words = f"{who}: denied {action} on {resource} in step {step or '(none)'}"
        words += f", by the statement {by}" if by else f", before any policy was asked: {why}" if why else ""
        kind, stack, owner = ("identity", role.stack, role.owner) if role else ("", "", caller)
        yield Finding("denied", kind, stack, owner, action, resource, step, words)


def _superfluous(used: Usage, grants: Sequence[Grant]) -> Iterator[Finding]:
    owners = {key: grant for grant in grants for key in grant.keys}
    grant = used.grant
    groups: dict[tuple[Key, str, str], list[str]] = {}
    for found in used.superfluous:
        groups.setdefault((found.piece.key, found.piece.part, _because(found, grant, owners)), []).append(found.piece.text)
    for (key, part, because), texts in groups.items():
        together = ", ".join(texts)
        actions = together if part == ACTION else _listed(_actions(grant))
        resources = together if part == RESOURCE else _listed(_resources(grant))
        what = f"{actions} on {resources}" + (f" for {together}" if part == PRINCIPAL else limits_in_words(grant))
        what += f" ({key.holder})" if len(grant.keys) > 1 else ""
        words = f"{carrier(grant)}: {what} was never needed{because}"
        yield Finding("never needed", grant.kind, grant.stack, grant.owner, actions, resources, "", words)


def _because(found: Superfluous, grant: Grant, owners: Mapping[Key, Grant]) -> str:
    if grant.document["Effect"] == "Deny":
        return ": no refusal in any step would have been allowed without it"
    if not found.covered:
        return ""
    others = [owners[each.key] for each in found.covered if each.key in owners and owners[each.key] != grant]
    allows = _listed([f"{carrier(other)} ({statement_in_words(other)})" for other in others]) or "the rest of the statement"
    asked = _listed([f"{each.action} on {each.resource}" for each in found.matched], EXAMPLES)
    return f": what it matched ({asked}) {allows} allows too"


def _wildcards(used: Usage) -> Iterator[Finding]:
    grant = used.grant
    gone = {found.piece.text for found in used.superfluous if found.piece.part == ACTION}
    if not used.needed:
        return
    for pattern in _actions(grant):
        if not {"*", "?"} & set(pattern) or pattern in gone:
            continue
        actions = sorted({decision.action for decision in _needing(used, ACTION, pattern)})
        if set(expand(pattern)) - set(actions):
            resources = _listed(_resources(grant))
            words = f"{carrier(grant)}: {pattern} on {resources} was never needed beyond {', '.join(actions)}"
            yield Finding("wildcard", grant.kind, grant.stack, grant.owner, pattern, resources, "", words)


def _any_resource(used: Usage) -> Iterator[Finding]:
    grant = used.grant
    patterns = [pattern for pattern in _resources(grant) if _names_nothing(pattern)] if grant.kind == "identity" else []
    for pattern in patterns:
        named = [decision for decision in _needing(used, RESOURCE, pattern) if decision.resource != "*"]
        if named:
            actions = _listed([decision.action for decision in named])
            resources = _listed([decision.resource for decision in named])
            words = f"{carrier(grant)}: {actions} on {pattern} was never needed beyond {resources}"
            yield Finding("any resource", grant.kind, grant.stack, grant.owner, actions, pattern, "", words)


def _names_nothing(pattern: str) -> bool:
    """Is there a wildcard before an ARN's account ends, or where its name begins?"""
    fixed = re.split(r"[*?]", pattern, maxsplit=1)[0]
    if fixed == pattern:
        return False
    parts = fixed.split(":", 5)
    if len(parts) < _ARN_PARTS:
        return True
    service, name = parts[2], parts[-1]
    is_type = service != "s3" and _TYPE.fullmatch(name) is not None and name not in _NAMED_BY_AWS
    return not name or is_type


def _needing(used: Usage, part: str, text: str) -> tuple[Recorded, ...]:
    """The decisions that need one piece; those that need the statement, when it lists nothing else of the kind."""
    return next((needed for piece, needed in used.pieces if (piece.part, piece.text) == (part, text)), used.needed)


def _actions(grant: Grant) -> list[str]:
    document = grant.document
    return as_list(document["Action"]) if "Action" in document else [f"all but {each}" for each in as_list(document["NotAction"])]


def _resources(grant: Grant) -> list[str]:
    document = grant.document
    if "NotResource" in document:
        return [f"all but {each}" for each in as_list(document["NotResource"])]
    return as_list(document["Resource"]) if "Resource" in document else [key.holder for key in grant.keys]


def _listed(texts: Sequence[str], most: int = LISTED) -> str:
    different = list(dict.fromkeys(texts))
    more = len(different) - most
    return ", ".join(different[:most]) + (f" and {more} more" if more > 0 else "")
