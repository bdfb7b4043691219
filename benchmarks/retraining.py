"""What retraining is worth on a table in its order: plain gradient boosting, never trained again and after every window, beside a replay.

    tide replay --data elec.csv --json replay.json
    python -m benchmarks.retraining --data elec.csv --target class replay.json

The rows of the first model, of a window, and the delay of the labels are the replay's. Each row is predicted before its label is known;
after a window the plain loop knows the labels of all rows but the newest, and fits everything again, with scikit-learn's defaults.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

NUMBERS = 0.9  # share of the cells


def read(path: Path, target: str, dropped: list[str], order_by: str | None) -> tuple[pd.DataFrame, pd.Series]:
    """Features and target, in order. Columns that hold next to nothing but numbers are numbers, the other texts categories."""
    table = pd.read_csv(path)
    if order_by:
        table = table.sort_values(order_by, kind="stable", ignore_index=True)
    return table.drop(columns=[target, *dropped]).apply(_as_feature), table[target]


def _as_feature(cells: pd.Series) -> pd.Series:
    numbers = pd.to_numeric(cells, errors="coerce")
    return numbers if numbers.notna().mean() > NUMBERS * cells.notna().mean() else cells.astype("category")


def losses(features: pd.DataFrame, target: pd.Series, plan: dict[str, int], metric: str, every_window: bool) -> tuple[np.ndarray, int]:
    """The loss of every replayed row (wrong or not; squared error), and how often was trained after the first model."""
    model_class = HistGradientBoostingRegressor if metric == "rmse" else HistGradientBoostingClassifier
    first, size = plan["train_rows"], plan["window_rows"]
    model: Any = model_class(categorical_features="from_dtype", random_state=0).fit(features[:first], target[:first])
    found, trainings = [], 0
    for start in range(first, len(target), size):
        rows = slice(start, start + size)
        said = model.predict(features[rows])
        found.append((said - target[rows]) ** 2 if metric == "rmse" else (said != target[rows]).astype(float))
        known = min(start + size, len(target)) - plan["label_delay"]
        if every_window and known > first and start + size < len(target):
            model = model_class(categorical_features="from_dtype", random_state=0).fit(features[:known], target[:known])
            trainings += 1
    return np.concatenate(found), trainings


def score(found: np.ndarray, metric: str) -> float:
    """Accuracy, or RMSE."""
    return float(np.sqrt(found.mean())) if metric == "rmse" else 1 - float(found.mean())


def share(gained: float, possible: float) -> str:
    """A gain as a share of another one, where there is one."""
    return f"{gained / possible:.0%}" if possible > 0 else "no gain to have"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("replay", type=Path, help="what `tide replay --json` wrote")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--target", required=True)
    parser.add_argument("--drop", action="append", default=[], help="a column that is no feature, as an id is")
    arguments = parser.parse_args()
    replay = json.loads(arguments.replay.read_text())
    metric, plan = replay["metric"], replay["plan"]
    features, target = read(arguments.data, arguments.target, arguments.drop, replay["order_by"])
    sign = -1 if metric == "rmse" else 1
    (never, _), (every, trainings) = (losses(features, target, plan, metric, every_window) for every_window in (False, True))
    rows = [
        ("plain gradient boosting, never", score(never, metric), 0),
        ("plain gradient boosting, every window", score(every, metric), trainings),
        ("tide replay, first model only", replay["score_without_retraining"], 0),
        ("tide replay", replay["score"], replay["retrainings"]),
    ]
    print(f"{arguments.data.name}: {len(never):,} rows after {plan['train_rows']:,}, windows of {plan['window_rows']:,}, {metric}\n")
    print(f"| | {metric} | trainings |\n| --- | --- | --- |")
    print("\n".join(f"| {name} | {value:.4f} | {count} |" for name, value, count in rows))
    possible, gained = sign * (rows[1][1] - rows[0][1]), sign * (rows[3][1] - rows[2][1])
    error = float(np.std(never - every, ddof=1) / np.sqrt(len(never)))
    of = " of the squared error" if metric == "rmse" else ""
    print(f"\nevery window gains {possible:+.4f} over never (standard error {error:.4f}{of})")
    print(f"the replay gains {gained:+.4f} over its own first model: {share(gained, possible)} of that")
    print(f"the replay is {sign * (rows[3][1] - rows[0][1]):+.4f} from plain never: {share(sign * (rows[3][1] - rows[0][1]), possible)}")
    print(f"trainings: {replay['retrainings']} of {trainings}, {replay['retrainings'] / max(1, trainings):.0%}")


if __name__ == "__main__":
    main()
