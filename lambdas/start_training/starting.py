"""Starting the run on a dataset version, in one way, whoever asks: S3's event, a person, or the guard of retraining.

Idempotent by construction: the run's name comes from its cause, champion.json is written once and decides which archive is copied, the
execution's token comes from the run, and the decision's key from the event. A retraining's run may be started by the event of its manifest
and by the guard; its decision has the time that its lock keeps, so it is recorded once all the same.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from contracts.environment import StartTrainingEnvironment
from contracts.layout import collection_of
from contracts.ledger import Decision, Evidence, What
from contracts.manifest import Manifest
from lambdas.ledger import Ledger
from lambdas.start_training.adapters import Formers, LiveModel, Manifests, Pipeline, Runs
from lambdas.start_training.logic import S3_SOURCE, Cause, check_manifest, parameters, request_token, run_name

BY = "start_training"


@dataclass(frozen=True)
class Starter:
    """Starts runs of one project; `clients` makes an AWS client from a service's name."""

    variables: StartTrainingEnvironment
    clients: Callable[[str], Any]
    dataset: str

    def start(self, cause: Cause, version_id: str | None, now: datetime, retraining: str | None = None) -> dict[str, str]:
        """Start the run that a cause asks for. Gives the run's name and the execution's ARN.

        Raises DataError or StateError for what no later attempt would change: the manifest, the champion or its archive is gone.

        `retraining`: whose run it is, when the guard starts it; the same rows may have been collected under an earlier name, which their
        manifest keeps. A run that a person asks for is no retraining's, whatever rows it is on.
        """
        variables, sagemaker = self.variables, self.clients("sagemaker")
        ledger = Ledger(self.clients("dynamodb"), variables.ledger_table)
        content = Manifests(self.clients("s3")).read(cause.bucket, cause.key, version_id)
        manifest = check_manifest(content, cause, self.dataset)
        run = run_name(manifest.dataset, manifest.version, cause)
        rival = self._name_champion(run, with_formers=manifest.fresh is not None)
        values = parameters(run, cause, manifest.version, variables.artifacts_bucket, variables.git_commit)
        execution = Pipeline(sagemaker, variables.pipeline_name).start(values, request_token(run))
        if retraining is None and manifest.fresh is not None and cause.source == S3_SOURCE:
            retraining = collection_of(manifest.files[-1].key)
        known = ledger.trained(retraining, run, execution, now) if retraining else None
        decision = Decision(
            time=known or now,
            what=What.TRAINING_STARTED,
            subject=run,
            why=f"{in_words(manifest)}; {rival}",
            by=BY,
            evidence=(Evidence(uri=values.manifest_uri, sha256=hashlib.sha256(content).hexdigest()),),
        )
        ledger.record(decision)
        return {"run": run, "execution_arn": execution}

    def _name_champion(self, run: str, with_formers: bool) -> str:
        """Put the run's champion, and for fresh rows the formers, in place. Gives who the champion is, in words.

        A former whose archive is gone is left out and named: nothing can be asked of it. The champion must be there.
        """
        live = LiveModel(self.clients("sagemaker"), self.variables.endpoint_name)
        runs = Runs(self.clients("s3"), self.variables.artifacts_bucket)
        found, gone = live.champion(), list[str]()
        if with_formers and found.model_package_arn is not None:
            formers = Formers(self.clients("sagemaker"), self.variables.model_package_group, live).find(found)
            there = tuple(each for each in formers if runs.has_archive(*live.archive(each.model_package_arn)))
            gone = [_version(each.model_package_arn) for each in formers if each not in there]
            found = found.model_copy(update={"formers": there})
        champion = runs.name_champion(run, found)
        if champion.model_package_arn is None:
            return "there is no champion yet"
        runs.copy_archive(run, *live.archive(champion.model_package_arn))
        for number, former in enumerate(champion.formers, 1):
            runs.copy_archive(run, *live.archive(former.model_package_arn), former=number)
        without = f", without version {', '.join(gone)}, whose archive is gone" if gone else ""
        return f"the champion is version {_version(champion.model_package_arn)}{without}"


def _version(arn: str) -> str:
    return arn.rsplit("/", 1)[1]


def in_words(manifest: Manifest) -> str:
    """A dataset version, and what of it is labelled traffic."""
    text = f"dataset version {manifest.version} with {manifest.rows} rows"
    if manifest.fresh is None:
        return text
    start, end = (f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" for moment in (manifest.fresh.start, manifest.fresh.end))
    return f"{text}, the last {manifest.fresh.rows} of them labelled traffic from {start} to {end}"
