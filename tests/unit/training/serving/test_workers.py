"""Several workers, as processes: one that is killed is replaced while the others answer, and a server that cannot keep them says so."""

import errno
import http.client
import json
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil

from tests.unit.training.serving.test_app import RECORD
from tests.unit.training.test_serve import ask, free_port, start, wait_until_ready
from training.artifact import artifact_digest
from training.paths import Paths

BODY = json.dumps(RECORD).encode()
Model = Callable[[str], Paths]


@contextmanager
def serving(paths: Paths, workers: int = 2) -> Iterator[tuple[int, subprocess.Popen[str], psutil.Process]]:
    """(port, server, the same for psutil), once it answers."""
    port = free_port()
    limits = {"SAGEMAKER_BIND_TO_PORT": str(port), "SAGEMAKER_MODEL_SERVER_WORKERS": str(workers)}
    server = start(paths, ARTIFACT_SHA256=artifact_digest(paths.model), **limits)
    try:
        wait_until_ready(port, server)
        yield port, server, psutil.Process(server.pid)
    finally:
        server.kill()
        server.communicate()


def metric(port: int, name: str) -> float:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0


def clients(worker: psutil.Process) -> int:
    """Connections that a worker has."""
    return sum(each.status == psutil.CONN_ESTABLISHED for each in worker.net_connections("tcp"))


def refused(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED


class Load:
    """Clients that keep their connections; how often each was answered and cut off."""

    def __init__(self, port: int, clients: int) -> None:
        self._port = port
        self._stop = threading.Event()
        self.answers: list[int] = []
        self.cut_off = 0
        self._threads = [threading.Thread(target=self._run) for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def _run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        while not self._stop.is_set():
            try:
                connection.request("POST", "/invocations", BODY, {"Content-Type": "application/json"})
                response = connection.getresponse()
                response.read()
                self.answers.append(response.status)
            except (ConnectionError, http.client.HTTPException):
                self.cut_off += 1
                connection.close()
        connection.close()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(20)


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)


def test_a_killed_worker_is_replaced_while_the_others_answer(model: Model) -> None:
    with serving(model("binary")) as (port, server, process):
        until(lambda: metric(port, "tidewheel_workers") == 2)
        load = Load(port, 4)
        until(lambda: len(load.answers) > 50)
        busier = max(process.children(), key=clients)
        cut = clients(busier)
        busier.kill()
        pings, counted_workers = [], set[float]()
        while metric(port, "tidewheel_worker_starts_total") < 3:
            counted_workers.add(metric(port, "tidewheel_workers"))
            begun = time.monotonic()
            pings.append((ask(port, "GET", "/ping"), time.monotonic() - begun < 2))
        load.stop()
        assert set(pings) == {(200, True)}
        assert 1 in counted_workers  # nobody counts the dead
        assert set(load.answers) == {200}
        assert 1 <= load.cut_off <= cut  # the requests that the killed worker had
        counted = metric(port, 'tidewheel_requests_total{path="/invocations",status="200"}')
        assert len(load.answers) <= counted <= len(load.answers) + load.cut_off
        assert metric(port, "tidewheel_request_seconds_count") == counted
        workers = process.children()
        half = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        half.request("POST", "/invocations", headers={"Content-Type": "application/json", "Content-Length": str(len(BODY))})
        time.sleep(0.1)  # until a worker has taken it
        server.send_signal(signal.SIGTERM)
        until(lambda: refused(port))  # and left to wait by nobody, though a worker still drains
        assert server.poll() is None
        half.send(BODY)
        assert half.getresponse().status == 200
        assert server.wait(30) == 0
        assert len(workers) == 2
        assert not any(worker.is_running() for worker in workers)


def test_workers_that_nobody_looks_after_end(model: Model) -> None:
    with serving(model("binary")) as (_, server, process):
        workers = process.children()
        server.kill()
        _, alive = psutil.wait_procs(workers, timeout=20)
        assert not alive


def test_a_server_whose_workers_die_again_and_again_ends_and_says_so(model: Model) -> None:
    paths = model("binary")
    with serving(paths) as (port, server, process):
        until(lambda: metric(port, "tidewheel_workers") == 2)
        while server.poll() is None:
            for worker in process.children():
                worker.kill()
            time.sleep(0.02)
        assert server.returncode == 1
        assert re.search(r"workers ended \d+ times within 60 s, the last by signal 9", paths.message.read_text())


def test_a_server_whose_workers_cannot_begin_ends_with_their_reason(model: Model) -> None:
    paths = model("binary")
    server = start(paths, ARTIFACT_SHA256="0" * 64, SAGEMAKER_BIND_TO_PORT=str(free_port()), SAGEMAKER_MODEL_SERVER_WORKERS="2")
    server.communicate(timeout=60)
    assert server.returncode == 1
    assert re.search(r"worker \d ended with status 1 before it answered: .*not the model that was registered", paths.message.read_text())
