"""A table comes in: it becomes a dataset version, or goes to quarantine."""

from typing import Any

from cli.functions import by_hand, invoke
from cli.prove_iam.session import Session
from cli.prove_iam.step import Step
from cli.upload import Upload, upload_table
from contracts.errors import StateError
from contracts.events import DetailType
from contracts.folder import FOLDER_MARKER
from contracts.layout import upload_folder, upload_key
from contracts.ledger import Decision, What
from contracts.manifest import Manifest

ROWS = 150
TOO_FEW_ROWS = 5


def uploaded(session: Session, content: bytes) -> Upload:
    """Put a table into the data bucket, under a name of its own."""
    path = session.folder / f"{session.name('table')}.csv"
    path.write_bytes(content)
    return upload_table(session.app, path, path.name)


def accepted(session: Session, upload: Upload) -> Manifest:
    """Wait until an upload is a dataset version, and in the ledger."""

    def look() -> Manifest | None:
        found = (each for each, _ in session.app.manifests() if any(file.sha256 == upload.sha256 for file in each.files))
        return next(found, None)

    manifest = session.reach("the manifest", look)
    decided(session, What.DATASET_ACCEPTED, manifest.version)
    return manifest


def decided(session: Session, what: What, subject: str) -> Decision:
    """Wait until the ledger has a decision about something; `subject` is in its subject or its reason."""

    def look() -> Decision | None:
        return next((each for each in session.app.decisions() if each.what is what and subject in f"{each.subject} {each.why}"), None)

    return session.reach(f"the decision {what} about {subject}", look)


def _refuse(session: Session) -> None:
    upload = uploaded(session, session.table(TOO_FEW_ROWS))

    def look() -> bool | None:
        refusal = session.app.refusal(upload.sha256)
        return True if refusal is not None and refusal.version_id == upload.version_id else None

    session.reach("the refusal in quarantine", look)
    decided(session, What.DATASET_REFUSED, upload.uri.rpartition("/")[2])


def _accept(session: Session) -> None:
    session.notes["manifest"] = accepted(session, uploaded(session, session.table(ROWS)))


def _accept_folder(session: Session) -> None:
    """As another program writes one: the marker is empty, so what is newest is read."""
    dataset, folder = session.project.config.data.dataset, session.name("folder")
    for name, content in ((f"{number}.csv", session.table(ROWS)) for number in range(2)):
        session.client("s3").put_object(Bucket=session.app.data_bucket, Key=upload_folder(dataset, folder) + name, Body=content)
    session.client("s3").put_object(Bucket=session.app.data_bucket, Key=upload_folder(dataset, folder) + FOLDER_MARKER, Body=b"")
    decided(session, What.DATASET_ACCEPTED, upload_folder(dataset, folder))


def vanished(session: Session, function: str, key: str) -> Any:
    """What a function answers to the event of an object that is gone."""
    known = {"key": key, "size": 1, "etag": "0" * 32, "version-id": "gone"}
    event = by_hand(session.app, DetailType.OBJECT_CREATED, {"bucket": {"name": session.app.data_bucket}, "object": known})
    return invoke(session.app, function, event)


def _vanish(session: Session) -> None:
    key = upload_key(session.project.config.data.dataset, f"{session.name('gone')}.csv")
    answer = vanished(session, "ingest-dataset", key)
    if answer != {"decision": None}:
        raise StateError(f"ingest_dataset made of an object that is gone: {answer}")


DATA_STEPS = (
    Step("refused upload", "a table with too few rows is uploaded, and goes to quarantine", _refuse, rules=("upload-created",)),
    Step("accepted upload", "a table is uploaded, and becomes a dataset version", _accept, rules=("upload-created",)),
    Step("accepted folder", "a folder of tables gets its marker, and becomes a dataset version", _accept_folder, rules=("upload-created",)),
    Step("vanished upload", "an upload is gone before it is read: there is nothing to decide", _vanish),
)
