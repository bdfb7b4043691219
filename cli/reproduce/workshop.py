"""A run's jobs, done again in a folder: the same code from git, the same libraries, the same data, the same settings.

The libraries of this environment are used when they are the model's; else an environment of its own is made of the requirements of that
commit, and kept for the next time.
"""

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from io import BytesIO
from pathlib import Path

from cli.assembly import IMAGE_PARTS
from cli.observe import App
from cli.project import REPOSITORY
from cli.reproduce.recipe import Recipe
from contracts.errors import StateError
from contracts.layout import (
    DATASET_CHANNEL,
    HOLDOUT_CHANNEL,
    MANIFEST,
    ML_ROOT,
    MODEL_FOLDER,
    PROCESSING_INPUT,
    PROCESSING_OUTPUT,
    ROOT_VARIABLE,
    TRAIN_CHANNEL,
)
from contracts.reproduction import REPRODUCTION, Reproduction

_VERSIONS = """\
import json, platform, sys
from importlib.metadata import version
print(json.dumps({name: platform.python_version() if name == "python" else version(name) for name in sys.argv[1:]}))
"""
LIMIT = 24 * 3600  # seconds; as long as a training job may take by default
Show = Callable[[str], None]


@dataclass(frozen=True)
class Workshop:
    """A folder to work in; `environments` outlive it."""

    app: App
    folder: Path
    environments: Path

    def make(self, recipe: Recipe, show: Show) -> Reproduction:
        """Make the model again, and compare. Raises StateError with the job's last words when one fails."""
        registered = self.folder / "model.tar.gz"
        bucket, _, key = recipe.archive.removeprefix("s3://").partition("/")
        self.app.s3.download_file(bucket, key, str(registered))
        self._run(sys.executable, REPOSITORY, self.folder, ["verify", "--archive", str(registered), "--sha256", recipe.sha256], {})
        code, python = self.folder / "code", self.python(recipe, show)
        check_out(recipe.commit, code)
        data, model = self.folder / "prepare", self.folder / "train"
        _put(data, PROCESSING_INPUT / DATASET_CHANNEL / MANIFEST, recipe.manifest)
        show("prepare")
        self._run(python, code, data, ["prepare", *recipe.prepare], recipe.environment)
        source = _at(data, PROCESSING_OUTPUT / TRAIN_CHANNEL)
        shutil.copytree(source, model / "input" / "data" / TRAIN_CHANNEL)
        _put(model, ML_ROOT / "input" / "config" / "hyperparameters.json", json.dumps(dict(recipe.hyperparameters)).encode())
        show("train")
        self._run(python, code, model, ["train"], {})
        show("compare")
        # By the code of today: the verb may be younger than the model.
        folders = ["--again", str(_at(model, MODEL_FOLDER)), "--holdout", str(_at(data, PROCESSING_OUTPUT / HOLDOUT_CHANNEL))]
        self._run(python, REPOSITORY, self.folder, ["compare", "--registered", str(registered), *folders, "--output", str(self.folder)], {})
        return Reproduction.model_validate_json((self.folder / REPRODUCTION).read_bytes())

    def python(self, recipe: Recipe, show: Show) -> str:
        """A Python with the model's libraries."""
        if all(_installed(name) == wanted for name, wanted in recipe.libraries.items()):
            return sys.executable
        requirements = _git("show", f"{recipe.commit}:training/requirements.txt")
        wanted = recipe.libraries["python"]
        place = self.environments / hashlib.sha256(f"{wanted}\n".encode() + requirements).hexdigest()[:16]
        if not (place / "ready").exists():
            show(f"install Python {wanted} and its libraries")
            file = self.folder / "requirements.txt"
            file.write_bytes(requirements)
            uv = str(Path(sys.executable).parent / "uv")
            _succeed([uv, "venv", "--quiet", "--clear", "--python", wanted, str(place)], self.folder, os.environ)
            _succeed([uv, "pip", "install", "--quiet", "--python", str(place / "bin" / "python"), "-r", str(file)], self.folder, os.environ)
            (place / "ready").touch()
        python = str(place / "bin" / "python")
        check_libraries(recipe, json.loads(_succeed([python, "-c", _VERSIONS, *recipe.libraries], self.folder, os.environ)))
        return python

    def _run(self, python: str, code: Path, root: Path, arguments: Sequence[str], given: Mapping[str, str]) -> None:
        """A verb of the image, with the account's credentials as a job has its role's."""
        credentials = self.app.account.session.get_credentials().get_frozen_credentials()
        variables = {
            ROOT_VARIABLE: str(root),
            "PYTHONPATH": str(code),
            "AWS_DEFAULT_REGION": self.app.account.region,
            "AWS_ACCESS_KEY_ID": credentials.access_key,
            "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
        }
        if credentials.token:
            variables["AWS_SESSION_TOKEN"] = credentials.token
        if self.app.account.endpoint:
            variables["AWS_ENDPOINT_URL"] = self.app.account.endpoint
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHON"))}
        _succeed([python, "-P", "-m", "training", *arguments], self.folder, kept | dict(given) | variables)


def check_libraries(recipe: Recipe, found: Mapping[str, str]) -> None:
    """Raise StateError unless the libraries that a commit's requirements give are the model's."""
    others = [f"{name} {found[name]} in place of {wanted}" for name, wanted in recipe.libraries.items() if found[name] != wanted]
    if others:
        given = f"the requirements of commit {recipe.commit[:12]} give {', '.join(others)}"
        raise StateError(f"{given}, so its image was made of something else. Next: reproduce another version")


def check_out(commit: str, folder: Path) -> None:
    """The code of a commit. Raises StateError when the repository does not have it."""
    archive = _git("archive", "--format=tar", commit, *IMAGE_PARTS)
    folder.mkdir(parents=True)
    with tarfile.open(fileobj=BytesIO(archive)) as tar:
        tar.extractall(folder, filter="data")


def _git(*arguments: str) -> bytes:
    command = ["git", "-C", str(REPOSITORY), *arguments]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise StateError(f"the model's code cannot be checked out: {said}. Next: git fetch in {REPOSITORY}; deploy from a commit")
    return done.stdout


def _installed(name: str) -> str | None:
    if name == "python":
        return platform.python_version()
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _succeed(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> str:
    """What a command says."""
    done = subprocess.run(list(command), cwd=folder, env=dict(environment), capture_output=True, text=True, timeout=LIMIT, check=False)
    if done.returncode:
        said = "\n".join((done.stderr or done.stdout).strip().splitlines()[-5:])
        raise StateError(f"{' '.join(command[:6])} ... failed (status {done.returncode}):\n{said}")
    return done.stdout


def _at(root: Path, path: Path | object) -> Path:
    """A path of the container below a root."""
    return root / Path(str(path)).relative_to(str(ML_ROOT))


def _put(root: Path, path: object, content: bytes) -> None:
    target = _at(root, path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
