"""`tide rollback`: the live version goes, and an earlier approved one comes back.

A rollback is a decision in the registry like any other: the versions above the target are rejected, and the endpoint follows. They are
rejected from the lowest to the highest, and the live one last, so that the endpoint never sets out for one in between.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from cli.observe import App, Version
from cli.opening import open_app
from cli.options import AwsOption, ConfigOption, DirectoryOption, EnvironmentOption, JsonOption, NoWaitOption
from cli.output import Output
from cli.release import APPROVED, REJECTED, decide, endpoint_state, follow
from contracts.errors import StateError


@dataclass(frozen=True)
class Plan:
    """What a rollback does: reject these versions, in this order, so that `target` is the highest approved one."""

    target: Version
    rejected: tuple[Version, ...]


def rollback(
    to: Annotated[
        int | None,
        typer.Option("--to", min=1, help="The version to go back to. Default: the highest approved one below.", show_default=False),
    ] = None,
    why: Annotated[str, typer.Option("--why", help="Kept with the versions that are rejected.")] = "rolled back with tide rollback",
    no_wait: NoWaitOption = False,
    config: ConfigOption = None,
    environment: EnvironmentOption = None,
    directory: DirectoryOption = None,
    aws: AwsOption = False,
    machine: JsonOption = False,
) -> None:
    """Reject the live version, and those above the target, so that the endpoint goes back."""
    output = Output(machine)
    app = open_app(config, environment, directory, aws)
    state = endpoint_state(app)
    plan = make_plan(app.versions(), state.live, state.wanted, frozenset(app.ledger.quarantines()), to)
    numbers = [version.number for version in plan.rejected]
    output.say(f"version {state.live} is live; rejecting {', '.join(map(str, numbers))} brings version {plan.target.number} back")
    for version in plan.rejected:
        decide(app, version, REJECTED, why)
    live = None
    if not no_wait:
        live = follow(app, output)
        _check(app, plan, live)
    output.document({"ok": True, "from": state.live, "to": plan.target.number, "rejected": numbers, "live": live})


def make_plan(versions: Sequence[Version], live: int | None, wanted: int | None, quarantined: frozenset[str], to: int | None) -> Plan:
    """What to do when `live` is live and the registry asks for `wanted`. Raises StateError when there is nothing to go back to.

    While a newer version is on its way to the endpoint, that is the one to go back from.
    """
    if live is None:
        raise StateError("no version is live, so there is nothing to go back from. Next: tide status")
    if wanted is not None and wanted < live:
        raise StateError(f"the endpoint is on its way back from version {live} to version {wanted} already. Next: tide status --wait")
    current = live if wanted is None else wanted
    good = {version.number: version for version in versions if version.approval == APPROVED and version.arn not in quarantined}
    if to is None:
        earlier = [number for number in good if number < current]
        if not earlier:
            raise StateError(
                f"no version below {current} is approved, so there is nothing to go back to. Next: tide status, then tide approve VERSION"
            )
        target = good[max(earlier)]
    else:
        target = _named(versions, to, current, good)
    above = [version for version in versions if version.approval == APPROVED and version.number > target.number]
    return Plan(target, tuple(sorted(above, key=lambda version: (version.number == live, version.number))))


def _named(versions: Sequence[Version], to: int, current: int, good: dict[int, Version]) -> Version:
    """The version that a person asks for by its number."""
    known = {version.number: version for version in versions}
    if to not in known:
        numbers = ", ".join(map(str, sorted(known)))
        raise StateError(f"there is no version {to} (versions: {numbers}). Next: tide status")
    if to >= current:
        raise StateError(f"version {to} is not below version {current}, so it is no way back. Next: tide approve {to}")
    if to not in good:
        version = known[to]
        reason = f": {version.why}" if version.why else ""
        raise StateError(
            f"version {to} is {version.approval}{reason}; only an approved version can come back. "
            f"Next: tide approve {to}, then tide rollback --to {to}"
        )
    return good[to]


def _check(app: App, plan: Plan, live: int | None) -> None:
    if live != plan.target.number:
        now = app.version(plan.target.number)
        reason = f" ({now.why})" if now.approval == REJECTED and now.why else ""
        raise StateError(f"version {live} is live, not version {plan.target.number}{reason}. Next: tide timeline")
