"""Change sets: what the CDK and AWS command lines deploy with.

docs: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-changesets.html
A change set is checked and worked out when it is created, at once; executing it does exactly that, whatever became of the template since.
Whether a change replaces a resource is read from the properties that differ; what follows from it elsewhere is not shown (modelled).
Imports of existing resources and nested stacks are refused.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from twin.cloud import Credentials
from twin.cloudformation.engine import REVIEW, Engine
from twin.cloudformation.errors import (
    AlreadyExistsException,
    ChangeSetNotFoundException,
    InvalidChangeSetStatusException,
    NoUpdatesError,
    ValidationError,
)
from twin.cloudformation.intrinsics import Scope
from twin.cloudformation.parameters import shown
from twin.cloudformation.scopes import active, is_unchanged
from twin.cloudformation.stack import Desired, Made, Stack
from twin.cloudformation.template import Resource

NO_CHANGES = "The submitted information didn't contain changes. Submit different information to create a change set."
KINDS = frozenset({"CREATE", "UPDATE"})
REFUSED = ("ResourcesToImport", "IncludeNestedStacks", "ImportExistingResources")


@dataclass
class ChangeSet:
    """A worked-out change. `begin` starts it, given the request of its execution; None when there is nothing to do."""

    name: str
    arn: str
    stack: Stack
    desired: Desired | None
    request: Mapping[str, Any]
    changes: list[dict[str, Any]]
    created: datetime
    begin: Callable[[Mapping[str, Any]], None] | None

    def described(self) -> dict[str, Any]:
        """As DescribeChangeSet shows it."""
        values = {} if self.desired is None else shown(self.desired.template.parameters, self.desired.values)
        return self.summary() | {
            # moto's serialiser makes AWS's forms of these two.
            "Parameters": values,
            "Changes": self.changes,
            "Capabilities": list(self.request.get("Capabilities", ())),
            "NotificationARNs": [],
            "Tags": list(self.request.get("Tags", ())),
        }

    def summary(self) -> dict[str, Any]:
        """As ListChangeSets shows it."""
        executable = self.begin is not None
        return {
            "ChangeSetName": self.name,
            "ChangeSetId": self.arn,
            "StackName": self.stack.name,
            "StackId": self.stack.stack_id,
            "CreationTime": self.created,
            "Description": self.request.get("Description", ""),
            "Status": "CREATE_COMPLETE" if executable else "FAILED",
            "StatusReason": "" if executable else NO_CHANGES,
            "ExecutionStatus": "AVAILABLE" if executable else "UNAVAILABLE",
        }


class ChangeSets:
    """The change sets of all stacks, by ARN."""

    def __init__(self, engine: Engine, now: Callable[[], datetime]) -> None:
        self._engine = engine
        self._now = now
        self._sets: dict[str, ChangeSet] = {}

    def create(self, request: Mapping[str, Any], caller: Credentials) -> ChangeSet:
        """CreateChangeSet. For a new stack it leaves one in REVIEW_IN_PROGRESS."""
        kind = request.get("ChangeSetType", "UPDATE")
        if kind not in KINDS or any(request.get(key) for key in REFUSED):
            raise ValidationError(f"the twin emulates change sets of the types {sorted(KINDS)}, without {', '.join(REFUSED)}")
        plain = {key: value for key, value in request.items() if key not in {"ChangeSetName", "ChangeSetType", "OnStackFailure", *REFUSED}}
        if "OnStackFailure" in request:
            plain["OnFailure"] = request["OnStackFailure"]
        made = self._for_new_stack(plain, request, caller) if kind == "CREATE" else self._for_update(plain, request, caller)
        if made.arn in self._sets:
            raise AlreadyExistsException(f"ChangeSet {made.name} cannot be created due to a mismatch with existing attribute Name")
        self._sets[made.arn] = made
        return made

    def find(self, request: Mapping[str, Any]) -> ChangeSet:
        """A change set by ARN, or by name and stack."""
        name = request["ChangeSetName"]
        for each in self._sets.values():
            if name == each.arn or (name == each.name and request.get("StackName") in {each.stack.name, each.stack.stack_id}):
                return each
        raise ChangeSetNotFoundException(f"ChangeSet [{name}] does not exist")

    def of_stack(self, name: str) -> list[ChangeSet]:
        """The change sets of a stack, by its name or id."""
        stack = self._engine.find(name)
        return [each for each in self._sets.values() if each.stack is stack]

    def execute(self, request: Mapping[str, Any]) -> None:
        """ExecuteChangeSet. All change sets of the stack go with it, as they no longer say what would happen."""
        chosen = self.find(request)
        if chosen.begin is None:
            raise InvalidChangeSetStatusException(f"ChangeSet [{chosen.arn}] cannot be executed in its current status of [FAILED]")
        chosen.begin(request)
        for each in self.of_stack(chosen.stack.stack_id):
            del self._sets[each.arn]

    def delete(self, request: Mapping[str, Any]) -> None:
        """DeleteChangeSet. One that is gone already is deleted already."""
        try:
            del self._sets[self.find(request).arn]
        except ChangeSetNotFoundException:
            return

    def _for_new_stack(self, plain: Mapping[str, Any], request: Mapping[str, Any], caller: Credentials) -> ChangeSet:
        living = next((stack for stack in self._engine.stacks() if stack.name == request["StackName"] and not stack.is_gone), None)
        if living is not None and living.status.name != REVIEW:
            raise ValidationError(
                f"Stack [{living.name}] already exists and cannot be created again with the changeSet [{request['ChangeSetName']}]"
            )
        stack = self._engine.review(plain, caller)
        if living is None:
            self._engine.keep(stack)
        else:
            living.desired, living.on_failure, stack = stack.desired, stack.on_failure, living
        account = self._engine.account_of(plain, caller)
        added = active(stack.desired, self._engine.scope(stack.desired, stack, account))
        changes = [_change("Add", resource.logical_id, resource.type) for resource in added]

        def begin(executed: Mapping[str, Any]) -> None:
            self._engine.create_reviewed(stack, _with_token(plain, executed), caller)

        return self._change_set(stack, stack.desired, request, changes, begin)

    def _for_update(self, plain: Mapping[str, Any], request: Mapping[str, Any], caller: Credentials) -> ChangeSet:
        stack = self._engine.find(request["StackName"])
        try:
            desired, account = self._engine.plan(plain, caller)
        except NoUpdatesError:
            return self._change_set(stack, None, request, [], None)
        changes = changes_between(stack, desired, self._engine.scope(desired, stack, account))

        def begin(executed: Mapping[str, Any]) -> None:
            self._engine.check_updatable(stack)
            self._engine.apply(stack, desired, account, _with_token(plain, executed))

        return self._change_set(stack, desired, request, changes, begin)

    def _change_set(
        self,
        stack: Stack,
        desired: Desired | None,
        request: Mapping[str, Any],
        changes: list[dict[str, Any]],
        begin: Callable[[Mapping[str, Any]], None] | None,
    ) -> ChangeSet:
        name = request["ChangeSetName"]
        prefix = stack.stack_id.partition(":stack/")[0]
        arn = f"{prefix}:changeSet/{name}/{uuid5(NAMESPACE_URL, f'{stack.stack_id} {name}')}"
        return ChangeSet(name, arn, stack, desired, request, changes, self._now(), begin)


def changes_between(stack: Stack, desired: Desired, scope: Scope) -> list[dict[str, Any]]:
    """What an update would do to every resource, as DescribeChangeSet's ResourceChange."""
    wanted = active(desired, scope)
    changes = []
    for resource in wanted:
        made = stack.made.get(resource.logical_id)
        if made is None:
            changes.append(_change("Add", resource.logical_id, resource.type))
        else:
            changes.extend(_modification(made, resource, scope))
    names = {resource.logical_id for resource in wanted}
    removed = [made for made in stack.made.values() if made.logical_id not in names]
    changes += [_change("Remove", made.logical_id, made.type, made.physical_id) for made in removed]
    return changes


def _modification(made: Made, resource: Resource, scope: Scope) -> list[dict[str, Any]]:
    try:
        properties = scope.resolve(resource.properties)
    except ValidationError:  # refers to something that is not made yet
        return [_change("Modify", made.logical_id, made.type, made.physical_id, "Conditional")]
    if is_unchanged(made, resource, properties):
        return []
    changed = {key for key in made.properties.keys() | properties.keys() if made.properties.get(key) != properties.get(key)}
    replaces = "True" if changed & resource.handler.replacement else "False"
    return [_change("Modify", made.logical_id, made.type, made.physical_id, replaces)]


def _change(action: str, logical_id: str, kind: str, physical_id: str | None = None, replacement: str | None = None) -> dict[str, Any]:
    change: dict[str, Any] = {"Action": action, "LogicalResourceId": logical_id, "ResourceType": kind, "Scope": [], "Details": []}
    return change | ({"PhysicalResourceId": physical_id} if physical_id else {}) | ({"Replacement": replacement} if replacement else {})


def _with_token(plain: Mapping[str, Any], executed: Mapping[str, Any]) -> dict[str, Any]:
    """The request of a change set with the token of its execution."""
    return {**plain, "ClientRequestToken": executed.get("ClientRequestToken")}
