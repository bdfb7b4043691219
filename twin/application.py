"""moto as one WSGI application that never answers with a guess.

What moto does not implement becomes a 501 that names the operation (moto's own HTML 500 would be retried by every SDK). What breaks inside
becomes an AWS-shaped 500, with the traceback in the twin's log. Services whose stores are not safe under threads are called one at a time.
"""

import logging
import threading
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from twin.replies import NOT_EMULATED, error_reply, signed_service

log = logging.getLogger("twin.server")

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]

SERIALISED = ("dynamodb", "kinesis", "ssm", "iam")
"""Services that read, decide and write without a lock of their own; DynamoDB's conditional writes are wrong without one."""


class Moto:
    """moto's services behind one door."""

    def __init__(self) -> None:
        self._dispatcher = DomainDispatcherApplication(create_backend_app)
        # moto lists its own folder for every request, to see whether a host is a service.
        self._dispatcher.get_backend_for_host = cache(self._dispatcher.get_backend_for_host)
        self._locks = {service: threading.Lock() for service in SERIALISED}

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        service = signed_service(environ)
        operation = _operation(environ)
        try:
            application = self._dispatcher.get_application(environ)
        except Exception as error:  # noqa: BLE001 - whatever moto raises for a service it does not know, the answer names the service
            log.info("no application for service %r: %r", service, error)
            return error_reply(
                environ, start_response, 501, NOT_EMULATED, f"The twin does not emulate the service {service!r} ({operation})."
            )
        reply = _Reply()
        try:
            with self._lock(service):
                body = b"".join(application(environ, reply.start))
        except NotImplementedError as error:
            return error_reply(environ, start_response, 501, NOT_EMULATED, f"The twin does not emulate {service} {operation}: {error}")
        except Exception as error:
            log.exception("%s %s broke", service, operation)
            return error_reply(environ, start_response, 500, "InternalFailure", f"{service} {operation} broke inside the twin: {error!r}")
        if reply.is_unrouted and service != "s3":
            return error_reply(environ, start_response, 501, NOT_EMULATED, f"The twin does not emulate {service} {operation}.")
        start_response(reply.status, reply.headers)
        return [body]

    def _lock(self, service: str) -> AbstractContextManager[Any]:
        return self._locks.get(service, nullcontext())


class _Reply:
    """What the application answered, held back until it is known to be an answer."""

    def __init__(self) -> None:
        self.status = ""
        self.headers: list[tuple[str, str]] = []

    def start(self, status: str, headers: list[tuple[str, str]], _exc_info: Any = None) -> Callable[[bytes], object]:
        self.status, self.headers = status, headers
        return lambda _: None

    @property
    def is_unrouted(self) -> bool:
        """Flask's own page for a path or method that no operation of moto has."""
        content_type = next((value for name, value in self.headers if name.lower() == "content-type"), "")
        return self.status[:3] in {"404", "405"} and content_type.startswith("text/html")


def _operation(environ: dict[str, Any]) -> str:
    """The operation as far as the request's head tells it."""
    target = str(environ.get("HTTP_X_AMZ_TARGET", ""))
    return target.rpartition(".")[2] or f"{environ.get('REQUEST_METHOD')} {environ.get('PATH_INFO')}"
