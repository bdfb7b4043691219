"""Which paths a tree takes."""

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from contracts.tree import LONGEST_PATH, Tree, path_problem

_ODD = st.text(st.sampled_from(["a", "b", ".", "/", "\n", "\x7f", "\x9b", "\u202e", "é", "-"]), max_size=8)


@given(path=_ODD)
def test_a_path_is_taken_when_it_stays_inside_and_can_be_seen(path: str) -> None:
    parts = path.split("/")
    good = not {"", ".", ".."} & set(parts) and all(each not in path for each in "\n\x7f\x9b\u202e")
    assert (path_problem(path) is None) == good
    if good:
        assert PurePosixPath("root", path).parts == ("root", *parts)


def test_the_longest_path_fits_into_a_key() -> None:
    assert path_problem("a" * LONGEST_PATH) is None
    assert "at most 800" in str(path_problem("a" * (LONGEST_PATH + 1)))
    assert "at most 800" in str(path_problem("é" * LONGEST_PATH))


@pytest.mark.parametrize("path", ["../out", "/etc/passwd", "a//b", "a\nb"])
def test_a_manifest_cannot_lead_outside(path: str) -> None:
    file = {"path": path, "key": "k", "version_id": "v", "size": 1, "sha256": "0" * 64}
    with pytest.raises(ValidationError, match="path"):
        Tree.model_validate({"dataset": "images", "bucket": "b", "files": [file]})
