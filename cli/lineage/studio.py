"""What SageMaker Lineage, and so Studio, cannot know by itself: which dataset version came of which.

SageMaker tracks jobs, model packages and endpoints by itself, and makes an artifact for every S3 URI that a processing job reads
(https://docs.aws.amazon.com/sagemaker/latest/dg/lineage-tracking-auto-creation.html). Every run reads the manifest of its dataset version,
so the manifest's URI is that artifact, and leads to the run, the model package and the endpoint. What is added here is DerivedFrom between
two of them. Nothing is created: CreateArtifact works within SageMaker only, and a version that no run has read is in no lineage of a model.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from contracts.layout import manifest_key
from contracts.manifest import Manifest

DERIVED = "DerivedFrom"


@dataclass(frozen=True)
class Told:
    """(parent, child) that SageMaker was told of just now, and those that it had. `unread`: versions that no run has read."""

    added: tuple[tuple[str, str], ...]
    there: tuple[tuple[str, str], ...]
    unread: tuple[str, ...]


def tell(sagemaker: Any, bucket: str, manifests: Iterable[Manifest]) -> Told:
    """Add what is missing; the same again adds nothing."""
    versions = {manifest.version: manifest for manifest in manifests}
    artifacts = {name: _artifact(sagemaker, f"s3://{bucket}/{manifest_key(each.dataset, name)}") for name, each in versions.items()}
    added, there = [], []
    for child, manifest in versions.items():
        for parent in manifest.parents:
            before, after = artifacts.get(parent), artifacts[child]
            if before is None or after is None:
                continue
            ends = {"SourceArn": before, "DestinationArn": after, "AssociationType": DERIVED}
            if sagemaker.list_associations(**ends)["AssociationSummaries"]:
                there.append((parent, child))
            else:
                sagemaker.add_association(**ends)
                added.append((parent, child))
    return Told(tuple(added), tuple(there), tuple(name for name, arn in artifacts.items() if arn is None))


def _artifact(sagemaker: Any, uri: str) -> str | None:
    """The ARN of a URI's artifact: there is one at most.

    https://docs.aws.amazon.com/sagemaker/latest/dg/lineage-tracking-entities.html
    """
    found = sagemaker.list_artifacts(SourceUri=uri)["ArtifactSummaries"]
    return str(found[0]["ArtifactArn"]) if found else None
