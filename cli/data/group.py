"""The group of the commands."""

import typer

from cli.data.checkout import checkout, pull
from cli.data.diff import diff
from cli.data.listing import listing
from cli.data.prune import prune
from cli.data.push import push
from cli.data.show import show
from cli.data.verify import verify

data = typer.Typer(help="Datasets and their versions.", no_args_is_help=True)
data.command()(push)
data.command("list")(listing)
for command in (show, diff, checkout, pull, verify, prune):
    data.command()(command)
