"""The data bucket, as ingest_dataset uses it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from contracts.layout import REASON, manifest_key, quarantine_prefix
from contracts.manifest import Manifest
from contracts.refusal import Refusal
from lambdas.objects import Stored, read


@dataclass(frozen=True)
class Listed:
    """An object as it lies in a folder; `name` is its key without the folder's."""

    name: str
    size: int
    changed: datetime


class DataBucket:
    """Uploads, dataset versions and quarantine. `name` is the bucket's."""

    def __init__(self, s3: Any, bucket: str) -> None:
        self._s3 = s3
        self.name = bucket

    def read(self, key: str, version_id: str | None = None) -> Stored | None:
        """An object, its newest version unless one is named; None when it is gone."""
        return read(self._s3, self.name, key, version_id)

    def list(self, prefix: str) -> list[Listed]:
        """What lies below a prefix now."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        return [
            Listed(found["Key"].removeprefix(prefix), found["Size"], found["LastModified"])
            for page in pages
            for found in page.get("Contents", [])
        ]

    def write_manifest(self, manifest: Manifest) -> tuple[str, bool]:
        """(URI, whether it is new). The first manifest of a version stays: the same content twice is the same version."""
        key = manifest_key(manifest.dataset, manifest.version)
        uri = f"s3://{self.name}/{key}"
        try:
            self._put(key, manifest.to_json(), IfNoneMatch="*")
        except ClientError as error:
            if error.response["Error"]["Code"] != "PreconditionFailed":
                raise
            return uri, False
        return uri, True

    def quarantine(self, dataset: str, refusal: Refusal) -> str:
        """Put the reason why an upload was refused into quarantine. Gives its URI."""
        key = quarantine_prefix(dataset, refusal.sha256) + REASON
        self._put(key, refusal.model_dump_json(indent=2))
        return f"s3://{self.name}/{key}"

    def keep(self, dataset: str, file_name: str, refusal: Refusal) -> None:
        """Copy a refused upload into quarantine, on S3's side, beside the reason."""
        key = quarantine_prefix(dataset, refusal.sha256) + file_name
        source = {"Bucket": self.name, "Key": refusal.key, "VersionId": refusal.version_id}
        # A managed copy, because CopyObject ends at 5 GB; without tags, which would need further permissions.
        self._s3.copy(source, self.name, key, ExtraArgs={"TaggingDirective": "REPLACE"})

    def _put(self, key: str, text: str, **conditions: str) -> None:
        self._s3.put_object(Bucket=self.name, Key=key, Body=text.encode(), ContentType="application/json", **conditions)
