"""What the demo waits for: an approval, a live version, and the answers that a client gets of it."""

from collections.abc import Callable

from cli.demo.traffic import Traffic
from cli.observe import App, Version
from cli.release import APPROVED, PENDING, REJECTED, decide, endpoint_state
from cli.waiting import wait_for
from contracts.config import ApprovalPolicy
from contracts.errors import StateError
from contracts.ledger import What

APPROVAL_LIMIT = 60.0
LIVE_LIMIT = 240.0
ANSWERS_LIMIT = 30.0
LOOK_EVERY = 0.6
"""Between two looks at what takes a while: each is a dozen calls, and the twin's jobs need the processors."""
SETTLED_SECONDS = 1.0
"""How long a version must have answered alone, so that the report shows where traffic ended."""

Show = Callable[[str], None]


def approval_of(app: App, registered: Version, show: Show) -> str:
    """Wait for a version's approval, or give it where a person is asked for; by whom. Raises StateError when it is not approved."""
    manual = app.project.config.approval.policy is ApprovalPolicy.MANUAL
    if manual:
        decide(app, registered, APPROVED, "approved by the demo, in a person's place")

    def look() -> Version | None:
        version = app.package(registered.arn)
        show(version.approval)
        if version.approval == PENDING:
            _raise_if_left(app, version)
        return None if version.approval == PENDING else version

    version = wait_for(f"version {registered.number} to be approved", look, APPROVAL_LIMIT)
    if version.approval != APPROVED:
        raise StateError(f"version {version.number} is {version.approval}: {version.why}")
    return "by the demo, because approval.policy is manual" if manual else version.why


def wait_until_live(app: App, version: Version, show: Show, traffic: Traffic | None) -> None:
    """Wait until a version serves and nothing moves. Raises StateError when it is rejected meanwhile."""
    seen = ""

    def look() -> bool | None:
        nonlocal seen
        state = endpoint_state(app)
        seen = state.words
        show(f"{seen}; {traffic.in_words()}" if traffic else seen)
        if not state.moving and state.live == version.number:
            return True
        now = app.package(version.arn)
        if now.approval == REJECTED:
            raise StateError(f"version {version.number} did not stay: {now.why}")
        return None

    wait_for(f"version {version.number} to be live", look, LIVE_LIMIT, interval=LOOK_EVERY, seen=lambda: seen)


def named(traffic: Traffic, version: Version) -> None:
    """Call a version's answers by its number."""
    if version.metadata is not None:
        traffic.name(version.metadata.artifact_sha256, f"version {version.number}")


def answers_of(traffic: Traffic, version: Version, show: Show) -> None:
    """Wait until a version has answered alone for a moment: what the API says, beside what the control plane says."""
    artifact = version.metadata.artifact_sha256 if version.metadata else None
    begin = traffic.now()

    def look() -> bool | None:
        show(traffic.in_words())
        recent = [one for one in traffic.sent if one.at >= max(begin, traffic.now() - SETTLED_SECONDS)]
        if len(recent) >= 10 and all(one.failure for one in recent):
            raise StateError(f"the prediction API does not answer any more: {recent[-1].failure}")
        alone = bool(recent) and all(one.artifact == artifact for one in recent)
        return True if alone and traffic.now() - begin >= SETTLED_SECONDS else None

    wait_for(f"only version {version.number} to answer", look, ANSWERS_LIMIT, seen=traffic.in_words)


def _raise_if_left(app: App, version: Version) -> None:
    left = [d for d in app.decisions() if d.what is What.MODEL_LEFT_TO_A_PERSON and d.subject == version.arn]
    if left:
        raise StateError(f"version {version.number} was left to a person: {left[-1].why}")
