"""A thousand random histories: whatever people do, however packages fail and whenever the reconciler is woken or dies, it ends right.

The world below is what AWS would be: a registry, a stack that updates an endpoint in steps, and packages that serve well, are thrown
back silently (the stack says UPDATE_COMPLETE all the same) or fail the stack's update. The reconciler is woken at arbitrary moments,
which is what lost, repeated and reordered events amount to. It may die between any two of its writes, and another invocation may run
between its look and its act.
"""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest

from contracts.ledger import Deployment
from lambdas.live import Endpoint
from lambdas.reconcile_endpoint.logic import reconcile
from lambdas.reconcile_endpoint.states import (
    Action,
    Deploy,
    Drop,
    Hold,
    Nothing,
    Observed,
    Package,
    Quarantine,
    Settle,
    Stack,
    Wait,
)

HISTORIES = 1000
START = datetime(2026, 1, 1, tzinfo=UTC)
Quality = Literal["good", "silent", "fails"]


class DiedError(Exception):
    """The function was stopped between two writes."""


@dataclass
class World:
    """An account, and the reconciler's view of it (logic.Account)."""

    chance: random.Random
    death: float = 0.0
    overlap: float = 0.0
    looks: int = 0
    overlapping: int = 0
    quality: dict[int, Quality] = field(default_factory=dict)
    wanted: dict[int, bool] = field(default_factory=dict)  # what people last said
    approved: dict[int, bool] = field(default_factory=dict)  # what the registry says
    stack: Stack = field(default_factory=lambda: Stack("CREATE_COMPLETE", "", ""))
    live: str | None = None
    target: str | None = None
    steps: int = 0
    deployment: Deployment | None = None
    quarantined: dict[str, str] = field(default_factory=dict)
    held: list[str] = field(default_factory=list)
    stale: bool = False
    full: bool = False  # the account has no quota or capacity left
    no_room: str = ""  # why the endpoint's last update was thrown back, when that was no room
    alarm: bool = False  # a rollback alarm is in ALARM
    under_alarm: bool = False  # the update under way began guarded, with the alarm in ALARM

    def register(self) -> None:
        version = len(self.quality) + 1
        self.quality[version] = self.chance.choice(("good", "good", "silent", "fails"))
        self.wanted[version] = self.approved[version] = False

    def say(self, version: int, approve: bool) -> None:
        self.wanted[version] = self.approved[version] = approve

    def advance(self) -> None:
        if self.target is None:
            return
        self.steps -= 1
        if self.steps <= 0:
            self._finish(self.target)
            self.target = None

    def _finish(self, arn: str) -> None:
        quality = self.quality[_version(arn)]
        self.no_room = "InsufficientInstanceCapacity" if self.full else ""
        if self.full and self.live is not None:
            self.stack = Stack("UPDATE_COMPLETE", "", arn)
        elif self.full:
            self.stack = Stack("UPDATE_ROLLBACK_COMPLETE", "(Error Code: ResourceLimitExceeded)", self.stack.parameter)
        elif quality == "good" and not (self.under_alarm and self.live is not None):
            self.stack, self.live = Stack("UPDATE_COMPLETE", "", arn), arn
        elif quality in {"good", "silent"} and self.live is not None:
            self.stack = Stack("UPDATE_COMPLETE", "", arn)
        else:
            self.stack = Stack("UPDATE_ROLLBACK_COMPLETE", f"{arn} did not start", self.stack.parameter)

    def observe(self) -> Observed:
        stack = self.stack if self.target is None else Stack("UPDATE_IN_PROGRESS", "", self.target)
        status = "InService" if self.target is None or self.steps > 1 else "Updating"
        endpoint = Endpoint(status, f"config-of-{self.live}", self.live, self.no_room) if self.live else None
        packages = tuple(Package(_arn(version), version, approved) for version, approved in self.approved.items())
        alarms = ("p-5xx",) if self.alarm else ()
        seen = Observed(packages, stack, endpoint, self.deployment, dict(self.quarantined), bool(self.held), alarms=alarms)
        if self.overlapping == 0 and self.chance.random() < self.overlap:
            self.overlapping += 1
            self.look()
            if self.chance.random() < 0.5:
                self.advance()
            self.overlapping -= 1
            self.stale = True
        return seen

    def deploy(self, action: Deploy) -> bool:
        arn = action.package.arn
        # Only an invocation whose look is older than the quarantine may still ask; CloudFormation has no condition to stop it with.
        assert arn not in self.quarantined or self.stale, f"{arn} was deployed after its quarantine"
        if self.target is not None or self.stack.parameter == arn:
            return False
        self.target, self.steps, self.under_alarm = arn, self.chance.randint(1, 3), self.alarm and action.guarded
        self._may_die()
        asked = START + timedelta(seconds=self.looks)
        if self.deployment is None or self.deployment.asked <= asked:
            self.deployment = Deployment(model_package_arn=arn, asked=asked)
        return True

    def settle(self, action: Settle) -> None:
        self._may_die()
        self._close(action.deployment)

    def drop(self, action: Drop) -> None:
        self._close(action.deployment)

    def _close(self, deployment: Deployment) -> None:
        if self.deployment == deployment:
            self.deployment = None

    def quarantine(self, action: Quarantine) -> None:
        assert action.arn != self.live, f"{action.arn} was quarantined while it was live"
        assert self.quality[_version(action.arn)] != "good", f"{action.arn} is good, and was quarantined: {action.why}"
        self.quarantined.setdefault(action.arn, action.why)
        self._may_die()
        self.approved[_version(action.arn)] = False
        self._may_die()
        if action.deployment is not None:
            self._close(action.deployment)

    def hold(self, action: Hold) -> None:
        self.held = [action.why]

    def release(self) -> None:
        self.held = []

    def _may_die(self) -> None:
        if self.chance.random() < self.death:
            raise DiedError

    def look(self) -> Action | None:
        self.looks += 1
        self.stale = False
        try:
            return reconcile(self)[-1]
        except DiedError:
            return None


def _arn(version: int) -> str:
    return f"arn:aws:sagemaker:us-east-1:123456789012:model-package/p/{version}"


def _version(arn: str) -> int:
    return int(arn.rsplit("/", 1)[1])


def _live_through(seed: int) -> World:
    """A random history, then quiet: only ticks, as after every event was lost."""
    chance = random.Random(seed)
    world = World(chance, death=chance.choice((0.0, 0.1, 0.4)), overlap=chance.choice((0.0, 0.0, 0.2)))
    for _ in range(chance.randint(5, 60)):
        match chance.randrange(7):
            case 6:
                world.alarm = not world.alarm
            case 0:
                world.register()
            case 1 | 2 if world.quality:
                world.say(chance.choice(list(world.quality)), chance.random() < 0.7)
            case 3:
                world.advance()
            case _:
                world.look()
    world.death = world.overlap = 0.0
    world.alarm = False
    return world


def _settle_down(world: World) -> list[Action]:
    """Ticks until nothing is under way; a history that loops never gets there."""
    actions: list[Action] = []
    for _ in range(20 * (len(world.quality) + 2)):
        action = world.look()
        assert action is not None
        actions.append(action)
        if isinstance(action, Nothing | Hold):
            return actions
        world.advance()
    raise AssertionError(f"it never settled; the last actions were {actions[-5:]}")


@pytest.mark.parametrize("block", range(10))
def test_every_history_ends_with_the_highest_good_version_that_people_want(block: int) -> None:
    size = HISTORIES // 10
    for seed in range(block * size, (block + 1) * size):
        world = _live_through(seed)
        _settle_down(world)
        good = [version for version, quality in world.quality.items() if quality == "good" and world.wanted[version]]
        best = max(good, default=0)
        if best:
            assert world.live == _arn(best), f"seed {seed}"
            assert world.stack.parameter == world.live, f"seed {seed}"
        for version, quality in world.quality.items():
            if quality != "good" and world.wanted[version] and version > best:
                assert _arn(version) in world.quarantined, f"seed {seed}: version {version} was never condemned"
                assert not world.approved[version], f"seed {seed}: version {version} is still approved"
        assert world.deployment is None, f"seed {seed}"


def test_an_end_stays_the_end() -> None:
    for seed in range(50):
        world = _live_through(seed)
        _settle_down(world)
        before = (world.live, world.stack, dict(world.approved), dict(world.quarantined))
        assert all(isinstance(action, Nothing | Hold | Wait) for action in (world.look() for _ in range(3)))
        assert (world.live, world.stack, dict(world.approved), dict(world.quarantined)) == before, f"seed {seed}"


@pytest.mark.parametrize("first", [None, 1])
@pytest.mark.parametrize("seed", range(20))
def test_an_account_without_room_condemns_nobody(seed: int, first: int | None) -> None:
    world = World(random.Random(seed), quality=dict.fromkeys((1, 2, 3, 4), "good"))
    if first is not None:
        world.say(first, approve=True)
        _settle_down(world)
    before, world.full = world.live, True
    versions = world.chance.sample(range(2, 5), world.chance.randint(1, 3))
    for version in versions:
        world.say(version, approve=True)
        for _ in range(world.chance.randrange(4)):
            world.look()
            world.advance()
    assert isinstance(_settle_down(world)[-1], Hold)
    assert (world.live, world.quarantined) == (before, {})
    world.full = False
    best = max(versions)
    for approve in (False, True):  # what the hold asks for
        world.say(best, approve)
        world.look()
        world.advance()
    _settle_down(world)
    assert (world.live, world.deployment, world.held) == (_arn(best), None, [])
