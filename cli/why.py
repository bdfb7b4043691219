"""`tide why`: everything that led to a model version, and what became of it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from cli.ledger import shortened
from cli.observe import version_number
from cli.opening import open_app
from cli.options import AwsOption, ConfigOption, DirectoryOption, EnvironmentOption, JsonOption
from cli.output import Output
from cli.provenance import Provenance, provenance
from contracts.evaluation import Evaluation
from contracts.ledger import What
from contracts.runtime import RuntimeName

_STARTED = {"upload": "its upload", "retraining": "the loop, for a retraining", "person": "a person"}


def why(
    version: Annotated[int, typer.Argument(min=1, help="The model package's version.", show_default=False)],
    config: ConfigOption = None,
    environment: EnvironmentOption = None,
    directory: DirectoryOption = None,
    aws: AwsOption = False,
    machine: JsonOption = False,
) -> None:
    """Show a version's data, run, metrics, gate, approval and deployments, with the evidence for each."""
    output = Output(machine)
    app = open_app(config, environment, directory, aws)
    found = provenance(app, version)
    output.say(f"{app.prefix} version {version}: {found.version.approval}", "bold")
    for name, text in in_words(found):
        output.say(f"{name:<12} {shortened(text)}")
    if found.evaluation is not None:
        output.say()
        output.table(*measured(found.evaluation, version))
    if found.decisions:
        output.say()
        rows = [(_time(each.time), each.what, each.by, shortened(each.why)) for each in found.decisions]
        output.table(("time (UTC)", "decision", "by", "why"), rows)
    if found.evidence:
        output.say()
        output.say("evidence (sha256, and where it is)", "bold")
        for each in found.evidence:
            output.say(f"{each.sha256 or '(not recorded)':<64}  {each.uri}")
    output.document({"ok": True, **document(found)})


def in_words(found: Provenance) -> list[tuple[str, str]]:
    """(what it is about, a sentence) for people, in the order in which it happened."""
    return [*_data(found), *_run(found), *_judged(found), *_released(found), *(("missing", gap) for gap in found.gaps)]


def measured(evaluation: Evaluation, number: int) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
    """The metrics side by side as (header, rows); the deciding one is marked."""
    champion = evaluation.champion
    header = (
        "metric",
        f"version {number}",
        f"champion (version {version_number(champion.model_package_arn)})" if champion else "no champion",
        "baseline",
    )
    rows = [
        (
            f"{name} *" if name is evaluation.metric else str(name),
            f"{value:.4f}",
            f"{champion.metrics[name]:.4f}" if champion and name in champion.metrics else "",
            f"{evaluation.baseline[name]:.4f}" if name in evaluation.baseline else "",
        )
        for name, value in evaluation.metrics.items()
    ]
    return header, rows


def document(found: Provenance) -> dict[str, Any]:
    """For machines."""
    version, manifest, run, retraining = found.version, found.manifest, found.run, found.retraining
    return {
        "version": version.number,
        "arn": version.arn,
        "status": version.approval,
        "why": version.why,
        "decided_by": found.decided_by,
        "created": version.created.isoformat(),
        "model": version.metadata.model_dump() if version.metadata else None,
        "archive": found.archive,
        "dataset": manifest.model_dump(mode="json", include={"dataset", "version", "files", "parents", "fresh"})
        | {"version": manifest.version, "rows": manifest.rows}
        if manifest
        else None,
        "run": {"name": run.name, "arn": run.arn, "status": run.status, "started": run.started.isoformat(), "started_by": found.started_by}
        if run
        else None,
        "retraining": retraining.model_dump(mode="json") if retraining else None,
        "evaluation": found.evaluation.model_dump(mode="json") if found.evaluation else None,
        "live": [period.document() for period in found.periods],
        "quarantine": found.quarantine.model_dump(mode="json") if found.quarantine else None,
        "decisions": [decision.model_dump(mode="json") for decision in found.decisions],
        "evidence": [evidence.model_dump() for evidence in found.evidence],
        "gaps": found.gaps,
    }


def _data(found: Provenance) -> list[tuple[str, str]]:
    manifest = found.manifest
    if manifest is None:
        return []
    files = "1 file" if len(manifest.files) == 1 else f"{len(manifest.files)} files"
    words = f"dataset version {manifest.version}, {manifest.rows:,} rows in {files}"
    if manifest.parents:
        words += f", made of version {', '.join(manifest.parents)}"
    lines = [("data", words)]
    if manifest.fresh is not None:
        fresh = manifest.fresh
        lines.append(("fresh rows", f"{fresh.rows:,} of live traffic with their labels, {_time(fresh.start)} to {_time(fresh.end)}"))
    return lines


def _run(found: Provenance) -> list[tuple[str, str]]:
    lines = []
    if found.retraining is not None:
        retraining = found.retraining
        ended = f"; it ended {retraining.outcome}" if retraining.outcome else ""
        lines.append(("retraining", f"{retraining.name}, asked for at {_time(retraining.asked)}: {retraining.why}{ended}"))
    if found.run is not None:
        started = _STARTED.get(found.started_by or "", "an unknown cause")
        lines.append(("run", f"{found.run.name}, {found.run.status}, started at {_time(found.run.started)} by {started}"))
    if found.version.metadata is not None:
        made = found.version.metadata
        lines.append(("model", f"artifact {made.artifact_sha256}, commit {made.git_commit}, seed {made.seed}, {made.libraries}"))
        lines += _runtime(found.evaluation)
    return lines


def _runtime(evaluation: Evaluation | None) -> list[tuple[str, str]]:
    if evaluation is None:
        return []
    found = evaluation.runtime
    if found.name is RuntimeName.SKOPS:
        return [("served from", f"{found.name}: {found.why}")]
    text = f"{found.name}: no changed decision, and no number further than {found.difference} from scikit-learn's, on the holdout"
    return [("served from", text)]


def _judged(found: Provenance) -> list[tuple[str, str]]:
    evaluation = found.evaluation
    if evaluation is None:
        return []
    fresh = found.manifest is not None and found.manifest.fresh is not None
    source = "the newest of the fresh rows" if fresh else f"held out of dataset version {evaluation.dataset_version}"
    verdict = "passed" if evaluation.gate.passed else "failed"
    reasons = f": {'; '.join(evaluation.gate.reasons)}" if evaluation.gate.reasons else ""
    return [
        ("holdout", f"{evaluation.rows:,} rows, {source}; {evaluation.metric} decides"),
        ("gate", f"{verdict} ({evaluation.gate.mode}){reasons}"),
        *(("note", note) for note in evaluation.notes),
    ]


def _released(found: Provenance) -> list[tuple[str, str]]:
    version = found.version
    lines = [("status", f"{version.approval} by {found.decided_by}{f': {version.why}' if version.why else ''}")]
    for period in found.periods:
        lines.append(("live", f"from {_time(period.start)} to {_time(period.end) if period.end else 'now'}"))
    asked = sum(decision.what is What.DEPLOYMENT_STARTED for decision in found.decisions)
    if not found.periods:
        lines.append(("live", f"never, in {asked} deployment{'s' if asked > 1 else ''}" if asked else "never; it was not deployed"))
    if found.quarantine is not None:
        lines.append(("quarantine", f"since {_time(found.quarantine.time)}: {found.quarantine.why}"))
    return lines


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
