"""The model server beside others, in one run on one machine: `python -m benchmarks.serving [--peers-python PYTHON]`.

Every server has one worker and one thread, serves the same fitted pipeline, and gets the same rows in the form that it wants. A round
starts each of them, waits for its first answer, warms it up, and runs three loads (client.py): one row from 1 client, one row from 16,
100 rows from 4. What is printed are medians of the rounds; 99 of 100 answers came within p99. Memory is the proportional set size of the
process tree after the loads; start is from the command to the first prediction.
"""

import argparse
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.serving.servers import HERE, ROOT, Server, floors, ours, peers
from benchmarks.serving.table import make_rows, train

BODIES = 32
LOADS = {"1 row, 1 client": (1, 1), "1 row, 16 clients": (1, 16), "100 rows, 4 clients": (100, 4)}
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
PATIENCE = 60  # seconds until the first answer


@dataclass
class Measured:
    """By load: requests a second and p99 in milliseconds, a value a round; seconds to the first answer; megabytes."""

    rates: dict[str, list[float]] = field(default_factory=dict)
    p99s: dict[str, list[float]] = field(default_factory=dict)
    starts: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)

    def rate(self, name: str) -> float:
        """The median."""
        return median(self.rates[name])


def free_ports() -> dict[str, str]:
    """Three ports, by the names that commands know them by."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    ports = [str(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return dict(zip(("port", "port1", "port2"), ports, strict=True))


@contextmanager
def running(server: Server, folder: Path, body: bytes) -> Iterator[tuple[int, float, psutil.Process]]:
    """(port, seconds until the first answer, the process)."""
    names = free_ports() | {"folder": str(folder)}
    environment = os.environ | ONE_THREAD | {name: value.format(**names) for name, value in server.environment.items()}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # nobody starts without it twice
    log = folder / "server.log"
    begun = time.perf_counter()
    with log.open("wb") as output:
        command = [part.format(**names) for part in server.command]
        process = psutil.Popen(command, env=environment, cwd=server.cwd, stdout=output, stderr=output)
    try:
        while not _answers(int(names["port"]), server.path, body):
            if process.poll() is not None or time.perf_counter() - begun > PATIENCE:
                raise SystemExit(f"{server.name} does not answer:\n{log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.01)
        yield int(names["port"]), time.perf_counter() - begun, process
    finally:
        if process.is_running():
            for each in [*process.children(recursive=True), process]:
                each.kill()
        process.wait(10)


def _answers(port: int, path: str, body: bytes) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        said = response.read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    if response.status not in {200, 404, 503}:  # those two: not ready yet
        raise SystemExit(f"{path} answers {response.status}: {said[:1000]!r}")
    return response.status == 200


def measure(server: Server, folder: Path, seconds: float, found: Measured) -> None:
    """One round."""
    bodies = {}
    for count in {rows for rows, _ in LOADS.values()}:
        bodies[count] = folder / f"{count}.jsonl"
        parts = [make_rows(count, seed=100 + number) for number in range(BODIES)]
        bodies[count].write_text("".join(json.dumps(server.encode(rows)) + "\n" for rows in parts))
    with running(server, folder, bodies[1].read_bytes().splitlines()[0]) as (port, start, process):
        found.starts.append(start)
        load(port, server.path, bodies[1], 4, min(1.0, seconds))
        for name, (count, clients) in LOADS.items():
            said = load(port, server.path, bodies[count], clients, seconds)
            found.rates.setdefault(name, []).append(said["rate"])
            found.p99s.setdefault(name, []).append(said["p99"])
        found.memory.append(sum(each.memory_full_info().pss for each in [process, *process.children(recursive=True)]) / 1e6)


def load(port: int, path: str, bodies: Path, clients: int, seconds: float) -> dict[str, float]:
    """What the client says."""
    command = [sys.executable, "-m", "benchmarks.serving.client", str(port), path, str(bodies), str(clients), str(seconds)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"the load on {path} failed: {done.stderr}")
    said: dict[str, float] = json.loads(done.stdout)
    return said


def report(found: dict[str, Measured]) -> None:
    """Table and targets."""
    table = Table("server", *(f"{name}: 1/s, p99" for name in LOADS), "start", "memory")
    for server, each in found.items():
        cells = [f"{each.rate(name):,.0f}, {median(each.p99s[name]):.3g} ms" for name in LOADS]
        table.add_row(server, *cells, f"{median(each.starts):.2f} s", f"{median(each.memory):.0f} MB")
    Console(width=160).print(table)
    own, rest = found["Tidewheel"], {name: each for name, each in found.items() if not name.startswith(("Tidewheel", "floor", "no "))}
    lines = [
        (f"p99 at 1 client: {median(own.p99s['1 row, 1 client']):.3g} ms", median(own.p99s["1 row, 1 client"]) < 1, "1 ms"),
        (f"ready in {median(own.starts):.2f} s", median(own.starts) < 1, "1 s"),
        (f"memory {median(own.memory):.0f} MB", median(own.memory) < 150, "150 MB"),
    ]
    for name, factor in zip(LOADS, (50, 15, 6), strict=True):
        if rest:
            best = max(rest, key=lambda each: rest[each].rate(name))
            ratio = own.rate(name) / rest[best].rate(name)
            lines.append((f"{name}: {ratio:.1f} x {best}", ratio >= factor, f"{factor} x"))
        floor = found.get("floor: ASGI on uvicorn")
        if floor is not None:
            ratio = own.rate(name) / floor.rate(name)
            lines.append((f"{name}: {ratio:.2f} of the ASGI floor", ratio >= 0.6, "0.6"))
    for text, met, target in lines:
        print(f"{'met   ' if met else 'missed'}  {text} (target: {target})")


def prepare(folder: Path, peers_python: str | None, only: str) -> list[Server]:
    """A trained model for everybody, ours first."""
    _, digest = train(folder)
    if peers_python is None:
        return [ours(folder, digest)]
    python = str(Path(peers_python).absolute())
    (folder / "peers").mkdir()
    shutil.copyfile(folder / "model" / "model.skops", folder / "peers" / "model.skops")
    (folder / "peers" / "sample.json").write_text(json.dumps(make_rows(50, seed=2)))
    command = [python, str(HERE / "peers" / "prepare.py"), str(folder / "peers")]
    done = subprocess.run(command, env=os.environ | ONE_THREAD, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"the peers' models could not be made: {done.stderr}")
    return [ours(folder, digest), *(each for each in [*floors(python), *peers(python, folder)] if only in each.name)]


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    parser.add_argument("--peers-python", help="a Python with benchmarks/serving-requirements.txt; without it only ours is measured")
    parser.add_argument("--only", default="", help="measure those alone whose names have this in them, beside ours")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3, help="of each load")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        servers = prepare(folder, given.peers_python, given.only)
        found = {server.name: Measured() for server in servers}
        for _ in range(given.rounds):
            for server in servers:
                measure(server, folder, given.seconds, found[server.name])
        report(found)


if __name__ == "__main__":
    main()
