"""A model that breaks in production, registered by hand: the live one, with a graph that takes one row at a time.

That is what an export from a single example gives. Its server starts, passes the health check and knows its own digest, and then fails at
every request of several rows. No gate ever saw it; what stops it is the canary's alarm.
"""

import hashlib
import tarfile
from pathlib import Path
from urllib.parse import urlparse

from cli.observe import App, Version
from contracts.layout import ARTIFACT_VARIABLE, MODEL_ARCHIVE, run_prefix

BY_HAND = "by-hand"
GRAPH = "model.onnx"


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
    """Fix the rows of the graph in a model.tar.gz to one, in place; the digest of its files, as the model server computes it."""
    import onnx  # noqa: PLC0415 - takes a while, and only this needs it

    with tarfile.open(archive, "r:gz") as tar:
        # Python has the data filter from 3.11.4 on; the archive is this app's own.
        tar.extraction_filter = getattr(tarfile, "data_filter", None)
        tar.extractall(folder)  # noqa: S202 - this app's own archive
    model = onnx.load(folder / GRAPH)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    onnx.save(model, folder / GRAPH)
    files = sorted((each.relative_to(folder).as_posix(), each) for each in folder.rglob("*") if each.is_file())
    with tarfile.open(archive, "w:gz") as tar:
        for name, each in files:
            tar.add(each, name)
    lines = (f"{name}\0{hashlib.sha256(each.read_bytes()).hexdigest()}\n" for name, each in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()
