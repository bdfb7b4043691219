"""The replay as a page: the scores of the windows as two lines, what was found and decided below, and the table. Pure.

One file, without a script and without anything from elsewhere.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from html import escape
from typing import Any

from cli.replay.report import detected

WIDTH, HEIGHT, LEFT, TOP = 960, 280, 64, 16
LANE = 18  # the height of a row of marks below the lines
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 80rem; padding: 0 1rem; color: #1d2b36; background: #fff }
table { border-collapse: collapse; font-size: 13px; width: 100% }
th, td { text-align: left; vertical-align: top; white-space: nowrap; padding: .2rem .7rem; border-bottom: 1px solid #dde4ea }
td.number { text-align: right; font-variant-numeric: tabular-nums } td.decided, td.why { white-space: normal } td.why { width: 45% }
svg { width: 100%; height: auto } svg text { font: 12px system-ui, sans-serif; fill: #4a5a68 } .grid { stroke: #e6ecf1 }
polyline { fill: none; stroke-width: 2.5 } .loop { stroke: #0b6e8f } .first { stroke: #c0712a } polyline.first { stroke-dasharray: 6 4 }
circle.loop { fill: #0b6e8f } circle.first { fill: #c0712a } .drift { fill: #e3a008 } .alarm { fill: #c2362b }
.legend b.loop-text { color: #0b6e8f } .legend b.first-text { color: #c0712a }
"""


def page(document: dict[str, Any], title: str) -> str:
    """The page of a report's document (see report.py), which has windows."""
    lines = "".join(f"<p>{escape(line)}</p>" for line in _summary(document))
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style>'
        f"<h1>{escape(title)}</h1>{lines}{_legend(document)}{_chart(document)}{_table(document)}</html>\n"
    )


def _summary(document: dict[str, Any]) -> Iterator[str]:
    if document["reason"]:
        yield f"The replay did not come to its end: {document['reason']}."
    if document["score"] is None:
        yield "No row has both an answer and a label."
        return
    yield f"{document['metric']} {document['score']:.4f} over {document['scored_rows']:,} labelled rows of {document['rows']:,}."
    if document["score_without_retraining"] is not None:
        yield f"The first model alone: {document['score_without_retraining']:.4f}. Retrainings: {document['retrainings']}."
    yield f"False alarms: {document['false_alarms']}. Detection delay: {detected(document)}."


def _legend(document: dict[str, Any]) -> str:
    better = "lower" if document["metric"] == "rmse" else "higher"
    return (
        f'<p class="legend">{document["metric"]} by window ({better} is better): <b class="loop-text">the loop</b>, '
        '<b class="first-text">the first model alone</b>; below, windows that drifted, alarms, and the version that answered</p>'
    )


def _chart(document: dict[str, Any]) -> str:
    windows = document["windows"]
    known = [each[key] for each in windows for key in ("score", "score_without_retraining") if each[key] is not None]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    span = (high - low) or 1.0
    step = (WIDTH - LEFT) / max(1, len(windows))

    def across(number: int) -> float:
        return LEFT + step * (number + 0.5)

    def down(score: float) -> float:
        return TOP + (high - score) / span * (HEIGHT - TOP)

    lines = [_line(windows, key, css, across, down) for key, css in (("score_without_retraining", "first"), ("score", "loop"))]
    total = HEIGHT + 4 * LANE + 12
    return (
        f'<svg viewBox="0 0 {WIDTH} {total}" role="img" aria-label="score by window">'
        f"{_grid(low, high, down)}{''.join(lines)}{_marks(windows, step, across)}</svg>"
    )


def _grid(low: float, high: float, down: Callable[[float], float]) -> str:
    levels = [low + (high - low) * part / 4 for part in range(5)]
    return "".join(
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH}" y1="{down(level):.1f}" y2="{down(level):.1f}"/>'
        f'<text x="{LEFT - 8}" y="{down(level) + 4:.1f}" text-anchor="end">{level:.3f}</text>'
        for level in levels
    )


def _line(windows: list[dict[str, Any]], key: str, css: str, across: Callable[[int], float], down: Callable[[float], float]) -> str:
    places = [(across(n), down(each[key])) for n, each in enumerate(windows) if each[key] is not None]
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dots = "".join(f'<circle class="{css}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in places)
    return f'<polyline class="{css}" points="{points}"/>{dots}'


def _marks(windows: list[dict[str, Any]], step: float, across: Callable[[int], float]) -> str:
    marks = []
    for row, (name, css) in enumerate((("drift", "drift"), ("alarm", "alarm"))):
        top = HEIGHT + 12 + row * LANE
        marks.append(f'<text x="{LEFT - 8}" y="{top + 11}" text-anchor="end">{name}</text>')
        marked = [n for n, each in enumerate(windows) if (each["drift"] == "drift" if name == "drift" else each["alarms"])]
        marks += [
            f'<rect class="{css}" x="{across(n) - step * 0.4:.1f}" y="{top}" width="{step * 0.8:.1f}" height="{LANE - 6}"/>' for n in marked
        ]
    top = HEIGHT + 12 + 2 * LANE
    marks.append(f'<text x="{LEFT - 8}" y="{top + 11}" text-anchor="end">version</text>')
    for number, each in enumerate(windows):
        if number == 0 or each["version"] != windows[number - 1]["version"]:
            version = "none" if each["version"] is None else each["version"]
            marks.append(f'<text x="{across(number):.1f}" y="{top + 11}" text-anchor="middle">{version}</text>')
    return "".join(marks)


def _table(document: dict[str, Any]) -> str:
    place = [f"{document['order_by']} from"] if document["order_by"] else []
    header = ["window", "hour (UTC)", "rows", *place, document["metric"], "first model", "drift", "alarms", "version", "decided", "why"]
    rows = "".join(_row(number, each) for number, each in enumerate(document["windows"], 1))
    return f"<table><tr>{''.join(f'<th>{escape(name)}</th>' for name in header)}</tr>{rows}</table>"


def _row(number: int, window: dict[str, Any]) -> str:
    scores = ["" if window[key] is None else f"{window[key]:.4f}" for key in ("score", "score_without_retraining")]
    numbers = [
        str(number),
        f"{datetime.fromisoformat(window['start']):%m-%d %H:%M}",
        f"{window['first_row']:,} to {window['last_row']:,}",
        *([escape(window["place"])] if window["place"] is not None else []),
        *scores,
    ]
    texts = [window["drift"].replace("_", " "), ", ".join(window["alarms"]), window["version"], window["decided"], window["why"]]
    cells = [f'<td class="number">{cell}</td>' for cell in numbers]
    cells += [
        f'<td class="{name}">{escape(str(text)) if text is not None else ""}</td>'
        for name, text in zip(("found", "alarms", "version", "decided", "why"), texts, strict=True)
    ]
    return f"<tr>{''.join(cells)}</tr>"
