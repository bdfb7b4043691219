"""Patches verify what they replace, and take themselves back."""

from collections.abc import Iterator
from typing import Any

import pytest

from twin import patches
from twin.patches import ABSENT, Patch, PatchError


class Target:
    def greet(self, name: str) -> str:
        return f"hello {name}"


@pytest.fixture(autouse=True)
def undone() -> Iterator[None]:
    yield
    patches.undo()


def shout(self: Any, name: str) -> str:
    return f"HELLO {name}"


SIGNATURE = "(self, name: str) -> str"


def test_a_patch_replaces_and_is_undone() -> None:
    patches.apply(Patch(Target, "greet", shout, SIGNATURE, "louder"), Patch(Target, "leave", shout, ABSENT, "missing"))
    assert Target().greet("x") == "HELLO x"
    assert [patch.name for patch in patches.applied()] == ["greet", "leave"]
    patches.undo()
    assert Target().greet("x") == "hello x"
    assert not hasattr(Target, "leave")
    assert patches.applied() == []


def test_patches_on_one_another_are_undone_in_order() -> None:
    patches.apply(Patch(Target, "greet", shout, SIGNATURE, "louder"))
    patches.apply(Patch(Target, "greet", lambda self, name: "", "(self: Any, name: str) -> str", "silent"))
    patches.undo()
    assert Target().greet("x") == "hello x"


@pytest.mark.parametrize(("name", "expects"), [("greet", "(self) -> str"), ("greet", ABSENT), ("leave", SIGNATURE)])
def test_a_changed_target_is_refused_with_its_name_and_the_next_step(name: str, expects: str) -> None:
    with pytest.raises(PatchError, match=rf"Target\.{name} is .* Next: .*because: louder"):
        patches.apply(Patch(Target, name, shout, expects, "louder"))
    assert patches.applied() == []
    assert Target().greet("x") == "hello x"
