"""One worker: a model, and a loop that answers on the listening socket until SIGTERM."""

import asyncio
import gc
import logging
import signal
import time
from functools import partial

import uvloop

from contracts.environment import ServerEnvironment
from training.serving.accepting import Acceptor
from training.serving.app import App
from training.serving.http import Connection
from training.serving.metrics import Metrics
from training.serving.model import Model
from training.serving.server import TICK, Server
from training.serving.sharing import Shared

log = logging.getLogger(__name__)


def work(model: Model, limits: ServerEnvironment, metrics: Metrics, shared: Shared) -> None:
    """Serve until SIGTERM, or until nobody looks after this worker any more, and drain."""
    # What was loaded stays, so the collector need not walk through it again.
    gc.collect()
    gc.freeze()
    uvloop.run(_work(model, limits, metrics, shared))


async def _work(model: Model, limits: ServerEnvironment, metrics: Metrics, shared: Shared) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if shared.line is not None:
        loop.add_reader(shared.line, stop.set)  # it only ever ends
    app = App(model, limits, metrics)
    server = Server(limits, app.answer, metrics.observe)
    running = [loop.create_task(each) for each in (stop.wait(), server.watch(), _report(app, server, metrics))]
    accepting = Acceptor(shared.listener, partial(Connection, server), lambda taken: metrics.crowded(len(server.connections) + taken))
    shared.ready()
    metrics.begin(time.time())
    done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    await accepting.close()
    await server.drain()
    for task in running:
        task.cancel()
    for task in done:
        task.result()  # raises where it did not end by SIGTERM
    log.info("drained")


async def _report(app: App, server: Server, metrics: Metrics) -> None:
    """Tell now and then how much is under way."""
    while True:
        metrics.load(app.under_way, len(server.connections))
        await asyncio.sleep(TICK)
