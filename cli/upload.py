"""An upload, and what ingest_dataset makes of it.

The outcome is read off the content: a manifest that names the file's SHA-256 is an acceptance, a reason in the quarantine folder of that
SHA-256 is a refusal. So the same file pushed twice gets the same answer, whether or not anything new was written.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from boto3.s3.transfer import TransferConfig

from cli.observe import App
from cli.tables import sha256_of
from cli.waiting import wait_for
from contracts.errors import DataError
from contracts.layout import LARGEST_UPLOAD_BYTES, upload_key
from contracts.manifest import Manifest

DECISION_LIMIT = 120.0
_MEGABYTE = 1 << 20
TRANSFER = TransferConfig(multipart_threshold=16 * _MEGABYTE, multipart_chunksize=16 * _MEGABYTE)


@dataclass(frozen=True)
class Upload:
    """A file in the data bucket, at one object version."""

    uri: str
    sha256: str
    version_id: str


def upload_table(app: App, path: Path, name: str, show: Callable[[int], None] = lambda _: None) -> Upload:
    """Upload a file under uploads/<dataset>/; `show` is told the bytes sent so far. Raises DataError when there is no such file."""
    if not path.is_file():
        raise DataError([f"{path} is {'a folder' if path.is_dir() else 'not there'}. Next: give the path of a CSV file"])
    if path.stat().st_size > LARGEST_UPLOAD_BYTES:
        raise DataError([f"{path} has {path.stat().st_size} bytes, and at most {LARGEST_UPLOAD_BYTES} can be read. Next: push fewer rows"])
    key = upload_key(app.project.config.data.dataset, name)
    sent = 0

    def count(size: int) -> None:
        nonlocal sent
        sent += size
        show(sent)

    sha256 = sha256_of(path)
    app.s3.upload_file(str(path), app.data_bucket, key, Config=TRANSFER, Callback=count)
    head = app.s3.head_object(Bucket=app.data_bucket, Key=key)
    return Upload(f"s3://{app.data_bucket}/{key}", sha256, head["VersionId"])


def wait_for_decision(app: App, upload: Upload, limit: float = DECISION_LIMIT) -> Manifest:
    """The dataset version that the upload became. Raises DataError with the reasons of a refusal."""
    contract = app.project.config.data.model_copy(update={"table": None})
    seen = ""

    def look() -> Manifest | None:
        nonlocal seen
        for manifest, _ in app.manifests():
            if any(file.sha256 == upload.sha256 for file in manifest.files):
                if manifest.contract.model_copy(update={"table": None}) == contract:
                    return manifest
                seen = f"version {manifest.version}, checked against another data contract than tidewheel.yaml's (tide up deploys this one)"
        refusal = app.refusal(upload.sha256)
        if refusal is not None and refusal.version_id == upload.version_id:
            findings = "".join(f"\n  {finding}" for finding in refusal.findings)
            raise DataError([f"{upload.uri} was refused, and nothing is trained on it:{findings}\nNext: mend the table, and push it again"])
        return None

    return wait_for(f"ingest_dataset to accept or refuse {upload.uri}", look, limit, seen=lambda: seen)
