"""`tide approve`: a version goes live."""

from typing import Annotated

import typer

from cli.opening import open_app
from cli.options import AwsOption, ConfigOption, DirectoryOption, EnvironmentOption, JsonOption, NoWaitOption
from cli.output import Output
from cli.release import APPROVED, decide_and_follow, rejected_meanwhile


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
    app = open_app(config, environment, directory, aws)
    live = decide_and_follow(app, output, version, APPROVED, why, not no_wait)
    if not no_wait:
        rejected_meanwhile(app, version)
    if live is not None and live > version:
        output.say(f"the endpoint serves version {live}, because the highest approved version wins. Next: tide reject {live}")
    output.document({"ok": True, "version": version, "approval": APPROVED, "live": live})
