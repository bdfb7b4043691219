"""BentoML's service; BATCHING=1 for adaptive batching, which takes lists and no DataFrames."""

import os
from pathlib import Path
from typing import Any

import bentoml
import joblib
import pandas as pd

BATCHING = os.environ.get("BATCHING") == "1"


@bentoml.service(workers=1)
class Churn:
    """The model."""

    def __init__(self) -> None:
        self.model = joblib.load(Path(os.environ["FOLDER"]) / "model.joblib")

    @bentoml.api(batchable=BATCHING, max_batch_size=128, max_latency_ms=1000)
    def predict(self, rows: list[dict[str, Any]]) -> list[float]:
        """Probabilities."""
        return self.model.predict_proba(pd.DataFrame(rows))[:, 1].tolist()
