"""`python -m training <verb> [options]`: runs one verb and reports its failure the way SageMaker reads it.

Exit status: 0 done, 1 failed (the reason is in the failure file and, with its traceback, on stderr), 2 wrong usage, 143 stopped by SIGTERM.
"""

import logging
import os
import platform
import signal
import sys
import traceback
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import FrameType

from contracts.errors import TidewheelError
from training.paths import Paths
from training.stop import Stopped

# Sums over several threads are not reproducible, and several servers on one machine would multiply threads.
NUMERICS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
if platform.machine() in {"x86_64", "AMD64"}:
    # OpenBLAS picks its kernels by the processor, and each rounds in its own way. This one (AVX2) runs on every instance type of today,
    # so the same input gives the same bytes on all of them.
    NUMERICS["OPENBLAS_CORETYPE"] = "Haswell"
VERBS = ("prepare", "train", "evaluate", "monitor", "collect", "serve", "verify", "compare")
STOPPED = 128 + signal.SIGTERM


def main(arguments: list[str], paths: Paths) -> int:
    """Run the verb that `arguments` starts with; returns the exit status."""
    if not arguments or arguments[0] not in VERBS:
        sys.stderr.write(f"usage: python -m training {{{','.join(VERBS)}}} [options]\n")
        return 2
    verb, *options = arguments
    report = paths.failure if verb == "train" else paths.message
    try:
        import_module(f"training.{verb}").main(paths, options)
    except TidewheelError as error:
        return _failed(report, str(error), 1)
    except Stopped as error:
        return _failed(report, str(error), STOPPED)
    except Exception as error:  # noqa: BLE001 - the job's last line of defence: reported with its type, and never with status 0
        return _failed(report, f"{type(error).__name__}: {error}", 1)
    return 0


def _failed(report: Path, message: str, status: int) -> int:
    """Tell people (stderr) and SageMaker, which shows the first 1,024 bytes of the file and wants them to be UTF-8."""
    traceback.print_exc()
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_bytes(message.encode(errors="replace")[:1024].decode(errors="ignore").encode())
    return status


def settings(given: Mapping[str, str]) -> dict[str, str]:
    """The environment that the verbs run in. A container may be told its region by AWS_REGION alone, which botocore does not read."""
    region = {"AWS_DEFAULT_REGION": given["AWS_REGION"]} if "AWS_REGION" in given else {}
    return NUMERICS | region | dict(given)


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise Stopped("stopped by SIGTERM before it was done")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(levelname)s %(name)s %(message)s")
    signal.signal(signal.SIGTERM, _stop)
    os.environ.update(settings(os.environ))  # read when numpy is imported, which only the verbs do
    sys.exit(main(sys.argv[1:], Paths.of(os.environ)))
