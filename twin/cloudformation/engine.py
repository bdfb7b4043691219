"""The stacks of the account: accepts operations, refuses what CloudFormation would, and runs each in a thread of its own.

Every request is checked completely (template, parameters, rules, capabilities, imports, state of the stack) before anything is made.
An operation on a stack that is busy is refused. Stacks live in memory, as the account does.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote, urlparse
from uuid import NAMESPACE_URL, uuid5

from botocore.exceptions import ClientError

from twin.cloud import Cloud, Credentials
from twin.cloudformation import parameters
from twin.cloudformation.errors import AlreadyExistsException, InsufficientCapabilitiesException, ValidationError
from twin.cloudformation.journal import Journal
from twin.cloudformation.resources import Account
from twin.cloudformation.runner import Runner
from twin.cloudformation.scopes import changes_nothing, scope_of
from twin.cloudformation.stack import Desired, Stack
from twin.cloudformation.template import MAX_BODY, Template, parse

log = logging.getLogger(__name__)

SERVICE = "cloudformation.amazonaws.com"
UPDATABLE = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"})
ON_FAILURE = frozenset({"ROLLBACK", "DO_NOTHING", "DELETE"})


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
        name = request["StackName"]
        with self._lock:
            living = self._living(name)
            if living is not None:
                if request.get("ClientRequestToken") and living.token == request["ClientRequestToken"]:
                    return living
                raise AlreadyExistsException(f"Stack [{name}] already exists")
            stack_id = f"arn:aws:cloudformation:{self._cloud.region}:{self._cloud.account}:stack/{name}/{self._new_id(name)}"
            template = parse(self._template_body(request, caller, None))
            desired = Desired(template, parameters.given(template.parameters, request.get("Parameters", ()), None), _tags(request))
            _check_capabilities(template, request.get("Capabilities", ()))
            account = self._account(request.get("RoleARN"), caller)
            self._check(desired, name, stack_id, account)
            stack = Stack(name, stack_id, self._cloud.clock.now(), desired, request.get("RoleARN"), request.get("Capabilities", ()))
            stack.on_failure = _on_failure(request)
            stack.protected = bool(request.get("EnableTerminationProtection"))
            stack.token = request.get("ClientRequestToken")
            self._stacks[stack_id] = stack
            runner = self._begin(stack, account, "CREATE_IN_PROGRESS")
        self._run(stack, runner.create)
        return stack

    def update(self, request: Mapping[str, Any], caller: Credentials) -> Stack:
        """UpdateStack. Refuses an update that changes nothing, as CloudFormation does."""
        with self._lock:
            stack = self.find(request["StackName"])
            token = request.get("ClientRequestToken")
            if token and stack.token == token:
                return stack
            if stack.status.name not in UPDATABLE:
                raise ValidationError(f"Stack:{stack.stack_id} is in {stack.status.name} state and can not be updated.")
            template = parse(self._template_body(request, caller, stack))
            values = parameters.given(template.parameters, request.get("Parameters", ()), stack.desired.values)
            tags = _tags(request) if "Tags" in request else stack.desired.tags
            desired = Desired(template, values, tags)
            _check_capabilities(template, request.get("Capabilities", ()))
            _check_types(stack, template)
            role = request.get("RoleARN") or stack.role_arn
            account = self._account(role, caller)
            if self._check(desired, stack.name, stack.stack_id, account, stack):
                raise ValidationError("No updates are to be performed.")
            stack.role_arn, stack.token = role, token
            stack.capabilities = request.get("Capabilities", ())
            stack.updated = self._cloud.clock.now()
            runner = self._begin(stack, account, "UPDATE_IN_PROGRESS")
        self._run(stack, lambda: runner.update(desired))
        return stack

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
        return parse(self._template_body(request, caller, stack)) if stack is None else stack.desired.template

    def wait(self, name: str, timeout: float = 60.0) -> Stack:
        """Wait, in real seconds, until no operation is under way on a stack; for tests and for the server's end."""
        stack = self.find(name)
        for thread in [thread for thread in self._threads if thread.name == stack.stack_id]:
            thread.join(timeout)
        return stack

    # Inside

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

    def _template_body(self, request: Mapping[str, Any], caller: Credentials, stack: Stack | None) -> str:
        given = [key for key in ("TemplateBody", "TemplateURL", "UsePreviousTemplate") if request.get(key)]
        if len(given) != 1:
            raise ValidationError(
                "Either Template URL or Template Body must be specified." if not given else f"Give only one of {', '.join(given)}."
            )
        if given[0] == "TemplateBody":
            if len(request["TemplateBody"].encode()) > MAX_BODY:
                raise ValidationError(
                    f"1 validation error detected: Value at 'templateBody' must have length less than or equal to {MAX_BODY}"
                )
            return str(request["TemplateBody"])
        if given[0] == "TemplateURL":
            return self._fetch(request["TemplateURL"], caller)
        if stack is None:
            raise ValidationError("UsePreviousTemplate is for stacks that exist")
        return stack.desired.template.body

    def _fetch(self, url: str, caller: Credentials) -> str:
        bucket, key = _bucket_and_key(url)
        try:
            body: bytes = self._cloud.client("s3", caller).get_object(Bucket=bucket, Key=key)["Body"].read()
        except ClientError as error:
            raise ValidationError(f"S3 error: {error.response['Error']['Message']} ({url})") from error
        return body.decode()


def _is_settled(stack: Stack, desired: Desired, scope: Any) -> bool:
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


def _bucket_and_key(url: str) -> tuple[str, str]:
    parsed = urlparse(url)
    host, path = parsed.hostname or "", unquote(parsed.path.lstrip("/"))
    if ".s3" in host and host.endswith(".amazonaws.com"):
        return host.partition(".s3")[0], path
    bucket, _, key = path.partition("/")
    if not key or not (host.startswith("s3.") or host == "127.0.0.1"):
        raise ValidationError(f"TemplateURL must be a supported URL, and is {url}")
    return bucket, key


def _tags(request: Mapping[str, Any]) -> list[dict[str, str]]:
    return [{"Key": tag["Key"], "Value": tag["Value"]} for tag in request.get("Tags", ())]


def _on_failure(request: Mapping[str, Any]) -> str:
    if request.get("DisableRollback") and request.get("OnFailure"):
        raise ValidationError("You can specify either DisableRollback or OnFailure, but not both.")
    value = str(request.get("OnFailure") or ("DO_NOTHING" if request.get("DisableRollback") else "ROLLBACK"))
    if value not in ON_FAILURE:
        raise ValidationError(f"OnFailure must be one of {sorted(ON_FAILURE)}, and is {value}")
    return value


def _check_capabilities(template: Template, given: Sequence[str]) -> None:
    enough = {"CAPABILITY_NAMED_IAM"} | ({"CAPABILITY_IAM"} if template.capabilities == ("CAPABILITY_IAM",) else set())
    if template.capabilities and not enough & set(given):
        raise InsufficientCapabilitiesException(f"Requires capabilities : [{template.capabilities[0]}]")


def _check_types(stack: Stack, template: Template) -> None:
    moved = [key for key, made in stack.made.items() if key in template.resources and template.resources[key].type != made.type]
    if moved:
        raise ValidationError(
            "Update of resource type is not permitted. The new template modifies resource type of the following resources: "
            f"[{', '.join(sorted(moved))}]"
        )
