"""Versions in the data bucket: found, read, written. A version's manifest is written once and last, whoever else pushes the same."""

import time
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any

from botocore.exceptions import ClientError
from pydantic import ValidationError

from contracts.errors import DataError, StateError
from contracts.layout import DATASETS, MANIFEST, TREE, manifest_key, tree_manifest_key
from contracts.manifest import Manifest
from contracts.tree import Tree, tree_of

SHORTEST_PREFIX = 4
ATTEMPTS, PAUSE = 10, 1.0  # seconds
FEW = 500  # objects that are looked for one by one; a list brings 1,000 at once
BATCH = 1000  # what DeleteObjects takes at once
Place = tuple[str, str]  # (key, VersionId)
# Beside a tree's manifest, so that a list need not read it.
FILES, BYTES = "files", "bytes"


@dataclass(frozen=True)
class Listed:
    """A version as a list shows it; `is_table`: it was checked against the data contract. `size`: bytes of its manifest.

    `hidden`: the manifest's VersionId, when it can be read by that alone, because a prune that has not ended hid it.
    """

    dataset: str
    version: str
    created: datetime
    is_table: bool
    size: int
    hidden: str | None = None

    @property
    def key(self) -> str:
        """The manifest's."""
        return (manifest_key if self.is_table else tree_manifest_key)(self.dataset, self.version)


@dataclass(frozen=True)
class Version:
    """A version's files, and for a table its manifest."""

    tree: Tree
    version: str
    manifest: Manifest | None = None

    @property
    def key(self) -> str:
        """The manifest's."""
        return (manifest_key if self.manifest else tree_manifest_key)(self.tree.dataset, self.version)


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
        listed = [each for page in pages for found in page.get("Contents", []) if (each := _listed(found))]
        listed.sort(key=lambda each: (each.created, each.version), reverse=True)
        return self._children_first(listed)

    def hidden(self, dataset: str) -> list[Listed]:
        """The versions that a prune hid, and did not live to finish."""
        markers = {found["Key"] for found in self._all(dataset, "DeleteMarkers") if found["IsLatest"]}
        found = {each["Key"]: each for each in reversed(self._all(dataset, "Versions")) if each["Key"] in markers}  # newest first
        return [listed for each in found.values() if (listed := _listed(each, each["VersionId"]))]

    def hide(self, versions: Iterable[Listed]) -> None:
        """Nobody sees them any more. https://docs.aws.amazon.com/AmazonS3/latest/userguide/DeleteMarker.html"""
        self.delete({"Key": each.key} for each in versions)

    def forget_hidden(self, dataset: str) -> None:
        """Delete the manifests that are hidden; what hides them goes last, for without it they would be seen again."""
        keys = {found["Key"] for found in self._all(dataset, "DeleteMarkers") if found["IsLatest"]}
        for kind in ("Versions", "DeleteMarkers"):
            found = [each for each in self._all(dataset, kind) if each["Key"] in keys]
            self.delete({"Key": each["Key"], "VersionId": each["VersionId"]} for each in found)

    def delete(self, objects: Iterable[Mapping[str, str]]) -> None:
        """Delete objects, or object versions. Raises OSError when S3 does not."""
        rest = list(objects)
        for start in range(0, len(rest), BATCH):
            asked = {"Objects": rest[start : start + BATCH], "Quiet": True}
            errors = self.s3.delete_objects(Bucket=self.bucket, Delete=asked).get("Errors")
            if errors:
                first = f"{errors[0]['Key']}: {errors[0]['Message']}"
                raise OSError(f"{len(errors)} objects could not be deleted, the first is {first}. Next: prune again")

    def _all(self, dataset: str, kind: str) -> list[Any]:
        """The object versions of a dataset's manifests, or their delete markers."""
        pages = self.s3.get_paginator("list_object_versions").paginate(Bucket=self.bucket, Prefix=f"{DATASETS}{dataset}/")
        return [found for page in pages for found in page.get(kind, [])]

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
        key, which = listed.key, {"VersionId": listed.hidden} if listed.hidden else {}
        text = self.s3.get_object(Bucket=self.bucket, Key=key, **which)["Body"].read()
        try:
            manifest = Manifest.from_json(text) if listed.is_table else None
            tree = tree_of(manifest) if manifest else Tree.from_json(text)
            version = manifest.version if manifest else tree.version
        except ValidationError as error:
            raise DataError(
                [f"s3://{self.bucket}/{key} cannot be read: {error.errors()[0]['msg']}. Next: restore its first object version"]
            ) from None
        if (tree.dataset, version) != (listed.dataset, listed.version):
            raise DataError(
                [f"s3://{self.bucket}/{key} holds {tree.dataset}/{version}: it was changed. Next: restore its first object version"]
            )
        return Version(tree, version, manifest)

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

    def replace(self, tree: Tree) -> None:
        """The same version, whose files lie elsewhere now."""
        self._put(tree)

    def _put(self, tree: Tree, **condition: str) -> None:
        self.s3.put_object(
            Bucket=self.bucket,
            Key=tree_manifest_key(tree.dataset, tree.version),
            Body=tree.to_json(),
            ContentType="application/json",
            Metadata={FILES: str(len(tree.files)), BYTES: str(tree.size)},
            **condition,
        )

    def _write(self, tree: Tree) -> bool | None:
        """Whether it was written now; None when it is not known yet."""
        try:
            self._put(tree, IfNoneMatch="*")
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
        head = self.s3.head_object(Bucket=self.bucket, Key=listed.key)
        return int(head["Metadata"][FILES]), int(head["Metadata"][BYTES])

    def is_there(self, version: Version) -> bool:
        """Whether it can still be seen."""
        return self._is_there(version.key)

    def those_there(self, prefix: str, places: Collection[Place]) -> set[Place]:
        """Which of these places exist, all of them below a prefix. Few are asked for one by one, many are found in the list of all."""
        if len(places) > FEW:
            pages = self.s3.get_paginator("list_object_versions").paginate(Bucket=self.bucket, Prefix=prefix)
            return {(found["Key"], found["VersionId"]) for page in pages for found in page.get("Versions", [])} & set(places)
        with ThreadPoolExecutor() as pool:
            return {
                place
                for place, there in zip(places, pool.map(lambda place: self._is_there(place[0], VersionId=place[1]), places), strict=True)
                if there
            }

    def _is_there(self, key: str, **which: str) -> bool:
        try:
            self.s3.head_object(Bucket=self.bucket, Key=key, **which)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] in {400, 404, 405}:
                return False
            raise
        return True


def _listed(found: Mapping[str, Any], hidden: str | None = None) -> Listed | None:
    """A version, of an object of a dataset's folder; None when it is no manifest."""
    parts = found["Key"].split("/")
    if len(parts) != 4 or parts[3] not in {MANIFEST, TREE}:
        return None
    return Listed(parts[1], parts[2], found["LastModified"], parts[3] == MANIFEST, found["Size"], hidden)


def places_of(trees: Iterable[Tree]) -> set[Place]:
    """Where all their files lie."""
    return {(file.key, file.version_id) for tree in trees for file in tree.files}
