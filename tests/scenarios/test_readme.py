"""README.md is true: its commands run, in its order, on a table like the one that it speaks of; its links lead somewhere."""

import random
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from cli.project import REPOSITORY
from tests.scenarios.readme import commands, search_less
from tests.scenarios.tide import tide

pytestmark = pytest.mark.timeout(290)


def customers(path: Path) -> None:
    """A table of customers, of whom some have left."""
    generator = random.Random(7)
    lines = ["customer_id,months,plan,autopay,since,churned"]
    for number in range(1500):
        months, plan = generator.randint(1, 60), generator.choice(["basic", "plus", "pro"])
        left = generator.random() < (0.8 if months < 24 and plan != "pro" else 0.1)
        since = f"20{generator.randint(18, 25)}-0{generator.randint(1, 9)}-11"
        cells = [f"c{number}", months if number % 9 else "", plan, generator.choice(["yes", "no"]), since, "yes" if left else "no"]
        lines.append(",".join(map(str, cells)))
    path.write_text("\n".join(lines) + "\n")


def test_there_is_something_to_run() -> None:
    assert ["make", "demo"] in commands("sh")
    assert len(commands("sh")) > 8


@pytest.mark.parametrize("command", [c for c in commands("sh") if c[0] == "make"], ids=shlex.join)
def test_make_knows_its_targets(command: list[str]) -> None:
    # What `make demo` does is run by test_demo.py, and `make test` is what runs this.
    done = subprocess.run([command[0], "-n", *command[1:]], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_commands_run_in_their_order(tmp_path: Path) -> None:
    customers(tmp_path / "customers.csv")
    run = [c[1:] for c in commands("sh") if c[0] == "tide"]
    expected = ["init", "demo", "up", "data", "train", "status", "api", *["predict"] * 2, "why", "timeline", "rollback", "down"]
    assert [c[0] for c in run] == expected
    try:
        for arguments in run:
            if arguments[0] == "demo":  # test_own_table.py runs it
                continue
            where = ["--port", "0", "--speed", "60"] if arguments[0] == "up" else []
            done = tide(tmp_path, *arguments, *where)
            assert done.returncode == 0, f"tide {shlex.join(arguments)}\n{done.stdout}\n{done.stderr}"
            if arguments[0] == "init":
                search_less(tmp_path)
    finally:
        tide(tmp_path, "down")


def test_commands_for_an_account_exist() -> None:
    for command in commands("sh aws"):
        if command[0] == "tide":
            words = [word for word in command[1:] if not word.startswith("-") and "." not in word]
            done = tide(REPOSITORY, *words, "--help")
            assert done.returncode == 0
            assert "--aws" in done.stdout


def test_links_lead_somewhere() -> None:
    for page in [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *REPOSITORY.glob("docs/**/*.md")]:
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name} links to {target}"
