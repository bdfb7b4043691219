"""Container images without Docker: an image is its build folder, a container is a process.

`cdk synth` leaves an asset manifest beside each template; it says which folder an image URI is built from. An image is pulled by copying
that folder into the state folder, so it stays what it was when the app is synthesised anew. A container runs the command of the Dockerfile
(ENTRYPOINT in its JSON form, "python" being the twin's own interpreter), with that folder as its only import path, the Dockerfile's ENV,
what SageMaker gives, and nothing else of the host. LABEL libraries names what its jobs may find loaded (twin.warm).

The contract with the image: the environment variable ML_ROOT stands for /opt/ml (its default in the image). Each container has a folder
of its own there, so paths below /opt/ml in API requests are mapped into it.

Modelled: RUN, COPY and WORKDIR are not executed. The laptop's environment holds the image's pinned requirements instead.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from twin.cloud import Cloud, Credentials

ML = "/opt/ml"
# These speak of the image's own file system and interpreter, which the build folder and the laptop's interpreter replace.
_OF_THE_IMAGE = frozenset({"PATH", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE"})
# Two cores carry the twin, its jobs and its model servers: numeric libraries must not start a thread per core in each.
_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "LOKY_MAX_CPU_COUNT"), "1"
)


class UnknownImageError(Exception):
    """No asset of the assembly builds this image, so it cannot be pulled."""


class DockerfileError(Exception):
    """The Dockerfile says something that a process cannot stand in for."""


@dataclass(frozen=True)
class Image:
    """What a container of this image runs, where its code lies, the variables that the Dockerfile sets, and the libraries that it names."""

    uri: str
    folder: Path
    entrypoint: tuple[str, ...]
    environment: Mapping[str, str]
    libraries: tuple[str, ...] = ()


@dataclass(frozen=True)
class Program:
    """What a container's process is started with on the host: its command, its whole environment, and its working folder."""

    command: Sequence[str]
    environment: Mapping[str, str]
    folder: Path


class Images:
    """The images of a cloud assembly, by URI. Pulled images are kept below `store`."""

    def __init__(self, assembly: Path, store: Path, account: str, region: str) -> None:
        self._assembly = assembly
        self._store = store
        self._lock = threading.Lock()
        self._names = {"${AWS::AccountId}": account, "${AWS::Region}": region, "${AWS::Partition}": "aws"}
        self._registry = f"{account}.dkr.ecr.{region}.amazonaws.com"
        self._found: dict[str, Image] = {}

    def find(self, uri: str) -> Image:
        """The image of this URI. Raises UnknownImageError, or DockerfileError."""
        with self._lock:
            if uri not in self._found:
                self._found[uri] = self._pull(uri)
            return self._found[uri]

    def _pull(self, uri: str) -> Image:
        builds = dict(self._builds())
        if uri not in builds:
            known = ", ".join(sorted(builds)) or "none"
            raise UnknownImageError(f"No image asset in {self._assembly} builds {uri}. Known images: {known}. Next: run cdk synth again.")
        folder, dockerfile = builds[uri]
        image = read_image(uri, folder, dockerfile)
        pulled = self._store / uri.rpartition(":")[2]
        shutil.copytree(folder, pulled, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
        return replace(image, folder=pulled)

    def _builds(self) -> Iterator[tuple[str, tuple[Path, str]]]:
        for manifest in sorted(self._assembly.rglob("*.assets.json")):
            for asset in json.loads(manifest.read_text()).get("dockerImages", {}).values():
                source = asset["source"]
                if "directory" not in source:
                    continue  # an image made by an external command has no build folder
                build = ((manifest.parent / source["directory"]).resolve(), source.get("dockerFile", "Dockerfile"))
                for target in asset["destinations"].values():
                    yield f"{self._registry}/{self._fill(target['repositoryName'])}:{target['imageTag']}", build

    def _fill(self, name: str) -> str:
        for variable, value in self._names.items():
            name = name.replace(variable, value)
        return name


def read_image(uri: str, folder: Path, dockerfile: str = "Dockerfile") -> Image:
    """The image that a build folder makes. Raises DockerfileError."""
    path = folder / dockerfile
    if not path.is_file():
        raise DockerfileError(f"{path} does not exist, so {uri} cannot be built.")
    entrypoint: tuple[str, ...] = ()
    environment: dict[str, str] = {}
    libraries: tuple[str, ...] = ()
    for instruction, text in _instructions(path.read_text()):
        if instruction == "ENTRYPOINT":
            entrypoint = _exec_form(path, text)
        elif instruction == "ENV":
            environment |= _variables(path, text)
        elif instruction == "LABEL" and text.startswith("libraries="):
            libraries = tuple(shlex.split(text)[0].removeprefix("libraries=").split())
    if not entrypoint:
        raise DockerfileError(f'{path} has no ENTRYPOINT. Next: add one in its JSON form, such as ["python", "-m", "training"].')
    return Image(uri, folder, entrypoint, environment, libraries)


def _instructions(text: str) -> Iterator[tuple[str, str]]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        instruction, _, rest = line.strip().partition(" ")
        if instruction:
            yield instruction.upper(), rest.strip()


def _exec_form(path: Path, text: str) -> tuple[str, ...]:
    try:
        command = json.loads(text)
    except json.JSONDecodeError:
        command = None
    if not isinstance(command, list) or not all(isinstance(part, str) for part in command):
        raise DockerfileError(
            f"{path}: ENTRYPOINT {text} is not a JSON list of strings; a shell form cannot be signalled, so it is refused."
        )
    return tuple(command)


def _variables(path: Path, text: str) -> dict[str, str]:
    pairs = re.findall(r'(\w+)=("[^"]*"|\S*)', text) or [tuple(text.split(None, 1))]
    variables = {name: value.strip('"') for name, value in pairs if name not in _OF_THE_IMAGE}
    substituted = sorted(name for name, value in variables.items() if "$" in value)
    if substituted:
        raise DockerfileError(f"{path}: ENV {', '.join(substituted)} uses a substitution, which the twin does not make.")
    return variables


def inside(root: Path, path: str) -> Path:
    """Where a container's path below /opt/ml lies on the host. Raises ValueError for any other path."""
    relative = os.path.relpath(path, ML) if path.startswith(ML) else ".."
    if relative.startswith(".."):
        raise ValueError(f"{path} is not below {ML}; the twin maps only that folder into a container.")
    return root / relative


def map_paths(root: Path, text: str) -> str:
    """An argument or variable of a container, its /opt/ml path (whole, or after '=') moved into the container's folder."""
    return re.sub(rf"(^|=){ML}(?=/|$)", lambda match: f"{match[1]}{root}", text)


def program(
    cloud: Cloud, image: Image, command: Sequence[str], *, root: Path, environment: Mapping[str, str], credentials: Credentials
) -> Program:
    """What a container of `command` whole (entry point and arguments) runs, with `root` as its /opt/ml and working folder."""
    words = [sys.executable if word in {"python", "python3"} else map_paths(root, word) for word in command]
    given = {name: map_paths(root, value) for name, value in environment.items()}
    own = {"HOME": str(root), "ML_ROOT": str(root)}
    return Program(words, image_environment(image) | own | cloud.environment(credentials) | given, root)


def start(cloud: Cloud, program: Program, log: IO[bytes]) -> subprocess.Popen[bytes]:
    """Run a container, its output into `log`."""
    return cloud.processes.start(program.command, env=program.environment, cwd=program.folder, stdout=log, stderr=log)


def image_environment(image: Image) -> dict[str, str]:
    """What every container of an image finds in its environment."""
    minimal = {"PATH": os.defpath, "LANG": "C.UTF-8", "TZ": "UTC", "PYTHONUNBUFFERED": "1"}
    return minimal | _ONE_THREAD | dict(image.environment) | {"PYTHONPATH": str(image.folder)}
