"""The command: a fresh twin in .tidewheel/replay, the first model, the windows, and the twin's end, whatever happens."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError

from cli.account import twin_account
from cli.api import PredictionApi
from cli.assembly import synthesise
from cli.deploy import deploy_assembly
from cli.observe import App
from cli.options import ConfigOption, EnvironmentOption
from cli.output import Output
from cli.own_twin import fresh, only_one
from cli.project import Project, load_project
from cli.release import endpoint_state
from cli.replay.client import Client
from cli.replay.first import first_answers
from cli.replay.page import page
from cli.replay.plan import Plan, make_plan, write_project
from cli.replay.report import Report, show_report, window_line
from cli.replay.table import ReplayTable, read_table, write_rows
from cli.replay.windows import Windows
from cli.rest import wait_for_rest
from cli.score import metric_of, tally
from cli.train import run_of, wait_for_execution
from cli.twin_clock import TwinClock
from cli.twin_process import LOG, end_leftovers, running_twin, start_twin, stop_twin
from cli.up import ASSEMBLY_NAME
from cli.upload import upload_table, wait_for_decision
from cli.waiting import wait_for
from contracts.config import Data
from contracts.errors import DataError, StateError, TidewheelError

SPEED = 10.0
"""Twin seconds per real second: an hour is six minutes of real work, so a retraining fits between two windows."""
PAGE = "report.html"
INTERRUPTED = "interrupted"
DATASET_LIMIT = 300.0
START_LIMIT = 60.0
RUN_LIMIT = 3600.0
REST_LIMIT = 300.0


def replay(
    data: Annotated[Path, typer.Option("--data", help="A table: a file, or a folder of files.", show_default=False)],
    order_by: Annotated[
        str | None,
        typer.Option("--order-by", help="The column whose order is the time. Default: data.time, else as in the file.", show_default=False),
    ] = None,
    train_rows: Annotated[
        int | None, typer.Option("--train-rows", min=10, help="Rows that train the first model. Default: a fifth.", show_default=False)
    ] = None,
    window_rows: Annotated[
        int | None, typer.Option("--window-rows", min=1, help="Rows of a window. Default: a twentieth of the rest.", show_default=False)
    ] = None,
    label_delay: Annotated[
        int | None,
        typer.Option("--label-delay", min=0, help="Rows that pass until a row's label comes. Default: a window.", show_default=False),
    ] = None,
    no_retrain: Annotated[bool, typer.Option("--no-retrain", help="Watch only: the first model stays.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the result to this file as JSON.", show_default=False)] = None,
    config: ConfigOption = None,
    environment: EnvironmentOption = None,
) -> None:
    """Replay a table in its order as live traffic with late labels, on a fresh twin: what would the loop have done, and gained?"""
    output = Output()
    project = load_project(config, environment)
    if json_file is not None:
        _check_place(json_file)
    report = Report(metric_of(project.config.data.problem), data.name, alarm=project.config.monitoring.alarm)
    folder = (project.state / "replay").resolve()
    began = time.monotonic()
    with only_one(folder):
        try:
            table = read_table(data, project.config.data, order_by, project.config_path)
            plan = make_plan(len(table.rows), train_rows, window_rows, label_delay, not no_retrain)
            report.order_by, report.plan = table.order, plan
            report.places = [table.place(window.start) for window in plan.windows(len(table.rows))] if table.order else []
            _run(project, folder, table, plan, output, report)
        except DataError as error:
            report.reason = str(error)
            raise
        except TidewheelError as error:
            # Its twin is gone by the time that anybody reads this.
            report.reason = str(error).removesuffix(". Next: tide status")
        except (BotoCoreError, ClientError) as error:
            report.reason = str(error) if running_twin(folder) is not None else f"the twin ended before its time ({error})"
        except BaseException as error:
            report.reason = INTERRUPTED if isinstance(error, KeyboardInterrupt) else repr(error)
            raise
        finally:
            report.seconds = time.monotonic() - began
            stop_twin(folder)
            end_leftovers(folder)
            _tell(report, output, folder / PAGE, json_file)
    if not report.ok:
        reason = report.reason or f"{len(report.failures)} of {report.requests} requests failed"
        raise StateError(f"the replay failed: {reason}\nlogs are in {folder}; the first to look at is {LOG}")


def _check_place(json_file: Path) -> None:
    """Before the work, not after it."""
    if json_file.is_dir():
        raise StateError(f"--json {json_file} is a folder. Next: give a file in it, such as {json_file / 'replay.json'}")
    if not json_file.absolute().parent.is_dir():
        raise StateError(f"--json {json_file}: there is no folder {json_file.parent}. Next: make it")


def _tell(report: Report, output: Output, page_file: Path, json_file: Path | None) -> None:
    """The result, as far as it came: as JSON, as a page and in words."""
    document = report.document()
    if json_file is not None:
        json_file.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    show_report(output, report)
    if report.reason == INTERRUPTED and report.windows:
        output.say(f"interrupted after window {len(report.windows)}: all of this is about the windows until then", "yellow")
    if report.windows:
        page_file.write_text(page(document, f"tide replay of {report.table}"), encoding="utf-8")
        output.say(f"the windows as a page: {page_file}")


def _run(project: Project, folder: Path, table: ReplayTable, plan: Plan, output: Output, report: Report) -> None:
    order = f"in the order of {table.order}" if table.order else "in the file's order"
    windows = plan.windows(len(table.rows))
    output.say(f"{project.config.prefix} on a fresh twin: {len(table.rows):,} rows {order}", "bold")
    output.say(plan.in_words(len(table.rows)))
    for warning in warnings(table, project.config.data):
        output.say(warning, "yellow")
    app = _deployed(project, folder, table, plan, output)
    client = Client(
        PredictionApi(app.account, app.api_url), PredictionApi(app.account, app.feedback_url), table.rows, labelled=plan.train_rows
    )
    turning = Windows(app, TwinClock(app.account), client, plan, report.metric)
    try:
        for number, rows in enumerate(windows, 1):
            with output.phase(f"window {number} of {len(windows)}") as phase:
                report.windows.append(turning.turn(rows, phase.show))
                phase.result = window_line(report, report.windows[-1])
    finally:
        report.requests, report.labels = client.requests, client.labels_sent
        report.failures, report.refused = client.failures, client.refused
        if running_twin(folder) is not None:
            report.versions = app.versions()
    with output.phase("ask the first model alone") as phase:
        _without_retraining(app, client, folder, report)
        phase.result = f"{report.metric} {report.without:.4f}" if report.without is not None else "no row has a label"


def warnings(table: ReplayTable, data: Data) -> list[str]:
    """What is probably not meant about the order."""
    found = []
    if table.as_text:
        found.append(f"column {table.order!r} holds no numbers and no ISO 8601 times, so its order is that of texts: 10 before 9")
    if table.order in data.features:
        beyond = "its later values are all beyond what the model was trained on"
        found.append(f"column {table.order!r} is the order and a feature too: {beyond}. Next, if it is only a time: tide init --time")
    return found


def _deployed(project: Project, folder: Path, table: ReplayTable, plan: Plan, output: Output) -> App:
    """The app on a fresh twin, with the first model live."""
    assembly = folder / ASSEMBLY_NAME
    with output.phase("synthesise the app"):
        fresh(folder)
        first = folder / f"{project.config.data.dataset}.csv"
        count = write_rows(table, plan.train_rows, first)
        if not count:
            raise DataError([f"none of the first {plan.train_rows} rows has a {project.config.data.target}. Next: another --order-by"])
        deployed = write_project(project, plan, count, folder)
        synthesise(deployed, assembly)
    with output.phase("start the twin") as phase:
        twin = start_twin(folder, assembly, 0, SPEED)
        phase.result = twin.url
    account = twin_account(twin.url, twin.region)
    with output.phase("deploy the stacks") as phase:
        deploy_assembly(account, assembly, phase.show)
    app = App(account, deployed)
    with output.phase("train and deploy the first model") as phase:
        phase.result = _first_model(app, first, phase.show)
    return app


def _first_model(app: App, path: Path, show: Callable[[str], None]) -> str:
    """From the upload to a live version 1; the result in words. Raises TidewheelError with the reason when it does not become live."""
    manifest = wait_for_decision(app, upload_table(app, path, path.name), DATASET_LIMIT)
    run = wait_for(f"a run on dataset version {manifest.version}", lambda: run_of(app, manifest.version), START_LIMIT)
    wait_for_execution(app, run.arn, RUN_LIMIT, show)
    wait_for_rest(app, show, REST_LIMIT, interval=0.2)
    (version,) = app.versions()
    if endpoint_state(app).live != version.number:
        raise StateError(f"version {version.number} is {version.approval} and not live: {version.why or 'no reason given'}")
    metrics = ", ".join(f"{name} {value:.4g}" for name, value in version.metrics.items())
    return f"version {version.number} on {manifest.rows:,} rows, on its holdout {metrics}"


def _without_retraining(app: App, client: Client, folder: Path, report: Report) -> None:
    """Score version 1 on the rows of every window that was replayed; when it answered all of them itself, nothing is asked again."""
    numbers = [number for window in report.windows for number in window.rows]
    first = min(report.versions, key=lambda version: version.number)
    if all(set(window.versions) <= {first.number} for window in report.windows):
        report.first = [window.tally for window in report.windows]
        return
    found = first_answers(app, first, client.rows, numbers, folder)
    for window in report.windows:
        # The same rows as the loop is scored on: a row that got no answer counts for neither.
        pairs = [
            (found[number], label)
            for number in window.rows
            if number in found and number in client.answers and (label := client.rows[number].label) is not None
        ]
        report.first.append(tally(report.metric, pairs))
