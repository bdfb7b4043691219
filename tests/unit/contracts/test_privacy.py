"""Private columns: what may be private, and what stands for a value."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.config import parse_config
from contracts.errors import ConfigError
from contracts.manifest import DataFile, Manifest
from contracts.privacy import HASH_DIGITS, Privacy, hashed, secret_name

KEY = b"k" * 43


def config(**privacy: Any) -> Any:
    return parse_config(
        {
            "project": "people",
            "data": {
                "dataset": "people",
                "target": "left",
                "problem": "binary",
                "positive": "yes",
                "id": "number",
                "time": "joined",
                "features": {"email": "categorical", "age": "numeric", "Town": "categorical"},
                "ignore": ["note"],
                "privacy": privacy,
            },
        }
    )


def test_what_is_not_used_may_be_dropped_and_what_is_compared_may_be_hashed() -> None:
    found = config(drop=["name", "note"], hash=["email", "number"]).data.privacy
    assert found.columns == ("name", "note", "email", "number")
    assert config().data.privacy.columns == ()


@pytest.mark.parametrize(
    ("privacy", "problem"),
    [
        ({"drop": ["age"]}, "privacy.drop 'age' is used"),
        ({"drop": ["left"]}, "privacy.drop 'left' is used"),
        ({"drop": ["number"]}, "privacy.drop 'number' is used"),
        ({"drop": ["joined"]}, "privacy.drop 'joined' is used"),
        ({"hash": ["age"]}, "privacy.hash 'age' is neither a categorical feature nor the id"),
        ({"hash": ["left"]}, "privacy.hash 'left' is neither"),
        ({"hash": ["joined"]}, "privacy.hash 'joined' is neither"),
        ({"hash": ["name"]}, "privacy.hash 'name' is neither"),
        ({"drop": ["name", "name"]}, "privacy names 'name' twice"),
        ({"drop": ["town"]}, "privacy names 'town', and 'Town' differs from it by case or space alone"),
        ({"drop": [""]}, "at least 1 character"),
        ({"mask": ["email"]}, "privacy.mask"),
    ],
)
def test_a_private_column_that_makes_no_sense_is_refused(privacy: dict[str, list[str]], problem: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(problem)):
        config(**privacy)


TEXTS = st.text(max_size=20)


@given(TEXTS, TEXTS)
def test_equal_values_and_only_these_have_equal_hashes(one: str, other: str) -> None:
    assert (hashed(KEY, "email", one) == hashed(KEY, "email", other)) == (one.strip() == other.strip())


@given(TEXTS.filter(str.strip))
def test_a_hash_says_nothing_without_key_and_column(value: str) -> None:
    found = hashed(KEY, "email", value)
    assert re.fullmatch(f"[0-9a-f]{{{HASH_DIGITS}}}", found)
    assert found not in {hashed(b"another", "email", value), hashed(KEY, "phone", value)}


def test_a_missing_value_stays_one_and_half_a_character_is_a_value() -> None:
    assert hashed(KEY, "email", "  ") == ""
    assert len(hashed(KEY, "email", "\ud800")) == HASH_DIGITS
    assert hashed(KEY, "a", "bc") != hashed(KEY, "ab", "c")


def test_the_hash_stays_what_it_is() -> None:
    """Models know their categories by these: another hash would make every value an unseen one."""
    assert hashed(b"key", "email", "ann@example.org") == "f47f1ee63d9a2384a9923a15"


def test_a_secret_is_of_one_project_and_environment() -> None:
    assert secret_name("people-dev") == "people-dev-hash-key"


def test_a_dataset_version_depends_on_what_is_private_and_is_as_before_where_nothing_is() -> None:
    file = DataFile(bucket="b", key="uploads/people/a.csv", version_id="1", size=1, sha256="0" * 64, rows=1)

    def version(**privacy: list[str]) -> str:
        return Manifest(dataset="people", files=(file,), columns=(), contract=config(**privacy).data).version

    assert version() == "2b76db9ddb0ad9fe"
    assert len({version(), version(drop=["name"]), version(hash=["email"])}) == 3


def test_the_digest_is_of_the_columns_in_any_order() -> None:
    assert Privacy(drop=("a", "b"), hash=("c",)).digest == Privacy(drop=("b", "a"), hash=("c",)).digest
    assert len({Privacy(drop=("a",)).digest, Privacy(hash=("a",)).digest, Privacy(drop=("a", "b")).digest, Privacy().digest}) == 4
    assert Privacy().digest == ""
