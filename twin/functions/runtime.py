"""What a function finds beside its own code: the runtime's boto3, and of AWS's public layers those that it has.

The worker sees no site-packages. These folders of links are all that it gets of the laptop's packages, so an import that
would fail on Lambda fails here too. The versions are the laptop's, not those of AWS's runtime: docs/twin.md says so.
"""

import re
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

RUNTIME = "boto3"
_LAYER = r"^arn:aws:lambda:[a-z0-9-]+:"


@dataclass(frozen=True)
class Layer:
    """A public layer: its name, the ARNs that it has, and what it brings."""

    name: str
    arn: re.Pattern[str]
    requirements: tuple[str, ...]


LAYERS = (
    # https://docs.aws.amazon.com/powertools/python/latest/getting-started/install/ (Lambda layer)
    Layer(
        "powertools",
        re.compile(_LAYER + r"017000801446:layer:AWSLambdaPowertoolsPythonV3-python3\d+-(x86_64|arm64):\d+$"),
        ("aws-lambda-powertools[all]",),
    ),
    # https://aws-sdk-pandas.readthedocs.io/en/stable/layers.html: many regions have an account of their own. Of what it holds the twin has
    # these; its pyarrow reads snappy and gzip only, where the laptop's reads every codec.
    Layer(
        "pandas",
        re.compile(_LAYER + r"\d{12}:layer:AWSSDKPandas-Python3\d+(-Arm64)?:\d+$"),
        ("pyarrow", "numpy", "pandas"),
    ),
)


class UnknownLayerError(Exception):
    """A layer that the twin cannot provide."""


def find_layers(arns: list[str]) -> list[Layer]:
    """The layers that a function names, in its order. Raises UnknownLayerError for one that the twin does not have."""
    found = []
    for arn in arns:
        layer = next((layer for layer in LAYERS if layer.arn.match(arn)), None)
        if layer is None:
            raise UnknownLayerError(
                f"the twin cannot provide the layer {arn}: it has only AWSLambdaPowertoolsPythonV3-* of account 017000801446, and "
                "AWSSDKPandas-*. Next: put the package into the function's asset."
            )
        found.append(layer)
    return found


def link(folder: Path, *requirements: str) -> Path:
    """A folder of links to packages and everything they need, made once; entries that are not installed are left out."""
    folder.mkdir(parents=True, exist_ok=True)
    for entry in (entry for requirement in requirements for entry in _entries(requirement)):
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
