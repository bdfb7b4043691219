"""verify: is this archive the model that was registered?"""

import argparse
import tempfile
from pathlib import Path

from training.artifact import unpack, verify
from training.paths import Paths


def main(_paths: Paths, options: list[str]) -> None:
    """Run the job. Raises ArtifactError when the archive cannot be read, or holds another model."""
    parser = argparse.ArgumentParser(prog="verify")
    parser.add_argument("--archive", type=Path, required=True, help="model.tar.gz")
    parser.add_argument("--sha256", required=True, help="of the model's files, as the registry has it")
    given = parser.parse_args(options)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "model"
        unpack(given.archive, folder)
        verify(folder, given.sha256, "the registry")
