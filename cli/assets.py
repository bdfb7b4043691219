"""File assets of a cloud assembly, published to the account's bootstrap bucket.

docs: https://docs.aws.amazon.com/cdk/v2/guide/assets.html. An asset's key is a digest of its content, so what is there already is not sent
again. Folders are zipped with fixed names, times and modes: the same folder is the same bytes.
Container images are built and pushed by the CDK command line on AWS; the twin runs them from their build folder.
"""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from cli.account import Account

_EPOCH = (1980, 1, 1, 0, 0, 0)


def publish_assets(account: Account, out: Path, assets_file: str, account_id: str, show: Callable[[str], None]) -> None:
    """Upload the file assets that an `*.assets.json` of the assembly lists."""
    s3 = account.client("s3")
    files: dict[str, Any] = json.loads((out / assets_file).read_text()).get("files", {})
    for asset in files.values():
        for destination in asset["destinations"].values():
            bucket = filled(destination["bucketName"], account, account_id)
            key = filled(destination["objectKey"], account, account_id)
            if not _is_there(s3, bucket, key):
                show(f"asset {key[:12]}")
                s3.put_object(Bucket=bucket, Key=key, Body=_content(out / asset["source"]["path"], asset["source"]["packaging"]))


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


def filled(text: str, account: Account, account_id: str) -> str:
    """Environment-agnostic assemblies leave these to whoever publishes."""
    return text.replace("${AWS::AccountId}", account_id).replace("${AWS::Region}", account.region).replace("${AWS::Partition}", "aws")
