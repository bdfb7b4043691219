"""Build contexts of functions and image: a folder that holds exactly the named parts of the repository.

Nothing depends on the clock, on file times or on what else lies in the working tree, so the same source gives the same asset hash.
"""

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

_LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc", ".*")


@contextmanager
def staged(root: Path, parts: Sequence[str], files: Mapping[str, str] | None = None) -> Iterator[Path]:
    """A temporary copy of `parts` (folders and files relative to `root`) plus `files` (path -> text).

    CDK copies it into the assembly while the asset's construct is made; after that it is gone. Raises FileNotFoundError for a missing part.
    """
    with tempfile.TemporaryDirectory() as name:
        target = Path(name)
        for part in parts:
            _copy(root / part, target / part)
        for path, text in (files or {}).items():
            (target / path).write_text(text, encoding="utf-8")
        yield target


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=_LEFT_OUT)
    else:
        shutil.copyfile(source, target)
