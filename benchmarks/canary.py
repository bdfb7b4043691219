"""A canary under load: the example project on a twin, a second version that takes over step by step, and clients that never stop.

    python -m benchmarks.canary [--rate REQUESTS_PER_SECOND]

First, what this machine lets through: clients that ask again as soon as they are answered. Then the canary at a steady rate, a tenth of
that by default: of the twin's ceiling, which is far below the model server's, because all requests go through one process there. Clients,
API, functions, model servers and everything that deploys share the machine. Requests are signed, authorised, captured, and counted as a
client sees them: what is not answered with 200 has failed. Exit status 1 when one did, or p95 is over 200 ms.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from cli.account import twin_account
from cli.api import PredictionApi
from cli.assembly import synthesise
from cli.demo.command import make_tables
from cli.demo.setting import demo_project
from cli.demo.traffic import ROWS_PER_REQUEST, THREADS, Traffic, latencies
from cli.demo.waits import approval_of, wait_until_live
from cli.deploy import deploy_assembly
from cli.observe import App, Version
from cli.project import CONFIG_NAME, REPOSITORY, load_project
from cli.train import run_of, wait_for_execution
from cli.twin_process import end_leftovers, start_twin, stop_twin
from cli.upload import upload_table, wait_for_decision
from cli.waiting import wait_for

SPEED = 60.0
LIMIT_MS = 200.0
SATURATED = 1e6  # requests a second: more than any machine answers, so every client asks at once again
SECONDS = 8.0
LONG = 600.0


def registered(app: App, table: Path, number: int) -> Version:
    """Upload a table, and wait for the version that is trained on it and approved."""
    manifest = wait_for_decision(app, upload_table(app, table, f"table-{number}.csv"), LONG)
    run = wait_for("a run", lambda: run_of(app, manifest.version), LONG)
    wait_for_execution(app, run.arn, LONG)
    version = app.version(number)
    approval_of(app, version, lambda _: None)
    return version


def capacity(traffic: Traffic) -> float:
    """Answered requests a second when no client pauses."""
    traffic.start()
    time.sleep(SECONDS)
    traffic.stop()
    return len([one for one in traffic.sent if not one.failure]) / SECONDS


def shift(app: App, traffic: Traffic, second: Path) -> None:
    """The second version takes over while the clients send."""
    traffic.start()
    try:
        wait_until_live(app, registered(app, second, 2), lambda _: None, traffic)
    finally:
        traffic.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, help="requests a second; default: a tenth of what the machine lets through")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        source = load_project(REPOSITORY / CONFIG_NAME)
        tables = make_tables(source, None, folder)
        project, assembly = demo_project(source, folder), folder / "cdk.out"
        synthesise(project, assembly)
        twin = start_twin(folder / "twin", assembly, 0, SPEED)
        try:
            account = twin_account(twin.url, twin.region)
            deploy_assembly(account, assembly, lambda _: None)
            app = App(account, project)
            wait_until_live(app, registered(app, tables.first, 1), lambda _: None, None)
            api = PredictionApi(account, app.api_url)
            most = capacity(Traffic(api, "rows", tables.rows, SATURATED))
            rate = given.rate or most / 10
            traffic = Traffic(api, "rows", tables.rows, rate)
            shift(app, traffic, folder / f"{project.config.data.dataset}-whole.csv")
        finally:
            stop_twin(folder / "twin")
            end_leftovers(folder / "twin")
    sent = traffic.sent
    failed, found = [one.failure for one in sent if one.failure], latencies(sent)
    answered = Counter((one.artifact or "failed")[:8] for one in sent)
    print(f"{THREADS} clients that never pause: {most:.0f} requests a second of {ROWS_PER_REQUEST} rows")
    print(
        f"through the canary: {len(sent)} requests, {rate:.1f} a second, {len(failed)} failed; p50 {found['p50']} ms, p95 {found['p95']} ms"
    )
    print(f"answered by: {', '.join(f'{artifact} {count}' for artifact, count in answered.items())}")
    sys.exit(1 if failed or len(answered) < 2 or found["p95"] > LIMIT_MS else 0)


if __name__ == "__main__":
    main()
