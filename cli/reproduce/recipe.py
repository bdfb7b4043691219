"""What has to be done again, from the model package alone: its metadata name data, code and libraries, and what the jobs were told."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from botocore.exceptions import ClientError

from cli.assembly import DIRTY
from cli.observe import App
from contracts.errors import StateError
from contracts.layout import manifest_key
from contracts.manifest import VERSION_LENGTH, Manifest
from contracts.metadata import ModelMetadata
from contracts.privacy import KEY_VARIABLE, secret_name

# What the registry tells becomes part of command lines, so it must not be read as an option, a path or another revision there.
_COMMIT = r"[0-9a-f]{7,40}|[0-9a-f]{64}"
_PREPARE = r"--[a-z]+ [0-9a-z][0-9a-z.-]*( --[a-z]+ [0-9a-z][0-9a-z.-]*)*"
_PAIRS = r"\w[\w.-]*=\S+( \w[\w.-]*=\S+)*"
_PYTHON = r"[0-9]+(\.[0-9]+)+[0-9a-z+]*"


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the model's bytes. `libraries`: name -> version, python among them.

    `is_committed`: the code was as in the commit. `archive`, `sha256`: where the registered model is, and of its files.
    """

    commit: str
    is_committed: bool
    manifest: bytes
    prepare: tuple[str, ...]
    hyperparameters: Mapping[str, str]
    environment: Mapping[str, str]
    libraries: Mapping[str, str]
    archive: str
    sha256: str


def recipe_of(app: App, number: int) -> Recipe:
    """Read a version's recipe. Raises StateError when a part of it is gone, or it was not made here.

    A model that was live before and registered again, as it was, is made as it was made the first time.
    """
    version = app.version(number)
    package = app.sagemaker.describe_model_package(ModelPackageName=version.arn)
    evaluation = app.evaluation(package)
    if evaluation is not None and evaluation.former is not None:
        return recipe_of(app, int(evaluation.former.rpartition("/")[2]))
    if version.metadata is None:
        raise StateError(
            f"version {number} was not registered by this project's pipeline, so nobody knows how. Next: tide status lists the others"
        )
    text = _manifest(app, version.metadata, number)
    return recipe(version.metadata, number, text, package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"], app.prefix)


def recipe(metadata: ModelMetadata, number: int, manifest: bytes, archive: str, prefix: str) -> Recipe:
    """A version's recipe, of its metadata and its dataset version's manifest. Raises StateError when they do not tell all of it."""
    if metadata.git_commit == "unknown":
        raise StateError(f"version {number} was made by code outside git, so nobody has it. Next: deploy from a commit, and tide train")
    commit = metadata.git_commit.removesuffix(DIRTY)
    _check(number, "a commit", commit, _COMMIT)
    _check(number, "a dataset version", metadata.dataset_version, f"[0-9a-f]{{{VERSION_LENGTH}}}")
    _check(number, "what prepare is told", metadata.prepare, _PREPARE)
    _check(number, "a SHA-256", metadata.artifact_sha256, "[0-9a-f]{64}")
    libraries, hyperparameters = _pairs(number, metadata.libraries), _pairs(number, metadata.train)
    _check(number, "a version of Python", libraries.get("python", ""), _PYTHON)
    prepare = metadata.prepare.split()
    told = dict(zip(prepare[::2], prepare[1::2], strict=True))
    seeds = {str(metadata.seed), hyperparameters.get("seed", "none"), told.get("--seed", "none")}
    if len(seeds) > 1:
        raise StateError(
            f"version {number} was changed: its metadata tell the seeds {', '.join(sorted(seeds))}. Next: reproduce another version"
        )
    hashes = Manifest.from_json(manifest).contract.privacy.hash
    return Recipe(
        commit=commit,
        is_committed=not metadata.git_commit.endswith(DIRTY),
        manifest=manifest,
        prepare=("--dataset-version", metadata.dataset_version, *prepare),
        hyperparameters=hyperparameters,
        environment={KEY_VARIABLE: secret_name(prefix)} if hashes else {},
        libraries=libraries,
        archive=archive,
        sha256=metadata.artifact_sha256,
    )


def _pairs(number: int, told: str) -> dict[str, str]:
    _check(number, "name=value, separated by spaces", told, _PAIRS)
    return dict(pair.split("=", 1) for pair in told.split())


def _check(number: int, what: str, told: str, pattern: str) -> None:
    if not re.fullmatch(pattern, told):
        raise StateError(
            f"version {number} was changed: its metadata tell {told[:80]!r}, which is not {what}. Next: reproduce another version"
        )


def _manifest(app: App, metadata: ModelMetadata, number: int) -> bytes:
    if not metadata.dataset:
        raise StateError(
            f"version {number} was registered before packages told how they are made. Next: tide up, tide train, and reproduce that one"
        )
    try:
        return app.read(app.data_bucket, manifest_key(metadata.dataset, metadata.dataset_version))
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
    raise StateError(f"dataset version {metadata.dataset_version} of version {number} is gone. Next: reproduce another version")
