"""FastAPI as the tutorials write it: a pydantic model, a DataFrame, the pipeline."""

import os
from pathlib import Path

import joblib
import pandas as pd
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()
model = joblib.load(Path(os.environ["FOLDER"]) / "model.joblib")


class Customer(BaseModel):
    """One row."""

    senior: int
    tenure: int
    monthly: float
    total: float
    gender: str
    partner: str
    dependents: str
    phone: str
    lines: str
    internet: str
    security: str
    backup: str
    protection: str
    support: str
    television: str
    films: str
    contract: str
    paperless: str
    payment: str


@app.post("/predict")
def predict(rows: list[Customer]) -> list[float]:
    """Probabilities."""
    return model.predict_proba(pd.DataFrame([row.model_dump() for row in rows]))[:, 1].tolist()
