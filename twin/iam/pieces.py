"""A statement in pieces, and what is left of it without some of them. Pure."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from twin.iam.policy import Key, Statement

WHOLE = "statement"
ACTION = "action"
RESOURCE = "resource"
PRINCIPAL = "principal"

_Principals = Mapping[str, tuple[str, ...]] | None


@dataclass(frozen=True)
class Piece:
    """A whole statement, or one of the actions, resource patterns or principals that it lists."""

    key: Key
    part: str
    text: str = ""
    """The action, pattern or principal; "" for the whole."""


def pieces_of(statement: Statement) -> Iterator[Piece]:
    """The pieces of a statement that lists several of a kind: of one action, nothing is left without it."""
    for part, texts in ((ACTION, statement.actions), (RESOURCE, statement.resources), (PRINCIPAL, _names(statement.principals))):
        if len(set(texts)) > 1:
            yield from (Piece(statement.key, part, text) for text in dict.fromkeys(texts))


def without(statement: Statement, gone: Collection[Piece]) -> list[Statement]:
    """The statement without some of its pieces: itself, a smaller one, or nothing."""
    if not gone:
        return [statement]
    texts = {part: {piece.text for piece in gone if piece.part == part} for part in (ACTION, RESOURCE, PRINCIPAL)}
    left = replace(
        statement,
        actions=tuple(action for action in statement.actions if action not in texts[ACTION]),
        resources=tuple(resource for resource in statement.resources if resource not in texts[RESOURCE]),
        principals=_left(statement.principals, texts[PRINCIPAL]),
    )
    emptied = any(before and not after for before, after in _lists(statement, left))
    return [] if emptied or any(piece.part == WHOLE for piece in gone) else [left]


def _lists(before: Statement, after: Statement) -> Iterator[tuple[Collection[str], Collection[str]]]:
    yield before.actions, after.actions
    yield before.resources, after.resources
    yield _names(before.principals), _names(after.principals)


def _names(principals: _Principals) -> tuple[str, ...]:
    return tuple(name for names in (principals or {}).values() for name in names)


def _left(principals: _Principals, gone: Collection[str]) -> _Principals:
    if principals is None:
        return None
    return {kind: tuple(name for name in names if name not in gone) for kind, names in principals.items()}
