"""May this caller do this? The identity's policies, their limits, the resource's policy, and KMS behind other services.

docs: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-basics-req-context.html,
https://docs.aws.amazon.com/kms/latest/developerguide/key-policies.html (a key's policy must name the caller, or hand the decision to IAM
by naming the
account).
Resource policies that count for callers: of buckets, keys, queues and topics. What services need of keys is in twin.iam.encryption.
"""

import json
from collections.abc import Iterable
from typing import Any

from moto.kms.models import kms_backends
from moto.s3.models import s3_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends

from twin.cloud import Cloud
from twin.iam.actions import Need, Place
from twin.iam.calls import Call
from twin.iam.encryption import behind
from twin.iam.errors import AccessDenied
from twin.iam.identity import PARTITION, Caller, Directory
from twin.iam.policy import Decision, Principal, Request, Statement, evaluate, parse
from twin.iam.record import Decisions
from twin.iam.special import needs
from twin.iam.trust import trusts


class Authoriser:
    """Decides, and writes every decision down. Calls of the account's root are allowed and not written down."""

    def __init__(self, cloud: Cloud, directory: Directory, decisions: Decisions) -> None:
        self._cloud = cloud
        self._place = Place(cloud.account, cloud.region)
        self._directory = directory
        self._decisions = decisions

    def check(self, caller: Caller, call: Call) -> None:
        """Raises AccessDenied unless the caller may make this call."""
        if call.service == "sts" and call.operation == "AssumeRole":
            return self._assume_role(caller, call)
        if caller.is_root:
            return None
        for need in self._all(call):
            self.require(caller, need, call.name)
        return None

    def require(self, caller: Caller, need: Need, operation: str) -> None:
        """Raises AccessDenied unless the caller may do one thing."""
        if caller.is_root:
            return
        decision, by_resource = self.decide(caller, need)
        name = decision.statement.name if decision.statement else None
        self._decisions.add(self._cloud.clock.now(), caller.name_in_policies, operation, need.action, need.resource, decision.allowed, name)
        if not decision.allowed:
            kind = "a resource-based policy" if by_resource else "an identity-based policy"
            silence = f"because no identity-based policy allows the {need.action} action"
            reason = f"with an explicit deny in {kind}" if decision.is_explicit_deny else silence
            raise AccessDenied(f"User: {caller.arn} is not authorized to perform: {need.action} on resource: {need.resource} {reason}")

    def decide(self, caller: Caller, need: Need) -> tuple[Decision, bool]:
        """(decision, whether a resource policy made it)."""
        context = {**self._context(caller), **need.context}
        request = Request(caller.principal, need.action, need.resource, context)
        on_resource = self._resource_policy(need)
        identity = evaluate(self._directory.identity_statements(caller), request)
        if identity.is_explicit_deny:
            return identity, False
        # What a policy grants to the account is not yet granted to its roles.
        itself = Principal("AWS", frozenset({caller.arn, caller.name_in_policies}))
        resource = evaluate(on_resource, request)
        if resource.is_explicit_deny:
            return resource, True
        direct = evaluate(on_resource, Request(itself, need.action, need.resource, context))
        if direct.allowed:
            return direct, True
        if need.action.startswith("kms:") and not resource.allowed and need.resource != "*":
            return Decision(False), False
        for limit in self._directory.limits(caller):
            limited = evaluate(limit, request)
            if not limited.allowed:
                return limited, False
        return identity, False

    def _all(self, call: Call) -> Iterable[Need]:
        found = needs(call, self._place)
        yield from found
        yield from behind(call, found, self._place)

    def _assume_role(self, caller: Caller, call: Call) -> None:
        arn = str(call.parameters.get("RoleArn", ""))
        role = self._directory.role(arn)
        context = self._context(caller) | {"sts:rolesessionname": str(call.parameters.get("RoleSessionName", ""))}
        if external := call.parameters.get("ExternalId"):
            context["sts:externalid"] = external
        denied = AccessDenied(f"User: {caller.arn} is not authorized to perform: sts:AssumeRole on resource: {arn}")
        if role is None:
            raise denied
        itself = Principal("AWS", frozenset({caller.arn, caller.name_in_policies}))
        if not trusts(role.assume_role_policy_document, itself, context).allowed:
            if not trusts(role.assume_role_policy_document, caller.principal, context).allowed:
                raise denied
            self.require(caller, Need("sts:AssumeRole", arn), call.name)

    def _context(self, caller: Caller) -> dict[str, str]:
        return {
            "aws:principalarn": caller.name_in_policies,
            "aws:principalaccount": caller.account,
            "aws:principaltype": "AssumedRole" if caller.role is not None else "User",
            "aws:userid": caller.user_id,
            "aws:securetransport": "true",
            "aws:currenttime": self._cloud.clock.now().isoformat(),
            "aws:requestedregion": self._cloud.region,
            "aws:resourceaccount": self._cloud.account,
            "aws:sourceip": "127.0.0.1",
            "aws:principalisawsservice": "false",
            "aws:viaawsservice": "false",
        } | ({"aws:username": caller.user.name} if caller.user is not None else {})

    def _resource_policy(self, need: Need) -> tuple[Statement, ...]:
        service, _, rest = need.resource.removeprefix("arn:aws:").partition(":")
        name = rest.rpartition(":")[2]
        account, region = self._cloud.account, self._cloud.region
        policy: Any = None
        match service:
            case "s3":
                bucket = s3_backends[account][PARTITION].buckets.get(name.partition("/")[0])
                policy = bucket.policy if bucket is not None else None
            case "kms":
                key = kms_backends[account][region].keys.get(name.rpartition("/")[2])
                policy = key.policy if key is not None else None
            case "sqs":
                queue = sqs_backends[account][region].queues.get(name)
                policy = queue.policy if queue is not None else None
            case "sns":
                topic = sns_backends[account][region].topics.get(need.resource)
                policy = topic.policy if topic is not None else None
        if not policy:
            return ()
        text = policy.decode() if isinstance(policy, bytes) else policy if isinstance(policy, str) else json.dumps(policy)
        return parse(text, f"policy of {need.resource}")
