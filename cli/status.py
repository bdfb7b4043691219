"""`tide status`: datasets, runs, versions, endpoint and stacks, at a glance."""

from typing import Annotated, Any

import typer

from cli.observe import App, version_number
from cli.opening import open_app
from cli.options import AwsOption, ConfigOption, DirectoryOption, EnvironmentOption, JsonOption
from cli.output import Output
from cli.rest import wait_for_rest

SHOWN = 10


def status(
    wait: Annotated[bool, typer.Option("--wait", help="First wait until runs, approvals and deployments have ended.")] = False,
    config: ConfigOption = None,
    environment: EnvironmentOption = None,
    directory: DirectoryOption = None,
    aws: AwsOption = False,
    machine: JsonOption = False,
) -> None:
    """Show datasets, training runs with the reasons of failures, versions, the endpoint and the stacks."""
    output = Output(machine)
    app = open_app(config, environment, directory, aws)
    output.say(f"{app.prefix} on {app.account.name}", style="bold")
    if wait:
        with output.phase("wait until the loop is at rest") as phase:
            wait_for_rest(app, phase.show)
    report = read_status(app)
    show_status(output, report)
    output.document({"ok": True, **report})


def read_status(app: App) -> dict[str, Any]:
    """Everything that `tide status` shows, as plain data. Parts that are not deployed yet are empty."""
    stacks = app.stacks()
    return {
        "stacks": {part: stack["StackStatus"] for part, stack in stacks.items()},
        "datasets": _datasets(app) if "data" in stacks else [],
        "runs": _runs(app) if "training" in stacks else [],
        "versions": _versions(app) if "training" in stacks else [],
        "endpoint": _endpoint(app),
        **(_open(app) if "data" in stacks else {"held": None, "retraining": None}),
    }


def show_status(output: Output, report: dict[str, Any]) -> None:
    """The report for people."""
    output.say()
    if report["datasets"]:
        rows = [(d["version"], f"{d['rows']:,}", d["accepted"]) for d in report["datasets"][:SHOWN]]
        output.table(("dataset version", "rows", "accepted"), rows)
    else:
        output.say("no dataset version yet. Next: tide data push FILE.csv")
    if report["runs"]:
        output.say()
        output.table(
            ("run", "status", "dataset version", "why"),
            [(r["name"], r["status"], r["dataset_version"], r["reason"]) for r in report["runs"][:SHOWN]],
        )
    if report["versions"]:
        output.say()
        versions = [(v["version"], v["status"], v["dataset_version"], _metrics(v["metrics"]), v["why"]) for v in report["versions"][:SHOWN]]
        output.table(("version", "status", "dataset version", "holdout", "why"), versions)
    elif report["datasets"]:
        output.say()
        output.say("no model version yet")
    output.say()
    endpoint = report["endpoint"]
    if endpoint is None:
        output.say("no endpoint yet; it comes with the first approved version")
    else:
        shares = ", ".join(f"version {number} {share:.0%}" for number, share in endpoint["traffic"].items())
        output.say(f"endpoint {endpoint['status']}, version {endpoint['live']} is live; traffic: {shares or 'none'}")
        if endpoint["reason"]:
            output.say(f"  {endpoint['reason']}")
    if report["held"]:
        output.say(f"held: {report['held']}", "yellow")
    if report["retraining"]:
        output.say(f"retraining {report['retraining']['name']} goes on: {report['retraining']['why']}")
    output.say("stacks: " + (", ".join(f"{part} {state}" for part, state in report["stacks"].items()) or "none. Next: tide up"))


def _datasets(app: App) -> list[dict[str, Any]]:
    return [
        {"version": manifest.version, "rows": manifest.rows, "accepted": f"{accepted:%Y-%m-%d %H:%M}"}
        for manifest, accepted in app.manifests()
    ]


def _runs(app: App) -> list[dict[str, Any]]:
    return [
        {"name": run.name, "status": run.status, "dataset_version": run.dataset_version, "reason": run.reason, "arn": run.arn}
        for run in app.executions()
    ]


def _versions(app: App) -> list[dict[str, Any]]:
    return [
        {
            "version": version.number,
            "status": version.approval,
            "dataset_version": version.dataset_version,
            "metrics": version.metrics,
            "why": version.why,
            "arn": version.arn,
        }
        for version in app.versions()
    ]


def _endpoint(app: App) -> dict[str, Any] | None:
    endpoint = app.endpoint()
    if endpoint is None:
        return None
    return {
        "status": endpoint.status,
        "live": version_number(endpoint.live),
        "traffic": {version_number(package): share for package, share in endpoint.traffic.items()},
        "reason": endpoint.reason,
    }


def _open(app: App) -> dict[str, Any]:
    """What waits for a person, and what the loop trains by itself at the moment."""
    held, retraining = app.ledger.held(), app.ledger.open_retraining()
    return {
        "held": held.why if held else None,
        "retraining": {"name": retraining.name, "why": retraining.why, "run": retraining.run} if retraining else None,
    }


def _metrics(metrics: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in metrics.items())
