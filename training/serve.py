"""serve: the model server.

The model's folder is checked against ARTIFACT_SHA256 before anything in it is read; without the variable, or with another digest, the
server does not start. It listens only once the model is loaded and has predicted once, so /ping never lies. SIGTERM drains: open requests
are answered, for at most 25 of the 30 seconds that SageMaker gives.

By default this one process serves. With SAGEMAKER_MODEL_SERVER_WORKERS more, each worker is a process of its own that is started with
--worker, and this one looks after them (serving/workers.py). Limits and times: ServerEnvironment in contracts/environment.py.
"""

import argparse
import logging
import os
from collections.abc import Mapping

from pydantic import ValidationError

from contracts.environment import ServerEnvironment
from contracts.errors import ArtifactError, ConfigError
from contracts.layout import ARTIFACT_VARIABLE
from training.paths import Paths
from training.serving import workers
from training.serving.metrics import Metrics, size
from training.serving.sharing import Shared, bind

log = logging.getLogger(__name__)


def main(paths: Paths, options: list[str]) -> None:
    """Serve until SIGTERM. Raises ArtifactError when the model is not the registered one, ConfigError, OSError and WorkersError."""
    limits = read_limits(os.environ)
    parser = argparse.ArgumentParser(prog="serve")
    parser.add_argument("--host", default="0.0.0.0")  # noqa: S104 - SageMaker's router reaches the container from outside
    parser.add_argument("--port", type=int, default=limits.sagemaker_bind_to_port)
    parser.add_argument("--worker", type=Shared.parse, help=argparse.SUPPRESS)
    given = parser.parse_args(options)
    digest = os.environ.get(ARTIFACT_VARIABLE)
    if not digest:
        raise ArtifactError(f"{ARTIFACT_VARIABLE} is not set, so the model cannot be verified. Next: set it in the container's environment")
    if given.worker is not None:
        _serve(paths, digest, limits, given.worker)
        return
    listener = bind(given.host, given.port)
    log.info("serving on %s:%d", given.host, given.port)
    if limits.sagemaker_model_server_workers > 1:
        workers.supervise(paths, listener, limits)
    else:
        _serve(paths, digest, limits, Shared.alone(listener, size(1)))


def _serve(paths: Paths, digest: str, limits: ServerEnvironment, shared: Shared) -> None:
    from training.serving.model import load  # noqa: PLC0415 - whoever only looks after workers needs no model
    from training.serving.worker import work  # noqa: PLC0415 - as above

    model = load(paths.model, digest)
    metrics = Metrics(shared.memory, shared.workers, shared.number)
    work(model, limits, metrics, shared)


def read_limits(variables: Mapping[str, str]) -> ServerEnvironment:
    """Limits and times. Raises ConfigError naming every variable that is wrong."""
    try:
        return ServerEnvironment.read(variables)
    except ValidationError as error:
        problems = [f"{str(each['loc'][0]).upper()}: {each['input']!r}: {each['msg']}" for each in error.errors()]
        raise ConfigError(problems, "the container's environment") from None
