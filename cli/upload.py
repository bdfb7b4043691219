"""An upload, and what ingest_dataset makes of it.

The outcome is read off the content: a manifest of exactly the files that were uploaded is an acceptance, a reason in the quarantine folder
of their SHA-256 is a refusal. So the same content pushed twice gets the same answer, whether or not anything new was written.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from boto3.s3.transfer import TransferConfig

from cli.datasets.parallel import act_on
from cli.observe import App
from cli.tables import sha256_of, table_files
from cli.waiting import wait_for
from contracts.errors import DataError
from contracts.folder import FOLDER_MARKER, MarkedFile, Marker, folder_digest, name_problem
from contracts.layout import LARGEST_UPLOAD_BYTES, upload_folder, upload_key
from contracts.manifest import Manifest
from contracts.names import trick_in
from contracts.tables.formats import SUFFIXES

DECISION_LIMIT = 120.0
_MEGABYTE = 1 << 20
TRANSFER = TransferConfig(multipart_threshold=16 * _MEGABYTE, multipart_chunksize=16 * _MEGABYTE)
_FILES_AT_ONCE = 8

Show = Callable[[int], None]


@dataclass(frozen=True)
class Upload:
    """A table in the data bucket, at one object version: its file, or its folder's marker. `contents`: SHA-256 of its files, by name."""

    uri: str
    sha256: str
    version_id: str
    contents: tuple[str, ...]


def upload_table(app: App, path: Path, name: str, show: Show = lambda _: None) -> Upload:
    """Upload a file under uploads/<dataset>/; `show` is told the bytes sent so far. Raises DataError when it cannot be a table."""
    if not path.is_file():
        raise DataError([f"{path} is not there. Next: give the path of a table ({', '.join(SUFFIXES)}), or of a folder of them"])
    if path.stat().st_size > LARGEST_UPLOAD_BYTES:
        raise DataError([f"{path} has {path.stat().st_size} bytes, and at most {LARGEST_UPLOAD_BYTES} can be read. Next: push fewer rows"])
    if problem := name_problem(name):
        raise DataError([problem])
    key = upload_key(app.project.config.data.dataset, name)
    sha256 = sha256_of(path)
    version_id = _send(app, path, key, _counter(show))
    return Upload(f"s3://{app.data_bucket}/{key}", sha256, version_id, (sha256,))


def upload_tables(app: App, folder: Path, show: Show = lambda _: None) -> Upload:
    """Upload a folder's files as one table, and then the marker that names them. Raises DataError when they cannot be one."""
    files = table_files(folder)
    name = folder.resolve().name
    if trick := trick_in(name):
        raise DataError([f"the name {name!r} {trick}. Next: rename the folder"])
    prefix = upload_folder(app.project.config.data.dataset, name)
    count = _counter(show)

    def send(path: Path) -> tuple[str, str]:
        sha256 = sha256_of(path)
        return sha256, _send(app, path, prefix + path.name, count)

    with ThreadPoolExecutor(_FILES_AT_ONCE) as pool:
        sent = dict(act_on(pool, files, send, _FILES_AT_ONCE))
    marker = Marker(files=tuple(MarkedFile(name=path.name, version_id=sent[path][1]) for path in files))
    key = prefix + FOLDER_MARKER
    version_id = app.s3.put_object(Bucket=app.data_bucket, Key=key, Body=marker.model_dump_json(indent=2).encode())["VersionId"]
    contents = tuple(sent[path][0] for path in files)
    digest = folder_digest((path.name, sent[path][0]) for path in files)
    return Upload(f"s3://{app.data_bucket}/{prefix}", digest, version_id, contents)


def _send(app: App, path: Path, key: str, count: Show) -> str:
    """The VersionId under which a file lies now. A small one's is told by S3 as it arrives; a large one's is looked up."""
    if path.stat().st_size <= TRANSFER.multipart_threshold:
        with path.open("rb") as body:
            version_id: str = app.s3.put_object(Bucket=app.data_bucket, Key=key, Body=body)["VersionId"]
        count(path.stat().st_size)
        return version_id
    app.s3.upload_file(str(path), app.data_bucket, key, Config=TRANSFER, Callback=count)
    found: str = app.s3.head_object(Bucket=app.data_bucket, Key=key)["VersionId"]
    return found


def _counter(show: Show) -> Show:
    sent = 0

    def count(size: int) -> None:
        nonlocal sent
        sent += size
        show(sent)

    return count


def wait_for_decision(app: App, upload: Upload, limit: float = DECISION_LIMIT) -> Manifest:
    """The dataset version that the upload became. Raises DataError with the reasons of a refusal."""
    contract = app.project.config.data.model_copy(update={"table": None})
    seen = ""

    def look() -> Manifest | None:
        nonlocal seen
        for manifest, _ in app.manifests():
            if tuple(file.sha256 for file in manifest.files) == upload.contents:
                if manifest.contract.model_copy(update={"table": None}) == contract:
                    return manifest
                seen = f"version {manifest.version}, checked against another data contract than tidewheel.yaml's (tide up deploys this one)"
        refusal = app.refusal(upload.sha256)
        if refusal is not None and refusal.version_id == upload.version_id:
            findings = "".join(f"\n  {finding}" for finding in refusal.findings)
            raise DataError([f"{upload.uri} was refused, and nothing is trained on it:{findings}\nNext: mend the table, and push it again"])
        return None

    return wait_for(f"ingest_dataset to accept or refuse {upload.uri}", look, limit, seen=lambda: seen)
