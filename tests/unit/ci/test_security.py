"""SECURITY.md's threat model: every line is held by a test that is there."""

import ast
import re

from cli.project import REPOSITORY

LINE = re.compile(r"^\|(?P<cells>.+)\| `(?P<path>tests/[\w/]+\.py)::(?P<test>\w+)` \|$")


def test_every_line_of_the_threat_model_names_a_test() -> None:
    text = (REPOSITORY / "SECURITY.md").read_text()
    lines = [line for line in text.splitlines() if line.startswith("|")][2:]
    assert len(lines) > 10
    for line in lines:
        match = LINE.match(line)
        assert match, f"a line without its test: {line}"
        functions = {
            node.name for node in ast.walk(ast.parse((REPOSITORY / match["path"]).read_text())) if isinstance(node, ast.FunctionDef)
        }
        assert match["test"] in functions, f"{match['path']} has no {match['test']}"
