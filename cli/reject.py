"""`tide reject`: a version goes, and the highest approved one comes back."""

from typing import Annotated

import typer

from cli.opening import open_app
from cli.options import AwsOption, ConfigOption, DirectoryOption, EnvironmentOption, JsonOption, NoWaitOption
from cli.output import Output
from cli.release import REJECTED, decide_and_follow


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
    app = open_app(config, environment, directory, aws)
    live = decide_and_follow(app, output, version, REJECTED, why, not no_wait)
    if live == version:
        output.say(f"no other version is approved, so the endpoint keeps serving version {version}. Next: tide approve another one")
    output.document({"ok": True, "version": version, "approval": REJECTED, "live": live})
