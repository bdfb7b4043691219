"""The proof's result: for people a table and the findings, for machines the same as JSON.

Keys of the JSON: ok, failed (why the story did not come to its end), steps [{name, what, seconds}], statements [{id, stack, owner, kind,
statement, used_by, breaks}], by_use [ids of needed statements that were not withheld], replaced [settings in words], findings [{problem,
stack, owner, action, resource, step, words, next}], mutated (were statements withheld?), seconds.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cli.output import Output, Phase

if TYPE_CHECKING:
    from twin.iam.findings import Finding
    from twin.iam.usage import Grant, Usage

WIDEST = 110
"""Characters of a cell."""
DENIED = "denied"
LISTED = 3
"""Steps of a cell."""
UNBROKEN = "nothing broke"
NOT_WITHHELD = "proven by use, not withheld"
BETWEEN = "what steps build on"

_FILES = (
    (r"DeploymentRole", "stacks/constructs/deployment_role.py"),
    (r"Roles", "stacks/constructs/job_roles.py"),
    (r"Key", "stacks/constructs/key.py"),
    (r"Alerts", "stacks/constructs/alerts.py"),
    (r"(AccessLogs|Data|Artifacts)Policy", "stacks/constructs/bucket.py"),
    (r".*TickRole|DeadLetters|.*AllowEventRule", "stacks/constructs/triggers.py"),
    (r"Role[0-9A-F]{8}$", "stacks/github.py"),
    (r".*Role", "stacks/constructs/function_policies.py"),
    (r".*Invoke|.*Api", "stacks/constructs/http_api.py"),
)
"""Where the statements of a resource are written, by the beginning of its logical id."""
_VERBS = {DENIED: "allow it in", "never needed": "take it out of", "wildcard": "name these in", "any resource": "name these in"}


@dataclass(frozen=True)
class Broken:
    """What became of a step without a statement: `how` it failed; empty when it did not."""

    step: str
    how: str


@dataclass
class Proof:
    """What the command collects. `broken`: by the ids of the statements that were withheld; None when none was to be."""

    steps: list[tuple[Phase, str]] = field(default_factory=list)
    usages: "Sequence[Usage]" = ()
    findings: "Sequence[Finding]" = ()
    broken: Mapping[str, Broken] | None = None
    failed: str = ""
    """Why the story did not come to its end. What later steps need is not known then, so only denied calls are findings."""
    seconds: float = 0.0
    replaced: Sequence[str] = ()
    """Settings of the project that the proof has other values of: what only they bring along is not proven."""

    @property
    def unbroken(self) -> "list[tuple[Grant, Broken]]":
        """The statements without which their step went as well."""
        broken = self.broken or {}
        return [(each.grant, broken[each.grant.id]) for each in self.usages if each.grant.id in broken and not broken[each.grant.id].how]

    @property
    def by_use(self) -> "list[Grant]":
        """The statements that are needed where none is withheld: by the deployment, or by what steps build on."""
        return [each.grant for each in self.usages if each.needed and self.broken is not None and each.grant.id not in self.broken]

    @property
    def ok(self) -> bool:
        """Was every call allowed, every statement needed, and every one missed that was withheld? Those of `by_use` are not."""
        return not self.failed and not self.findings and not self.unbroken

    def sentences(self) -> list[str]:
        """Every finding, with the next step."""
        found = [f"{each.words}. Next: {next_step(each.problem, each.owner)}" for each in self.findings]
        return [self.failed] * bool(self.failed) + found + [_unbroken(grant, broken) for grant, broken in self.unbroken]

    def document(self) -> dict[str, Any]:
        """For machines."""
        return {
            "ok": self.ok,
            "failed": self.failed or None,
            "seconds": self.seconds,
            "mutated": self.broken is not None,
            "steps": [{"name": phase.name, "what": what, "seconds": phase.seconds} for phase, what in self.steps],
            "statements": [self._statement(each) for each in self.usages],
            "by_use": [grant.id for grant in self.by_use],
            "replaced": list(self.replaced),
            "findings": [_finding(each) for each in self.findings] + [_not_missed(*each) for each in self.unbroken],
        }

    def _statement(self, used: "Usage") -> dict[str, Any]:
        grant = used.grant
        broken = (self.broken or {}).get(grant.id)
        return {
            "id": grant.id,
            "stack": grant.stack,
            "owner": grant.owner,
            "kind": grant.kind,
            "statement": grant.document,
            "used_by": used.steps,
            "breaks": {"step": broken.step, "how": broken.how} if broken else None,
        }


def next_step(problem: str, owner: str) -> str:
    """What to do about a finding."""
    found = next((path for pattern, path in _FILES if re.match(pattern, owner)), None)
    return f"{_VERBS[problem]} {found or f'the policy of {owner}'}"


def show_proof(output: Output, proof: Proof) -> None:
    """For people."""
    from twin.iam.findings import statement_in_words  # noqa: PLC0415 - the twin is loaded only where it is used

    if not proof.failed:
        _show_table(output, proof, statement_in_words)
    for sentence in proof.sentences():
        output.say(sentence, "red")
    for words in proof.replaced:
        output.say(f"proven with {words}: statements that only the project's own value brings along are not proven", "yellow")
    if not proof.failed:
        needed = sum(bool(each.needed) for each in proof.usages)
        findings = len(proof.findings) + len(proof.unbroken)
        counts = f"{len(proof.usages)} statements, {needed} needed{_withheld_in_words(proof)}"
        output.say(f"{counts}; {findings} findings; {proof.seconds:.0f} s", "bold")


def _withheld_in_words(proof: Proof) -> str:
    if proof.broken is None:
        return ", none withheld"
    missed = len(proof.broken) - len(proof.unbroken)
    return f", {missed} missed when withheld, {len(proof.by_use)} needed by the deployment: proven by use, not withheld"


def _show_table(output: Output, proof: Proof, in_words: "Callable[[Grant], str]") -> None:
    rows = []
    for each in proof.usages:
        grant = each.grant
        broken = (proof.broken or {}).get(grant.id)
        without = f"{broken.step}: {broken.how or UNBROKEN}" if broken else NOT_WITHHELD * bool(each.needed)
        used = _listed(each.steps) or (BETWEEN if each.needed else "nothing")
        rows.append((_carrier(grant), _short(in_words(grant)), used, _cut(without)))
    columns = ("role", "statement", "used by", "what breaks without it")
    shown = len(columns) if proof.broken is not None else len(columns) - 1
    output.table(columns[:shown], [row[:shown] for row in rows])
    output.say()


def _unbroken(grant: "Grant", broken: Broken) -> str:
    from twin.iam.findings import carrier, statement_in_words  # noqa: PLC0415 - the twin is loaded only where it is used

    advice = next_step("never needed", grant.owner)
    return (
        f"{carrier(grant)}: {statement_in_words(grant)} was withheld, and step {broken.step} went as well. "
        f"Next: give the step an outcome that needs it, or {advice}"
    )


def _finding(finding: "Finding") -> dict[str, Any]:
    names = ("problem", "stack", "owner", "action", "resource", "step", "words")
    return {name: getattr(finding, name) for name in names} | {"next": next_step(finding.problem, finding.owner)}


def _not_missed(grant: "Grant", broken: Broken) -> dict[str, Any]:
    words, _, advice = _unbroken(grant, broken).partition(". Next: ")
    return {"problem": "not missed", "stack": grant.stack, "owner": grant.owner, "step": broken.step, "words": words, "next": advice}


def _carrier(grant: "Grant") -> str:
    name = re.sub(r"[0-9A-F]{8}$", "", grant.owner)
    return name if grant.kind == "identity" else f"{name} ({grant.kind})"


def _listed(steps: Sequence[str]) -> str:
    more = len(steps) - LISTED
    return ", ".join(steps[:LISTED]) + (f" and {more} more" if more > 0 else "")


def _short(text: str) -> str:
    """Without what ARNs repeat, and what CloudFormation makes up."""
    return _cut(re.sub(r"-[0-9A-Fa-f]{12}\b", "", re.sub(r"arn:aws:([a-z0-9-]+):[a-z0-9-]*:[0-9]*:", r"\1:", text)))


def _cut(text: str) -> str:
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 3]}..."
