"""S3's server access logs: every request to a logged bucket, as a line in its target bucket, delivered by S3 in its own name.

docs: https://docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html (the line),
https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html (the target's policy must let
logging.s3.amazonaws.com put objects for the source bucket). As on AWS delivery is best effort: what the target refuses is lost, and what is
not delivered when the twin stops too. Modelled: lines go out every DELIVER_EVERY of twin time (AWS: within a few hours), or when there are
MANY; sizes, times, host and TLS fields are "-"; the operation is that of the method (REST.GET.OBJECT).
"""

import logging
import threading
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import unquote

from botocore.exceptions import ClientError
from moto.s3.models import S3Backend, s3_backends

from twin import patches
from twin.application import Wsgi
from twin.cloud import Cloud
from twin.iam.authorise import resource_policy
from twin.iam.errors import AccessDenied
from twin.iam.gate import CALLER
from twin.iam.identity import PARTITION, Caller
from twin.iam.services import check_resource_policy

log = logging.getLogger("twin.access_logs")

SERVICE = "logging.s3.amazonaws.com"
DELIVER_EVERY = 3600.0
MANY = 5000
LOOK_EVERY = 0.5
"""Real seconds."""
_S3 = "/s3/aws4_request"
_SIGNED = "/aws4_request"


class AccessLogs:
    """Remembers the requests to logged buckets, and delivers them."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._lines: dict[str, list[str]] = defaultdict(list)
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._delivered = cloud.clock.now().timestamp()
        self._thread = threading.Thread(target=self._watch, name="access-logs", daemon=True)
        self._thread.start()

    def around(self, application: Wsgi) -> Wsgi:
        """WSGI middleware: what comes through is logged, anonymous requests and refusals too."""

        def logged(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            def answer(status: str, *more: Any) -> Any:
                self._note(environ, status.partition(" ")[0])
                return start_response(status, *more)

            return application(environ, answer if self._is_s3(environ) else start_response)

        return logged

    def deliver(self) -> None:
        """Put what was remembered into the target buckets."""
        with self._lock:
            lines, self._lines = self._lines, defaultdict(list)
        self._delivered = self._cloud.clock.now().timestamp()
        for bucket, listed in lines.items():
            settings = self._logging_of(bucket)
            if settings:
                self._put(bucket, settings, "".join(f"{line}\n" for line in listed))

    def stop(self) -> None:
        """Deliver nothing more."""
        self._stopped.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stopped.wait(LOOK_EVERY):
            many = any(len(listed) > MANY for listed in list(self._lines.values()))
            if many or self._cloud.clock.now().timestamp() - self._delivered >= DELIVER_EVERY:
                self.deliver()

    def _put(self, bucket: str, settings: Mapping[str, str], text: str) -> None:
        target, now = settings["TargetBucket"], self._cloud.clock.now()
        key = f"{settings.get('TargetPrefix', '')}{now:%Y-%m-%d-%H-%M-%S}-{uuid.uuid4().hex[:16].upper()}"
        found = s3_backends[self._cloud.account][PARTITION].buckets.get(target)
        holder = f"arn:aws:s3:::{target}"
        source = {"aws:sourceaccount": self._cloud.account, "aws:sourcearn": f"arn:aws:s3:::{bucket}"}
        try:
            policy = resource_policy(found.policy if found is not None else None, holder)
            check_resource_policy(self._cloud, policy, "s3:PutObject", f"{holder}/{key}", SERVICE, source)
            self._cloud.client("s3").put_object(Bucket=target, Key=key, Body=text.encode())
        except (AccessDenied, ClientError) as error:
            log.warning("access logs of %s are lost: %s", bucket, error)

    def _is_s3(self, environ: Mapping[str, Any]) -> bool:
        """Of who does not say for which service it signs, the path is all there is to tell by."""
        signed = unquote(f"{environ.get('HTTP_AUTHORIZATION', '')}{environ.get('QUERY_STRING', '')}")
        return (_S3 in signed or _SIGNED not in signed) and bool(self._logging_of(_bucket(environ)))

    def _logging_of(self, bucket: str) -> Mapping[str, str]:
        found = s3_backends[self._cloud.account][PARTITION].buckets.get(bucket)
        settings: Mapping[str, str] = found.logging if found is not None else {}
        return settings

    def _note(self, environ: Mapping[str, Any], status: str) -> None:
        bucket, path = _bucket(environ), str(environ.get("PATH_INFO", ""))
        key = path.lstrip("/").partition("/")[2]
        caller: Caller | None = environ.get(CALLER)
        operation = f"REST.{environ['REQUEST_METHOD']}.{'OBJECT' if key else 'BUCKET'}"
        fields = [
            self._cloud.account,
            bucket,
            f"[{self._cloud.clock.now():%d/%b/%Y:%H:%M:%S +0000}]",
            "127.0.0.1",
            caller.arn if caller is not None else "-",
            uuid.uuid4().hex[:16].upper(),
            operation,
            key or "-",
            f'"{environ["REQUEST_METHOD"]} {path} HTTP/1.1"',
            status,
            *("-" for _ in range(12)),
            f"arn:aws:s3:::{bucket}",
            "-",
        ]
        with self._lock:
            self._lines[bucket].append(" ".join(fields))


def _bucket(environ: Mapping[str, Any]) -> str:
    return str(environ.get("PATH_INFO", "")).lstrip("/").partition("/")[0]


def install(cloud: Cloud) -> AccessLogs:
    """Begin to log."""
    patches.apply(_no_other())
    return AccessLogs(cloud)


def _no_other() -> patches.Patch:
    def log_incoming_request(self: Any, request: Any, bucket_name: str) -> None:
        """Said by `around`."""

    expects = "(self, request: 'Any', bucket_name: 'str') -> 'None'"
    why = "moto delivers a made-up line at once, whatever the target's policy says"
    return patches.Patch(S3Backend, "log_incoming_request", log_incoming_request, expects, why)
