"""May this caller do this? The identity's policies, their limits, the resource's policy, and KMS behind other services.

docs: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-basics-req-context.html,
https://docs.aws.amazon.com/kms/latest/developerguide/key-policies.html (a key's policy must name the caller, or hand the decision to IAM
by naming the account). Resource policies that count for callers: of buckets, keys, queues and topics. What services need of keys is in
twin.iam.encryption. Refused by name: managed session policies, session tags and a source identity of who takes a role.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from moto.kms.models import kms_backends
from moto.s3.models import s3_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends

from twin.cloud import Cloud
from twin.iam.actions import Need, Place
from twin.iam.calls import Call, UnmappedCallError
from twin.iam.encryption import behind
from twin.iam.errors import AccessDenied
from twin.iam.identity import PARTITION, Caller, Directory
from twin.iam.policy import Key, Statement, parse
from twin.iam.question import Answer, Question, answer
from twin.iam.record import Decisions
from twin.iam.special import needs

_NOT_KNOWN = ("PolicyArns", "Tags", "TransitiveTagKeys", "SourceIdentity", "ProvidedContexts")
"""Of who takes a role: what would limit the session, or take permissions of its own."""
EVERYTHING = parse('{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}', "the account's root")


class Authoriser:
    """Decides, and writes every decision down. Calls of the account's root are allowed and not written down, but for taking a role."""

    def __init__(self, cloud: Cloud, directory: Directory, decisions: Decisions) -> None:
        self._cloud = cloud
        self._place = Place(cloud.account, cloud.region)
        self._directory = directory
        self._decisions = decisions
        self._withheld: frozenset[Key] = frozenset()

    @contextmanager
    def withheld(self, keys: Collection[Key]) -> Iterator[None]:
        """As long as this lasts, these statements do not exist, in whatever kind of policy they are."""
        before = self._withheld
        self._withheld = before | frozenset(keys)
        try:
            yield
        finally:
            self._withheld = before

    @property
    def is_withholding(self) -> bool:
        """Are there statements that do not exist for the moment?"""
        return bool(self._withheld)

    def judge(self, question: Question, caller: str, operation: str) -> Answer:
        """Decide one question, and write it down."""
        given = self.answer(question)
        self._decisions.add(self._cloud.clock.now(), caller, operation, question, given)
        return given

    def answer(self, question: Question) -> Answer:
        """Decide one question without a word to anybody."""
        return answer(question.without(self._withheld) if self._withheld else question)

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
        self._ask(caller, self._question(caller, need), operation)

    def _ask(self, caller: Caller, question: Question, operation: str) -> None:
        given = self.judge(question, caller.name_in_policies, operation)
        if given.allowed:
            return
        kind = "a resource-based policy" if given.by_resource else "an identity-based policy"
        silence = f"because no identity-based policy allows the {question.action} action"
        reason = f"with an explicit deny in {kind}" if given.decision.is_explicit_deny else silence
        raise AccessDenied(f"User: {caller.arn} is not authorized to perform: {question.action} on resource: {question.resource} {reason}")

    def _question(self, caller: Caller, need: Need) -> Question:
        return Question(
            principal=caller.principal,
            itself=caller.itself,
            session=caller.session,
            action=need.action,
            resource=need.resource,
            context=in_order({**self._context(caller), **need.context}),
            identity=tuple(self._directory.identity_statements(caller)),
            on_resource=self._resource_policy(need),
            limits=tuple(self._directory.limits(caller)),
            must_be_named=need.action.startswith("kms:") and ":key/" in need.resource,
        )

    def _all(self, call: Call) -> Iterable[Need]:
        found = needs(call, self._place)
        yield from found
        yield from behind(call, found, self._place)

    def _assume_role(self, caller: Caller, call: Call) -> None:
        refuse_unknown(call)
        arn = str(call.parameters.get("RoleArn", ""))
        role = self._directory.role(arn)
        context = {"sts:rolesessionname": str(call.parameters.get("RoleSessionName", ""))}
        if external := call.parameters.get("ExternalId"):
            context["sts:externalid"] = external
        question = Question(
            principal=caller.principal,
            itself=caller.itself,
            session=caller.session,
            action="sts:AssumeRole",
            resource=arn,
            context=in_order(self._context(caller) | context),
            identity=EVERYTHING if caller.is_root else tuple(self._directory.identity_statements(caller)),
            on_resource=trust_of(role),
            limits=tuple(self._directory.limits(caller)),
            must_be_named=True,
        )
        self._ask(caller, question, call.name)

    def _context(self, caller: Caller) -> dict[str, str]:
        return {
            "aws:principalarn": caller.name_in_policies,
            "aws:principalaccount": caller.account,
            "aws:principaltype": "AssumedRole" if caller.role is not None else "User",
            "aws:userid": caller.user_id,
            "aws:securetransport": "true" if caller.is_secure else "false",
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
        # A bucket's policy is the bucket's, whichever of its objects is asked for.
        holder = f"arn:aws:s3:::{name.partition('/')[0]}" if service == "s3" else need.resource
        return resource_policy(policy, holder)


def refuse_unknown(call: Call) -> None:
    """Raises UnmappedCallError when a role is taken with what the twin does not know.

    https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html (PolicyArns limit the session; tags take sts:TagSession, a
    source identity takes sts:SetSourceIdentity).
    """
    given = [name for name in _NOT_KNOWN if call.parameters.get(name)]
    if given:
        raise UnmappedCallError(f"the twin does not know {', '.join(given)} of {call.name}")


def resource_policy(policy: Any, holder: str) -> tuple[Statement, ...]:
    """The statements of a resource's policy, as moto keeps it."""
    if not policy:
        return ()
    text = policy.decode() if isinstance(policy, bytes) else policy if isinstance(policy, str) else json.dumps(policy)
    return parse(text, f"policy of {holder}", "resource", holder)


def trust_of(role: Any | None) -> tuple[Statement, ...]:
    """The statements of a role's trust policy, none for a role that is not there. It has no Resource element: the role itself is meant."""
    if role is None:
        return ()
    document = role.assume_role_policy_document
    return parse(document if isinstance(document, str) else json.dumps(document), "trust policy", "trust", role.arn)


def in_order(context: Mapping[str, Any]) -> tuple[tuple[str, str | tuple[str, ...]], ...]:
    """Condition keys as a Question has them."""
    return tuple((key, value if isinstance(value, str) else tuple(value)) for key, value in sorted(context.items()))
