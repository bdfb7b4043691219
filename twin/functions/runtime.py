"""What a function finds beside its own code: the runtime's boto3, and the Powertools layer if it has it.

The worker sees no site-packages. These two folders of links are all that it gets of the laptop's packages, so an import that
would fail on Lambda fails here too. The versions are the laptop's, not those of AWS's runtime: docs/twin.md says so.
"""

import re
from functools import cache
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

RUNTIME = "boto3"
POWERTOOLS = "aws-lambda-powertools[all]"
# https://docs.aws.amazon.com/powertools/python/latest/getting-started/install/ (Lambda layer)
POWERTOOLS_LAYER = re.compile(r"^arn:aws:lambda:[a-z0-9-]+:017000801446:layer:AWSLambdaPowertoolsPythonV3-python3\d+-(x86_64|arm64):\d+$")


class UnknownLayerError(Exception):
    """A layer that the twin cannot provide."""


def check_layers(layers: list[str]) -> None:
    """Raises UnknownLayerError for a layer other than Powertools."""
    for layer in layers:
        if not POWERTOOLS_LAYER.match(layer):
            raise UnknownLayerError(
                f"the twin cannot provide the layer {layer}: it has only AWSLambdaPowertoolsPythonV3-* of account 017000801446. "
                "Next: put the package into the function's asset."
            )


def link(folder: Path, requirement: str) -> Path:
    """A folder of links to a package and everything it needs, made once; entries that are not installed are left out."""
    folder.mkdir(parents=True, exist_ok=True)
    for entry in _entries(requirement):
        target = folder / entry.name
        if not target.is_symlink():
            target.symlink_to(entry)
    return folder


@cache
def _entries(requirement: str) -> list[Path]:
    """What a package and everything it needs consist of. Every worker is given it, and it does not change."""
    return [entry for name in sorted(_closure(requirement)) for entry in _top_level(metadata.distribution(name))]


def _closure(requirement: str) -> set[str]:
    found: set[str] = set()
    waiting = [Requirement(requirement)]
    while waiting:
        wanted = waiting.pop()
        try:
            distribution = metadata.distribution(wanted.name)
        except metadata.PackageNotFoundError:
            continue  # an extra that the laptop does not have: importing it fails in the worker, by name
        if wanted.name in found and not wanted.extras:
            continue
        found.add(wanted.name)
        extras = wanted.extras or {""}
        for needed in map(Requirement, distribution.requires or []):
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras):
                waiting.append(needed)
    return found


def _top_level(distribution: metadata.Distribution) -> set[Path]:
    names = {file.parts[0] for file in distribution.files or [] if file.parts[0] not in {"..", "__pycache__"}}
    return {Path(str(distribution.locate_file(name))) for name in names}
