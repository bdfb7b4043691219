"""Files between S3 and a container's folder, under the job's own role: what the role may not read, the job does not get.

Source: SageMaker developer guide, API_S3DataSource (a prefix is a key prefix: everything below it is copied, at its path after the prefix).
"""

import gzip
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlparse

from botocore.exceptions import ClientError


class TransferError(Exception):
    """A download or upload failed; the message is worded as SageMaker's FailureReason."""


def split(uri: str) -> tuple[str, str]:
    """(bucket, key) of an S3 URI. Raises TransferError."""
    parts = urlparse(uri)
    if parts.scheme != "s3" or not parts.netloc:
        raise TransferError(f"ClientError: {uri} is not an S3 URI")
    return parts.netloc, parts.path.lstrip("/")


def download_prefix(s3: Any, uri: str, target: Path, role: str, region: str) -> int:
    """Copy every object below the prefix (or the one object) into `target`; how many. Raises TransferError when there is none."""
    bucket, prefix = split(uri)
    target.mkdir(parents=True, exist_ok=True)
    count = 0
    try:
        for listed in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for key in (each["Key"] for each in listed.get("Contents", ()) if not each["Key"].endswith("/")):
                path = _below(target, relative(key, prefix))
                path.parent.mkdir(parents=True, exist_ok=True)
                s3.download_file(bucket, key, str(path))
                count += 1
    except ClientError as error:
        raise TransferError(f"ClientError: Data download failed: {uri}: {error}") from error
    if not count:
        raise TransferError(
            f'ClientError: No S3 objects found under S3 URL "{uri}" given in input data source. Please ensure that the bucket exists in '
            f'the selected region ({region}), that objects exist under that S3 prefix, and that the role "{role}" has "s3:ListBucket" '
            f'permissions on bucket "{bucket}".'
        )
    return count


def relative(key: str, prefix: str) -> str:
    """Where a key lies below a prefix, which may be a folder, the start of a name, or the key itself."""
    folder = prefix if prefix.endswith("/") else f"{prefix}/" if key.startswith(f"{prefix}/") else prefix[: prefix.rfind("/") + 1]
    return key[len(folder) :]


def download_file(s3: Any, uri: str, target: Path) -> None:
    """Copy one object. Raises TransferError."""
    bucket, key = split(uri)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        s3.download_file(bucket, key, str(target))
    except ClientError as error:
        raise TransferError(f"ClientError: Could not access model data at {uri}: {error}") from error


def upload_folder(s3: Any, folder: Path, uri: str, kms_key: str | None) -> None:
    """Copy every file of a folder below the S3 URI. Raises TransferError."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        upload_file(s3, path, f"{uri.rstrip('/')}/{path.relative_to(folder).as_posix()}", kms_key)


def upload_file(s3: Any, path: Path, uri: str, kms_key: str | None) -> None:
    """Copy one file. Raises TransferError."""
    with path.open("rb") as body:
        upload(s3, body, uri, kms_key)


def upload(s3: Any, body: IO[bytes] | bytes, uri: str, kms_key: str | None) -> None:
    """Write one object. Raises TransferError."""
    bucket, key = split(uri)
    encryption: Mapping[str, str] = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key} if kms_key else {}
    try:
        s3.put_object(Bucket=bucket, Key=key, Body=body, **encryption)
    except ClientError as error:
        raise TransferError(f"ClientError: Artifact upload failed: {uri}: {error}") from error


def pack(folder: Path, archive: Path) -> None:
    """A folder as .tar.gz, without its own name in front. Owners and times are left out, so equal files make an equal archive."""
    with (
        archive.open("wb") as raw,
        gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as tar,
    ):
        for path in sorted(folder.rglob("*")):
            tar.add(path, path.relative_to(folder).as_posix(), recursive=False, filter=_plain)


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a .tar.gz; what would leave the folder, or is no plain file, is refused. Raises TransferError."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(archive, "r:gz") as tar:
            members = [_inside(member, folder.resolve()) for member in tar.getmembers()]
            # Drops owners and odd permissions; Python has it from 3.11.4 on.
            tar.extraction_filter = getattr(tarfile, "data_filter", None)
            tar.extractall(folder, members)  # noqa: S202 - checked above
    except (tarfile.TarError, OSError, EOFError) as error:
        raise TransferError(f"ClientError: Failed to extract model data archive: {error}") from error


def _inside(member: tarfile.TarInfo, folder: Path) -> tarfile.TarInfo:
    if not (member.isreg() or member.isdir()) or not (folder / member.name).resolve().is_relative_to(folder):
        raise tarfile.ExtractError(f"{member.name!r} is not a plain file inside the archive")
    return member


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mtime = 0
    return member


def _below(folder: Path, name: str) -> Path:
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise TransferError(f"ClientError: Data download failed: the key {name} leaves its folder")
    return path
