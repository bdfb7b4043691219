"""Lineage entities: the artifacts that processing jobs' inputs and outputs make by themselves, and associations between artifacts.

SageMaker makes an artifact for the S3 URI of each input and output of a processing job, and has one artifact for one URI:
https://docs.aws.amazon.com/sagemaker/latest/dg/lineage-tracking-auto-creation.html
https://docs.aws.amazon.com/sagemaker/latest/dg/lineage-tracking-entities.html

CreateArtifact is not here: it is for code that runs within SageMaker (the SDK's Artifact.save says so). Modelled: the artifact is there as
soon as its job is, and its ARN's hash is one of the URI alone. Trial components, actions, contexts and what SageMaker associates with them
are not here; a request that would have to know them is refused.
"""

import hashlib
from collections.abc import Iterator
from datetime import datetime

from twin.sagemaker import api
from twin.sagemaker.context import Context
from twin.sagemaker.processing import ProcessingJobs

DATASET = "DataSet"  # SageMaker's own type of what lies at an S3 URI


class Lineage:
    """Artifacts by ARN, made of the jobs when they are asked for; associations as they were added."""

    def __init__(self, context: Context, processing: ProcessingJobs) -> None:
        self._context = context
        self._processing = processing
        self._associations: list[api.Reply] = []

    def added(self) -> dict[str, api.Operation]:
        """Operations that moto lacks."""
        return {"list_artifacts": self.list_artifacts, "add_association": self.associate, "list_associations": self.list_associations}

    def list_artifacts(self, request: api.Request) -> api.Reply:
        """ListArtifacts of one URI."""
        api.refuse_unknown(request, ("SourceUri", "MaxResults", "NextToken"), "ListArtifacts")
        if "SourceUri" not in request:
            raise api.invalid("The twin's ListArtifacts wants a SourceUri: it does not know the artifacts of images, models and endpoints.")
        found = [artifact for artifact in self._artifacts().values() if artifact["Source"]["SourceUri"] == request["SourceUri"]]
        return api.page(request, "ArtifactSummaries", found)

    def associate(self, request: api.Request) -> api.Reply:
        """AddAssociation of two artifacts; the same again changes nothing, as far as anybody can see."""
        api.refuse_unknown(request, ("SourceArn", "DestinationArn", "AssociationType"), "AddAssociation")
        ends = api.pick(request, ("SourceArn", "DestinationArn"))
        known = self._artifacts()
        for arn in ends.values():
            if arn not in known:
                raise api.not_found(f"Could not find the lineage entity {arn}: the twin knows the artifacts of S3 URIs only.")
        kind = request.get("AssociationType", "AssociatedWith")
        if not any(each["AssociationType"] == kind and ends.items() <= each.items() for each in self._associations):
            types = {"SourceType": DATASET, "DestinationType": DATASET}
            self._associations.append(ends | types | {"AssociationType": kind, "CreationTime": self._context.now()})
        return ends

    def list_associations(self, request: api.Request) -> api.Reply:
        """ListAssociations between two artifacts."""
        ends = ("SourceArn", "DestinationArn")
        api.refuse_unknown(request, (*ends, "AssociationType", "MaxResults", "NextToken"), "ListAssociations")
        if not all(end in request for end in ends):
            raise api.invalid("The twin's ListAssociations wants both ends: it does not know what SageMaker associates by itself.")
        wanted = api.pick(request, (*ends, "AssociationType"))
        return api.page(request, "AssociationSummaries", [each for each in self._associations if wanted.items() <= each.items()])

    def _artifacts(self) -> dict[str, api.Reply]:
        found: dict[str, api.Reply] = {}
        for uri, created in self._uris():
            digest = hashlib.md5(uri.encode(), usedforsecurity=False).hexdigest()
            arn = self._context.arn("artifact", digest)
            made = {"ArtifactArn": arn, "Source": {"SourceUri": uri}, "ArtifactType": DATASET, "CreationTime": created}
            found.setdefault(arn, made | {"LastModifiedTime": created})
        return found

    def _uris(self) -> Iterator[tuple[str, datetime]]:
        for record in self._processing.records():
            outputs = (record.get("ProcessingOutputConfig") or {}).get("Outputs") or ()
            places = [given.get("S3Input") for given in record.get("ProcessingInputs") or ()] + [made.get("S3Output") for made in outputs]
            yield from ((place["S3Uri"], record["CreationTime"]) for place in places if place)
