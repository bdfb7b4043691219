"""The stacks of the account: accepts operations, refuses what CloudFormation would, and runs each in a thread of its own.

Every request is checked completely (template, parameters, rules, capabilities, imports, state of the stack) before anything is made.
An operation on a stack that is busy is refused. Stacks live in memory, as the account does.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from twin.cloud import Cloud, Credentials
from twin.cloudformation import parameters
from twin.cloudformation.errors import AlreadyExistsException, NoUpdatesError, ValidationError
from twin.cloudformation.intrinsics import Scope
from twin.cloudformation.journal import Journal
from twin.cloudformation.requests import check_capabilities, check_types, on_failure_of, tags_of, template_body
from twin.cloudformation.resources import Account
from twin.cloudformation.runner import Runner
from twin.cloudformation.scopes import changes_nothing, know, scope_of
from twin.cloudformation.stack import Desired, Stack
from twin.cloudformation.template import Template, parse

log = logging.getLogger(__name__)

SERVICE = "cloudformation.amazonaws.com"
REVIEW = "REVIEW_IN_PROGRESS"
UPDATABLE = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"})


class Engine:
    """All stacks. Its public methods are the operations; `caller` are the credentials that an operation without a role runs under."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._lock = threading.RLock()
        self._stacks: dict[str, Stack] = {}
        self._journal = Journal(cloud, self._lock)
        self._threads: list[threading.Thread] = []
        self._stopping = threading.Event()

    def stop(self) -> None:
        """End the operations under way, as they are."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(timeout=5)

    # Operations

    def create(self, request: Mapping[str, Any], caller: Credentials) -> Stack:
        """CreateStack. The same ClientRequestToken again answers with the stack it made."""
        with self._lock:
            living = self._living(request["StackName"])
            if living is not None:
                if request.get("ClientRequestToken") and living.token == request["ClientRequestToken"]:
                    return living
                raise AlreadyExistsException(f"Stack [{living.name}] already exists")
            stack = self.review(request, caller)
            return self.create_reviewed(stack, request, caller)

    def review(self, request: Mapping[str, Any], caller: Credentials) -> Stack:
        """A checked stack with nothing made of it: REVIEW_IN_PROGRESS, as a change set for a new stack leaves it."""
        with self._lock:
            name = request["StackName"]
            stack_id = f"arn:aws:cloudformation:{self._cloud.region}:{self._cloud.account}:stack/{name}/{self._new_id(name)}"
            desired = self._desired(request, caller, None)
            on_failure = on_failure_of(request)
            self._check(desired, name, stack_id, self._account(request.get("RoleARN"), caller))
            stack = Stack(name, stack_id, self._cloud.clock.now(), desired, request.get("RoleARN"), request.get("Capabilities", ()))
            stack.on_failure = on_failure
            stack.protected = bool(request.get("EnableTerminationProtection"))
            return stack

    def keep(self, stack: Stack) -> None:
        """Remember a reviewed stack, so that change sets for it can be found by its name."""
        with self._lock:
            self._stacks[stack.stack_id] = stack
            self._journal.stack(stack, REVIEW, "User Initiated")

    def create_reviewed(self, stack: Stack, request: Mapping[str, Any], caller: Credentials) -> Stack:
        """Make a reviewed stack."""
        with self._lock:
            self._stacks[stack.stack_id] = stack
            stack.token = request.get("ClientRequestToken")
            runner = self._begin(stack, self._account(request.get("RoleARN"), caller), "CREATE_IN_PROGRESS")
        self._run(stack, runner.create)
        return stack

    def update(self, request: Mapping[str, Any], caller: Credentials) -> Stack:
        """UpdateStack. Refuses an update that changes nothing, as CloudFormation does."""
        with self._lock:
            stack = self.find(request["StackName"])
            token = request.get("ClientRequestToken")
            if token and stack.token == token:
                return stack
            desired, account = self.plan(request, caller)
            return self.apply(stack, desired, account, request)

    def apply(self, stack: Stack, desired: Desired, account: Account, request: Mapping[str, Any]) -> Stack:
        """Begin a planned update."""
        with self._lock:
            stack.role_arn, stack.token = request.get("RoleARN") or stack.role_arn, request.get("ClientRequestToken")
            stack.capabilities = request.get("Capabilities", ())
            stack.updated = self._cloud.clock.now()
            runner = self._begin(stack, account, "UPDATE_IN_PROGRESS")
        self._run(stack, lambda: runner.update(desired))
        return stack

    def plan(self, request: Mapping[str, Any], caller: Credentials) -> tuple[Desired, Account]:
        """What an update asks for, completely checked, and what it runs under."""
        stack = self.find(request["StackName"])
        self.check_updatable(stack)
        desired = self._desired(request, caller, stack)
        check_types(stack, desired.template)
        account = self._account(request.get("RoleARN") or stack.role_arn, caller)
        if self._check(desired, stack.name, stack.stack_id, account, stack):
            raise NoUpdatesError
        return desired, account

    def delete(self, request: Mapping[str, Any], caller: Credentials) -> None:
        """DeleteStack. A stack that is gone already is deleted already."""
        with self._lock:
            stack = self._living(request["StackName"])
            if stack is None:
                return
            if stack.protected:
                raise ValidationError(f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled")
            if stack.is_busy:
                if stack.status.name == "DELETE_IN_PROGRESS":
                    return
                raise ValidationError(f"Stack:{stack.stack_id} is in {stack.status.name} state and can not be deleted.")
            stack.token = request.get("ClientRequestToken")
            account = self._account(request.get("RoleARN") or stack.role_arn, caller)
            runner = self._begin(stack, account, "DELETE_IN_PROGRESS")
        self._run(stack, lambda: self._delete(stack, runner, request.get("RetainResources", ())))

    def protect(self, name: str, *, protected: bool) -> Stack:
        """UpdateTerminationProtection."""
        with self._lock:
            stack = self.find(name)
            stack.protected = protected
            return stack

    # Looking

    def find(self, name: str) -> Stack:
        """A living stack by name or id, or a deleted one by id. Raises ValidationError when there is none."""
        with self._lock:
            stack = self._stacks.get(name) or self._living(name)
            if stack is None:
                raise ValidationError(f"Stack with id {name} does not exist")
            return stack

    def stacks(self) -> list[Stack]:
        """All stacks, deleted ones too, the newest first."""
        with self._lock:
            return list(reversed(self._stacks.values()))

    def exports(self) -> dict[str, tuple[str, Stack]]:
        """Export name -> (value, the stack that exports it)."""
        with self._lock:
            return {name: (value, stack) for stack in self._stacks.values() for name, value in stack.exports.items()}

    def importers(self, name: str) -> list[str]:
        """The stacks that import an export."""
        with self._lock:
            return [stack.name for stack in self._stacks.values() if name in stack.imported and not stack.is_gone]

    def template_of(self, request: Mapping[str, Any], caller: Credentials) -> Template:
        """The template that a request gives or names."""
        stack = self.find(request["StackName"]) if "StackName" in request else None
        return parse(template_body(self._cloud, request, caller, stack)) if stack is None else stack.desired.template

    def wait(self, name: str, timeout: float = 60.0) -> Stack:
        """Wait, in real seconds, until no operation is under way on a stack; for tests and for the server's end."""
        stack = self.find(name)
        for thread in [thread for thread in self._threads if thread.name == stack.stack_id]:
            thread.join(timeout)
        return stack

    # Inside

    def check_updatable(self, stack: Stack) -> None:
        """Refuse an update of a stack that is busy, was never made, or is broken."""
        if stack.status.name not in UPDATABLE:
            raise ValidationError(f"Stack:{stack.stack_id} is in {stack.status.name} state and can not be updated.")

    def account_of(self, request: Mapping[str, Any], caller: Credentials) -> Account:
        """The account as the request's role sees it, or its caller."""
        return self._account(request.get("RoleARN"), caller)

    def scope(self, desired: Desired, stack: Stack, account: Account) -> Scope:
        """What references resolve to before an update: everything that is made already."""
        scope = scope_of(desired, stack.name, stack.stack_id, account, self._import)
        for made in stack.made.values():
            know(scope, made)
        return scope

    def _desired(self, request: Mapping[str, Any], caller: Credentials, stack: Stack | None) -> Desired:
        template = parse(template_body(self._cloud, request, caller, stack))
        check_capabilities(template, request.get("Capabilities", ()))
        previous = None if stack is None else stack.desired
        values = parameters.given(template.parameters, request.get("Parameters", ()), previous.values if previous else None)
        return Desired(template, values, previous.tags if previous and "Tags" not in request else tags_of(request))

    def _living(self, name: str) -> Stack | None:
        return next((stack for stack in self._stacks.values() if name in {stack.name, stack.stack_id} and not stack.is_gone), None)

    def _new_id(self, name: str) -> str:
        earlier = sum(stack.name == name for stack in self._stacks.values())
        return str(uuid5(NAMESPACE_URL, f"{self._cloud.account} {self._cloud.region} {name} {earlier}"))

    def _check(self, desired: Desired, name: str, stack_id: str, account: Account, stack: Stack | None = None) -> bool:
        """Everything that can be known before the start; whether the stack is already as desired."""
        scope = scope_of(desired, name, stack_id, account, self._import)
        for condition in desired.template.conditions:
            scope.holds(condition)
        for imported in desired.template.imports():
            scope.resolve(imported)
        return stack is not None and _is_settled(stack, desired, scope)

    def _import(self, name: str) -> str:
        exports = self.exports()
        if name not in exports:
            raise ValidationError(f"No export named {name} found.")
        return exports[name][0]

    def _check_exports(self, stack: Stack, exports: Mapping[str, str]) -> None:
        for name, (_, owner) in self.exports().items():
            if name in exports and owner is not stack:
                raise ValidationError(f"Export with name {name} is already exported by stack {owner.name}.")
        for name, value in stack.exports.items():
            users = self.importers(name)
            if users and exports.get(name) != value:
                verb = "updated" if name in exports else "deleted"
                raise ValidationError(f"Export {name} cannot be {verb} as it is in use by {', '.join(users)}.")

    def _delete(self, stack: Stack, runner: Runner, retained: Sequence[str]) -> None:
        try:
            self._check_exports(stack, {})
        except ValidationError as error:
            self._journal.stack(stack, "DELETE_FAILED", str(error))
            return
        runner.delete(retained)

    def _account(self, role_arn: str | None, caller: Credentials) -> Account:
        credentials = caller
        if role_arn:
            try:
                credentials = self._cloud.assume(role_arn, SERVICE, "AWSCloudFormation")
            except Exception as error:
                if isinstance(error, RuntimeError):
                    raise
                raise ValidationError(f"Role {role_arn} is invalid or cannot be assumed: {error}") from error
        return Account(self._cloud, credentials, self._stopping)

    def _begin(self, stack: Stack, account: Account, status: str) -> Runner:
        self._journal.stack(stack, status, "User Initiated")
        return Runner(stack, account, self._journal, self._import, self._check_exports)

    def _run(self, stack: Stack, operation: Callable[[], None]) -> None:
        thread = threading.Thread(target=_guarded, args=(stack, operation), name=stack.stack_id, daemon=True)
        self._threads = [*filter(threading.Thread.is_alive, self._threads), thread]
        thread.start()


def _is_settled(stack: Stack, desired: Desired, scope: Scope) -> bool:
    try:
        return changes_nothing(stack, desired, scope)
    except ValidationError:
        return False  # something new is referred to, so something changes


def _guarded(stack: Stack, operation: Callable[[], None]) -> None:
    try:
        operation()
    except Exception:
        log.exception("the operation on %s broke inside the twin and is left as it is", stack.name)
        raise
