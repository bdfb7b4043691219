"""The model's folder: what is in it, its digest, and how the pipeline in it is written and read without pickle.

    model.skops         the fitted scikit-learn Pipeline      signature.json     what the model takes and gives
    training.json       how it came about                     statistics.json, constraints.json     the baseline
    judged.skops        with fresh rows: the same, fitted without the held out rows, for the evaluation

The digest covers every file's path and content, and nothing else (no times, no owners), so it survives model.tar.gz and back.
"""

import gzip
import hashlib
import io
import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import skops.io
from skops.io.exceptions import UntrustedTypesFoundException

from contracts.errors import ArtifactError

MODEL_FILE = "model.skops"
JUDGED_FILE = "judged.skops"
# What our pipelines hold beyond the types that skops trusts by itself.
TRUSTED = ["numpy.dtype", "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"]
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip file can name


def artifact_digest(folder: Path) -> str:
    """SHA-256 (hexadecimal) over (relative path, SHA-256 of content) of every file, in order. Raises ArtifactError when there is none."""
    files = file_digests(folder)
    if not files:
        raise ArtifactError(f"{folder} holds no model")
    digest = hashlib.sha256()
    for name, sha256 in files.items():
        digest.update(f"{name}\0{sha256}\n".encode())
    return digest.hexdigest()


def file_digests(folder: Path) -> dict[str, str]:
    """Relative path -> SHA-256 (hexadecimal) of every file, in order."""
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in _files(folder)}


def _files(folder: Path) -> list[tuple[str, Path]]:
    return sorted((path.relative_to(folder).as_posix(), path) for path in folder.rglob("*") if path.is_file())


def save_pipeline(pipeline: Any, path: Path) -> None:
    """Write a fitted pipeline; the same pipeline gives the same bytes.

    skops names the files in its archive after memory addresses and stamps them with the time, so the archive is written again, with names
    counted in the order of its schema and one fixed time.
    """
    source = zipfile.ZipFile(io.BytesIO(skops.io.dumps(pipeline)))
    schema = json.loads(source.read("schema.json"))
    renamed = _Names()
    renamed.walk(schema)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for old, new in renamed.files.items():
            archive.writestr(zipfile.ZipInfo(new, _EPOCH), source.read(old))
        archive.writestr(zipfile.ZipInfo("schema.json", _EPOCH), json.dumps(schema))


class _Names:
    """Counts memory addresses and file names of a skops schema, in the order in which they appear, in place."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}
        self._addresses: dict[int, int] = {}

    def walk(self, node: Any) -> None:
        if isinstance(node, list):
            for item in node:
                self.walk(item)
        elif isinstance(node, dict):
            if "__id__" in node:
                node["__id__"] = self._addresses.setdefault(node["__id__"], len(self._addresses) + 1)
            if isinstance(node.get("file"), str):
                suffix = Path(node["file"]).suffix
                node["file"] = self.files.setdefault(node["file"], f"{len(self.files) + 1}{suffix}")
            for value in node.values():
                self.walk(value)


def load_pipeline(path: Path) -> Any:
    """Read a fitted pipeline. Raises ArtifactError when it holds a type that our pipelines do not, before anything is loaded."""
    try:
        return skops.io.load(path, trusted=TRUSTED)
    except (UntrustedTypesFoundException, zipfile.BadZipFile, KeyError, OSError) as error:
        raise ArtifactError(f"{path.name} cannot be loaded: {error}") from error


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
