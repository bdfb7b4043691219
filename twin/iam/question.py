"""A decision as a question that can be asked again: the request, and every policy that was consulted about it. Pure.

docs: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-basics-req-context.html. The same
question serves a caller's call (its own policies and the resource's), the taking of a role (the trust policy is the role's resource policy)
and a service that acts in its own name (the resource's policy alone). What a resource's policy allows to a role's ARN is still limited by
the role's boundary and the session's policies; what it allows to the session's or the user's own ARN is not:
https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html#access_policies_boundaries-eval-logic.
Modelled: "*" counts as the role, so it is limited too.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from twin.iam.policy import Decision, Key, Principal, Request, Statement, evaluate

Statements = tuple[Statement, ...]
NOBODY = Principal("AWS", frozenset())


@dataclass(frozen=True)
class Question:
    """May `principal` do `action` on `resource`?

    `itself` is the principal by its own names, without its account: what a resource policy grants to the account is not yet granted to the
    account's roles. `must_be_named`: the resource's policy has to allow it, or to hand the decision to the account (keys, roles).
    """

    principal: Principal
    itself: Principal
    action: str
    resource: str
    context: tuple[tuple[str, str | tuple[str, ...]], ...]
    """Condition keys in lower case, with their values, sorted."""
    identity: Statements = ()
    on_resource: Statements = ()
    limits: tuple[Statements, ...] = ()
    """Each must allow it too, unless the resource's policy names `session`."""
    must_be_named: bool = False
    session: Principal = NOBODY
    """The ARN of the role session or the user, without that of the role."""

    @property
    def statements(self) -> Iterable[Statement]:
        """Every statement that is consulted."""
        yield from self.identity
        yield from self.on_resource
        for limit in self.limits:
            yield from limit

    def request(self, principal: Principal | None = None) -> Request:
        """What statements are asked, about the principal or about another reading of it."""
        return Request(principal or self.principal, self.action, self.resource, dict(self.context))

    def without(self, keys: Collection[Key]) -> "Question":
        """The same question in an account in which these statements do not exist."""
        return self.with_statements(lambda statement: [] if statement.key in keys else [statement])

    def with_statements(self, change: Callable[[Statement], Sequence[Statement]]) -> "Question":
        """The same question in an account in which each statement is what `change` makes of it."""

        def changed(statements: Statements) -> Statements:
            return tuple(new for statement in statements for new in change(statement))

        return replace(
            self, identity=changed(self.identity), on_resource=changed(self.on_resource), limits=tuple(map(changed, self.limits))
        )

    def reduced(self) -> "Question":
        """Without what no statement looks at (the time, the name of the session, ...): equal questions have the same answer."""
        keys = frozenset[str]().union(*(statement.looks_at for statement in self.statements))
        named = {name for statement in self.on_resource for names in (statement.principals or {}).values() for name in names}
        return replace(
            self,
            principal=Principal(self.principal.kind, self.principal.names & named),
            itself=Principal(self.itself.kind, self.itself.names & named),
            session=Principal(self.session.kind, self.session.names & named),
            context=tuple(item for item in self.context if item[0] in keys),
        )


@dataclass(frozen=True)
class Answer:
    """The decision, and whether the resource's policy made it."""

    decision: Decision
    by_resource: bool

    @property
    def allowed(self) -> bool:
        """Was it allowed?"""
        return self.decision.allowed


def answer(question: Question) -> Answer:
    """AWS's order: an explicit deny anywhere, the resource's policy that names the session, then what is allowed within the limits."""
    request = question.request()
    identity, resource = evaluate(question.identity, request), evaluate(question.on_resource, request)
    limits = [evaluate(limit, request) for limit in question.limits]
    if resource.is_explicit_deny:
        return Answer(resource, by_resource=True)
    denied = next((each for each in (identity, *limits) if each.is_explicit_deny), None)
    if denied is not None:
        return Answer(denied, by_resource=False)
    to_session = evaluate((each for each in question.on_resource if each.names(question.session)), request)
    if to_session.allowed:
        return Answer(to_session, by_resource=True)
    direct = evaluate(question.on_resource, question.request(question.itself))
    if question.must_be_named and not resource.allowed:
        return Answer(Decision(False), by_resource=False)
    silent = next((each for each in limits if not each.allowed), None)
    if silent is not None:
        return Answer(silent, by_resource=False)
    return Answer(direct, by_resource=True) if direct.allowed else Answer(identity, by_resource=False)
