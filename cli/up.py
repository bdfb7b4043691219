"""`tide up`: the twin in the background, with the app deployed into it."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from cli.account import twin_account
from cli.assembly import synthesise
from cli.deploy import deploy_assembly
from cli.observe import App
from cli.options import ConfigOption, DirectoryOption, EnvironmentOption, JsonOption
from cli.output import Output
from cli.project import load_project
from cli.twin_process import Twin, end_leftovers, running_twin, start_twin

DEFAULT_PORT = 4599
DEFAULT_SPEED = 10.0
ASSEMBLY_NAME = "cdk.out"


def up(
    directory: DirectoryOption = None,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="The twin's port on 127.0.0.1; 0 takes a free one.")] = DEFAULT_PORT,
    speed: Annotated[float, typer.Option("--speed", min=0.1, max=3600, help="Twin seconds per real second.")] = DEFAULT_SPEED,
    config: ConfigOption = None,
    environment: EnvironmentOption = None,
    machine: JsonOption = False,
) -> None:
    """Start the twin and deploy the app into it; leave it running. Run again, it deploys what changed."""
    output = Output(machine)
    project = load_project(config, environment)
    folder = (directory or project.state).resolve()
    assembly = folder / ASSEMBLY_NAME
    with output.phase("synthesise the app"):
        synthesise(project, assembly)
    twin = _running_or_started(output, folder, assembly, port, speed)
    account = twin_account(twin.url, twin.region)
    with output.phase("deploy the stacks") as phase:
        deployed = deploy_assembly(account, assembly, phase.show)
    for stack in deployed:
        output.say(f"  {stack.name} {stack.change}")
    variables = environment_lines(twin)
    api_url = App(account, project).api_url
    _show(output, twin, api_url, variables)
    output.document(
        {
            "ok": True,
            "url": twin.url,
            "api_url": api_url,
            "pid": twin.pid,
            "speed": twin.speed,
            "environment": variables,
            "stacks": {stack.name: stack.change for stack in deployed},
        }
    )


def environment_lines(twin: Twin) -> dict[str, str]:
    """The variables that point any AWS client at the twin."""
    from twin.cloud import ADMIN  # noqa: PLC0415 - the twin is loaded only where it is used

    return {"AWS_ENDPOINT_URL": twin.url, **ADMIN.environment(), "AWS_DEFAULT_REGION": twin.region}


def _running_or_started(output: Output, folder: Path, assembly: Path, port: int, speed: float) -> Twin:
    twin = running_twin(folder)
    if twin is not None:
        output.say(f"the twin is running already, at {twin.url}, {twin.speed:g} times as fast as real time")
        if port not in {0, DEFAULT_PORT, twin.port} or speed not in {DEFAULT_SPEED, twin.speed}:
            output.say("its port and speed stay as they are. Next, to change them: tide down, then tide up", style="yellow")
        return twin
    end_leftovers(folder)
    with output.phase("start the twin") as phase:
        twin = start_twin(folder, assembly, port, speed)
        phase.result = twin.url
    return twin


def _show(output: Output, twin: Twin, api_url: str, variables: dict[str, str]) -> None:
    output.say()
    output.say(f"the twin answers at {twin.url} (process {twin.pid}, {twin.speed:g} times as fast as real time, logs in {twin.folder})")
    output.say(f"the prediction API is {api_url}")
    output.say("any AWS client works on it with")
    for name, value in variables.items():
        output.say(f"  export {name}={shlex.quote(value)}")
    output.say("for example: aws s3 ls, or python -c \"import boto3; print(boto3.client('s3').list_buckets())\"")
    output.say("Next: tide data push FILE.csv, tide status; tide down stops it")
