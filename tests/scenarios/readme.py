"""README.md's commands, as its reader types them."""

import re
import shlex
from pathlib import Path

from cli.project import REPOSITORY

README = (REPOSITORY / "README.md").read_text()
BLOCK = re.compile(r"^```(sh[^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def commands(kind: str) -> list[list[str]]:
    """The command lines of the README's code blocks of one kind."""
    return [shlex.split(line) for found, block in BLOCK.findall(README) if found == kind for line in block.splitlines()]


def on_ones_own_table() -> tuple[list[str], list[str]]:
    """The arguments of the README's `tide init` and `tide demo`."""
    init, demo = (command[1:] for command in commands("sh") if command[0] == "tide" and command[1] in {"init", "demo"})
    return init, demo


def search_less(folder: Path) -> None:
    """Two pipelines and two folds in the tidewheel.yaml that `tide init` wrote; how a model is found is tested elsewhere."""
    with (folder / "tidewheel.yaml").open("a") as config:
        config.write("training: {candidates: 2, folds: 2}\n")
