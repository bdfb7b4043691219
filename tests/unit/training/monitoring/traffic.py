"""A small model's baseline, and captured traffic of it."""

import csv
import io
import json
import math
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from contracts.baseline import PREDICTION, PROBABILITY, Constraints, Statistics
from contracts.columns import ColumnKind
from contracts.evaluation import Evaluation, Gate, GateMode, Metric, Problem
from contracts.signature import Signature
from training.baseline import constrain, describe
from training.monitoring.captures import Span, find_shards
from training.monitoring.labels import Labels
from training.monitoring.scan import Scanner, WindowSummary

START = datetime(2026, 11, 20, 10, tzinfo=UTC)
END = START + timedelta(hours=2)
WINDOW = Span(START, END)
KINDS = {
    "age": ColumnKind.NUMERIC,
    "income": ColumnKind.NUMERIC,
    "city": ColumnKind.CATEGORICAL,
    "member": ColumnKind.BOOLEAN,
    "since": ColumnKind.DATETIME,
}
SIGNATURE = Signature(problem=Problem.BINARY, target="left", positive="yes", features=KINDS, classes=("no", "yes"))
CITIES = ("Basel", "Bern", "Zug")
Record = dict[str, Any]


def rows(count: int, seed: int, shift: float = 0.0) -> list[Record]:
    """Rows of the model's features; `shift` moves income, in standard deviations."""
    generator = np.random.default_rng(seed)
    return [
        {
            "age": int(generator.integers(18, 80)),
            "income": round(float(generator.normal(50 + 10 * shift, 10)), 3),
            "city": str(generator.choice(CITIES, p=[0.5, 0.3, 0.2])),
            "member": bool(generator.random() < 0.4),
            "since": f"20{int(generator.integers(10, 26))}-0{int(generator.integers(1, 10))}-01T00:00:00+00:00",
        }
        for _ in range(count)
    ]


def baseline(count: int = 2000) -> Statistics:
    """Of the features and of a model whose probabilities are even."""
    table = rows(count, 1)
    generator = np.random.default_rng(2)
    chances = generator.random(count)
    columns = {
        "age": np.array([row["age"] for row in table], dtype=float),
        "income": np.array([row["income"] for row in table]),
        "city": np.array([row["city"] for row in table], dtype=object),
        "member": np.array([row["member"] for row in table], dtype=float),
        "since": np.array([datetime.fromisoformat(row["since"]).timestamp() for row in table]),
        PREDICTION: np.where(chances > 0.5, "yes", "no").astype(object),
        PROBABILITY: chances,
    }
    return describe(KINDS | {PREDICTION: ColumnKind.CATEGORICAL, PROBABILITY: ColumnKind.NUMERIC}, columns)


STATISTICS = baseline()
CONSTRAINTS: Constraints = constrain(STATISTICS)
EVALUATION = Evaluation(
    problem=Problem.BINARY,
    metric=Metric.ROC_AUC,
    metrics={Metric.ACCURACY: 0.9, Metric.F1: 0.9, Metric.ROC_AUC: 0.95, Metric.LOG_LOSS: 0.3},
    baseline={Metric.ACCURACY: 0.5},
    gate=Gate(passed=True, mode=GateMode.ENABLED),
    dataset_version="v1",
    rows=1000,
    artifact_sha256="0" * 64,
)


def answer(count: int, number: int = 0) -> str:
    """The model server's JSON for `count` rows."""
    said = []
    for row in range(count):
        chance = ((number * 37 + row * 11) % 100) / 100
        said.append(
            {"prediction": "yes" if chance > 0.5 else "no", "probability": chance, "probabilities": {"no": 1 - chance, "yes": chance}}
        )
    return json.dumps({"predictions": said, "model": {"artifact": "x"}})


def payload(kind: str, records: list[Record]) -> dict[str, str]:
    """A captured request of these records: in one of the shapes that the API takes."""
    if kind == "csv":
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows([["" if row[name] is None else row[name] for name in KINDS] for row in records])
        return {"observedContentType": "text/csv", "mode": "INPUT", "data": out.getvalue(), "encoding": "CSV"}
    texts = {
        "instances": json.dumps({"instances": records}),
        "pretty": json.dumps({"instances": records}, indent=1),
        "list": json.dumps(records),
        "lines": "\n".join(map(json.dumps, records)),
        "base64": json.dumps({"instances": records}),
    }
    kinds = {"lines": "application/jsonlines"}
    shown = {"observedContentType": kinds.get(kind, "application/json"), "mode": "INPUT", "data": texts[kind], "encoding": "JSON"}
    if kind == "base64":
        return {"mode": "INPUT", "data": b64encode(texts[kind].encode()).decode(), "encoding": "BASE64"}
    return shown


def line(records: list[Record], number: int, kind: str = "instances", minute: int = 0, output: str | None = None) -> str:
    """A line of a capture file."""
    said = answer(len(records), number) if output is None else output
    time = (START + timedelta(minutes=minute)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return json.dumps(
        {
            "captureData": {
                "endpointInput": payload(kind, records),
                "endpointOutput": {"observedContentType": "application/json", "mode": "OUTPUT", "data": said, "encoding": "JSON"},
            },
            "eventMetadata": {"eventId": f"event-{number}", "inferenceId": f"inference-{number}", "inferenceTime": time},
            "eventVersion": "0",
        }
    )


def truth(identifier: str, text: str) -> str:
    """A line of a ground truth file."""
    return json.dumps({"groundTruthData": {"data": text, "encoding": "CSV"}, "eventMetadata": {"eventId": identifier}, "eventVersion": "0"})


def write(folder: Path, lines: list[str], name: str = "a.jsonl", hour: int = 10) -> Path:
    """A capture file of an hour."""
    place = folder / "shop-dev" / "AllTraffic" / "2026" / "11" / "20" / f"{hour:02d}"
    place.mkdir(parents=True, exist_ok=True)
    (place / name).write_text("".join(text + "\n" for text in lines))
    return place / name


def write_baseline(folder: Path) -> Path:
    """The champion's evaluation folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "statistics.json").write_text(STATISTICS.model_dump_json(exclude_none=True))
    (folder / "constraints.json").write_text(CONSTRAINTS.model_dump_json(exclude_none=True))
    (folder / "signature.json").write_text(SIGNATURE.model_dump_json())
    (folder / "evaluation.json").write_text(EVALUATION.model_dump_json())
    return folder


def scanner(labels: Labels | None = None) -> Scanner:
    """Of the small model and START to END."""
    return Scanner(WINDOW, WINDOW, STATISTICS, SIGNATURE, labels or Labels())


def whole(folder: Path) -> WindowSummary:
    """A folder's only file, in one piece."""
    (shard,) = find_shards(folder)
    return scanner().scan(shard)[0]


def comparable(window: WindowSummary) -> dict[str, Any]:
    """Everything in a summary: counts exactly, sums to eight digits of what went into them."""
    columns = {name: {key: _plain(value) for key, value in vars(summary).items()} for name, summary in window.columns.items()}
    for column in columns.values():
        if "squares" in column:  # what cancels out of a sum is as exact as what went into it
            column["total"] = Near(column["total"] / (1 + column["squares"] ** 0.5))
    return {
        "columns": columns,
        "quality": {key: _plain(value) for key, value in vars(window.quality).items()},
        "tally": vars(window.tally),
        "absent": {name: count for name, count in window.absent.items() if count},
        "extra": window.extra,
        "unknown_labels": window.unknown_labels,
    }


class Near(float):
    """A sum, equal to one that was added up in another order. Rounding both would tell apart what lies on either side of a digit."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, float) and math.isclose(self, other, rel_tol=1e-8, abs_tol=1e-8)

    __hash__ = None  # type: ignore[assignment]  # what is nearly equal cannot be hashed


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    return Near(value) if isinstance(value, float) else value
