"""Container images of a cloud assembly, pushed to the account's bootstrap repository.

On AWS the CDK command line builds them with Docker. No Docker is needed here: an image is its build folder, as one layer, and the twin runs
it from there. The calls are those that a registry makes of a push
(https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-push-iam.html), so the pushing role needs what it needs on AWS.
"""

import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from cli.roles import Roles

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"


def publish_images(roles: Roles, out: Path, images: dict[str, Any], show: Callable[[str], None]) -> None:
    """Push the images that an `*.assets.json` of the assembly lists. A tag is a digest: what is there already is not sent again."""
    for image in images.values():
        for destination in image["destinations"].values():
            ecr = roles.under(destination["assumeRoleArn"]).client("ecr")
            repository, tag = roles.filled(destination["repositoryName"]), roles.filled(destination["imageTag"])
            if not _is_there(ecr, repository, tag):
                show(f"image {tag[:12]}")
                _push(ecr, repository, tag, out / image["source"]["directory"])


def _push(ecr: Any, repository: str, tag: str, folder: Path) -> None:
    ecr.get_authorization_token()
    layer = _blob(ecr, repository, _LAYER, _archive(folder))
    diffs = {"type": "layers", "diff_ids": [layer["digest"]]}
    config = _blob(ecr, repository, _CONFIG, json.dumps({"architecture": "amd64", "os": "linux", "rootfs": diffs}).encode())
    manifest = {"schemaVersion": 2, "mediaType": _MANIFEST, "config": config, "layers": [layer]}
    ecr.put_image(repositoryName=repository, imageTag=tag, imageManifest=json.dumps(manifest))


def _blob(ecr: Any, repository: str, kind: str, content: bytes) -> dict[str, Any]:
    """Upload a blob that is not there yet; what a manifest says of it."""
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    if not ecr.batch_check_layer_availability(repositoryName=repository, layerDigests=[digest])["layers"]:
        upload = ecr.initiate_layer_upload(repositoryName=repository)
        named = {"repositoryName": repository, "uploadId": upload["uploadId"]}
        for first in range(0, len(content), upload["partSize"]):
            part = content[first : first + upload["partSize"]]
            ecr.upload_layer_part(**named, partFirstByte=first, partLastByte=first + len(part) - 1, layerPartBlob=part)
        ecr.complete_layer_upload(**named, layerDigests=[digest])
    return {"mediaType": kind, "digest": digest, "size": len(content)}


def _archive(folder: Path) -> bytes:
    """A folder as a tar, byte for byte the same for the same content."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = tarfile.TarInfo(path.relative_to(folder).as_posix())
            entry.size = path.stat().st_size
            archive.addfile(entry, io.BytesIO(path.read_bytes()))
    return buffer.getvalue()


def _is_there(ecr: Any, repository: str, tag: str) -> bool:
    try:
        ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": tag}])
    except ClientError as error:
        if error.response["Error"]["Code"] == "ImageNotFoundException":
            return False
        raise
    return True
