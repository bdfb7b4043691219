"""serve: the model server.

The model's folder is checked against ARTIFACT_SHA256 before anything in it is read; without the variable, or with another digest, the
server does not start. It listens only once the model is loaded and has predicted once, so /ping never lies. SIGTERM drains: open requests
are answered, for at most 25 of the 30 seconds that SageMaker gives.
"""

import argparse
import logging
import os
from pathlib import Path

import uvicorn

from contracts.errors import ArtifactError
from contracts.layout import ARTIFACT_VARIABLE
from training.app import App, predict_rows
from training.paths import Paths
from training.predictor import PipelinePredictor, verify
from training.record import TrainingRecord
from training.stop import Stopped

DRAIN = 25  # seconds
KEEP_ALIVE = 75  # seconds; longer than the idle time-out of the clients in front, so that they hang up first

log = logging.getLogger(__name__)


def main(paths: Paths, options: list[str]) -> None:
    """Serve until SIGTERM. Raises ArtifactError when the model is not the registered one."""
    parser = argparse.ArgumentParser(prog="serve")
    parser.add_argument("--host", default="0.0.0.0")  # noqa: S104 - SageMaker's router reaches the container from outside
    parser.add_argument("--port", type=int, default=int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080")))
    given = parser.parse_args(options)
    app = load(paths.model, os.environ.get(ARTIFACT_VARIABLE))
    log.info("serving on %s:%d", given.host, given.port)
    config = uvicorn.Config(
        app,
        host=given.host,
        port=given.port,
        lifespan="off",
        access_log=False,
        log_level="warning",
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=DRAIN,
    )
    try:
        uvicorn.Server(config).run()
    except Stopped:
        log.info("drained")


def load(folder: Path, expected: str | None) -> App:
    """The application, its model verified, loaded and warm. Raises ArtifactError."""
    if not expected:
        raise ArtifactError(f"{ARTIFACT_VARIABLE} is not set, so the model cannot be verified. Next: set it in the container's environment")
    verify(folder, expected, ARTIFACT_VARIABLE)
    predictor = PipelinePredictor.load(folder)
    # The first prediction imports and compiles what the others reuse; every feature may be missing.
    predict_rows(predictor, [dict.fromkeys(predictor.signature.features)])
    return App(predictor, {"artifact_sha256": expected, "dataset_version": TrainingRecord.read(folder).dataset_version})
