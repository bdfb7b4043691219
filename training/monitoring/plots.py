"""Plots of the report: inline SVG, baseline behind, window in front. Pure.

Colours are the page's: the classes base, live and out are styled by report.html.j2.
"""

from collections.abc import Callable

import numpy as np
from markupsafe import Markup

from contracts.baseline import FeatureStatistics
from contracts.columns import ColumnKind
from training.monitoring.distance import Counts
from training.monitoring.judge import histograms
from training.monitoring.summary import Numbers, NumberSummary, Summary

WIDTH, HEIGHT = 320, 132
FLOOR = 112  # where the bars stand; the axis' numbers are below
EDGE = 8  # width of the two bars for what is beyond the baseline's range
SHOWN = 6  # categories
ROW, TALL_ROW = 18, 34  # the height of a category: of many and of few


def plot(feature: FeatureStatistics, summary: Summary, kind: ColumnKind | None) -> Markup:
    """Where the baseline's rows lie, and where the window's do. `kind` is that of a feature; the model's answers have none."""
    baseline, window = histograms(feature, summary)
    before, now = (counts / max(1.0, counts.sum()) for counts in (baseline, window))
    if isinstance(summary, NumberSummary):
        return _numbers(summary, before, now, _date if kind is ColumnKind.DATETIME else _number)
    return _categories(list(summary.known), before, now)


def _numbers(summary: NumberSummary, before: Counts, now: Counts, tell: Callable[[float], str]) -> Markup:
    edges = np.append(summary.lowers, summary.last)
    if len(edges) > 2 and edges[-2] == edges[-1]:  # the last bin is one value: drawn as wide as its neighbour
        edges[-1] += edges[-2] - edges[-3]
    low, high = _view(edges)
    places = EDGE + 2 + (edges.clip(low, high) - low) / (high - low) * (WIDTH - 2 * EDGE - 4)
    if len(edges) == 2 and edges[0] == edges[1]:  # a column of one value
        places = np.array([WIDTH * 0.42, WIDTH * 0.58])
    # Densities over the true edges, so that a wide tail is low; a bin that the view cuts keeps its density.
    widths = np.where(np.diff(edges) > 0, np.diff(edges), 1.0)
    tops = [part[1:-1] / widths for part in (before, now)]
    highest = max(1e-300, *(float(top.max()) for top in tops))
    body = [_steps(places, top / highest, name) for top, name in zip(tops, ("base", "live"), strict=True)]
    body += [_outside(0, now[0]), _outside(WIDTH - EDGE, now[-1])]
    body.append(Markup('<line class="axis" x1="0" x2="{}" y1="{}" y2="{}"/>').format(WIDTH, FLOOR, FLOOR))
    body.append(Markup('<text x="{}" y="{}">{}</text>').format(EDGE, HEIGHT - 6, tell(low)))
    body.append(Markup('<text x="{}" y="{}" text-anchor="end">{}</text>').format(WIDTH - EDGE, HEIGHT - 6, tell(min(high, summary.last))))
    return _svg(HEIGHT, body)


def _number(value: float) -> str:
    return f"{value:.4g}"


def _date(seconds: float) -> str:
    return str(np.datetime64(int(seconds), "s"))[:10]  # any year, unlike datetime


def _view(edges: Numbers) -> tuple[float, float]:
    """What is drawn of the axis: all of it, but of a tail at most half of what the bins between the tails span."""
    inner = edges[1:-1] if len(edges) > 3 else edges
    reach = (inner[-1] - inner[0]) / 2
    low, high = max(edges[0], inner[0] - reach), min(edges[-1], inner[-1] + reach)
    return (float(low), float(high)) if high > low else (float(low) - 0.5, float(low) + 0.5)


def _steps(places: Numbers, heights: Numbers, name: str) -> Markup:
    tops = FLOOR - heights * (FLOOR - 8)
    corners = [f"{left:.1f},{top:.1f} {right:.1f},{top:.1f}" for left, right, top in zip(places[:-1], places[1:], tops, strict=True)]
    points = f"{places[0]:.1f},{FLOOR} {' '.join(corners)} {places[-1]:.1f},{FLOOR}"
    return Markup('<polygon class="{}" points="{}"/>').format(name, points)


def _outside(left: float, share: float) -> Markup:
    """A bar for what the baseline never held; its height is its share of all rows."""
    height = share * (FLOOR - 8)
    if height < 0.5:
        return Markup("")
    bar = Markup('<rect class="out" x="{}" y="{:.1f}" width="{}" height="{:.1f}"><title>{:.1%} beyond the baseline</title></rect>')
    return bar.format(left, FLOOR - height, EDGE, height, share)


def _categories(names: list[str], before: Counts, now: Counts) -> Markup:
    """The largest categories, the sum of the others, and what the baseline never held, which has the last place of the counts."""
    listed = sorted(range(len(names)), key=lambda place: (-max(before[place], now[place]), names[place]))
    rows = [(names[place], float(before[place]), float(now[place])) for place in listed[:SHOWN]]
    others = listed[SHOWN:]
    rows += [("all others", float(before[others].sum()), float(now[others].sum()))] if others else []
    rows += [("new values", 0.0, float(now[-1]))] if now[-1] else []
    scale = (WIDTH - 150) / max(1e-300, *(max(row[1:]) for row in rows)) if rows else 0
    body = []
    pitch = min(TALL_ROW, max(ROW, HEIGHT // max(1, len(rows))))
    bar, margin = pitch * 0.39, max(2, (HEIGHT - len(rows) * pitch) // 2)
    for place, (name, old, new) in enumerate(rows):
        top = place * pitch + margin
        middle = top + bar + 4
        label = name if len(name) <= 15 else name[:14] + "…"
        body.append(Markup('<text x="92" y="{}" text-anchor="end">{}<title>{}</title></text>').format(f"{middle:.1f}", label, name))
        body += [_bar("base", top, old * scale, bar), _bar("live", top + bar, new * scale, bar)]
        end = f"{102 + max(old, new) * scale:.1f}"
        body.append(Markup('<text x="{}" y="{}">{}</text>').format(end, f"{middle:.1f}", f"{new:.1%}"))
    return _svg(max(HEIGHT, len(rows) * pitch + 4), body)


def _bar(name: str, top: float, width: float, height: float) -> Markup:
    return Markup('<rect class="{}" x="98" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>').format(name, top, width, height)


def _svg(height: int, body: list[Markup]) -> Markup:
    frame = Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="baseline and window">{}</svg>')
    return frame.format(WIDTH, height, Markup("").join(body))
