"""A table is predicted by a transform job, under a role of its own; where there is a schedule, by itself."""

from cli.batch.command import predict_batch
from cli.hours import HOUR
from cli.output import Output
from cli.prove_iam.endpoint_steps import with_live
from cli.prove_iam.failure_steps import BATCH_FAILURE_STEPS, has_schedule
from cli.prove_iam.session import Session
from cli.prove_iam.step import Step
from contracts.batch.names import folder
from contracts.batch.schedule import INPUT, SUMMARY, Summary, result_key, scheduled_name
from contracts.errors import StateError

ROWS = 20
GROUP = "/aws/sagemaker/TransformJobs"


def _predict(session: Session) -> None:
    since, table = session.now(), session.folder / f"{session.name('batch')}.csv"
    table.write_bytes(session.table(ROWS))
    output = Output(machine=True)
    output.console.quiet = True
    summary = predict_batch(session.app, output, str(table), table.with_suffix(".out.csv"), None, by_id=True)
    if not summary["ok"]:
        raise StateError(f"the batch has {summary['predicted']} predictions for {ROWS} rows, after {', '.join(summary['jobs'])}")
    (job,) = summary["jobs"]
    session.observed(GROUP, GROUP, f"{job}/", since, Host=f"{job}/algo-1")


def _wait(session: Session) -> None:
    """A table with a row that is too short waits, the schedule finds it, and the end of its job takes it further."""
    s3, bucket, key = session.client("s3"), session.app.data_bucket, f"{INPUT}{session.name('table')}.csv"
    found = s3.put_object(Bucket=bucket, Key=key, Body=session.table(ROWS) + b"1\n")
    batch = scheduled_name(session.app.prefix, key, found["VersionId"])

    def summary() -> Summary | None:
        listed = s3.list_objects_v2(Bucket=bucket, Prefix=result_key(batch, SUMMARY)).get("Contents")
        return Summary.model_validate_json(session.app.read(bucket, result_key(batch, SUMMARY))) if listed else None

    try:
        with session.ticking("batch"):
            session.twin.cloud.clock.advance(HOUR.total_seconds())
            reached = session.reach("the summary of a table that waited", summary)
        if (reached.predicted, reached.rejected) != (ROWS, 1):
            raise StateError(f"the table that waited: {reached.words}")
        session.reach("the batch to be cleared", lambda: _is_gone(session, folder(batch)))
    finally:  # what was not finished would be gone on with in every later step
        s3.delete_object(Bucket=bucket, Key=key, VersionId=found["VersionId"])


def _is_gone(session: Session, prefix: str) -> bool | None:
    return None if session.app.s3.list_objects_v2(Bucket=session.app.artifacts_bucket, Prefix=prefix).get("Contents") else True


BATCH_STEPS = (
    Step("batch", "a table is predicted by a transform job of the live version", _predict, ready=with_live),
    Step("batch by schedule", "a table that waits is predicted", _wait, ready=with_live, rules=("batch-job-ended",), when=has_schedule),
    *BATCH_FAILURE_STEPS,
)
