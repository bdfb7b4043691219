"""The analyzer against the tutorial's loop, and other projects when asked for, in one run. See README.md."""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import psutil

from benchmarks import traffic

ROOT = Path(__file__).parent.parent
INTERVAL = 0.1  # seconds between two looks at the memory, which take processor too


def measure(command: list[str], environment: dict[str, str]) -> tuple[float, float, float]:
    """(wall seconds, seconds of processor, peak megabytes); of the process tree."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    process = psutil.Popen(command, env=os.environ | environment, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    peak = 0
    while process.poll() is None:
        peak = max(peak, _memory(process))
        time.sleep(INTERVAL)
    seconds = time.perf_counter() - started
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{process.stderr.read().decode()}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, peak / 1e6


def _memory(process: psutil.Process) -> int:
    total = 0
    try:
        for part in [process, *process.children(recursive=True)]:
            total += part.memory_full_info().pss
    except psutil.NoSuchProcess:
        pass  # it ended while it was looked at
    return total


def commands(folder: Path, peers_python: str | None) -> dict[str, list[str]]:
    """What is compared."""
    tables = [str(folder / "baseline.parquet"), str(folder / "window.parquet")]
    found = {
        "analyzer": [sys.executable, "-m", "training", "monitor"],
        "analyzer, one process": [sys.executable, "-m", "training", "monitor", "--workers", "1"],
        "scipy loop": [sys.executable, "benchmarks/scipy_loop.py", *tables],
    }
    if peers_python:
        found |= {name: [peers_python, "benchmarks/peers.py", name, *tables] for name in ("evidently", "nannyml")}
    return found


def environment(folder: Path, source: str) -> dict[str, str]:
    """The analyzer's."""
    return {
        "ML_ROOT": str(folder / "ml"),
        "dataset_source": str(folder / source),
        "baseline_statistics": str(folder / "baseline" / "statistics.json"),
        "baseline_constraints": str(folder / "baseline" / "constraints.json"),
        "output_path": str(folder / "result"),
        "start_time": "2026-11-20T00:00:00Z",
        "end_time": "2026-11-21T00:00:00Z",
        "ground_truth_source": str(folder / "labels") if (folder / "labels").exists() else "",
    }


def main() -> None:
    """Write the traffic, measure in turns, print medians."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeated", type=float, default=0.0, help="share of the records that are captured twice")
    parser.add_argument("--labels", type=float, default=0.0, help="share of the records whose label comes")
    parser.add_argument("--only", default="", help="just those whose name begins so")
    parser.add_argument("--peers-python", help="a Python with benchmarks/requirements.txt")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        traffic.write_baseline(folder / "baseline")
        traffic.write_captures(folder / "captures", given.rows, given.repeated)
        if given.labels:
            traffic.write_labels(folder / "labels", given.rows, given.labels)
        (folder / "empty").mkdir()
        rows = np.arange(given.rows) % traffic.VARIETY
        if not given.only.startswith("analyzer"):
            traffic.table(given.rows, 5, shifted=False).to_parquet(folder / "baseline.parquet")
            traffic.table(traffic.VARIETY, 4, shifted=True).iloc[rows].to_parquet(folder / "window.parquet")
        chosen = {name: command for name, command in commands(folder, given.peers_python).items() if name.startswith(given.only)}
        results: dict[str, list[tuple[float, float, float]]] = {"start-up (no records)": []}
        for _ in range(given.rounds):
            results["start-up (no records)"].append(measure(commands(folder, None)["analyzer"], environment(folder, "empty")))
            for name, command in chosen.items():
                results.setdefault(name, []).append(measure(command, environment(folder, "captures")))
    ours = median(seconds for seconds, *_ in results["analyzer"])
    print(f"{given.rows:,} records, {given.repeated:.1%} of them twice, {given.labels:.0%} with a label; ", end="")
    print(f"{len(traffic.KINDS)} columns, {os.cpu_count()} cores, median of {given.rounds}", end="")
    print(f"; load {os.getloadavg()[0]:.1f}")
    for name, rounds in results.items():
        seconds, processor, megabytes = (median(part) for part in zip(*rounds, strict=True))
        print(f"{name:<24}{seconds:>8.2f} s {seconds / ours:>8.2f} x {processor:>8.2f} s of processor {megabytes:>8.0f} MB")


if __name__ == "__main__":
    main()
