"""What the guard of retraining sees, and what it may do about it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from contracts.collection import Collection
from contracts.config import RetrainingTrigger
from contracts.evaluation import GateMode
from contracts.ledger import Outcome, Retraining


@dataclass(frozen=True)
class Rules:
    """When the loop may train by itself: `retraining` and `monitoring` of tidewheel.yaml.

    `captures`: requests are captured at all; `alarm_windows`: bad windows that an alarm needs.
    """

    mode: GateMode
    trigger: RetrainingTrigger
    window: timedelta
    label_delay: timedelta
    cooldown_windows: int
    monthly_cap: int
    failures_to_stop: int
    captures: bool = True
    alarm_windows: int = 2


@dataclass(frozen=True)
class Alarm:
    """An alarm that is in ALARM, as people call it, and since when."""

    name: str
    since: datetime


@dataclass(frozen=True)
class Champion:
    """The live model. `since`: when its configuration was deployed; `seen_until`: of live traffic it knows nothing after that."""

    arn: str
    since: datetime
    dataset_version: str
    seen_until: datetime


@dataclass(frozen=True)
class Job:
    """A collect job. `collection`: what a completed one wrote; None when it wrote nothing that can be read."""

    status: str
    reason: str = ""
    collection: Collection | None = None


@dataclass(frozen=True)
class Run:
    """An execution of the pipeline."""

    status: str
    reason: str = ""


@dataclass(frozen=True)
class Observed:
    """One look at the account. `lock`: the retraining that goes on, `job` and `run`: what became of it; the rest is what guards go by.

    `labelled`: windows that have ended and in which labels came since the champion or the last retraining; `thrown_back`: when versions
    were quarantined; `last_success`: when the newest successful run of the pipeline began; `skipped`: there is a reason not to train that
    was recorded and may be gone.
    """

    now: datetime
    alarms: tuple[Alarm, ...]
    endpoint_status: str | None
    champion: Champion | None
    lock: Retraining | None = None
    job: Job | None = None
    run: Run | None = None
    history: tuple[Retraining, ...] = ()
    labelled: int = 0
    thrown_back: tuple[datetime, ...] = ()
    last_success: datetime | None = None
    skipped: bool = False

    @property
    def is_deploying(self) -> bool:
        """Another model may be live in a moment."""
        return self.endpoint_status not in {None, "InService"}


@dataclass(frozen=True)
class Begin:
    """Take the lock; the next look starts its job, if no other invocation's retraining forbids it by then."""

    retraining: Retraining


@dataclass(frozen=True)
class Collect:
    """Start the job that collects labelled rows."""

    retraining: Retraining


@dataclass(frozen=True)
class StartRun:
    """Start the run on what was collected; usually its manifest's event has done so already."""

    retraining: Retraining
    manifest_key: str


@dataclass(frozen=True)
class Settle:
    """A retraining ended."""

    retraining: Retraining
    outcome: Outcome
    why: str


@dataclass(frozen=True)
class Drop:
    """Give the lock back, before anything was started under it."""

    retraining: Retraining
    why: str


@dataclass(frozen=True)
class Skip:
    """Something asks for training, and a guard forbids it. `lacks_labels`: because labels do not come, which people must hear of."""

    why: str
    lacks_labels: bool = False


@dataclass(frozen=True)
class Stop:
    """The circuit breaker: retraining failed too often, and only a run that succeeds starts it again."""

    why: str


@dataclass(frozen=True)
class Wait:
    """Something is under way; its end is an event, and the next tick looks anyway."""

    why: str


@dataclass(frozen=True)
class Nothing:
    """Nothing asks for training."""

    why: str


Action = Begin | Collect | StartRun | Settle | Drop | Skip | Stop | Wait | Nothing
