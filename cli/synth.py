"""`tide synth`: the CloudFormation templates, with no account and no network."""

from pathlib import Path
from typing import Annotated

import typer

from cli.assembly import synthesise
from cli.options import ConfigOption, EnvironmentOption, JsonOption
from cli.output import Output
from cli.project import load_project


def synth(
    out: Annotated[Path, typer.Option("--out", help="The folder to write.")] = Path("cdk.out"),
    strict: Annotated[bool, typer.Option("--strict", help="Validate the templates with CloudFormation's rules; slower.")] = False,
    config: ConfigOption = None,
    environment: EnvironmentOption = None,
    machine: JsonOption = False,
) -> None:
    """Write the CloudFormation templates and assets of the app to a folder."""
    output = Output(machine)
    project = load_project(config, environment)
    with output.phase("synthesise the app") as phase:
        stacks = synthesise(project, out, strict)
        phase.result = f"{len(stacks)} stacks in {out}"
    for stack in stacks:
        output.say(f"  {stack}")
    output.document({"ok": True, "out": str(out), "stacks": stacks})
