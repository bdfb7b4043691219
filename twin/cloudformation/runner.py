"""Runs one operation on one stack to its end, through the states that CloudFormation documents.

Resources are made one by one, dependencies first. A replacement is made before the old one goes; what is no longer wanted goes in the
clean-up, after everything else worked. A failed create deletes what it made. A failed update brings every resource back to its previous
properties, then deletes what the update had added.
docs: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html (status codes),
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-update-behaviors.html
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from graphlib import TopologicalSorter
from typing import Any, NoReturn

from botocore.exceptions import ClientError

from twin.cloudformation.errors import CloudFormationError
from twin.cloudformation.intrinsics import Scope
from twin.cloudformation.journal import Journal
from twin.cloudformation.resources import Account, Call, Created, HandlerError, handler_of
from twin.cloudformation.scopes import active, is_unchanged, know, outputs_of, scope_of
from twin.cloudformation.stack import Desired, Made, Stack, kept
from twin.cloudformation.template import Resource

log = logging.getLogger(__name__)

CheckExports = Callable[[Stack, Mapping[str, str]], None]


class ResourceFailedError(Exception):
    """A resource could not be made or changed; the message names it."""


@dataclass
class Runner:
    """One operation. `check_exports` refuses exports that another stack has, or the removal of one that another stack uses."""

    stack: Stack
    account: Account
    journal: Journal
    imports: Callable[[str], str]
    check_exports: CheckExports
    _attempted: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def create(self) -> None:
        """CREATE_COMPLETE, or what OnFailure says: ROLLBACK_COMPLETE, CREATE_FAILED, or deleted."""
        stack = self.stack
        try:
            scope = self._scope(stack.desired)
            for resource in active(stack.desired, scope):
                self._make(resource, scope)
            self._conclude(stack.desired, scope)
        except (ResourceFailedError, CloudFormationError) as error:
            self._undo_create(str(error))
        else:
            self.journal.stack(stack, "CREATE_COMPLETE")

    def update(self, desired: Desired) -> None:
        """UPDATE_COMPLETE, or UPDATE_ROLLBACK_COMPLETE with everything as it was; UPDATE_ROLLBACK_FAILED when even that failed."""
        stack, before, old = self.stack, self.stack.desired, dict(self.stack.made)
        stack.desired = desired
        try:
            scope = self._scope(desired)
            wanted = active(desired, scope)
            for made in old.values():
                know(scope, made)
            for resource in wanted:
                self._change(resource, scope)
            names = {resource.logical_id for resource in wanted}
            self._conclude(desired, scope)
            stack.made = {key: made for key, made in stack.made.items() if key in names}
        except (ResourceFailedError, CloudFormationError) as error:
            self._undo_update(before, old, str(error))
            return
        self.journal.stack(stack, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
        # What cannot be removed is left behind, with its event; the update has succeeded (docs: update behaviours).
        self._remove(_differing(old, stack.made), replaced_by=stack.made)
        self.journal.stack(stack, "UPDATE_COMPLETE")

    def delete(self, retained: Iterable[str] = ()) -> None:
        """DELETE_COMPLETE, or DELETE_FAILED with the resources that could not be deleted."""
        stack = self.stack
        keep = set(retained)
        failed = self._remove([made for made in stack.made.values() if made.logical_id not in keep], forget=True)
        if failed:
            self.journal.stack(stack, "DELETE_FAILED", f"The following resource(s) failed to delete: [{', '.join(failed)}].")
            return
        stack.made.clear()
        stack.exports.clear()
        stack.imported.clear()
        self.journal.stack(stack, "DELETE_COMPLETE")

    def _scope(self, desired: Desired) -> Scope:
        return scope_of(desired, self.stack.name, self.stack.stack_id, self.account, self.imports)

    def _conclude(self, desired: Desired, scope: Scope) -> None:
        outputs, exports = outputs_of(desired, scope)
        self.check_exports(self.stack, exports)
        self.stack.outputs, self.stack.exports, self.stack.imported = outputs, exports, set(scope.imported)

    # One resource

    def _make(self, resource: Resource, scope: Scope, *, verb: str = "CREATE") -> Made:
        properties = self._resolve(resource, scope, f"{verb}_FAILED")
        self.journal.resource(self.stack, resource.logical_id, resource.type, f"{verb}_IN_PROGRESS", properties=properties)
        begun: list[str] = []
        call = self._call(resource.logical_id, properties, begun.append)
        try:
            created = resource.handler.create(call)
        except Exception as error:  # noqa: BLE001 - whatever breaks is the resource's failure: recorded, and the stack is rolled back
            if begun:
                self.stack.made[resource.logical_id] = _made(resource, properties, Created(begun[-1]))
            self._fail(resource.logical_id, resource.type, f"{verb}_FAILED", error, begun[-1] if begun else "")
        made = _made(resource, properties, created)
        self.stack.made[resource.logical_id] = made
        know(scope, made)
        self.journal.resource(
            self.stack, resource.logical_id, resource.type, f"{verb}_COMPLETE", physical_id=made.physical_id, properties=properties
        )
        return made

    def _change(self, resource: Resource, scope: Scope) -> None:
        old = self.stack.made.get(resource.logical_id)
        if old is None:
            self._make(resource, scope)
            return
        properties = self._resolve(resource, scope, "UPDATE_FAILED")
        if old.properties == properties:
            self.stack.made[resource.logical_id] = old if is_unchanged(old, resource, properties) else kept(old, resource)
            return
        changed = {key for key in old.properties.keys() | properties.keys() if old.properties.get(key) != properties.get(key)}
        if changed & resource.handler.replacement:
            self._refuse_same_name(resource, old, properties)
            self.journal.resource(
                self.stack,
                resource.logical_id,
                resource.type,
                "UPDATE_IN_PROGRESS",
                physical_id=old.physical_id,
                reason="Requested update requires the creation of a new physical resource; hence creating one.",
            )
            self._make(resource, scope, verb="UPDATE")
            return
        attributes = self._update(resource.logical_id, resource.type, old.physical_id, properties, old.properties)
        made = _made(resource, properties, Created(old.physical_id, attributes))
        self.stack.made[resource.logical_id] = made
        know(scope, made)

    def _update(
        self, logical_id: str, kind: str, physical_id: str, properties: Mapping[str, Any], before: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        self._attempted[logical_id] = properties
        self.journal.resource(self.stack, logical_id, kind, "UPDATE_IN_PROGRESS", physical_id=physical_id, properties=properties)
        try:
            attributes = handler_of(kind).update(self._call(logical_id, properties), physical_id, before)
        except Exception as error:  # noqa: BLE001 - whatever breaks is the resource's failure: recorded, and the stack is rolled back
            self._fail(logical_id, kind, "UPDATE_FAILED", error, physical_id)
        self.journal.resource(self.stack, logical_id, kind, "UPDATE_COMPLETE", physical_id=physical_id, properties=properties)
        return attributes

    def _resolve(self, resource: Resource, scope: Scope, failed: str) -> Mapping[str, Any]:
        try:
            properties: Mapping[str, Any] = scope.resolve(resource.properties)
        except CloudFormationError as error:
            self._fail(resource.logical_id, resource.type, failed, error, "")
        return properties

    def _refuse_same_name(self, resource: Resource, old: Made, properties: Mapping[str, Any]) -> None:
        name = resource.handler.name_property
        if name is not None and name in properties and old.properties.get(name) == properties[name]:
            error = HandlerError(
                "CloudFormation cannot update a stack when a custom-named resource requires replacing. "
                f"Rename {properties[name]} and update the stack again."
            )
            self._fail(resource.logical_id, resource.type, "UPDATE_FAILED", error, old.physical_id)

    def _fail(self, logical_id: str, kind: str, status: str, error: Exception, physical_id: str) -> NoReturn:
        reason = _reason(error)
        if not isinstance(error, ClientError | HandlerError | CloudFormationError):
            log.error("%s of %s broke", logical_id, self.stack.name, exc_info=error)
        self.journal.resource(self.stack, logical_id, kind, status, physical_id=physical_id, reason=reason)
        raise ResourceFailedError(logical_id) from error

    def _call(self, logical_id: str, properties: Mapping[str, Any], begun: Callable[[str], None] = lambda _: None) -> Call:
        stack = self.stack
        return Call(self.account, stack.name, stack.stack_id, logical_id, properties, lambda: stack.new_name(logical_id), begun)

    # Several resources

    def _remove(self, doomed: Iterable[Made], *, replaced_by: Mapping[str, Made] | None = None, forget: bool = False) -> list[str]:
        """Delete, dependents first; the logical ids that failed. `forget` takes what is gone off the stack."""
        failed = []
        for made in _dependents_first(doomed):
            policy = made.replace_policy if replaced_by is not None and made.logical_id in replaced_by else made.deletion_policy
            if self._delete(made, policy):
                if forget:
                    self.stack.made.pop(made.logical_id, None)
            else:
                failed.append(made.logical_id)
        return failed

    def _delete(self, made: Made, policy: str) -> bool:
        note = partial(self.journal.resource, self.stack, made.logical_id, made.type, physical_id=made.physical_id)
        if policy != "Delete":
            note("DELETE_SKIPPED")
            return True
        note("DELETE_IN_PROGRESS")
        try:
            handler_of(made.type).delete(self._call(made.logical_id, made.properties), made.physical_id)
        except Exception as error:
            log.warning("%s of %s was not deleted", made.logical_id, self.stack.name, exc_info=error)
            note("DELETE_FAILED", reason=_reason(error))
            return False
        note("DELETE_COMPLETE")
        return True

    def _undo_create(self, failed: str) -> None:
        stack = self.stack
        if self.account.stopping.is_set():
            return  # the account ends with the twin
        reason = f"The following resource(s) failed to create: [{failed}]. " if failed in stack.desired.template.resources else failed + " "
        if stack.on_failure == "DO_NOTHING":
            self.journal.stack(stack, "CREATE_FAILED", reason.strip())
            return
        deletes = stack.on_failure == "DELETE"
        self.journal.stack(stack, "DELETE_IN_PROGRESS" if deletes else "ROLLBACK_IN_PROGRESS", f"{reason}Rollback requested by user.")
        # RetainExceptOnCreate keeps a resource from everything but this.
        doomed = [
            replace(made, deletion_policy="Delete") if made.deletion_policy == "RetainExceptOnCreate" else made
            for made in stack.made.values()
        ]
        lost = self._remove(doomed, forget=True)
        if lost:
            name = "DELETE_FAILED" if deletes else "ROLLBACK_FAILED"
            self.journal.stack(stack, name, f"The following resource(s) failed to delete: [{', '.join(lost)}].")
            return
        self.journal.stack(stack, "DELETE_COMPLETE" if deletes else "ROLLBACK_COMPLETE")

    def _undo_update(self, before: Desired, old: dict[str, Made], failed: str) -> None:
        stack = self.stack
        if self.account.stopping.is_set():
            return  # the account ends with the twin
        known = failed in stack.desired.template.resources
        reason = f"The following resource(s) failed to update: [{failed}]." if known else failed
        self.journal.stack(stack, "UPDATE_ROLLBACK_IN_PROGRESS", reason)
        new = dict(stack.made)
        stack.desired = before
        try:
            for logical_id, made in old.items():
                attempted = self._attempted.pop(logical_id, None)
                if attempted is not None:
                    self._update(logical_id, made.type, made.physical_id, made.properties, attempted)
        except ResourceFailedError as error:
            self.journal.stack(stack, "UPDATE_ROLLBACK_FAILED", f"The following resource(s) failed to update: [{error}].")
            return
        stack.made = old
        self.journal.stack(stack, "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
        added = [replace(made, deletion_policy="Delete", replace_policy="Delete") for made in _differing(new, old)]
        self._remove(added)
        for made in old.values():
            if made.logical_id in new and new[made.logical_id].physical_id != made.physical_id:
                self.journal.resource(stack, made.logical_id, made.type, "UPDATE_COMPLETE", physical_id=made.physical_id)
        self.journal.stack(stack, "UPDATE_ROLLBACK_COMPLETE")


def _made(resource: Resource, properties: Mapping[str, Any], created: Created) -> Made:
    return Made(
        logical_id=resource.logical_id,
        type=resource.type,
        physical_id=created.physical_id,
        properties=properties,
        attributes=created.attributes,
        deletion_policy=resource.deletion_policy,
        replace_policy=resource.replace_policy,
        metadata=resource.metadata,
        needs=resource.needs,
    )


def _differing(these: Mapping[str, Made], those: Mapping[str, Made]) -> list[Made]:
    """What is in `these` and, as the same physical resource, not in `those`."""
    return [made for key, made in these.items() if key not in those or those[key].physical_id != made.physical_id]


def _dependents_first(several: Iterable[Made]) -> list[Made]:
    by_id = {made.logical_id: made for made in several}
    graph: TopologicalSorter[str] = TopologicalSorter({key: sorted(made.needs & by_id.keys()) for key, made in by_id.items()})
    return [by_id[key] for key in reversed(tuple(graph.static_order()))]


def _reason(error: Exception) -> str:
    if isinstance(error, ClientError):
        code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
        return f'Resource handler returned message: "{message}" (Service: {error.operation_name}, Error Code: {code})'
    if isinstance(error, HandlerError | CloudFormationError):
        return str(error)
    return f"Internal failure of the twin: {error!r}"
