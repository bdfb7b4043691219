"""An upload, and what ingest_dataset makes of it.

What the bucket has is not sent again: S3 copies it, or the marker of a folder names where it lies. An upload that was ended goes on where
it was (cli/datasets/send.py).

The outcome is read off the content: a manifest of exactly the files that were uploaded is an acceptance, a reason in the quarantine folder
of their SHA-256 is a refusal. So the same content pushed twice gets the same answer, whether or not anything new was written.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from cli.datasets.digest import digests
from cli.datasets.index import INDEX, Index
from cli.datasets.parallel import act_on
from cli.datasets.scan import look
from cli.datasets.send import Outgoing, Sender
from cli.datasets.store import Place, Store
from cli.observe import App
from cli.tables import table_files
from cli.waiting import wait_for
from contracts.errors import DataError
from contracts.folder import FOLDER_MARKER, MarkedFile, Marker, folder_digest, length_problem, name_problem
from contracts.layout import LARGEST_UPLOAD_BYTES, UPLOADS, upload_folder, upload_key
from contracts.manifest import Manifest
from contracts.names import trick_in
from contracts.tables.formats import SUFFIXES

DECISION_LIMIT = 120.0
_FILES_AT_ONCE = 8

Show = Callable[[int], None]


@dataclass(frozen=True)
class LocalTable:
    """A table on this machine: its files, read, by name, and where each goes; `folder`: the prefix of a folder's, else ""."""

    files: tuple[Outgoing, ...]
    folder: str

    @property
    def contents(self) -> tuple[str, ...]:
        """SHA-256 of its files, by name."""
        return tuple(each.sha256 for each in self.files)

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(each.file.size for each in self.files)


@dataclass(frozen=True)
class Upload:
    """A table in the data bucket, at one object version: its file, or its folder's marker. `contents`: SHA-256 of its files, by name.

    `sent_bytes`: of them that were not there.
    """

    uri: str
    sha256: str
    version_id: str
    contents: tuple[str, ...]
    sent_bytes: int


def upload_table(app: App, path: Path, name: str) -> Upload:
    """Upload a file under uploads/<dataset>/. Raises DataError when it cannot be a table."""
    with Index(app.project.state / INDEX) as index:
        return send_table(app, index, read_table(app, index, path, name))


def read_table(app: App, index: Index, path: Path, name: str) -> LocalTable:
    """A file, or a folder's files, to be uploaded under a name. Raises DataError when they cannot be a table."""
    dataset = app.project.config.data.dataset
    if path.is_dir():
        paths, folder = table_files(path), upload_folder(dataset, name)
        trick = trick_in(name)
        problem = f"the name {name!r} {trick}. Next: rename the folder" if trick else length_problem(name)
    else:
        paths, folder, problem = [path], "", _file_problem(path) or name_problem(name)
    if problem:
        raise DataError([problem])
    local = [look(str(each), str(each.resolve())) for each in paths]
    found = digests(local, index)
    keys = [folder + each.name if folder else upload_key(dataset, name) for each in paths]
    return LocalTable(tuple(Outgoing(file, found[file.path], key) for file, key in zip(local, keys, strict=True)), folder)


def _file_problem(path: Path) -> str | None:
    if not path.is_file():
        return f"{path} is not there. Next: give the path of a table ({', '.join(SUFFIXES)}), or of a folder of them"
    if path.stat().st_size > LARGEST_UPLOAD_BYTES:
        return f"{path} has {path.stat().st_size} bytes, and at most {LARGEST_UPLOAD_BYTES} can be read. Next: push fewer rows"
    return None


def send_table(app: App, index: Index, table: LocalTable, show: Show = lambda _: None) -> Upload:
    """Upload a table; a folder's marker, which names its files, comes last. `show` is told the bytes that have arrived.

    Raises DataError when a file changes meanwhile.
    """
    there = _there(app, index, table)
    new = {each.sha256: each for each in reversed(table.files) if each.sha256 not in there}
    rest = table.size - sum(each.file.size for each in new.values())
    sender = Sender(app.s3, app.data_bucket, app.project.config.data.dataset, index)
    sent = sender.send(list(new.values()), lambda arrived: show(rest + arrived))
    # A file that is a table raises the event by being written, so it is written again; in a folder the marker does.
    named = sent | (there if table.folder else {})
    with ThreadPoolExecutor(_FILES_AT_ONCE) as pool:
        versions = dict(act_on(pool, table.files, lambda each: _version_id(app, each, named, there | sent), _FILES_AT_ONCE))
    sent_bytes = table.size - rest
    if not table.folder:
        (file,) = table.files
        return Upload(f"s3://{app.data_bucket}/{file.key}", file.sha256, versions[file], table.contents, sent_bytes)
    names = {each: each.key.removeprefix(table.folder) for each in table.files}
    marker = Marker(files=tuple(MarkedFile(name=name, version_id=versions[each]) for each, name in names.items()))
    key = table.folder + FOLDER_MARKER
    version_id = app.s3.put_object(Bucket=app.data_bucket, Key=key, Body=marker.model_dump_json(indent=2).encode())["VersionId"]
    digest = folder_digest((name, each.sha256) for each, name in names.items())
    return Upload(f"s3://{app.data_bucket}/{table.folder}", digest, version_id, table.contents, sent_bytes)


def _there(app: App, index: Index, table: LocalTable) -> dict[str, Place]:
    """SHA-256 -> where a content lies already: by a manifest of the dataset, or by what was sent from here."""
    wanted, store = {*table.contents}, Store(app.s3, app.data_bucket)
    dataset = app.project.config.data.dataset
    named = {file.sha256: (file.key, file.version_id) for manifest, _ in app.manifests() for file in manifest.files}
    places = index.sent(app.data_bucket, dataset, wanted) | {sha256: named[sha256] for sha256 in wanted & named.keys()}
    there = store.those_there(f"{UPLOADS}{dataset}/", places.values())
    return {sha256: place for sha256, place in places.items() if place in there}


def _version_id(app: App, each: Outgoing, named: Mapping[str, Place], places: Mapping[str, Place]) -> str:
    """The VersionId under which a content lies at its key: at one of `named`, or copied there on S3's side.

    An object may be copied to itself when its metadata are replaced. https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
    """
    key, version_id = named.get(each.sha256, ("", ""))
    if key == each.key:
        return version_id
    key, version_id = places[each.sha256]
    source = {"Bucket": app.data_bucket, "Key": key, "VersionId": version_id}
    copied: str = app.s3.copy_object(Bucket=app.data_bucket, Key=each.key, CopySource=source, MetadataDirective="REPLACE")["VersionId"]
    return copied


def accepted(app: App, contents: tuple[str, ...]) -> Manifest | None:
    """The dataset version of these files under tidewheel.yaml's data contract; None while there is none."""
    contract = app.project.config.data.model_copy(update={"table": None})
    return next((each for each in _versions(app, contents) if each.contract.model_copy(update={"table": None}) == contract), None)


def _versions(app: App, contents: tuple[str, ...]) -> list[Manifest]:
    return [manifest for manifest, _ in app.manifests() if tuple(file.sha256 for file in manifest.files) == contents]


def wait_for_decision(app: App, upload: Upload, limit: float = DECISION_LIMIT) -> Manifest:
    """The dataset version that the upload became. Raises DataError with the reasons of a refusal."""

    def decision() -> Manifest | None:
        if manifest := accepted(app, upload.contents):
            return manifest
        refusal = app.refusal(upload.sha256)
        if refusal is not None and refusal.version_id == upload.version_id:
            findings = "".join(f"\n  {finding}" for finding in refusal.findings)
            raise DataError([f"{upload.uri} was refused, and nothing is trained on it:{findings}\nNext: mend the table, and push it again"])
        return None

    def seen() -> str:
        others = [each.version for each in _versions(app, upload.contents)]
        why = "checked against another data contract than tidewheel.yaml's (tide up deploys this one)"
        return f"version {others[-1]}, {why}" if others else ""

    return wait_for(f"ingest_dataset to accept or refuse {upload.uri}", decision, limit, seen=seen)
