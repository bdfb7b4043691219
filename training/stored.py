"""How a fitted pipeline is written and read: without pickle, and the same pipeline as the same bytes."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import skops.io
from skops.io.exceptions import UntrustedTypesFoundException

from contracts.errors import ArtifactError

# What our pipelines hold beyond the types that skops trusts by itself.
TRUSTED = ["numpy.dtype", "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor", "sklearn.utils._bunch.Bunch"]
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip file can name


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
