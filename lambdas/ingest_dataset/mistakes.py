"""Mistakes by column and kind: the first of each with its place, and how many there are."""

from dataclasses import dataclass, field

from contracts.refusal import Finding

SHOWN_FINDINGS = 20


@dataclass
class Mistakes:
    """In the order in which they are first seen. `file` is where the table is being read, when it has several files."""

    file: str | None = None
    _found: dict[tuple[str | None, str], Finding] = field(default_factory=dict)

    def add(self, problem: str, column: str | None = None, row: int | None = None, kind: str = "") -> None:
        """One more. Those of the same column and `kind` are one finding; without a kind it is the problem's text that tells them apart."""
        key = (column, kind or problem)
        known = self._found.get(key)
        if known is None:
            self._found[key] = Finding(problem=problem, file=self.file, column=column, row=row or None)
        else:
            self._found[key] = known.model_copy(update={"count": known.count + 1})

    def findings(self) -> tuple[Finding, ...]:
        """The first kinds, and how many more there are."""
        found = tuple(self._found.values())
        hidden = len(found) - SHOWN_FINDINGS
        return found if hidden <= 0 else (*found[:SHOWN_FINDINGS], Finding(problem=f"and {hidden} more kinds of mistake"))
