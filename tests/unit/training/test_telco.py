"""The telco churn table, which is not part of the repository: TIDEWHEEL_SHARED_DATA names the folder that holds telco-churn.csv."""

import csv
import os
from pathlib import Path

import pytest

from contracts.columns import infer
from contracts.config import Data, Training
from contracts.evaluation import Evaluation, Metric
from contracts.layout import EVALUATION, EVALUATION_CHANNEL
from tests.unit.training.tables import trained
from training.__main__ import main

FOLDER = os.environ.get("TIDEWHEEL_SHARED_DATA")


@pytest.mark.skipif(FOLDER is None, reason="TIDEWHEEL_SHARED_DATA does not name a folder with telco-churn.csv")
def test_churn_is_predicted_better_than_0_83(tmp_path: Path) -> None:
    text = (Path(str(FOLDER)) / "telco-churn.csv").read_text()
    rows = list(csv.DictReader(text.splitlines()))
    features = {name: infer(row[name] for row in rows) for name in rows[0] if name not in {"customerID", "Churn"}}
    data = Data.model_validate(
        {"dataset": "demo", "target": "Churn", "problem": "binary", "positive": "Yes", "id": "customerID", "features": features}
    )
    paths = trained(tmp_path, text, data, Training())
    assert main(["evaluate", "--metric", "roc_auc", "--gate", "{}"], paths) == 0
    report = Evaluation.model_validate_json((paths.processing_output(EVALUATION_CHANNEL) / EVALUATION).read_bytes())
    assert report.metrics[Metric.ROC_AUC] >= 0.83
