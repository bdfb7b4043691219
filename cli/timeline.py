"""`tide timeline`: every decision of the loop in its order, and what was live from when to when."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from cli.ledger import shortened
from cli.live import Period, length_in_words, live_periods
from cli.opening import open_app
from cli.options import AwsOption, ConfigOption, DirectoryOption, EnvironmentOption, JsonOption
from cli.output import Output
from contracts.errors import StateError
from contracts.ledger import Decision

_AGO = re.compile(r"(?P<count>\d{1,6})(?P<unit>[mhd])")
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


def timeline(
    since: Annotated[
        str | None, typer.Option("--since", help="Only from then on: 90m, 24h, 7d, or an ISO 8601 time (UTC).", show_default=False)
    ] = None,
    config: ConfigOption = None,
    environment: EnvironmentOption = None,
    directory: DirectoryOption = None,
    aws: AwsOption = False,
    machine: JsonOption = False,
) -> None:
    """Show what was decided, when and why, and which version was live meanwhile."""
    output = Output(machine)
    app = open_app(config, environment, directory, aws)
    now = app.account.now()
    begin = begin_of(since, now) if since is not None else None
    every = app.decisions()
    # A period that began earlier still says what was live at the begin.
    periods = [period for period in live_periods(every) if begin is None or period.end is None or period.end > begin]
    decisions = [decision for decision in every if begin is None or decision.time >= begin]
    if decisions or periods:
        output.table(("time (UTC)", "what", "about", "why"), rows(decisions, periods, now))
    elif every:
        output.say(f"nothing was decided since {begin:%Y-%m-%d %H:%M:%S}; {len(every)} earlier decisions. Next: tide timeline")
    else:
        output.say("nothing was decided yet. Next: tide data push FILE.csv")
    output.document(
        {
            "ok": True,
            "since": begin.isoformat() if begin else None,
            "decisions": [decision.model_dump(mode="json") for decision in decisions],
            "live": [period.document() for period in periods],
        }
    )


def begin_of(text: str, now: datetime) -> datetime:
    """The time that `--since` means. Raises StateError for a text that is none."""
    ago = _AGO.fullmatch(text)
    if ago is not None:
        return now - int(ago["count"]) * _UNITS[ago["unit"]]
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise StateError(f"--since {text} is no time. Next: 90m, 24h, 7d, or an ISO 8601 time such as 2026-11-20T10:00") from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def rows(decisions: list[Decision], periods: list[Period], now: datetime) -> list[tuple[str, str, str, str]]:
    """Both as lines of one table, by time. A period stands after the decision that it began with."""
    entries: list[tuple[datetime, int, tuple[str, str, str, str]]] = [
        (decision.time, 0, (_time(decision.time), str(decision.what), shortened(decision.subject), shortened(decision.why)))
        for decision in decisions
    ]
    entries += [(period.start, 1, (_time(period.start), "live", f"version {period.version}", _until(period, now))) for period in periods]
    # Decisions are in their order already, which within a second is not that of their times; sorting keeps it.
    return [line for *_, line in sorted(entries, key=lambda entry: (entry[0].replace(microsecond=0), entry[1]))]


def _until(period: Period, now: datetime) -> str:
    if period.end is None:
        return f"until now, {length_in_words((now - period.start).total_seconds())}"
    return f"until {_time(period.end)}, {length_in_words((period.end - period.start).total_seconds())}"


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
