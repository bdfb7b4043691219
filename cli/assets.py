"""Assets of a cloud assembly, published to the account's bootstrap: files here, container images by cli.images.

docs: https://docs.aws.amazon.com/cdk/v2/guide/assets.html. An asset's key is a digest of its content, so what is there already is not sent
again. Folders are zipped with fixed names, times and modes: the same folder is the same bytes.
"""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from cli.images import publish_images
from cli.roles import Roles

_EPOCH = (1980, 1, 1, 0, 0, 0)


def publish_assets(roles: Roles, out: Path, assets_file: str, show: Callable[[str], None]) -> None:
    """Upload what an `*.assets.json` of the assembly lists, each under the role that it names."""
    assets: dict[str, Any] = json.loads((out / assets_file).read_text())
    for asset in assets.get("files", {}).values():
        for destination in asset["destinations"].values():
            s3 = roles.under(destination["assumeRoleArn"]).client("s3")
            bucket, key = roles.filled(destination["bucketName"]), roles.filled(destination["objectKey"])
            if not _is_there(s3, bucket, key):
                show(f"asset {key[:12]}")
                s3.put_object(Bucket=bucket, Key=key, Body=_content(out / asset["source"]["path"], asset["source"]["packaging"]))
    publish_images(roles, out, assets.get("dockerImages", {}), show)


def zipped(folder: Path) -> bytes:
    """A folder as a zip, byte for byte the same for the same content."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _EPOCH)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())
    return buffer.getvalue()


def _content(path: Path, packaging: str) -> bytes:
    if packaging == "zip" and path.is_dir():
        return zipped(path)
    return path.read_bytes()


def _is_there(s3: Any, bucket: str, key: str) -> bool:
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            return False
        raise
    return True
