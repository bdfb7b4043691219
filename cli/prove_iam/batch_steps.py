"""A table is predicted by a transform job, under a role of its own."""

from cli.batch.command import predict_batch
from cli.output import Output
from cli.prove_iam.endpoint_steps import with_live
from cli.prove_iam.session import Session
from cli.prove_iam.step import Step
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


BATCH_STEPS = (Step("batch", "a table is predicted by a transform job of the live version", _predict, ready=with_live),)
