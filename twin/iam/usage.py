"""Which statement, action, resource pattern and principal of the deployed policies was needed, by which decision? Pure.

A piece of a statement is needed by a recorded decision that would be another one without it, Allow and Deny alike: the question is asked
again (twin.iam.question) with the piece left out. So what counts is AWS's evaluation, not whether the words look alike. Of two pieces that
allow the same, neither is needed alone; one of them can go, and the other is needed then. What can go is found piece by piece, the
widest first, so that all of it can go together: no recorded decision changes. Whether a Deny is needed is asked of the account as it is.

What it cannot know is what nobody asked for: a statement for a case that no step brings about looks like one that nobody needs.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from twin.cloud import Cloud
from twin.iam import installed
from twin.iam.pieces import ACTION, RESOURCE, WHOLE, Piece, pieces_of, without
from twin.iam.policy import Key, Statement
from twin.iam.question import Question, answer
from twin.iam.record import Recorded


@dataclass(frozen=True)
class Grant:
    """One statement of one deployed policy."""

    id: str
    """stack/owner/kind/policy/index: the same in every deployment of the same templates."""
    owner: str
    """The logical id of the resource whose template has the statement."""
    stack: str
    kind: str
    """identity, trust, resource or permission."""
    index: int
    sid: str
    document: dict[str, Any]
    """The statement, resolved."""
    keys: tuple[Key, ...]
    """Where the account has it: once for each role, queue, ... that carries it."""


def withheld(cloud: Cloud, grant: Grant) -> AbstractContextManager[None]:
    """As long as this lasts, the statement does not exist, in whatever kind of policy it is.

    What services hold in the name of a role (a function's warm worker, a job) ends with it: AWS would not renew those credentials.
    """
    return installed(cloud).authoriser.withheld(grant.keys)


def changed(cloud: Cloud, since: datetime) -> list[Recorded]:
    """The decisions since then that were other ones because a statement was withheld: questions are written down with every statement."""
    moment = since.isoformat(timespec="milliseconds")
    decisions = installed(cloud).decisions.latest()
    return [each for each in decisions if each.time >= moment and answer(each.question).allowed is not each.allowed]


@dataclass(frozen=True)
class Superfluous:
    """A piece that can go. `covered`: the pieces because of which it can, for what it does match; empty: it never matched anything."""

    piece: Piece
    covered: tuple[Statement, ...]
    matched: tuple[Recorded, ...]


@dataclass(frozen=True)
class Usage:
    """What became of a grant: the decisions that need it, those that need each of its pieces, and what of it can go."""

    grant: Grant
    needed: tuple[Recorded, ...]
    pieces: tuple[tuple[Piece, tuple[Recorded, ...]], ...]
    superfluous: tuple[Superfluous, ...]

    @property
    def steps(self) -> list[str]:
        """The steps that need it, in the order of the decisions; what is decided between steps has none."""
        return list(dict.fromkeys(decision.step for decision in self.needed if decision.step))


def usage(grants: Iterable[Grant], decisions: Sequence[Recorded]) -> list[Usage]:
    """What of each grant was needed."""
    return _Proof(decisions).usages(list(grants))


class _Proof:
    """The decisions, by the statements that speak about them."""

    def __init__(self, decisions: Sequence[Recorded]) -> None:
        self._matched: dict[Key, list[Recorded]] = {}
        self._statements: dict[Key, Statement] = {}
        self._removed: dict[Piece, Superfluous] = {}
        for decision in decisions:
            for statement in decision.question.statements:
                self._statements[statement.key] = statement
                if _speaks(statement, decision.question):
                    self._matched.setdefault(statement.key, []).append(decision)

    def usages(self, grants: Sequence[Grant]) -> list[Usage]:
        known = [key for grant in grants for key in grant.keys if key in self._statements]
        # Denies first, in the account as it is: that nothing is left to deny, when what can go has gone, makes no Deny superfluous.
        for allow in (False, True):
            keys = [key for key in known if self._statements[key].allow is allow]
            self._remove([Piece(key, WHOLE) for key in keys])
            self._remove([piece for key in keys if Piece(key, WHOLE) not in self._removed for piece in pieces_of(self._statements[key])])
        return [self._usage(grant) for grant in grants]

    def _usage(self, grant: Grant) -> Usage:
        needed: list[Recorded] = []
        pieces: list[tuple[Piece, tuple[Recorded, ...]]] = []
        superfluous = []
        for key in grant.keys:
            whole = Piece(key, WHOLE)
            if key not in self._statements:
                superfluous.append(Superfluous(whole, (), ()))
            elif whole in self._removed:
                superfluous.append(self._removed[whole])
            else:
                needed += self._needing(whole)
                pieces += [(piece, self._needing(piece)) for piece in pieces_of(self._statements[key]) if piece not in self._removed]
                superfluous += [found for piece, found in self._removed.items() if piece.key == key]
        return Usage(grant, tuple(needed), tuple(pieces), tuple(superfluous))

    def _remove(self, pieces: Iterable[Piece]) -> None:
        """Take pieces away for good, one by one, if no decision changes without them."""
        for piece in sorted(pieces, key=self._width):
            if not self._needing(piece):
                spoken = [each for each in self._matched.get(piece.key, []) if self._matches(each.question, piece)]
                self._removed[piece] = Superfluous(piece, (), tuple(spoken))
                others = {other.key: other for decision in spoken for other in self._others(decision.question, piece)}
                self._removed[piece] = Superfluous(piece, tuple(others.values()), tuple(spoken))

    def _needing(self, piece: Piece) -> tuple[Recorded, ...]:
        gone = self._gone(piece)
        gone.setdefault(piece.key, set()).add(piece)
        matched = self._matched.get(piece.key, [])
        return tuple(each for each in matched if answer(_left(each.question, gone)).allowed is not each.allowed)

    def _gone(self, piece: Piece) -> dict[Key, set[Piece]]:
        allow = self._statements[piece.key].allow
        gone: dict[Key, set[Piece]] = {}
        for removed in self._removed:
            if allow or not self._statements[removed.key].allow:
                gone.setdefault(removed.key, set()).add(removed)
        return gone

    def _matches(self, question: Question, piece: Piece) -> bool:
        """Does this very piece match, as the only one of its kind that is left?"""
        statement = self._statements[piece.key]
        rest = [other for other in pieces_of(statement) if other.part == piece.part and other.text != piece.text]
        return any(_speaks(each, question) for each in without(statement, rest))

    def _others(self, question: Question, piece: Piece) -> Iterator[Statement]:
        """The statements that decide it the same way without the piece."""
        allow = self._statements[piece.key].allow
        for statement in _left(question, self._gone(piece)).statements:
            if statement.allow is allow and _speaks(statement, question):
                yield self._statements[statement.key]

    def _width(self, piece: Piece) -> tuple[bool, bool, Key, str]:
        """The widest first: what has wildcards in its actions, then what is for any resource."""
        statement = self._statements[piece.key]
        actions = (piece.text,) if piece.part == ACTION else statement.actions
        resources = (piece.text,) if piece.part == RESOURCE else statement.resources
        return (not any("*" in text for text in actions), "*" not in resources, piece.key, piece.text)


def _speaks(statement: Statement, question: Question) -> bool:
    return statement.applies(question.request()) or statement.applies(question.request(question.itself))


def _left(question: Question, gone: Mapping[Key, Collection[Piece]]) -> Question:
    return question.with_statements(lambda statement: without(statement, gone.get(statement.key, ())))
