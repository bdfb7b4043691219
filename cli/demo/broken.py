"""A model that breaks in production, registered by hand: the live one, with a class added to its signature.

Its server starts, passes the health check and knows its own digest, and then fails at every request, because it has fewer probabilities
than classes. No gate ever saw it; what stops it is the canary's alarm. A regression has no classes, so its signature cannot be broken so.
"""

import hashlib
import json
import tarfile
from pathlib import Path
from urllib.parse import urlparse

from cli.observe import App, Version
from contracts.layout import ARTIFACT_VARIABLE, MODEL_ARCHIVE, run_prefix
from contracts.signature import SIGNATURE

BY_HAND = "by-hand"
EXTRA_CLASS = "(a class that nobody ever saw)"


def register_broken(app: App, live: Version, folder: Path) -> Version:
    """Register the broken version, pending; `folder` is where its archive is made."""
    package = app.sagemaker.describe_model_package(ModelPackageName=live.arn)
    (container,) = package["InferenceSpecification"]["Containers"]
    place = urlparse(container["ModelDataUrl"])
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / MODEL_ARCHIVE
    app.s3.download_file(place.netloc, place.path.lstrip("/"), str(archive))
    digest = break_archive(archive, folder / "model")
    key = f"{run_prefix(BY_HAND)}model/{digest}/{MODEL_ARCHIVE}"
    app.s3.upload_file(str(archive), app.artifacts_bucket, key)
    broken = container | {
        "ModelDataUrl": f"s3://{app.artifacts_bucket}/{key}",
        "Environment": container.get("Environment", {}) | {ARTIFACT_VARIABLE: digest},
    }
    arn = app.sagemaker.create_model_package(
        ModelPackageGroupName=app.prefix,
        ModelPackageDescription="registered by hand, to be thrown back",
        ModelApprovalStatus="PendingManualApproval",
        InferenceSpecification=package["InferenceSpecification"] | {"Containers": [broken]},
    )["ModelPackageArn"]
    return app.package(arn)


def break_archive(archive: Path, folder: Path) -> str:
    """Add a class to the signature in a model.tar.gz, in place; the digest of its files, as the model server computes it."""
    with tarfile.open(archive, "r:gz") as tar:
        # Python has the data filter from 3.11.4 on; the archive is this app's own.
        tar.extraction_filter = getattr(tarfile, "data_filter", None)
        tar.extractall(folder)  # noqa: S202 - this app's own archive
    path = folder / SIGNATURE
    signature = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(signature | {"classes": [*signature["classes"], EXTRA_CLASS]}), encoding="utf-8")
    files = sorted((each.relative_to(folder).as_posix(), each) for each in folder.rglob("*") if each.is_file())
    with tarfile.open(archive, "w:gz") as tar:
        for name, each in files:
            tar.add(each, name)
    lines = (f"{name}\0{hashlib.sha256(each.read_bytes()).hexdigest()}\n" for name, each in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()
