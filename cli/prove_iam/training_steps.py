"""A run of the pipeline: started, stopped in each kind of job, won, lost; and a registered version that is approved."""

import uuid
from typing import Any

from cli.observe import Execution, Version
from cli.prove_iam.data_steps import ROWS, accepted, decided, uploaded
from cli.prove_iam.session import Session
from cli.prove_iam.step import Step
from cli.release import APPROVED, PENDING
from cli.train import RUNNING, run_of, start_run
from contracts.errors import StateError
from contracts.layout import RUNS
from contracts.ledger import What


def with_dataset(session: Session) -> None:
    """There is a dataset version."""
    if "manifest" not in session.notes:
        with session.awake("upload-created"):
            session.notes["manifest"] = accepted(session, uploaded(session, session.table(ROWS)))


def stop(session: Session, arn: str) -> Execution:
    """Stop a run, as a person would."""
    session.app.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn, ClientRequestToken=str(uuid.uuid4()))
    return ended(session, arn, "Stopped")


def ended(session: Session, arn: str, status: str) -> Execution:
    """Wait for the end of a run. Raises StateError when it ends otherwise."""

    def look() -> Execution | None:
        execution = session.app.execution(arn)
        return None if execution.status in RUNNING else execution

    execution = session.reach(f"the end of run {arn.rpartition('/')[2]}", look)
    if execution.status != status:
        raise StateError(f"the run is {execution.status}: {execution.reason}")
    return execution


def job_of(session: Session, arn: str, step: str) -> dict[str, Any]:
    """Wait for a step's job to be at work. Raises StateError when the run ends before."""

    def look() -> dict[str, Any] | None:
        steps = session.app.sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
        found = next((each for each in steps if each["StepName"] == step and each.get("Metadata")), None)
        execution = session.app.execution(arn)
        if found is None and execution.status not in RUNNING:
            raise StateError(f"the run is {execution.status}: {execution.reason}")
        return found

    return session.reach(f"the job of step {step}", look)


def version_of(session: Session, arn: str) -> Version:
    """The version that a run registered. Raises StateError when there is none."""
    steps = session.app.sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
    registered = [step["Metadata"]["RegisterModel"]["Arn"] for step in steps if "RegisterModel" in step.get("Metadata", {})]
    if not registered:
        raise StateError("the run registered no model package")
    return session.app.package(registered[0])


def copied(session: Session, approval: str, **changed: Any) -> Version:
    """Register the first version again, under a number of its own; `changed` are parameters of CreateModelPackage."""
    source = session.app.sagemaker.describe_model_package(ModelPackageName=session.notes["version"].arn)
    same = {name: source[name] for name in ("InferenceSpecification", "CustomerMetadataProperties", "ModelMetrics") if name in source}
    parameters = {"ModelPackageGroupName": session.app.prefix, "ModelApprovalStatus": approval} | same | changed
    arn: str = session.app.sagemaker.create_model_package(**parameters)["ModelPackageArn"]
    return Version(int(arn.rpartition("/")[2]), arn, approval, "", session.now(), None, {})


def with_version(session: Session) -> None:
    """There is a registered version."""
    if "version" not in session.notes:
        with_dataset(session)
        _train(session)


def _start(session: Session) -> None:
    arn = start_run(session.app, session.notes["manifest"].version)
    session.notes["run"] = arn
    job_of(session, arn, "Prepare")
    stop(session, arn)


def _with_run(session: Session) -> None:
    with_dataset(session)
    if "run" not in session.notes:
        _start(session)


def _start_by_event(session: Session) -> None:
    manifest = accepted(session, uploaded(session, session.table(ROWS)))
    run = session.reach("the run on the new dataset version", lambda: run_of(session.app, manifest.version))
    stop(session, run.arn)


def _fail(session: Session) -> None:
    upload = uploaded(session, session.table(ROWS))
    manifest = accepted(session, upload)
    bucket, _, key = upload.uri.removeprefix("s3://").partition("/")
    session.app.s3.delete_object(Bucket=bucket, Key=key, VersionId=upload.version_id)
    run = ended(session, start_run(session.app, manifest.version), "Failed")
    decided(session, What.TRAINING_FAILED, run.name)


def _stop_training(session: Session) -> None:
    since, arn = session.now(), _started_like(session, session.notes["run"])
    job_of(session, arn, "Train")
    stop(session, arn)
    prepared = job_of(session, arn, "Prepare")["Metadata"]["ProcessingJob"]["Arn"]
    session.job_observed(prepared.rpartition("/")[2], since)


def _started_like(session: Session, run: str) -> str:
    """A run with the parameters of an earlier one."""
    sagemaker = session.app.sagemaker
    parameters = sagemaker.list_pipeline_parameters_for_execution(PipelineExecutionArn=run)["PipelineParameters"]
    arn: str = sagemaker.start_pipeline_execution(
        PipelineName=session.app.prefix, PipelineParameters=parameters, ClientRequestToken=str(uuid.uuid4())
    )["PipelineExecutionArn"]
    return arn


def _train(session: Session) -> None:
    arn = start_run(session.app, session.notes["manifest"].version)
    ended(session, arn, "Succeeded")
    session.notes["version"] = version_of(session, arn)


def _approve(session: Session) -> None:
    version = copied(session, PENDING)
    session.reach(f"the approval of version {version.number}", lambda: session.app.package(version.arn).approval == APPROVED or None)
    decided(session, What.MODEL_APPROVED, version.arn)


def _leave(session: Session) -> None:
    nowhere = {
        "ContentType": "application/json",
        "S3Uri": f"s3://{session.app.artifacts_bucket}/{RUNS}{session.name('gone')}/evaluation.json",
    }
    version = copied(session, PENDING, ModelMetrics={"ModelQuality": {"Statistics": nowhere}})
    try:
        decided(session, What.MODEL_LEFT_TO_A_PERSON, version.arn)
    finally:
        session.app.sagemaker.delete_model_package(ModelPackageName=version.arn)


TRAINING_STEPS = (
    Step(
        "new dataset",
        "a table is uploaded, and a run starts on it by itself, which is stopped",
        _start_by_event,
        rules=("upload-created", "manifest-created"),
    ),
    Step("run stopped in processing", "a run is started, and stopped while a Processing job works", _start, ready=with_dataset),
    Step("run stopped in training", "a run is stopped while its Training job works", _stop_training, ready=_with_run),
    Step(
        "failed run",
        "the rows of a dataset version are gone, its run fails, and the ledger says so",
        _fail,
        rules=("upload-created", "run-ended"),
        # Whoever may not list a bucket is told that an object is forbidden, not that it is gone.
        refusals=(("*-RolesJob*", "s3:ListBucket"),),
    ),
    Step("train", "a run prepares, trains, evaluates, passes its gate and registers a version", _train, ready=with_dataset),
    Step("approve", "a registered version is approved by its evaluation", _approve, ready=with_version, rules=("model-registered",)),
    Step(
        "report gone",
        "a registered version has no evaluation any more, and is left to a person",
        _leave,
        ready=with_version,
        rules=("model-registered",),
    ),
)
