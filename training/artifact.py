"""The model's folder: what is in it, and its digest.

    model.skops         the fitted scikit-learn Pipeline      signature.json     what the model takes and gives
    model.onnx          its estimator, for the server         encoder.json       from a request's values to what that takes
    runtime.json        what the model is served from         training.json      how it came about
    judged.skops        the same, fitted without the held out rows, for the evaluation
    statistics.json, constraints.json                         the baseline

The digest covers every file's path and content, and nothing else (no times, no owners), so it survives model.tar.gz and back.
"""

import gzip
import hashlib
import tarfile
from pathlib import Path

from contracts.errors import ArtifactError

MODEL_FILE = "model.skops"
JUDGED_FILE = "judged.skops"
RECORD = "training.json"


def artifact_digest(folder: Path) -> str:
    """SHA-256 (hexadecimal) over (relative path, SHA-256 of content) of every file, in order. Raises ArtifactError when there is none."""
    files = file_digests(folder)
    if not files:
        raise ArtifactError(f"{folder} holds no model")
    digest = hashlib.sha256()
    for name, sha256 in files.items():
        digest.update(f"{name}\0{sha256}\n".encode())
    return digest.hexdigest()


def verify(folder: Path, expected: str, whose: str) -> None:
    """Raise ArtifactError unless the folder's content has this digest."""
    found = artifact_digest(folder)
    if found != expected:
        raise ArtifactError(f"the model's files have SHA-256 {found}, and {whose} says {expected}; it is not the model that was registered")


def file_digests(folder: Path) -> dict[str, str]:
    """Relative path -> SHA-256 (hexadecimal) of every file, in order."""
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in _files(folder)}


def _files(folder: Path) -> list[tuple[str, Path]]:
    return sorted((path.relative_to(folder).as_posix(), path) for path in folder.rglob("*") if path.is_file())


def pack(folder: Path, archive: Path) -> None:
    """Write model.tar.gz: the same files give the same bytes. Sorted, without owners, times and the archive's own name."""
    with archive.open("wb") as out, gzip.GzipFile("", "wb", 6, out, mtime=0) as zipped, tarfile.open(fileobj=zipped, mode="w") as tar:
        for name, path in _files(folder):
            member = tarfile.TarInfo(name)
            member.size = path.stat().st_size
            with path.open("rb") as content:
                tar.addfile(member, content)


def unpack(archive: Path, folder: Path) -> None:
    """Unpack model.tar.gz: regular files and folders only, all of them inside `folder`. Raises ArtifactError for anything else."""
    folder.mkdir(parents=True, exist_ok=True)
    root = folder.resolve()
    try:
        with tarfile.open(archive, "r:gz") as tar:
            members = tar.getmembers()
            for member in members:
                if not (member.isreg() or member.isdir()) or not (root / member.name).resolve().is_relative_to(root):
                    raise ArtifactError(f"{archive.name} holds {member.name!r}, which is not a plain file inside the archive")
            # The data filter refuses the same again, and drops owners and odd permissions; Python has it from 3.11.4 on.
            tar.extraction_filter = getattr(tarfile, "data_filter", None)
            tar.extractall(folder, members=members)  # noqa: S202 - checked above
    except (tarfile.TarError, OSError, EOFError) as error:
        raise ArtifactError(f"{archive.name} cannot be unpacked: {error}") from error
