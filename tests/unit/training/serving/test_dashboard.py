"""The Grafana dashboard asks for nothing that the model server does not tell, and shows everything that it does."""

import json
import re
from pathlib import Path
from typing import Any

from training.serving.metrics import PATHS, STATUSES, Metrics, size

DASHBOARD = Path("docs/grafana/tidewheel.json")
GIVEN_BY_PROMETHEUS = {"job", "instance", "le"}


def told() -> str:
    metrics = Metrics(bytearray(size(1)), 1, 0)
    for path in PATHS:
        for status in STATUSES:
            metrics.observe(path, status, 0.001)
    return metrics.text({"artifact_sha256": "a", "dataset_version": "b", "runtime": "onnx"}).decode()


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return found


def expressions() -> list[str]:
    return [target["expr"] for panel in panels() for target in panel["targets"]]


def test_every_metric_of_the_dashboard_is_told_and_every_one_that_is_told_is_in_it() -> None:
    samples = {line.partition("{")[0].partition(" ")[0] for line in told().splitlines() if not line.startswith("#")}
    asked = {name for expression in expressions() for name in re.findall(r"tidewheel_\w+", expression)}
    assert asked == samples


def test_every_label_that_the_dashboard_selects_by_is_told() -> None:
    labels = set(re.findall(r'[{,](\w+)="', told())) | GIVEN_BY_PROMETHEUS
    for expression in expressions():
        selected = re.findall(r'[{,](\w+)=~?"', expression) + [
            name.strip() for names in re.findall(r"by \(([^)]*)\)", expression) for name in names.split(",")
        ]
        assert selected
        assert set(selected) <= labels, expression
    texts = {text for expression in expressions() for text in re.findall(r'path="([^"]*)"', expression)}
    assert texts <= set(PATHS)


def test_panels_do_not_lie_on_one_another() -> None:
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels())
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) == 23
    assert len({panel["id"] for panel in panels()}) == len(panels())
