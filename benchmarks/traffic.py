"""Captured traffic for benchmarks: 20 numeric and 5 categorical columns, one record a request, as the API and SageMaker write them.

VARIETY distinct requests are repeated under new event ids, so that a million records are written in seconds. Seeded.
"""

from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path

import numpy as np
import orjson
import pandas as pd

from contracts.baseline import PREDICTION, PROBABILITY
from contracts.columns import ColumnKind
from contracts.evaluation import Problem
from contracts.signature import Signature
from training.baseline import constrain, describe

START = datetime(2026, 11, 20, tzinfo=UTC)
HOURS = 12
FILES = 4  # an hour
VARIETY = 20_000
BASELINE_ROWS = 20_000
LEVELS = np.array(["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"], dtype=object)
KINDS = {f"num_{number:02d}": ColumnKind.NUMERIC for number in range(20)} | {f"cat_{number}": ColumnKind.CATEGORICAL for number in range(5)}
SHIFTED = ("num_00", "num_01", "num_02", "num_03", "num_04", "cat_0", "cat_1")


def table(rows: int, seed: int, shifted: bool) -> pd.DataFrame:
    """Rows of the features; seven of them move by half a standard deviation, or towards two categories, when shifted."""
    generator = np.random.default_rng(seed)
    columns = {}
    for name, kind in KINDS.items():
        moved = shifted and name in SHIFTED
        if kind is ColumnKind.NUMERIC:
            columns[name] = generator.normal(0.5 if moved else 0, 1, rows).round(6)
        else:
            columns[name] = LEVELS[generator.choice(8, rows, p=[0.3, 0.2] + [0.5 / 6] * 6 if moved else [1 / 8] * 8)]
    return pd.DataFrame(columns)


def write_baseline(folder: Path) -> None:
    """The champion's evaluation folder."""
    before = table(BASELINE_ROWS, 1, shifted=False)
    chances = np.random.default_rng(2).beta(2, 3, BASELINE_ROWS)
    columns = {name: before[name].to_numpy() for name in KINDS}
    columns |= {PREDICTION: np.where(chances > 0.5, "yes", "no").astype(object), PROBABILITY: chances}
    statistics = describe(KINDS | {PREDICTION: ColumnKind.CATEGORICAL, PROBABILITY: ColumnKind.NUMERIC}, columns)
    signature = Signature(problem=Problem.BINARY, target="target", positive="yes", features=KINDS, classes=("no", "yes"))
    folder.mkdir(parents=True)
    for name, model in {"statistics": statistics, "constraints": constrain(statistics), "signature": signature}.items():
        (folder / f"{name}.json").write_text(model.model_dump_json(exclude_none=True))


def write_captures(folder: Path, rows: int, repeated: float = 0.0) -> None:
    """So many records over HOURS hours; `repeated`: the share of them that come again in the next file of their hour."""
    distinct = [
        _line(record, chance) for record, chance in zip(_records(), np.random.default_rng(3).beta(2, 3, VARIETY).tolist(), strict=True)
    ]
    files = HOURS * FILES
    for number in range(files):
        hour = START + timedelta(hours=number // FILES)
        place = folder / "bench" / "AllTraffic" / hour.strftime("%Y/%m/%d/%H")
        place.mkdir(parents=True, exist_ok=True)
        time = (hour + timedelta(minutes=15 * (number % FILES))).strftime("%Y-%m-%dT%H:%M:%SZ").encode()
        first, last = rows * number // files, rows * (number + 1) // files
        before = rows * (number - 1) // files if number % FILES else first
        again = before + round((first - before) * repeated)
        with (place / f"{number % FILES}.jsonl").open("wb") as file:
            file.writelines(
                b'%s"eventId":"b7c1a2d4-0000-4000-8000-%012d","inferenceId":"b7c1a2d4-1111-5000-8000-%012d","inferenceTime":"%s"},"eventVersion":"0"}\n'
                % (distinct[row % VARIETY], row, row, time)
                for row in chain(range(first, last), range(before, again))
            )


def write_labels(folder: Path, rows: int, share: float) -> None:
    """Labels of the first so many records of each hour, collected an hour later; some are of a class that the model does not know."""
    for number in range(HOURS):
        place = folder / (START + timedelta(hours=number + 1)).strftime("%Y/%m/%d/%H")
        place.mkdir(parents=True)
        first, last = rows * number // HOURS, rows * (number + 1) // HOURS
        with (place / "0.jsonl").open("wb") as file:
            file.writelines(
                b'{"groundTruthData":{"data":"%s","encoding":"CSV"},"eventMetadata":{"eventId":"b7c1a2d4-1111-5000-8000-%012d"},"eventVersion":"0"}\n'
                % ((b"yes", b"no", b"perhaps")[row % 10 % 3], row)
                for row in range(first, first + round((last - first) * share))
            )


def _records() -> list[dict[str, object]]:
    return table(VARIETY, 4, shifted=True).to_dict("records")


def _line(record: dict[str, object], chance: float) -> bytes:
    """A line up to its metadata."""
    said = {"prediction": "yes" if chance > 0.5 else "no", "probability": chance, "probabilities": {"no": 1 - chance, "yes": chance}}
    sides = {
        "endpointInput": {"instances": [record]},
        "endpointOutput": {"predictions": [said], "model": {"dataset_version": "0123456789abcdef", "artifact_sha256": "0" * 64}},
    }
    captured = {
        side: {"observedContentType": "application/json", "mode": mode, "data": orjson.dumps(content).decode(), "encoding": "JSON"}
        for (side, content), mode in zip(sides.items(), ("INPUT", "OUTPUT"), strict=True)
    }
    return orjson.dumps({"captureData": captured})[:-1] + b',"eventMetadata":{'
