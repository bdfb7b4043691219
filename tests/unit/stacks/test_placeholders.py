"""Placeholders are swapped wherever they stand, and nothing else changes."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from stacks.constructs.placeholders import swap

PLACEHOLDER, TOKEN = "<<bucket>>", "${Token[1]}"
texts = st.text(alphabet="ab<>/") | st.builds(lambda before, after: before + PLACEHOLDER + after, st.text("xy"), st.text("xy"))
documents = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(alphabet="abc"), inner),
)


@given(documents)
def test_swapping_is_replacing_in_the_text(document: Any) -> None:
    assert swap(document, {PLACEHOLDER: TOKEN}) == json.loads(json.dumps(document).replace(PLACEHOLDER, TOKEN))


@given(documents)
def test_the_document_given_is_left_alone(document: Any) -> None:
    before = json.dumps(document)
    swap(document, {PLACEHOLDER: TOKEN})
    assert json.dumps(document) == before
