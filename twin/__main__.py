"""`python -m twin --dir D [--port P] [--speed X] [--assembly cdk.out]`: the twin in the foreground, until SIGTERM or SIGINT."""

import argparse
import signal
import sys
import threading
from pathlib import Path

from twin.home import TwinError
from twin.server import TwinServer


def main() -> int:
    """Run until a signal. Exit status 1 when the twin cannot start."""
    parser = argparse.ArgumentParser(prog="python -m twin", description="An offline AWS account on one port.")
    parser.add_argument("--dir", type=Path, required=True, help="the state folder")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free port (see twin.json in the state folder)")
    parser.add_argument("--speed", type=float, default=1.0, help="twin seconds per real second")
    parser.add_argument("--assembly", type=Path, default=Path("cdk.out"), help="the folder that cdk synth wrote")
    parser.add_argument("--region", default="us-east-1")
    options = parser.parse_args()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        with TwinServer(options.dir, options.assembly, options.port, options.speed, options.region):
            stop.wait()
    except TwinError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
