"""Every change that the twin makes to moto, each against a signature that is verified when it is applied.

A patch names the attribute it replaces and the signature it was written against (`absent` for an operation that moto does not have yet).
When moto changes underneath, the twin does not start, and says which patch to look at: a wrong fake is worse than none.
`applied()` lists them for docs/twin.md; each has a canary test in tests/twin/.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

ABSENT = "absent"


class PatchError(Exception):
    """moto no longer looks as this patch expects it to."""


@dataclass(frozen=True)
class Patch:
    """One replaced attribute: `owner.name`, the signature expected there (or ABSENT), and why."""

    owner: Any
    name: str
    replacement: Callable[..., Any]
    expects: str
    why: str

    @property
    def target(self) -> str:
        """`module.Class.attribute`, as a reader would look it up."""
        home = self.owner.__name__ if inspect.ismodule(self.owner) else f"{self.owner.__module__}.{self.owner.__qualname__}"
        return f"{home}.{self.name}"


_applied: list[tuple[Patch, Any]] = []


def apply(*patches: Patch) -> None:
    """Verify and apply the patches, in order. Raises PatchError, with nothing of the failing patch applied."""
    for patch in patches:
        original = getattr(patch.owner, patch.name, None)
        found = ABSENT if original is None else str(inspect.signature(original))
        if found != patch.expects:
            raise PatchError(
                f"{patch.target} is {found}, but the twin's patch was written against {patch.expects}. "
                f"Next: install the moto of requirements.txt, or review this patch (it exists because: {patch.why})."
            )
        _applied.append((patch, original))
        setattr(patch.owner, patch.name, patch.replacement)


def undo() -> None:
    """Take back every applied patch, the newest first."""
    while _applied:
        patch, original = _applied.pop()
        if original is None:
            delattr(patch.owner, patch.name)
        else:
            setattr(patch.owner, patch.name, original)


def applied() -> list[Patch]:
    """The patches in force, in the order in which they were applied."""
    return [patch for patch, _ in _applied]
