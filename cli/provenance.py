"""Everything that led to a model version, gathered from the registry, the ledger, the manifest and the evaluation.

What is not there any more (a manifest or an evaluation that was deleted), or never was (a package that was registered by hand), is None
and named in `gaps`, so that nothing is missing in silence.
"""

import hashlib
from dataclasses import dataclass, field
from urllib.parse import urlparse

from botocore.exceptions import ClientError

from cli.live import Period, live_periods
from cli.observe import App, Execution, Version, evaluation_uri
from cli.release import APPROVED, PENDING, REJECTED
from contracts.evaluation import Evaluation
from contracts.layout import COLLECTED, manifest_key
from contracts.ledger import Decision, Evidence, Quarantine, Retraining, What
from contracts.manifest import Manifest


@dataclass
class Provenance:
    """A version's past. `decisions`: those about its data, its run, its retraining and itself, oldest first."""

    version: Version
    archive: str | None = None
    modified_by: str | None = None
    manifest: Manifest | None = None
    run: Execution | None = None
    retraining: Retraining | None = None
    evaluation: Evaluation | None = None
    decisions: list[Decision] = field(default_factory=list)
    periods: list[Period] = field(default_factory=list)
    quarantine: Quarantine | None = None
    evidence: list[Evidence] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)

    @property
    def decided_by(self) -> str:
        """Who gave the version the approval that it has."""
        if self.version.approval == PENDING:
            return "nobody yet"
        if self.quarantine is not None and self.version.approval == REJECTED:
            return "reconcile_endpoint"
        by_policy = any(decision.what is What.MODEL_APPROVED for decision in self.decisions)
        if by_policy and self.version.approval == APPROVED:
            return "approve_model"
        return f"a person ({self.modified_by})" if self.modified_by else "a person"

    @property
    def started_by(self) -> str | None:
        """What started its run: an upload, a retraining, or a person; None when that is not known."""
        if self.version.metadata is None or self.manifest is None:
            return None
        run = self.version.metadata.run
        if self.retraining is not None and self.retraining.run == run:
            return "retraining"
        # Only what the manifest's own event starts is called after the dataset version alone.
        return "upload" if run == f"{self.manifest.dataset}-{self.manifest.version}" else "person"


def provenance(app: App, number: int) -> Provenance:
    """Gather a version's past. Raises StateError when there is no such version."""
    version = app.version(number)
    package = app.sagemaker.describe_model_package(ModelPackageName=version.arn)
    found = Provenance(version, modified_by=(package.get("LastModifiedBy") or {}).get("UserProfileName"))
    containers = package.get("InferenceSpecification", {}).get("Containers", [])
    found.archive = containers[0].get("ModelDataUrl") if containers else None
    if version.metadata is None:
        found.gaps.append("it was not registered by this project's pipeline, so its data and its run are not known")
    else:
        _data_and_run(app, found, version.metadata.dataset_version, version.metadata.run)
    _evaluation(app, found, evaluation_uri(package))
    every = app.decisions()
    found.decisions = [decision for decision in every if _is_about(decision, found)]
    found.periods = [period for period in live_periods(every) if period.arn == version.arn]
    found.quarantine = app.ledger.quarantines().get(version.arn)
    found.evidence = _all_evidence(found)
    return found


def _data_and_run(app: App, found: Provenance, dataset_version: str, run: str) -> None:
    key = manifest_key(app.project.config.data.dataset, dataset_version)
    uri = f"s3://{app.data_bucket}/{key}"
    content = _content(app, uri, found)
    if content is not None:
        found.manifest = Manifest.from_json(content)
        collections = [file.key.split("/")[1] for file in found.manifest.files if file.key.startswith(COLLECTED)]
        # The files of the parents come first: the last collection is the one that this version was made for.
        found.retraining = app.ledger.retrainings().get(collections[-1]) if collections and found.manifest.fresh else None
    found.run = next((execution for execution in app.executions() if execution.name == run), None)
    if found.run is None:
        found.gaps.append(f"its run {run} is not among the pipeline's runs any more")


def _evaluation(app: App, found: Provenance, uri: str | None) -> None:
    if uri is None:
        found.gaps.append("it names no evaluation")
        return
    content = _content(app, uri, found)
    found.evaluation = Evaluation.model_validate_json(content) if content is not None else None


def _content(app: App, uri: str, found: Provenance) -> bytes | None:
    """A file that the version rests on, noted as evidence; None, noted as a gap, when it is gone."""
    place = urlparse(uri)
    try:
        content = app.read(place.netloc, place.path.lstrip("/"))
    except ClientError as error:
        if error.response["Error"]["Code"] not in {"NoSuchKey", "NoSuchBucket"}:
            raise
        found.gaps.append(f"{uri} is not there any more")
        return None
    found.evidence.append(Evidence(uri=uri, sha256=hashlib.sha256(content).hexdigest()))
    return content


def _is_about(decision: Decision, found: Provenance) -> bool:
    metadata = found.version.metadata
    subjects = {found.version.arn}
    if metadata is not None:
        subjects.add(metadata.run)
    if found.manifest is not None:
        subjects.add(f"{found.manifest.dataset}/{found.manifest.version}")
    if found.retraining is not None:
        subjects.add(found.retraining.name)
    return decision.subject in subjects


def _all_evidence(found: Provenance) -> list[Evidence]:
    """Each file once, with its digest when anybody knows it."""
    files = [
        Evidence(uri=f"s3://{file.bucket}/{file.key}", sha256=file.sha256) for file in (found.manifest.files if found.manifest else ())
    ]
    archive = [Evidence(uri=found.archive)] if found.archive else []
    by_uri: dict[str, Evidence] = {}
    for evidence in [*files, *found.evidence, *archive, *(item for decision in found.decisions for item in decision.evidence)]:
        if evidence.uri not in by_uri or by_uri[evidence.uri].sha256 is None:
            by_uri[evidence.uri] = evidence
    return list(by_uri.values())
