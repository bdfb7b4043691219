"""Versions in the data bucket: found, read, written. A version's manifest is written once and last, whoever else pushes the same."""

import time
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any

from botocore.exceptions import ClientError
from pydantic import ValidationError

from contracts.errors import DataError, StateError
from contracts.layout import DATASETS, MANIFEST, TREE, TREES, manifest_key, tree_manifest_key
from contracts.manifest import Manifest
from contracts.tree import Tree, tree_of

SHORTEST_PREFIX = 4
ATTEMPTS, PAUSE = 10, 1.0  # seconds
FEW = 500  # objects that are looked for one by one; a list brings 1,000 at once
# Beside a tree's manifest, so that a list need not read it.
FILES, BYTES = "files", "bytes"


@dataclass(frozen=True)
class Listed:
    """A version as a list shows it; `is_table`: it was checked against the data contract."""

    dataset: str
    version: str
    created: datetime
    is_table: bool


@dataclass(frozen=True)
class Version:
    """A version's files, and for a table its manifest."""

    tree: Tree
    version: str
    manifest: Manifest | None = None


class Store:
    """The data bucket's versions."""

    def __init__(self, s3: Any, bucket: str) -> None:
        self.s3 = s3
        self.bucket = bucket

    def datasets(self) -> list[str]:
        """The names of all datasets that have a version."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=DATASETS, Delimiter="/")
        return [found["Prefix"].removeprefix(DATASETS).rstrip("/") for page in pages for found in page.get("CommonPrefixes", [])]

    def versions(self, dataset: str) -> list[Listed]:
        """The versions of a dataset, newest first."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=f"{DATASETS}{dataset}/")
        objects = [found for page in pages for found in page.get("Contents", [])]
        listed = [
            Listed(dataset, parts[2], found["LastModified"], parts[3] == MANIFEST)
            for found in objects
            if len(parts := found["Key"].split("/")) == 4 and parts[3] in {MANIFEST, TREE}
        ]
        listed.sort(key=lambda each: (each.created, each.version), reverse=True)
        return self._children_first(listed)

    def _children_first(self, listed: list[Listed]) -> list[Listed]:
        """S3 tells seconds: of the newest versions of the same one, that come first which nobody was pushed after."""
        tied = [each for each in listed if each.created == listed[0].created]
        if len(tied) < 2:
            return listed
        parents = {parent for each in tied for parent in self.read(each).tree.parents}
        return sorted(tied, key=lambda each: each.version in parents) + listed[len(tied) :]

    def resolve(self, dataset: str, wanted: str) -> Listed:
        """The version that a name means: `latest`, a version, or its unmistakable beginning. Raises StateError."""
        versions = self.versions(dataset)
        if not versions:
            raise StateError(f"dataset {dataset} has no version. Next: tide data push PATH --name {dataset}, or tide data list")
        if wanted == "latest":
            return versions[0]
        found = [each for each in versions if each.version.startswith(wanted)]
        if len(found) == 1 and len(wanted) >= SHORTEST_PREFIX:
            return found[0]
        many = f"; {len(found)} versions begin so" if len(found) > 1 else ""
        raise StateError(f"dataset {dataset} has no version {wanted}{many}. Next: tide data list --name {dataset}")

    def read(self, listed: Listed) -> Version:
        """A version. Raises DataError when its manifest is not what its name says."""
        key = (manifest_key if listed.is_table else tree_manifest_key)(listed.dataset, listed.version)
        text = self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        try:
            manifest = Manifest.from_json(text) if listed.is_table else None
            tree = tree_of(manifest) if manifest else Tree.from_json(text)
            version = manifest.version if manifest else tree.version
        except ValidationError as error:
            raise DataError([f"s3://{self.bucket}/{key} cannot be read: {error.errors()[0]['msg']}"]) from None
        if (tree.dataset, version) != (listed.dataset, listed.version):
            raise DataError(
                [f"s3://{self.bucket}/{key} holds {tree.dataset}/{version}: it was changed. Next: restore its first object version"]
            )
        return Version(tree, version, manifest)

    def newest(self, dataset: str) -> Version | None:
        """The newest version, if there is one."""
        versions = self.versions(dataset)
        return self.read(versions[0]) if versions else None

    def write(self, tree: Tree) -> bool:
        """Make a version visible; False when it is there already. Two writers at once of the same version: one of them writes it.

        S3 answers 412 when it is there, and 409 while another writes it, which may yet fail; then it is to be asked again:
        https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
        """
        for _ in range(ATTEMPTS):
            written = self._write(tree)
            if written is not None:
                return written
            time.sleep(PAUSE)
        raise StateError(f"somebody else is writing {tree.dataset}/{tree.version}. Next: push again")

    def _write(self, tree: Tree) -> bool | None:
        """Whether it was written now; None when it is not known yet."""
        key = tree_manifest_key(tree.dataset, tree.version)
        try:
            self.s3.put_object(
                Bucket=self.bucket,
                Key=key,
                Body=tree.to_json(),
                ContentType="application/json",
                IfNoneMatch="*",
                Metadata={FILES: str(len(tree.files)), BYTES: str(tree.size)},
            )
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            if status == HTTPStatus.PRECONDITION_FAILED:
                return False
            if status == HTTPStatus.CONFLICT:
                return None
            raise
        return True

    def summary(self, listed: Listed) -> tuple[int, int]:
        """(files, bytes) of a version, without reading a tree's manifest."""
        if listed.is_table:
            tree = self.read(listed).tree
            return len(tree.files), tree.size
        head = self.s3.head_object(Bucket=self.bucket, Key=tree_manifest_key(listed.dataset, listed.version))
        return int(head["Metadata"][FILES]), int(head["Metadata"][BYTES])

    def those_there(self, dataset: str, places: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
        """Which of these (key, VersionId) of a dataset's files exist. Few are asked for one by one, many are found in the list of all."""
        if len(places) > FEW:
            pages = self.s3.get_paginator("list_object_versions").paginate(Bucket=self.bucket, Prefix=f"{TREES}{dataset}/")
            return {(found["Key"], found["VersionId"]) for page in pages for found in page.get("Versions", [])} & set(places)
        with ThreadPoolExecutor() as pool:
            return {place for place, there in zip(places, pool.map(lambda place: self._is_there(*place), places), strict=True) if there}

    def _is_there(self, key: str, version_id: str) -> bool:
        try:
            self.s3.head_object(Bucket=self.bucket, Key=key, VersionId=version_id)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] in {400, 404, 405}:
                return False
            raise
        return True
