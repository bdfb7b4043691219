"""scikit-learn's tables as CSV files: `table: sklearn:breast_cancer` in tidewheel.yaml.

Feature names become snake_case; classes are written as the names that scikit-learn gives them; the target takes the project's name for it.
"""

import csv
import re
from pathlib import Path
from typing import Any

from contracts.errors import DataError

SCHEME = "sklearn:"
TABLES = ("breast_cancer", "diabetes", "iris", "wine")


def write_sample_table(name: str, target: str, to: Path) -> None:
    """Write one of scikit-learn's tables. Raises DataError for a name that is none of TABLES."""
    if name not in TABLES:
        raise DataError(
            [f"data.table {SCHEME}{name} is not known. Next: one of {', '.join(SCHEME + table for table in TABLES)}, or a CSV file"]
        )
    import sklearn.datasets  # noqa: PLC0415 - takes a second, and only the demo needs it

    bunch = getattr(sklearn.datasets, f"load_{name}")()
    with to.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*(snake_case(feature) for feature in bunch.feature_names), target])
        for row, value in zip(bunch.data, bunch.target, strict=True):
            writer.writerow([*(repr(float(cell)) for cell in row), _label(bunch, value)])


def snake_case(name: str) -> str:
    """`mean radius` -> mean_radius."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def _label(bunch: Any, value: Any) -> str:
    names = bunch.get("target_names")
    return repr(float(value)) if names is None else str(names[int(value)])
