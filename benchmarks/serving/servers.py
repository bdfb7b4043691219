"""What is measured: this project's server, floors, and what people use. Each has one worker and serves the same fitted pipeline."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.serving.table import Row

HERE = Path(__file__).parent
ROOT = HERE.parent.parent

Encode = Callable[[list[Row]], object]


@dataclass(frozen=True)
class Server:
    """What is measured. `command` knows {port} and {folder}."""

    name: str
    command: tuple[str, ...]
    path: str
    encode: Encode = lambda rows: rows
    environment: dict[str, str] = field(default_factory=dict)
    cwd: str = str(ROOT)


def v2(rows: list[Row]) -> object:
    """The open inference protocol: a tensor a column."""

    def column(name: str) -> object:
        values = [row[name] for row in rows]
        text = isinstance(values[0], str)
        form = {"datatype": "BYTES", "parameters": {"content_type": "str"}} if text else {"datatype": "FP64"}
        return {"name": name, "shape": [len(rows), 1], "data": values} | form

    return {"parameters": {"content_type": "pd"}, "inputs": [column(name) for name in rows[0]], "outputs": [{"name": "predict_proba"}]}


def ours(folder: Path, digest: str) -> Server:
    """This project's."""
    command = (sys.executable, "-m", "training", "serve", "--host", "127.0.0.1", "--port", "{port}")
    return Server("Tidewheel", command, "/invocations", environment={"ML_ROOT": str(folder), "ARTIFACT_SHA256": digest})


def floors(python: str) -> list[Server]:
    """Ours is to be near the first, and can hardly be above the last."""
    names = {"asgi": "floor: ASGI on uvicorn", "bare": "floor: bare loop", "nothing": "no prediction at all"}
    return [Server(name, (python, str(HERE / "floors.py"), floor, "{folder}/model", "{port}"), "/") for floor, name in names.items()]


def peers(python: str, folder: Path) -> list[Server]:
    """What people use."""
    home = {"FOLDER": str(folder / "peers"), "PATH": f"{Path(python).parent}:{os.defpath}"}
    return [_mlflow(python, home), *_mlserver(python, home), *_bentoml(python, home), _tutorial(python, home)]


def _mlflow(python: str, home: dict[str, str]) -> Server:
    options = ("-m", "{folder}/peers/mlflow", "-p", "{port}", "--env-manager", "local", "--workers", "1")
    command = (python, "-m", "mlflow", "models", "serve", *options)
    return Server("mlflow models serve", command, "/invocations", lambda rows: {"dataframe_records": rows}, home)


def _mlserver(python: str, home: dict[str, str]) -> list[Server]:
    ports = {"MLSERVER_HTTP_PORT": "{port}", "MLSERVER_GRPC_PORT": "{port1}", "MLSERVER_METRICS_PORT": "{port2}"}
    settings = {"MLSERVER_PARALLEL_WORKERS": "0", "MLSERVER_HOST": "127.0.0.1", "MLSERVER_DEBUG": "false"}
    start = (str(Path(python).parent / "mlserver"), "start")
    return [
        Server(label, (*start, f"{{folder}}/peers/{name}"), "/v2/models/churn/infer", v2, home | ports | settings)
        for name, label in (("mlserver", "MLServer"), ("mlserver-batching", "MLServer, adaptive batching"))
    ]


def _bentoml(python: str, home: dict[str, str]) -> list[Server]:
    command = (python, "-m", "bentoml", "serve", "bento:Churn", "--host", "127.0.0.1", "--port", "{port}")
    return [
        Server(label, command, "/predict", lambda rows: {"rows": rows}, home | {"BATCHING": batching}, str(HERE / "peers"))
        for batching, label in (("0", "BentoML"), ("1", "BentoML, adaptive batching"))
    ]


def _tutorial(python: str, home: dict[str, str]) -> Server:
    options = ("--host", "127.0.0.1", "--port", "{port}", "--no-access-log", "--log-level", "warning")
    command = (python, "-m", "uvicorn", "tutorial:app", *options)
    return Server("FastAPI, as tutorials write it", command, "/predict", environment=home, cwd=str(HERE / "peers"))
