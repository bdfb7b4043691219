"""Which versions may go, and what goes with them: object versions that no remaining manifest names.

Kept are the newest, those that a model package or a run names, and everything that is younger than SAFE: a push or a run may be about to
name it. A prune hides the manifests, looks which versions there are then, deletes what none of them names, and the hidden manifests last.
So no version is seen whose files are going, and a prune that was ended at any point is finished by the next one.

A push looks for all that may be older than SAFE, sent by it or not, once more when its manifest is written (push.py). So either the prune
sees the manifest, or the push sees what is gone; but for a push that writes and looks between the prune's look and its deletion. Such a
version is found in the end, and hidden too.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cli.datasets.store import Listed, Place, Store, places_of
from contracts.errors import StateError
from contracts.layout import COLLECTED, TREES, UPLOADS
from contracts.tree import Tree

SAFE = timedelta(days=1)


@dataclass(frozen=True)
class Plan:
    """What a prune would delete: versions, those that an earlier one hid, and `objects`, of `size` bytes. `used`: what `staying` name."""

    dataset: str
    versions: tuple[Listed, ...]
    hidden: tuple[Listed, ...]
    objects: tuple[Place, ...]
    size: int
    staying: frozenset[Listed]
    used: frozenset[Place]

    @property
    def is_empty(self) -> bool:
        """Nothing would go."""
        return not (self.versions or self.hidden or self.objects)


def choose(versions: Sequence[Listed], named: frozenset[str], keep: int, now: datetime) -> list[Listed]:
    """The versions of a dataset that may go; `versions` are newest first, `named` are in use."""
    return [each for each in versions[keep:] if each.version not in named and each.created < now - SAFE]


def plan(store: Store, dataset: str, named: frozenset[str], keep: int, now: datetime) -> Plan:
    """What would go. Reads every manifest."""
    versions, hidden = store.versions(dataset), store.hidden(dataset)
    going = choose(versions, named, keep, now)
    staying = [each for each in versions if each not in going]
    used = places_of(store.read(each).tree for each in staying)
    mentioned = places_of(store.read(each).tree for each in (*going, *hidden))
    # Uploads and collections of a table lie beside other datasets' in no case: their prefixes hold what its own manifests name.
    tables = any(each.is_table for each in (*versions, *hidden))
    objects, size = [], 0
    for found in _object_versions(store, [f"{UPLOADS}{dataset}/", COLLECTED] if tables else [f"{TREES}{dataset}/"]):
        place = (found["Key"], found["VersionId"])
        abandoned = found["Key"].startswith(TREES) and found["LastModified"] < now - SAFE  # sent by a push that never ended
        if place not in used and (place in mentioned or abandoned):
            objects.append(place)
            size += found["Size"]
    return Plan(dataset, tuple(going), tuple(hidden), tuple(objects), size, frozenset(staying), frozenset(used))


def carry_out(store: Store, chosen: Plan) -> None:
    """Delete. Raises StateError when a version was pushed meanwhile that named some of it."""
    store.hide(chosen.versions)
    since = _since(store, chosen)
    used = chosen.used | places_of(since.values())
    going = [place for place in chosen.objects if place not in used]
    store.delete({"Key": key, "VersionId": version_id} for key, version_id in going)
    broken = [each for each, tree in _since(store, chosen).items() if each not in since and places_of([tree]) & {*going}]
    store.hide(broken)
    store.forget_hidden(chosen.dataset)
    if broken:
        names = ", ".join(each.version for each in broken)
        raise StateError(f"{chosen.dataset}/{names} was pushed meanwhile, and named files that are gone now. Next: push it again")


def _since(store: Store, chosen: Plan) -> dict[Listed, Tree]:
    """The versions that were not there when the plan was made."""
    return {each: store.read(each).tree for each in store.versions(chosen.dataset) if each not in chosen.staying}


def _object_versions(store: Store, prefixes: Iterable[str]) -> Iterable[Mapping[str, Any]]:
    for prefix in prefixes:
        for page in store.s3.get_paginator("list_object_versions").paginate(Bucket=store.bucket, Prefix=prefix):
            yield from page.get("Versions", [])
