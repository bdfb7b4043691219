"""start_training: starts the pipeline for a dataset version, and hands it the champion that it must beat.

Idempotent by construction: the run's name comes from its cause, champion.json is written once and decides which archive is copied, the
execution's token comes from the run, and the decision's key from the event.
"""

import hashlib
from typing import Any

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.parser import parse
from aws_lambda_powertools.utilities.typing import LambdaContext

from contracts.environment import StartTrainingEnvironment
from contracts.events import Event, ObjectCreated
from contracts.ledger import Decision, Evidence, What
from lambdas import runtime
from lambdas.ledger import Ledger
from lambdas.start_training.adapters import LiveModel, Manifests, Pipeline, Runs
from lambdas.start_training.logic import Cause, check_manifest, parameters, request_token, run_name

SERVICE = "start_training"
logger = Logger(service=SERVICE)
tracer = Tracer(service=SERVICE)
metrics = Metrics(namespace=runtime.NAMESPACE, service=SERVICE)


@logger.inject_lambda_context(correlation_id_path="id", clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)
@metrics.log_metrics
def handle(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Gives the run's name and the execution's ARN."""
    created: Event[ObjectCreated] = parse(event=event, model=Event[ObjectCreated])
    result = start(created, runtime.environment(StartTrainingEnvironment))
    metrics.add_metric("training_started", MetricUnit.Count, 1)
    logger.info("training started", run=result["run"], execution_arn=result["execution_arn"])
    return result


def start(event: Event[ObjectCreated], variables: StartTrainingEnvironment) -> dict[str, str]:
    """Start the run that an event asks for."""
    cause = Cause(event.id, event.source, event.detail.bucket.name, event.detail.object.key)
    content = Manifests(runtime.client("s3")).read(cause.bucket, cause.key, event.detail.object.version_id)
    manifest = check_manifest(content, cause, runtime.project().data.dataset)
    run = run_name(manifest.dataset, manifest.version, cause)
    rival = _name_champion(run, variables)
    values = parameters(run, cause, manifest.version, variables.artifacts_bucket, variables.git_commit)
    execution = Pipeline(runtime.client("sagemaker"), variables.pipeline_name).start(values, request_token(run))
    decision = Decision(
        time=event.time,
        what=What.TRAINING_STARTED,
        subject=run,
        why=f"dataset version {manifest.version} with {manifest.rows} rows; {rival}",
        by=SERVICE,
        evidence=(Evidence(uri=values.manifest_uri, sha256=hashlib.sha256(content).hexdigest()),),
    )
    Ledger(runtime.client("dynamodb"), variables.ledger_table).record(decision)
    return {"run": run, "execution_arn": execution}


def _name_champion(run: str, variables: StartTrainingEnvironment) -> str:
    """Put the run's champion in place. Gives who it is, in words."""
    live = LiveModel(runtime.client("sagemaker"), variables.endpoint_name)
    runs = Runs(runtime.client("s3"), variables.artifacts_bucket)
    champion = runs.name_champion(run, live.champion())
    if champion.model_package_arn is None:
        return "there is no champion yet"
    runs.copy_archive(run, *live.archive(champion.model_package_arn))
    return f"the champion is version {champion.model_package_arn.rsplit('/', 1)[1]}"
