"""A batch from its table to its results, with progress.

Ctrl-C stops the transform job. Nothing is half written then, and the next run starts anew: what was predicted was not stored, because
SageMaker stores no output of a job that was stopped, and a batch of one table twice has no use for parts of the first.
"""

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cli.batch.job import Batch
from cli.batch.results import Results, missing_path, open_results
from cli.batch.source import Source, open_source
from cli.batch.target import Target, find_hasher, find_target
from cli.observe import App
from cli.output import Output, Phase
from contracts.batch.answers import Answer
from contracts.batch.names import batch_name
from contracts.batch.parts import pack
from contracts.batch.rows import Columns, Good, Rejected, find_columns
from contracts.errors import DataError

SHOW_EVERY = 10_000


def predict_batch(app: App, output: Output, text: str, out: Path | None, number: int | None, by_id: bool) -> dict[str, Any]:
    """Predict a table; the summary, whose `ok` says that every row has its prediction. Raises TidewheelError."""
    target = find_target(app, number)
    with open_source(app.account, text) as source:
        to = out or Path(f"{source.stem}-predictions.csv")
        _check_places(to, source)
        columns = _columns(app, output, source, target, by_id)
        batch = Batch(app, target, batch_name(app.prefix, app.account.now(), secrets.token_hex(2)))
        with open_results(target.signature, to, missing_path(to)) as results:
            try:
                with batch:
                    _send(output, batch, columns, source, results)
                    if batch.parts:
                        _predict(output, batch, target)
                        _collect(output, batch, results)
            except (KeyboardInterrupt, SystemExit):
                output.say(f"stopped {batch.name}; nothing was written. Next: run it again, it starts anew", "yellow")
                raise
    return _summary(batch, target, results, source, to)


def _check_places(out: Path, source: Source) -> None:
    """Raises DataError where a result cannot be put: before the batch, for afterwards it is paid for."""
    for path in (out, missing_path(out)):
        if source.is_at(path):
            raise DataError([f"--out {out} would overwrite {path}, the table itself. Next: --out another file"])
        if path.is_dir():
            raise DataError([f"--out {out} needs {path} for a file, and that is a folder. Next: --out a file"])


def _columns(app: App, output: Output, source: Source, target: Target, by_id: bool) -> Columns:
    data = app.project.config.data
    hashed = frozenset(data.privacy.hash)
    identity = data.id if by_id else None
    columns, left = find_columns(
        source.shown, source.header(), target.signature.features, identity, hashed=hashed, hasher=find_hasher(app, hashed)
    )
    if left:
        output.say(f"left out: {', '.join(left)}")
    return columns


def _send(output: Output, batch: Batch, columns: Columns, source: Source, results: Results) -> None:
    with output.phase("check the rows and send them") as phase:
        batch.parts = batch.send(0, pack(_good(columns, source, results, phase)))
        rows = sum(part.rows for part in batch.parts)
        if not rows and not results.rejected:
            raise DataError([f"{source.shown} has a header and no row. Next: give a table with rows"])
        phase.result = f"{rows:,} rows in {len(batch.parts)} objects, {results.rejected:,} rejected"


def _good(columns: Columns, source: Source, results: Results, phase: Phase) -> Iterator[Good]:
    for count, row in enumerate(columns.examine(source.rows()), 1):
        if isinstance(row, Rejected):
            results.reject(row)
        else:
            yield row
        if count % SHOW_EVERY == 0:
            phase.show(f"{count:,} rows")


def _predict(output: Output, batch: Batch, target: Target) -> None:
    with output.phase(f"predict with version {target.version.number}") as phase:
        batch.predict(phase.show)
        phase.result = ", ".join(batch.jobs)


def _collect(output: Output, batch: Batch, results: Results) -> None:
    with output.phase("collect the predictions") as phase:
        for part in batch.parts:
            for found in batch.answers(part):
                if isinstance(found, Answer):
                    results.predict(found)
                else:
                    results.fail(*found, f"the model gave no prediction in {len(batch.jobs)} transform jobs: {batch.reason}")
            phase.show(f"{results.predictions.rows:,} rows")
        phase.result = f"{results.predictions.rows:,} rows"


def _summary(batch: Batch, target: Target, results: Results, source: Source, to: Path) -> dict[str, Any]:
    predicted, missing = results.predictions.rows, results.missing.rows
    return {
        "ok": missing == 0,
        "source": source.shown,
        "version": target.version.number,
        "model_package": target.version.arn,
        "rows": predicted + missing,
        "predicted": predicted,
        "rejected": results.rejected,
        "failed": results.failed,
        "jobs": batch.jobs,
        "predictions": str(to) if predicted else None,
        "missing": str(missing_path(to)) if missing else None,
    }
