"""Drift rings: labelled traffic is collected, a run starts on it, and what it makes goes live without a person."""

from cli.hours import HOUR
from cli.prove_iam.endpoint_steps import WAKES, live, with_live
from cli.prove_iam.session import Session
from cli.prove_iam.step import Step
from cli.prove_iam.traffic_steps import captured_hour, job_ended
from cli.prove_iam.training_steps import copied, stop
from cli.release import APPROVED
from contracts.errors import StateError
from contracts.ledger import Outcome, Retraining
from contracts.monitoring import DRIFT_ALARM

COLLECTING = ("window-alarm", "job-ended", "run-ended")
LOOP = ("window-alarm", "job-ended", "manifest-created", "run-ended", "model-registered", *WAKES)
"""The rules by which drift becomes a live version without a person."""
_OF_A_JOB = (
    *("ProcessingInputs", "ProcessingOutputConfig", "ProcessingResources", "StoppingCondition", "AppSpecification", "Environment"),
    *("NetworkConfig", "RoleArn"),
)


def _with_labels(session: Session) -> None:
    """Two hours of labelled traffic of which the opposite is true of what the live version learnt, and a quiet alarm."""
    with_live(session)
    _close_retraining(session)
    if session.notes.pop("retrained", False):
        with session.awake(*WAKES):
            live(session, copied(session, APPROVED))
    _label_hours(session, turned=True)


def _with_labels_again(session: Session) -> None:
    """The live version is a retraining's, and there are two more hours of labelled traffic."""
    if not session.notes.get("retrained"):
        _with_labels(session)
        with session.awake(*LOOP):
            _retrain(session)
    with_live(session)
    _close_retraining(session)
    _label_hours(session, turned=True)


def _label_hours(session: Session, **kind: bool) -> None:
    for _ in range(2):
        captured_hour(session, **kind)
    session.twin.cloud.clock.advance(HOUR.total_seconds())
    _set_alarm(session, "OK")


def _close_retraining(session: Session) -> None:
    """What an earlier step left open is looked at until it has ended."""
    for _ in range(3):
        if session.app.ledger.open_retraining() is None:
            return
        session.settle()
        tick(session, "retraining")
    raise StateError(f"the retraining does not end: {session.app.ledger.open_retraining()}")


def tick(session: Session, name: str) -> None:
    """Let a schedule fire once, and wait until nothing moves."""
    with session.ticking(name):
        session.twin.cloud.clock.advance(HOUR.total_seconds())
        session.settle()


def _set_alarm(session: Session, state: str) -> None:
    session.app.cloudwatch.set_alarm_state(
        AlarmName=f"{session.app.prefix}-{DRIFT_ALARM}", StateValue=state, StateReason="set by the proof"
    )


def _ring(session: Session) -> Retraining:
    """The alarm on drift rings, and a retraining begins."""
    known = session.app.ledger.retrainings().keys()
    _set_alarm(session, "ALARM")

    def look() -> Retraining | None:
        return next((each for name, each in session.app.ledger.retrainings().items() if name not in known), None)

    return session.reach("a retraining", look)


def _collect(session: Session) -> None:
    name = _ring(session).name

    def look() -> Retraining | None:
        found = session.app.ledger.retrainings()[name]
        if found.ended is not None:
            raise StateError(f"the retraining ended: {found.explanation}")
        return found if found.execution else None

    since = session.now() - HOUR
    stop(session, session.reach("the retraining's run", look).execution or "")
    session.job_observed(f"{session.app.prefix}-collect-{name}", since)
    session.reach("the end of the retraining", lambda: _over(session, name))


def _with_collection(session: Session) -> None:
    """A collect job has completed."""
    if _collected(session) is None:
        _with_labels(session)
        with session.awake(*COLLECTING):
            _collect(session)


def _collected(session: Session) -> str | None:
    """The name of the newest collect job that completed."""
    jobs = session.app.sagemaker.list_processing_jobs(NameContains=f"{session.app.prefix}-collect-", StatusEquals="Completed")
    newest = max(jobs["ProcessingJobSummaries"], key=lambda job: job["CreationTime"], default=None)
    return newest and str(newest["ProcessingJobName"])


def _collect_twice(session: Session) -> None:
    """As when an answer of S3 was lost, and the request is sent again: the job finds its files, and sees that they are the same."""
    job = session.app.sagemaker.describe_processing_job(ProcessingJobName=_collected(session))
    same = {name: job[name] for name in _OF_A_JOB if name in job}
    name = f"{session.app.prefix}-{session.name('collect')}"
    session.app.sagemaker.create_processing_job(ProcessingJobName=name, **same)
    session.reach(f"job {name}", lambda: job_ended(session, name))


def _retrain(session: Session) -> None:
    name = _ring(session).name
    over = session.reach("the end of the retraining", lambda: _over(session, name))
    if over.outcome is not Outcome.BETTER:
        raise StateError(f"the retraining is {over.outcome}: {over.explanation}")
    session.notes["retrained"] = True
    live(session, max(session.app.versions(), key=lambda version: version.number))


def _over(session: Session, name: str) -> Retraining | None:
    found = session.app.ledger.retrainings()[name]
    return found if found.ended is not None else None


RETRAINING_STEPS = (
    Step(
        "collect",
        "drift rings, labelled traffic is collected, and a run starts on it, which is stopped",
        _collect,
        ready=_with_labels,
        rules=COLLECTING,
    ),
    Step("collect twice", "a collection is written once more, and found as it was", _collect_twice, ready=_with_collection),
    Step(
        "retrain",
        "drift rings, and without a person labelled traffic becomes the live version",
        _retrain,
        ready=_with_labels,
        rules=LOOP,
    ),
    Step(
        "collect again",
        "drift rings once more, and what is collected is added to what a retraining had collected before",
        _collect,
        ready=_with_labels_again,
        rules=COLLECTING,
    ),
)
