"""The command: a fresh twin in .tidewheel/demo, the story on it, and its end, whatever happens."""

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError

from cli.account import twin_account
from cli.assembly import synthesise
from cli.config_file import FIRST_SHARE
from cli.demo.report import Report, show_report
from cli.demo.samples import SCHEME, write_sample_table
from cli.demo.setting import demo_project
from cli.demo.story import Story, Tables
from cli.demo.traffic import Row
from cli.deploy import deploy_assembly
from cli.observe import App
from cli.options import ConfigOption, EnvironmentOption
from cli.output import Output, Phase
from cli.own_twin import fresh, only_one
from cli.project import Project, load_project
from cli.replay.table import read_table
from cli.tables import write_sample
from cli.twin_process import LOG, end_leftovers, running_twin, start_twin, stop_twin
from cli.up import ASSEMBLY_NAME
from contracts.errors import DataError, StateError, TidewheelError

DEFAULT_SPEED = 60.0
TRAFFIC_ROWS = 5000


def demo(
    data: Annotated[Path | None, typer.Option("--data", help="A table. Default: data.table of tidewheel.yaml.", show_default=False)] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the result to this file as JSON.", show_default=False)] = None,
    speed: Annotated[float, typer.Option("--speed", min=1, max=120, help="Twin seconds per real second.")] = DEFAULT_SPEED,
    config: ConfigOption = None,
    environment: EnvironmentOption = None,
) -> None:
    """Run the whole loop on a fresh twin, on real data: a model, drift, retraining, a canary under traffic, and a bad model thrown back."""
    output = Output()
    project = load_project(config, environment)
    if json_file is not None and not json_file.absolute().parent.is_dir():
        raise StateError(f"--json {json_file}: there is no folder {json_file.parent}. Next: make it")
    report = Report()
    folder = (project.state / "demo").resolve()
    with only_one(folder):
        try:
            _run(project, folder, data, speed, output, report)
        except TidewheelError as error:
            # Its twin is gone by the time that anybody reads this.
            report.reason = str(error).removesuffix(". Next: tide status")
        except (BotoCoreError, ClientError) as error:
            report.reason = _aws_reason(error, folder)
        except BaseException as error:
            report.reason = repr(error)
            raise
        finally:
            stop_twin(folder)
            end_leftovers(folder)
            if json_file is not None:
                json_file.write_text(json.dumps(report.document(), indent=2) + "\n", encoding="utf-8")
    show_report(output, report)
    if not report.ok:
        reason = report.reason or f"{len(report.failures)} of {len(report.sent)} requests failed"
        raise StateError(f"the demo failed: {reason}\nlogs are in {folder}; the first to look at is {LOG}")


def _run(project: Project, folder: Path, data: Path | None, speed: float, output: Output, report: Report) -> None:
    output.say(f"{project.config.prefix} on a fresh twin, {speed:g} times as fast as real time", "bold")
    assembly = folder / ASSEMBLY_NAME
    with _phase(output, report, "synthesise the app"):
        fresh(folder)
        tables = make_tables(project, data, folder)
        deployed_project = demo_project(project, folder)
        synthesise(deployed_project, assembly)
    with _phase(output, report, "start the twin") as phase:
        twin = start_twin(folder, assembly, 0, speed)
        phase.result = twin.url
    account = twin_account(twin.url, twin.region)
    with _phase(output, report, "deploy the stacks") as phase:
        deployed = deploy_assembly(account, assembly, phase.show)
        phase.result = ", ".join(stack.name for stack in deployed)
    story = Story(App(account, deployed_project), tables, folder, output, report)
    try:
        story.tell()
    finally:
        if running_twin(folder) is not None:
            story.collect()


@contextmanager
def _phase(output: Output, report: Report, name: str) -> Iterator[Phase]:
    with output.phase(name) as phase:
        report.phases.append(phase)
        yield phase


def make_tables(project: Project, data: Path | None, folder: Path) -> Tables:
    """The part of the rows that is uploaded, and all of them as traffic. Raises DataError when the table does not fit the project."""
    contract = project.config.data
    whole = folder / f"{contract.dataset}-whole.csv"
    source = contract.table if data is None else None
    if data is None and source is None:
        raise DataError([f"{project.config_path} names no data.table. Next: tide demo --data FILE.csv"])
    if source is not None and source.startswith(SCHEME):
        write_sample_table(source.removeprefix(SCHEME), contract.target, whole)
        path = whole
    else:
        path = data if data is not None else project.folder / str(source)
    table = read_table(path, contract, None, project.config_path)
    rows = [Row(row.record, row.label) for row in table.rows if row.fits and row.label is not None]
    if not rows:
        raise DataError([f"no row of {path} has a {contract.target} and fits {project.config_path}. Next: tide init --data {path}"])
    chance = random.Random(project.config.training.seed)  # noqa: S311 - a sample, not a secret
    first = folder / f"{contract.dataset}.csv"
    write_sample(path, first, FIRST_SHARE, project.config.training.seed)
    return Tables(first, chance.sample(rows, min(TRAFFIC_ROWS, len(rows))))


def _aws_reason(error: BotoCoreError | ClientError, folder: Path) -> str:
    if running_twin(folder) is None:
        return f"the twin ended before its time ({error})"
    return str(error)
