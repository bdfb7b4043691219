"""The options that commands share, each written once."""

from pathlib import Path
from typing import Annotated

import typer

CONFIG_HELP = "The project's tidewheel.yaml. Default: the nearest one, from here upwards."

ConfigOption = Annotated[Path | None, typer.Option("--config", help=CONFIG_HELP, envvar="TIDEWHEEL_CONFIG", show_default=False)]
EnvironmentOption = Annotated[
    str | None,
    typer.Option("--environment", "-e", help="One of the environments in tidewheel.yaml. Default: the one it names.", show_default=False),
]
DirectoryOption = Annotated[
    Path | None, typer.Option("--dir", help="The twin's folder. Default: .tidewheel beside tidewheel.yaml.", show_default=False)
]
AwsOption = Annotated[bool, typer.Option("--aws", help="Act on your AWS account, with its usual credentials, not on the twin.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Write the result to stdout as JSON; everything else goes to stderr.")]
NoWaitOption = Annotated[bool, typer.Option("--no-wait", help="Ask for it, and do not wait for the outcome.")]
