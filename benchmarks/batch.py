"""A large table through `tide predict --batch` on the twin: rows a second, and the peak memory of everyone who touches the rows.

    python -m benchmarks.batch [--rows 1000000] [--folder DIR]

The table has 19 mixed features and an id. A small version of it trains a model first, which takes a minute and is not counted. Memory is
the peak of the proportional set sizes, sampled every 50 ms: of the command, of the twin (which stands for S3 too), and of what the twin
starts, which is the model server. `--folder` keeps the twin and the table for another run.
"""

import argparse
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from cli.twin_process import running_twin

TIDE = str(Path(sys.executable).parent / "tide")
TRAINED_ON = 2_000
NUMERIC, CATEGORICAL = 11, 8
CONFIG = f"""project: batch
data:
  dataset: batch
  id: id
  target: churned
  problem: binary
  positive: "yes"
  features: {{{", ".join([*(f"n{i}: numeric" for i in range(NUMERIC)), *(f"c{i}: categorical" for i in range(CATEGORICAL))])}}}
training: {{candidates: 1, folds: 2, gate: {{minimum: 0.5}}}}
serving: {{instance_count: 1, rollout: {{type: all_at_once, termination_wait_seconds: 0}}}}
"""


def lines(rows: int, seed: int) -> Iterator[str]:
    """The table, a line at a time; one cell of thirty is empty."""
    chance = random.Random(seed)
    yield ",".join(["id", *(f"n{i}" for i in range(NUMERIC)), *(f"c{i}" for i in range(CATEGORICAL)), "churned"])
    for row in range(rows):
        numbers = [f"{chance.gauss(0, 1):.3f}" for _ in range(NUMERIC)]
        words = [f"w{int(4 * chance.random())}" for _ in range(CATEGORICAL)]
        label = "yes" if float(numbers[0]) + (words[0] == "w1") > 0 else "no"
        cells = [*numbers, *words]
        cells[int(30 * chance.random()) % 19] *= chance.random() > 19 / 30
        yield ",".join([f"customer-{row}", *cells, label])


def write(path: Path, rows: int, seed: int) -> None:
    """The table as a file."""
    with path.open("w") as file:
        file.writelines(f"{line}\n" for line in lines(rows, seed))


def prepare(folder: Path, rows: int) -> None:
    """A running twin with a live model, and the table; what is there already is taken."""
    big = folder / f"{rows}.csv"
    if not big.exists():
        write(big, rows, 1)
    if running_twin(folder / ".tidewheel") is not None:
        return
    (folder / "tidewheel.yaml").write_text(CONFIG)
    write(folder / "train.csv", TRAINED_ON, 0)
    for command in (["up", "--speed", "60"], ["data", "push", "train.csv"], ["status", "--wait"]):
        subprocess.run([TIDE, *command], cwd=folder, check=True, stdout=subprocess.DEVNULL)


def measure(folder: Path, rows: int) -> tuple[dict[str, object], float, dict[str, float]]:
    """(what the command says, its seconds, the peaks in MB)."""
    twin = running_twin(folder / ".tidewheel")
    assert twin is not None
    keeper, peaks = psutil.Process(twin.pid), {"the command": 0.0, "the twin, S3 included": 0.0, "the model server": 0.0}
    before = {child.pid for child in keeper.children(recursive=True)}
    started = time.monotonic()
    command = [TIDE, "predict", "--batch", f"{rows}.csv", "--out", "predictions.csv", "--json"]
    process = psutil.Popen(command, cwd=folder, stdout=subprocess.PIPE)
    while process.poll() is None:
        servers = [child for child in keeper.children(recursive=True) if child.pid not in before]
        for name, found in (("the command", [process]), ("the twin, S3 included", [keeper]), ("the model server", servers)):
            peaks[name] = max(peaks[name], sum(map(_memory, found)))
        time.sleep(0.05)
    seconds = time.monotonic() - started
    return json.loads(process.stdout.read()), seconds, peaks


def _memory(process: psutil.Process) -> float:
    try:
        return float(process.memory_full_info().pss) / 1e6
    except psutil.NoSuchProcess:
        return 0.0  # it ended while it was looked at


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    with TemporaryDirectory(prefix="batch-") as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        try:
            prepare(folder, arguments.rows)
            said, seconds, peaks = measure(folder, arguments.rows)
        finally:
            if arguments.folder is None:
                subprocess.run([TIDE, "down"], cwd=folder, check=False, stdout=subprocess.DEVNULL)
        size = (folder / f"{arguments.rows}.csv").stat().st_size / 1e6
    speed = f"{arguments.rows / seconds:,.0f} rows/s"
    print(f"{said['predicted']:,} of {said['rows']:,} rows ({size:.0f} MB of CSV) in {seconds:.1f} s: {speed}\n")
    print("| peak memory of | MB |\n| --- | --- |")
    print("\n".join(f"| {name} | {peak:,.0f} |" for name, peak in peaks.items()))


if __name__ == "__main__":
    main()
