"""The guard's account: alarms, the live model, the lock and its job and run, and the history, all in the ledger or read from AWS.

The lock is read first: what it holds is the only thing that another invocation may change while this one looks.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from contracts.config import Config
from contracts.environment import StartTrainingEnvironment
from contracts.errors import DataError, TidewheelError
from contracts.layout import (
    GROUND_TRUTH,
    ground_truth_key,
    hour_prefix,
    manifest_key,
    parse_ground_truth_hour,
)
from contracts.ledger import Decision, Evidence, Outcome, Retraining, What
from contracts.ledger import Skip as SkipItem
from contracts.manifest import Manifest
from lambdas.ledger import Ledger
from lambdas.live import Endpoint
from lambdas.start_training.adapters import LiveModel, Manifests, Pipeline, Runs
from lambdas.start_training.budget import labels_since, windows_due
from lambdas.start_training.collecting import CollectJobs
from lambdas.start_training.guard import REMEMBERED, outcome_of, window_start
from lambdas.start_training.logic import S3_SOURCE, Cause
from lambdas.start_training.starting import BY, Starter
from lambdas.start_training.states import Alarm, Begin, Champion, Collect, Drop, Observed, Rules, Settle, Skip, StartRun, Stop

STEPS_OF_A_RUN = 3  # jobs of the pipeline, each with its own limit on time


def _rules(config: Config) -> Rules:
    retraining, monitoring = config.retraining, config.monitoring
    return Rules(
        mode=retraining.mode,
        trigger=retraining.trigger,
        window=timedelta(hours=monitoring.window_hours),
        label_delay=timedelta(hours=monitoring.label_delay_hours),
        cooldown_windows=retraining.cooldown_windows,
        monthly_cap=retraining.monthly_cap,
        failures_to_stop=retraining.failures_to_stop,
        captures=monitoring.capture_percent > 0,
        alarm_windows=monitoring.alarm.needed,
    )


class Alarms:
    """The alarms that ask for training, by the words for them."""

    def __init__(self, cloudwatch: Any, prefix: str) -> None:
        self._cloudwatch = cloudwatch
        self._names = {f"{prefix}-drift": "drift", f"{prefix}-quality": "quality fell"}

    def read(self) -> tuple[Alarm, ...]:
        """Those in ALARM."""
        found = [
            alarm
            for alarm in self._cloudwatch.describe_alarms(AlarmNames=list(self._names))["MetricAlarms"]
            if alarm["StateValue"] == "ALARM"
        ]
        # Both are optional in the reply; the second moves with every evaluation that tells a new reason.
        since = ("StateTransitionedTimestamp", "StateUpdatedTimestamp")
        return tuple(Alarm(self._names[alarm["AlarmName"]], next(alarm[key] for key in since if key in alarm)) for alarm in found)


class Labels:
    """Ground truth in the data bucket, by the hour in which it was collected."""

    def __init__(self, s3: Any, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def windows(self, since: datetime, now: datetime, window: timedelta, most: int) -> int:
        """In how many windows that have ended labels came after `since`; counts no further than `most`.

        S3 lists keys in order, so one request finds the next window with labels, however many labels there are.
        """
        found, after = 0, ground_truth_key(since, 0, "~")
        while found < most:
            listed = self._s3.list_objects_v2(Bucket=self._bucket, Prefix=GROUND_TRUTH, StartAfter=after, MaxKeys=1).get("Contents")
            if not listed:
                break
            try:
                hour = parse_ground_truth_hour(listed[0]["Key"])
            except ValueError:  # lies below no hour, as a folder made in the console does: no labels, for the jobs neither
                after = listed[0]["Key"]
                continue
            end = window_start(hour, window) + window
            if end > now:
                break
            found, after = found + 1, GROUND_TRUTH + hour_prefix(end)
        return found


class AwsAccount:
    """The account as guard.Account. `now` is the event's time."""

    def __init__(self, variables: StartTrainingEnvironment, clients: Callable[[str], Any], config: Config, now: datetime) -> None:
        sagemaker, s3 = clients("sagemaker"), clients("s3")
        self.rules = _rules(config)
        self._variables = variables
        self._config = config
        self._now = now
        self._ledger = Ledger(clients("dynamodb"), variables.ledger_table)
        self._alarms = Alarms(clients("cloudwatch"), config.prefix)
        self._live = LiveModel(sagemaker, variables.endpoint_name)
        self._manifests = Manifests(s3)
        self._labels = Labels(s3, variables.data_bucket)
        self._jobs = CollectJobs(sagemaker, s3, config, variables)
        self._runs = Runs(s3, variables.artifacts_bucket)
        self._pipeline = Pipeline(sagemaker, variables.pipeline_name)
        self._starter = Starter(variables, clients, config.data.dataset)

    def observe(self) -> Observed:
        """One look; see the module's docstring for its order."""
        lock = self._ledger.open_retraining()
        execution = self._pipeline.execution(lock.execution) if lock and lock.execution else None
        endpoint = self._live.endpoint()
        champion = self._champion(endpoint) if endpoint else None
        history = self._ledger.retrainings(self._now - REMEMBERED)
        # A lock is judged as of when it was asked for: to an event that is older than it, its labels would seem not to have come yet.
        labelled = self._labelled(champion, history, lock.asked if lock else self._now) if champion else 0
        return Observed(
            now=self._now,
            alarms=self._alarms.read(),
            endpoint_status=endpoint.status if endpoint else None,
            champion=champion,
            lock=lock,
            job=self._jobs.read(lock.name) if lock and not lock.execution else None,
            run=execution.run if execution else None,
            history=history,
            labelled=labelled,
            thrown_back=tuple(item.time for item in self._ledger.quarantines()),
            last_success=self._pipeline.last_success(),
            skipped=self._ledger.skipped() is not None,
        )

    def begin(self, action: Begin) -> bool:
        """Take the lock."""
        return self._ledger.begin(action.retraining)

    def collect(self, action: Collect) -> None:
        """Record that the retraining begins, and start its job. In this order, because a job that is there is not started again."""
        retraining = action.retraining
        why = f"{retraining.why}; labelled traffic from {retraining.start:%Y-%m-%dT%H:%M:%SZ} to {retraining.end:%Y-%m-%dT%H:%M:%SZ}"
        if retraining.borrowed:
            why += f"; {retraining.borrowed} window{'s' if retraining.borrowed > 1 else ''} early, and the next one as many later"
        self._record(retraining.asked, What.RETRAINING_STARTED, retraining.name, why)
        self._jobs.start(retraining)

    def start_run(self, action: StartRun) -> str | None:
        """Start the run as the manifest's event would. Gives why that can never be, which no later look would change."""
        cause = Cause("", S3_SOURCE, self._variables.data_bucket, action.manifest_key)
        try:
            self._starter.start(cause, None, self._now, action.retraining.name)
        except TidewheelError as error:
            return f"its run cannot start: {error}"
        return None

    def settle(self, action: Settle) -> None:
        """Into the history first, then into the decisions, and only then is the lock free: what died half way is settled again."""
        end = {"outcome": action.outcome, "ended": self._now, "explanation": action.why}
        kept = self._ledger.end(action.retraining.model_copy(update=end))
        ended = kept.ended or self._now
        if kept.execution is not None:
            self.record_end(kept.execution)
        elif kept.outcome is Outcome.TOO_FEW_LABELS:
            self._record(ended, What.RETRAINING_SKIPPED, kept.name, kept.explanation, self._jobs.evidence(kept.name))
        else:
            self._record(ended, What.TRAINING_FAILED, kept.name, kept.explanation)
        self._ledger.free(kept.name)

    def drop(self, action: Drop) -> None:
        """Give the lock back, with the reason."""
        self._record(action.retraining.asked, What.RETRAINING_SKIPPED, action.retraining.name, action.why)
        self._ledger.free(action.retraining.name)

    def skip(self, action: Skip | Stop) -> None:
        """Record the reason, once."""
        kept = self._ledger.skip(SkipItem(why=action.why, time=self._now))
        what = What.RETRAINING_STOPPED if isinstance(action, Stop) else What.RETRAINING_SKIPPED
        self._record(kept.time, what, "retraining", kept.why)

    def forget_skip(self) -> None:
        """The reason not to train is gone."""
        self._ledger.forget_skip()

    def record_end(self, arn: str) -> None:
        """Record that a run failed, was stopped, or lost against its champion, at the time at which it ended."""
        found = self._pipeline.execution(arn)
        if found is None or found.run.status not in {"Failed", "Stopped"}:
            return
        lost = outcome_of(found.run) is Outcome.LOST
        why = found.run.reason or f"the run is {found.run.status}, and gives no reason"
        self._record(
            found.moved, What.CHALLENGER_LOST if lost else What.TRAINING_FAILED, found.name, why, self._runs.evaluation(found.name)
        )

    def record_ends(self) -> None:
        """Record every run that ended without success lately, whose event may have been lost."""
        longest = timedelta(seconds=STEPS_OF_A_RUN * self._config.training.max_runtime_seconds, hours=1)
        for arn in self._pipeline.unsuccessful(self._now - longest):
            self.record_end(arn)

    def _labelled(self, champion: Champion, history: tuple[Retraining, ...], moment: datetime) -> int:
        due = windows_due(history, self.rules)
        return self._labels.windows(labels_since(champion, history), moment, self.rules.window, due)

    def _champion(self, endpoint: Endpoint) -> Champion | None:
        metadata = self._live.metadata(endpoint.package_arn) if endpoint.package_arn else None
        if metadata is None or endpoint.package_arn is None or endpoint.since is None or endpoint.created is None:
            return None
        key = manifest_key(self._config.data.dataset, metadata.dataset_version)
        try:
            fresh = Manifest.from_json(self._manifests.read(self._variables.data_bucket, key)).fresh
        except DataError:
            return None  # nothing can be added to rows that are gone; a retraining that goes on can still be settled
        return Champion(endpoint.package_arn, endpoint.since, metadata.dataset_version, fresh.end if fresh else endpoint.created)

    def _record(self, time: datetime, what: What, subject: str, why: str, evidence: tuple[Evidence, ...] = ()) -> None:
        self._ledger.record(Decision(time=time, what=what, subject=subject, why=why, by=BY, evidence=evidence))
