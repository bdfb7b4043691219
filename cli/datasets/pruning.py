"""Which versions may go, and what goes with them: object versions that no remaining manifest names.

Kept are the newest, those that a model package names, and everything that is younger than SAFE: a push or a run may be about to name it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cli.datasets.store import Listed, Store
from contracts.layout import COLLECTED, TREES, UPLOADS, dataset_prefix
from contracts.tree import Tree

SAFE = timedelta(days=1)
BATCH = 1000  # what DeleteObjects takes at once


@dataclass(frozen=True)
class Plan:
    """What a prune would delete. `objects`: (key, VersionId)."""

    versions: tuple[Listed, ...]
    objects: tuple[tuple[str, str], ...]
    size: int
    kept: int


def choose(versions: Sequence[Listed], named: frozenset[str], keep: int, now: datetime) -> list[Listed]:
    """The versions of a dataset that may go; `versions` are newest first, `named` are in use."""
    return [each for each in versions[keep:] if each.version not in named and each.created < now - SAFE]


def plan(store: Store, dataset: str, named: frozenset[str], keep: int, now: datetime) -> Plan:
    """What would go. Reads the manifests that stay."""
    versions = store.versions(dataset)
    going = choose(versions, named, keep, now)
    staying = [store.read(each).tree for each in versions if each not in going]
    used = places(staying)
    gone = [store.read(each).tree for each in going]
    # Uploads and collections of a table lie beside other datasets' in no case: their prefixes hold what its own manifests name.
    objects, size = [], 0
    prefixes = [f"{TREES}{dataset}/"] if not any(each.is_table for each in versions) else [f"{UPLOADS}{dataset}/", COLLECTED]
    mentioned = places(gone)
    for found in _object_versions(store, prefixes):
        place = (found["Key"], found["VersionId"])
        abandoned = found["Key"].startswith(TREES) and found["LastModified"] < now - SAFE  # sent by a push that never ended
        if place not in used and (place in mentioned or abandoned):
            objects.append(place)
            size += found["Size"]
    manifests = [
        (found["Key"], found["VersionId"]) for found in _object_versions(store, [dataset_prefix(dataset, each.version) for each in going])
    ]
    return Plan(tuple(going), (*manifests, *objects), size, len(staying))


def places(trees: Iterable[Tree]) -> set[tuple[str, str]]:
    """(key, VersionId) of all files."""
    return {(file.key, file.version_id) for tree in trees for file in tree.files}


def carry_out(store: Store, chosen: Plan) -> None:
    """Delete: the manifests first, so that no version is seen whose files are going."""
    for start in range(0, len(chosen.objects), BATCH):
        batch = [{"Key": key, "VersionId": version_id} for key, version_id in chosen.objects[start : start + BATCH]]
        reply: Mapping[str, Any] = store.s3.delete_objects(Bucket=store.bucket, Delete={"Objects": batch, "Quiet": True})
        if reply.get("Errors"):
            first = reply["Errors"][0]
            raise OSError(
                f"{len(reply['Errors'])} objects could not be deleted, the first is {first['Key']}: {first['Message']}. Next: prune again"
            )


def _object_versions(store: Store, prefixes: Iterable[str]) -> Iterable[Mapping[str, Any]]:
    for prefix in prefixes:
        for page in store.s3.get_paginator("list_object_versions").paginate(Bucket=store.bucket, Prefix=prefix):
            yield from page.get("Versions", [])
