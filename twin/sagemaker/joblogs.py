"""A job's or model server's output, in CloudWatch Logs, under its own role: what the role may not write is only in the state folder."""

import logging
from pathlib import Path

from twin.cloud import Cloud, Credentials
from twin.iam.errors import AccessDenied
from twin.logwriter import LogWriter

log = logging.getLogger(__name__)

LINE_LIMIT = 200_000


class Output:
    """The output of a container, in a file that it appends to, from where the file ends now."""

    def __init__(self, cloud: Cloud, credentials: Credentials, group: str, stream: str, path: Path) -> None:
        self._writer = LogWriter(cloud, credentials, group, stream, looks=True)
        self._stream = stream
        self._path = path
        self._sent = path.stat().st_size if path.exists() else 0

    def send(self, *, ended: bool) -> None:
        """Write the lines that are new, without a last one that has not ended; those that the role may not write are lost."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._sent)
            new = file.read()
        whole = new if ended else new[: new.rfind(b"\n") + 1]
        self._sent += len(whole)
        lines = [line[:LINE_LIMIT] for line in whole.decode(errors="replace").splitlines() if line]
        try:
            if lines:
                self._writer.write(lines)
        except AccessDenied as error:
            log.warning("the log of %s is lost: %s", self._stream, error)
