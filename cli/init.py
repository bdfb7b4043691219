"""`tide init`: tidewheel.yaml from a table."""

import os
from pathlib import Path
from typing import Annotated

import typer
import yaml

from cli.config_file import render_config
from cli.inspection import Contract, inspect, slug
from cli.options import JsonOption
from cli.output import Output
from cli.project import CONFIG_NAME
from contracts.config import parse_config
from contracts.errors import StateError
from contracts.privacy import Privacy


def init(
    data: Annotated[Path, typer.Option("--data", help="A table: CSV, JSON Lines or Parquet, or a folder of them.", show_default=False)],
    target: Annotated[str, typer.Option("--target", help="The column to predict.", show_default=False)],
    identifier: Annotated[str | None, typer.Option("--id", help="The column that identifies a row.", show_default=False)] = None,
    time: Annotated[
        str | None, typer.Option("--time", help="The column that says when a row happened (ISO 8601).", show_default=False)
    ] = None,
    drop: Annotated[
        list[str] | None,
        typer.Option(
            "--private-drop", help="A personal column that leaves neither table nor request; may be repeated.", show_default=False
        ),
    ] = None,
    hashes: Annotated[
        list[str] | None,
        typer.Option("--private-hash", help="A personal column that is only used as keyed hashes; may be repeated.", show_default=False),
    ] = None,
    project: Annotated[
        str | None, typer.Option("--project", help="The project's name. Default: made of the file's.", show_default=False)
    ] = None,
    config: Annotated[Path, typer.Option("--config", help="The file to write.")] = Path(CONFIG_NAME),
    machine: JsonOption = False,
) -> None:
    """Write tidewheel.yaml from a table: kinds of column, problem, positive class. An existing file is kept as tidewheel.yaml.bak."""
    output = Output(machine)
    contract = inspect(data, target, identifier, time, Privacy(drop=tuple(drop or ()), hash=tuple(hashes or ())))
    name = slug(data.stem)
    text = render_config(project or name, name, _table_path(data, config), contract)
    parse_config(yaml.safe_load(text), source=f"what would be {config}")
    backup = None
    if config.is_dir():
        raise StateError(f"--config {config} is a folder. Next: --config {config / CONFIG_NAME}")
    if config.exists():
        backup = config.with_name(config.name + ".bak")
        config.replace(backup)
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(text, encoding="utf-8")
    _show(output, data, contract)
    if backup is not None:
        output.say(f"kept the earlier file as {backup}")
    output.say(f"wrote {config}. Next: look it through, then tide demo")
    output.document(
        {
            "ok": True,
            "config": str(config),
            "backup": str(backup) if backup else None,
            "rows": contract.rows,
            "problem": contract.problem,
            "positive": contract.positive,
            "features": contract.features,
            "ignore": contract.ignore,
            "privacy": contract.privacy.model_dump(mode="json"),
            "personal": contract.personal,
        }
    )


def _show(output: Output, data: Path, contract: Contract) -> None:
    output.say(f"{data}: {contract.rows:,} rows, {len(contract.features)} features")
    for note in contract.notes:
        output.say(note)
    roles = {contract.target: "target", contract.identifier: "id", contract.time: "time"}
    rows: list[tuple[str, str, str]] = [(name, role, "") for name, role in roles.items() if name is not None]
    rows += [
        (name, "feature", f"{kind}, hashed" if name in contract.privacy.hash else str(kind)) for name, kind in contract.features.items()
    ]
    rows += [(name, "dropped", "private") for name in contract.privacy.drop]
    rows += [(name, "ignored", why) for name, why in contract.ignore.items()]
    output.table(("column", "role", "kind, or why not"), rows)


def _table_path(data: Path, config: Path) -> str:
    """Relative to the configuration when it lies below it, so that the folder can be moved; absolute otherwise."""
    folder = config.resolve().parent
    path = data.resolve()
    return os.path.relpath(path, folder) if path.is_relative_to(folder) else str(path)
