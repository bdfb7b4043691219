"""`tide approve`: a version goes live."""

from typing import Annotated

import typer

from cli.account import find_account
from cli.observe import App
from cli.options import AwsOption, ConfigOption, DirectoryOption, EnvironmentOption, JsonOption, NoWaitOption
from cli.output import Output
from cli.project import load_project
from cli.release import APPROVED, decide, rejected_meanwhile, wait_until_settled


def approve(
    version: Annotated[int, typer.Argument(min=1, help="The model package's version.", show_default=False)],
    why: Annotated[str, typer.Option("--why", help="Kept with the version.")] = "approved with tide approve",
    no_wait: NoWaitOption = False,
    config: ConfigOption = None,
    environment: EnvironmentOption = None,
    directory: DirectoryOption = None,
    aws: AwsOption = False,
    machine: JsonOption = False,
) -> None:
    """Approve a version: the endpoint is moved to the highest approved one."""
    output = Output(machine)
    project = load_project(config, environment)
    app = App(find_account(directory or project.state, aws), project)
    decide(app, app.version(version), APPROVED, why)
    output.say(f"version {version} is Approved")
    live = None
    if not no_wait:
        with output.phase("move the endpoint") as phase:
            live = wait_until_settled(app, show=phase.show)
            rejected_meanwhile(app, version)
            phase.result = f"version {live} is live"
        if live is not None and live > version:
            output.say(f"the endpoint serves version {live}, because the highest approved version wins. Next: tide reject {live}")
    output.document({"ok": True, "version": version, "approval": APPROVED, "live": live})
