"""The model server as a process: it refuses what it cannot verify, answers, and drains when it is told to stop."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.environment import ServerEnvironment
from contracts.errors import ArtifactError, ConfigError
from tests.unit.training.serving.test_app import RECORD
from training.artifact import artifact_digest
from training.paths import Paths
from training.serve import read_limits
from training.serving.model import load

Model = Callable[[str], Paths]


def start(paths: Paths, **variables: str) -> subprocess.Popen[str]:
    environment = {"ML_ROOT": str(paths.root), "PATH": os.defpath, "PYTHONPATH": str(Path.cwd()), **variables}
    command = [sys.executable, "-m", "training", "serve", "--host", "127.0.0.1"]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def test_the_server_answers_under_load_while_it_drains(model: Model) -> None:
    paths = model("binary")
    port = free_port()
    server = start(paths, ARTIFACT_SHA256=artifact_digest(paths.model), SAGEMAKER_BIND_TO_PORT=str(port))
    try:
        wait_until_ready(port, server)
        answers: list[int] = []
        body = json.dumps({"instances": [RECORD] * 20_000}).encode()
        client = threading.Thread(target=lambda: answers.append(ask(port, "POST", "/invocations", body)))
        client.start()
        time.sleep(0.2)
        assert ask(port, "GET", "/ping") == 200  # while the batch is being read or predicted
        server.send_signal(signal.SIGTERM)
        client.join(timeout=30)
        assert server.wait(timeout=30) == 0
        assert answers == [200]
    finally:
        server.kill()
        server.communicate()


def ask(port: int, method: str, path: str, body: bytes = b"") -> int:
    """One request to the server; its status."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()


def wait_until_ready(port: int, server: subprocess.Popen[str]) -> None:
    for _ in range(400):
        assert server.poll() is None, server.communicate()[0]
        try:
            assert ask(port, "GET", "/ping") == 200
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("the server did not come up")


def test_without_a_digest_the_server_exits_and_says_why(model: Model) -> None:
    paths = model("binary")
    server = start(paths)
    output, _ = server.communicate(timeout=60)
    assert server.returncode == 1
    assert "ARTIFACT_SHA256 is not set" in output
    assert "ARTIFACT_SHA256 is not set" in paths.message.read_text()


@pytest.mark.parametrize("name", ["model.skops", "signature.json", "training.json", "statistics.json"])
def test_a_model_of_which_any_file_was_changed_is_never_loaded(model: Model, name: str) -> None:
    folder = model("binary").model
    digest = artifact_digest(folder)
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ArtifactError, match="not the model that was registered"):
        load(folder, digest)


def test_a_model_with_a_file_added_is_never_loaded(model: Model) -> None:
    folder = model("binary").model
    digest = artifact_digest(folder)
    (folder / "sitecustomize.py").write_text("")
    with pytest.raises(ArtifactError, match="not the model that was registered"):
        load(folder, digest)


@pytest.mark.parametrize(
    ("name", "value"),
    [("SAGEMAKER_MODEL_SERVER_WORKERS", "many"), ("SAGEMAKER_BIND_TO_PORT", "0"), ("TIDEWHEEL_DRAIN_SECONDS", "31")],
)
def test_a_wrong_limit_is_named_with_its_value(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"{name}: '{value}': Input should be"):
        read_limits({name: value, "HOME": "/"})


def test_the_documentation_names_every_limit_and_its_default() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|", Path("docs/serving.md").read_text(), re.MULTILINE)
    limits = ServerEnvironment().model_dump()
    assert {name.lower(): float(value) for name, value in rows} == limits
