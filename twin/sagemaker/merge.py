"""Captured predictions joined with ground truth, as Model Monitor merges them before it judges a model's quality.

Source: https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-model-quality-merge.html: by inferenceId, or by SageMaker's eventId
when the caller sent none; only records with a label come through. Modelled: the label that was collected last counts; lines that are not
JSON are left out; the merge runs inside the twin, without a processing job of its own.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any


def read_labels(lines: Iterable[bytes]) -> dict[str, Any]:
    """groundTruthData by id, from the lines of ground-truth files in the order of their collection."""
    return {line["eventMetadata"]["eventId"]: line["groundTruthData"] for line in _documents(lines)}


def merge(captured: Iterable[bytes], labels: dict[str, Any]) -> Iterator[str]:
    """The labelled records of a capture file, each with its groundTruthData, as lines."""
    for record in _documents(captured):
        metadata = record["eventMetadata"]
        label = labels.get(metadata.get("inferenceId") or metadata["eventId"])
        if label is not None:
            yield json.dumps(record | {"groundTruthData": label}, separators=(",", ":"))


def _documents(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """The lines that are JSON objects with an eventMetadata."""
    for line in lines:
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict) and "eventMetadata" in found:
            yield found
