"""A user's bucket: the same everywhere, spread evenly, and another one in another experiment."""

import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from contracts.sticky import bucket

USERS = 20_000


def test_it_is_the_same_in_every_process_and_year() -> None:
    program = "from contracts.sticky import bucket; print(repr(bucket('anna', 'swims-dev')), repr(bucket('\u00fc\U0001f30a', '')))"
    runs = [
        subprocess.run([sys.executable, "-c", program], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True).stdout
        for seed in ("1", "2")
    ]
    here = [bucket("anna", "swims-dev"), bucket("\u00fc\U0001f30a", "")]
    assert runs[0].split() == runs[1].split() == [repr(found) for found in here]
    assert bucket("anna", "swims-dev") == ANNA


ANNA = 0.423342335304692
"""What it was when it was first computed: whoever changes it moves every user of every experiment."""


@given(st.text(st.characters()), st.text(st.characters()))
def test_every_user_has_a_bucket(user: str, experiment: str) -> None:
    assert 0 <= bucket(user, experiment) < 1


def test_users_are_spread_evenly() -> None:
    tenths = [0] * 10
    for number in range(USERS):
        tenths[int(10 * bucket(f"user-{number}", "swims-dev"))] += 1
    expected = USERS / 10
    assert sum((count - expected) ** 2 / expected for count in tenths) < 27.88  # chi-squared, 9 degrees of freedom, 1 in 1,000


def test_experiments_divide_users_independently() -> None:
    pairs = [(bucket(f"user-{number}", "one"), bucket(f"user-{number}", "two")) for number in range(USERS)]
    both = sum(first < 0.5 and second < 0.5 for first, second in pairs)
    assert abs(both / USERS - 0.25) < 0.015  # five standard errors
    assert sum(first == second for first, second in pairs) == 0


def test_where_the_experiments_name_ends_counts() -> None:
    assert bucket("bc", "a") != bucket("c", "ab")
