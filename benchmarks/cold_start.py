"""How long the API's functions take to import, as a cold start does: `python -m benchmarks.cold_start [--times N]`.

Each time in a process of its own, with the files in the system's cache and compiled. A cold start on AWS also starts the runtime, and gives
its imports a share of a processor by the function's memory; so this compares one function, or one commit, with another.
"""

import argparse
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
FUNCTIONS = ("predict", "describe_model", "record_feedback")
PROGRAM = """
import time
wall, busy = time.perf_counter(), time.process_time()
import lambdas.{0}.handler
print(1000 * (time.perf_counter() - wall), 1000 * (time.process_time() - busy))
"""


def measure(function: str, times: int) -> list[tuple[float, ...]]:
    """Milliseconds of each import, of the clock and of the processor, after one that compiles."""
    command = [sys.executable, "-c", PROGRAM.format(function)]
    runs = [subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout for _ in range(times + 1)]
    return [tuple(map(float, run.split())) for run in runs[1:]]


def main() -> None:
    """Print a line a function."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=11)
    times = parser.parse_args().times
    print(f"{'function':16} {'median ms':>10} {'least ms':>10} {'processor ms':>13}   of {times} imports")
    for function in FUNCTIONS:
        walls, busy = zip(*measure(function, times), strict=True)
        print(f"{function:16} {statistics.median(walls):10.0f} {min(walls):10.0f} {statistics.median(busy):13.0f}")


if __name__ == "__main__":
    main()
