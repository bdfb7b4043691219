"""`tide reject`: a version goes, and the highest approved one comes back."""

from typing import Annotated

import typer

from cli.account import find_account
from cli.observe import App
from cli.options import AwsOption, ConfigOption, DirectoryOption, EnvironmentOption, JsonOption, NoWaitOption
from cli.output import Output
from cli.project import load_project
from cli.release import REJECTED, decide, wait_until_settled


def reject(
    version: Annotated[int, typer.Argument(min=1, help="The model package's version.", show_default=False)],
    why: Annotated[str, typer.Option("--why", help="Kept with the version.")] = "rejected with tide reject",
    no_wait: NoWaitOption = False,
    config: ConfigOption = None,
    environment: EnvironmentOption = None,
    directory: DirectoryOption = None,
    aws: AwsOption = False,
    machine: JsonOption = False,
) -> None:
    """Reject a version: if it is live, the endpoint goes back to the highest approved one."""
    output = Output(machine)
    project = load_project(config, environment)
    app = App(find_account(directory or project.state, aws), project)
    decide(app, app.version(version), REJECTED, why)
    output.say(f"version {version} is Rejected")
    live = None
    if not no_wait:
        with output.phase("move the endpoint") as phase:
            live = wait_until_settled(app, show=phase.show)
            phase.result = f"version {live} is live" if live else "nothing is live"
        if live == version:
            output.say(f"no other version is approved, so the endpoint keeps serving version {version}. Next: tide approve another one")
    output.document({"ok": True, "version": version, "approval": REJECTED, "live": live})
