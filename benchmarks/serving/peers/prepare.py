"""Gives each peer the model in the form that it wants. Run with the peers' Python: FOLDER, which has model.skops and sample.json in it."""

import json
import sys
from pathlib import Path

import joblib
import mlflow.sklearn
import pandas as pd
import skops.io

folder = Path(sys.argv[1])
pipeline = skops.io.load(folder / "model.skops", trusted=skops.io.get_untrusted_types(file=folder / "model.skops"))
sample = pd.DataFrame(json.loads((folder / "sample.json").read_text()))

joblib.dump(pipeline, folder / "model.joblib")
mlflow.sklearn.save_model(
    pipeline,
    folder / "mlflow",
    pyfunc_predict_fn="predict_proba",
    signature=mlflow.models.infer_signature(sample, pipeline.predict_proba(sample)),
    serialization_format="cloudpickle",
)
for name, batching in (("mlserver", {}), ("mlserver-batching", {"max_batch_size": 32, "max_batch_time": 0.005})):
    (folder / name).mkdir()
    parameters = {"uri": str(folder / "model.joblib")}
    settings = {"name": "churn", "implementation": "mlserver_sklearn.SKLearnModel", "parameters": parameters, **batching}
    (folder / name / "model-settings.json").write_text(json.dumps(settings))
