"""A table like the well-known one of customers who leave: 4 numbers and 15 categories; and a model of it, trained as the pipeline does."""

import csv
import io
import random
from pathlib import Path
from typing import Any

from contracts.columns import ColumnKind
from contracts.config import Data, Training
from contracts.layout import STATISTICS
from tests.unit.training.tables import trained
from training.artifact import artifact_digest

ROWS = 4_000
YES = ("Yes", "No")
NET = (*YES, "No internet service")
CATEGORIES: dict[str, tuple[str, ...]] = {
    "gender": ("Female", "Male"),
    "partner": YES,
    "dependents": YES,
    "phone": YES,
    "lines": (*YES, "No phone service"),
    "internet": ("DSL", "Fiber optic", "No"),
    "security": NET,
    "backup": NET,
    "protection": NET,
    "support": NET,
    "television": NET,
    "films": NET,
    "contract": ("Month-to-month", "One year", "Two year"),
    "paperless": YES,
    "payment": ("Electronic check", "Mailed check", "Bank transfer (automatic)", "Credit card (automatic)"),
}
NUMBERS = ("senior", "tenure", "monthly", "total")
Row = dict[str, Any]


def make_rows(count: int, seed: int) -> list[Row]:
    """So many customers."""
    generator = random.Random(seed)
    rows = []
    for _ in range(count):
        tenure, monthly = generator.randint(0, 72), round(generator.uniform(18, 119), 2)
        row: Row = {name: generator.choice(values) for name, values in CATEGORIES.items()}
        senior, total = int(generator.random() < 0.16), round(tenure * monthly, 2)
        rows.append(row | {"senior": senior, "tenure": tenure, "monthly": monthly, "total": total})
    return rows


def leaves(row: Row, generator: random.Random) -> str:
    """Whether a customer leaves: by steps and interactions, which trees find and lines do not."""
    risk = 0.75 if row["contract"] == "Month-to-month" and row["tenure"] % 24 < 12 else 0.1
    if row["internet"] == "Fiber optic" and (row["monthly"] > 80) != (row["support"] == "Yes"):
        risk = 1 - risk
    return "Yes" if generator.random() < risk else "No"


def train(folder: Path) -> tuple[Path, str]:
    """(the model's folder, its SHA-256)."""
    generator = random.Random(3)
    out = io.StringIO()
    writer = csv.DictWriter(out, ["id", *NUMBERS, *CATEGORIES, "answer"], lineterminator="\n")
    writer.writeheader()
    for number, row in enumerate(make_rows(ROWS, seed=1)):
        writer.writerow({"id": number, **row, "answer": leaves(row, generator)})
    features = dict.fromkeys(NUMBERS, ColumnKind.NUMERIC) | dict.fromkeys(CATEGORIES, ColumnKind.CATEGORICAL)
    contract = {"dataset": "demo", "target": "answer", "problem": "binary", "positive": "Yes", "id": "id", "features": features}
    settings = Training(seed=7, holdout=0.25, folds=2, candidates=1)  # the blend, which training tries first
    model = trained(folder, out.getvalue(), Data.model_validate(contract), settings).model
    assert (model / STATISTICS).exists()
    return model, artifact_digest(model)
