"""The commands together, and what happens to their errors.

An error that is a user's to mend (TidewheelError, an AWS call that was refused, a file that cannot be read or written) is one plain message
on stderr and exit status 1. Anything else is a defect, and shows its traceback. Ctrl-C ends with 130, wrong usage with 2.
"""

import errno
import signal
import sys
from types import FrameType

import typer
from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError, NoCredentialsError

from cli.approve import approve
from cli.data.group import data
from cli.demo.command import demo
from cli.doctor import doctor
from cli.down import down
from cli.feedback import feedback
from cli.init import init
from cli.lineage.command import lineage
from cli.monitor import monitor
from cli.openapi import api
from cli.predict import predict
from cli.prove_iam.command import prove_iam
from cli.reject import reject
from cli.replay.command import replay
from cli.reproduce.command import reproduce
from cli.rollback import rollback
from cli.status import status
from cli.synth import synth
from cli.timeline import timeline
from cli.train import train
from cli.up import up
from cli.why import why
from contracts.errors import TidewheelError

_DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})

application = typer.Typer(
    name="tide",
    help="Tidewheel: train, register, deploy and watch models on AWS, or on a twin of it on this machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (
    init,
    doctor,
    demo,
    replay,
    synth,
    up,
    down,
    train,
    status,
    why,
    timeline,
    lineage,
    reproduce,
    approve,
    reject,
    rollback,
    api,
    predict,
    feedback,
    monitor,
    prove_iam,
):
    application.command()(command)
application.add_typer(data, name="data")


def main() -> None:
    """The `tide` command."""
    signal.signal(signal.SIGTERM, _terminated)
    try:
        application()
    except TidewheelError as error:
        fail(str(error))
    except (ClientError, BotoCoreError) as error:
        fail(f"{error}. Next: {_aws_step(error)}")
    except OSError as error:
        if error.errno in _DISK_FULL:
            fail(f"the disk is full ({error}). Next: make room, then run it again")
        if error.filename is None:
            raise  # no file of the user's
        fail(f"{error.filename}: {error.strerror}. Next: check the path and its permissions")


def fail(message: str) -> None:
    """One message on stderr, exit status 1."""
    sys.stderr.write(f"tide: {message}\n")
    sys.exit(1)


def _aws_step(error: ClientError | BotoCoreError) -> str:
    if isinstance(error, NoCredentialsError):
        return "aws configure, or aws sso login"
    if isinstance(error, EndpointConnectionError):
        return "tide up, or unset AWS_ENDPOINT_URL"
    return "tide doctor"


def _terminated(_number: int, _frame: FrameType | None) -> None:
    # So that `finally` runs: a demo that is told to stop takes its twin with it.
    sys.exit(128 + signal.SIGTERM)
