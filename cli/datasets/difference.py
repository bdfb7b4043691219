"""Two versions compared, from their manifests alone: nothing else is read."""

from dataclasses import dataclass

from cli.datasets.movement import Movement, movements
from cli.datasets.store import Version
from contracts.manifest import Manifest


@dataclass(frozen=True)
class Difference:
    """What is in `b` and not in `a`, and so on. Of tables also `rows`: (before, after), `columns` in words, and `statistics`."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    moved: tuple[tuple[str, str], ...]
    bytes: tuple[int, int]
    rows: tuple[int, int] | None = None
    columns: tuple[str, ...] = ()
    statistics: tuple[Movement, ...] = ()

    @property
    def is_empty(self) -> bool:
        """The same files."""
        return not (self.added or self.removed or self.changed or self.moved or self.columns)


def compare(a: Version, b: Version) -> Difference:
    """From `a` to `b`. A file that is gone and whose content is there under a new path has moved."""
    before = {file.path: file.sha256 for file in a.tree.files}
    after = {file.path: file.sha256 for file in b.tree.files}
    added, removed = after.keys() - before.keys(), before.keys() - after.keys()
    moved = []
    by_content = {after[path]: path for path in sorted(added, reverse=True)}
    for path in sorted(removed):
        target = by_content.pop(before[path], None)
        if target is not None:
            moved.append((path, target))
    tables = (a.manifest, b.manifest) if a.manifest and b.manifest else None
    return Difference(
        added=tuple(sorted(added - {target for _, target in moved})),
        removed=tuple(sorted(removed - {path for path, _ in moved})),
        changed=tuple(sorted(path for path in before.keys() & after.keys() if before[path] != after[path])),
        moved=tuple(moved),
        bytes=(a.tree.size, b.tree.size),
        rows=(tables[0].rows, tables[1].rows) if tables else None,
        columns=tuple(_columns(*tables)) if tables else (),
        statistics=movements(*tables) if tables else (),
    )


def _columns(a: Manifest, b: Manifest) -> list[str]:
    """What became of the columns, in words."""
    before, after = {each.name: each for each in a.columns}, {each.name: each for each in b.columns}
    said = [f"{name}: new ({after[name].role})" for name in after if name not in before]
    said += [f"{name}: gone" for name in before if name not in after]
    for name in before.keys() & after.keys():
        old, new = before[name], after[name]
        if (old.role, old.kind) != (new.role, new.kind):
            said.append(f"{name}: {old.kind or old.role} -> {new.kind or new.role}")
        share = (old.missing / a.rows if a.rows else 0.0, new.missing / b.rows if b.rows else 0.0)
        if old.missing != new.missing:
            said.append(f"{name}: missing {share[0]:.2%} -> {share[1]:.2%}")
    return sorted(said)
