"""What was decided in a window, in one line: what it came to, and the reasons that led there. Pure."""

from collections.abc import Iterable

from cli.observe import version_number
from contracts.ledger import Decision, What

# What is said of a window in one word: the first of these that was decided in it.
HEADLINES = (
    What.MODEL_QUARANTINED,
    What.RETRAINING_STOPPED,
    What.DEPLOYMENT_FINISHED,
    What.TRAINING_FAILED,
    What.CHALLENGER_LOST,
    What.RETRAINING_STARTED,
    What.RETRAINING_SKIPPED,
)
# What led there, in its order.
REASONS = (What.RETRAINING_STARTED, What.MODEL_APPROVED)
_PACKAGE = ":model-package/"


def headline(decisions: Iterable[Decision]) -> Decision | None:
    """The decision of a window that says most."""
    found = {decision.what: decision for decision in decisions}
    return next((found[what] for what in HEADLINES if what in found), None)


def decided(decisions: Iterable[Decision]) -> str:
    """The headline in words, with the version that it is about: "deployment finished, version 2"; empty when there is none."""
    found = headline(decisions)
    if found is None:
        return ""
    version = f", version {version_number(found.subject)}" if _PACKAGE in found.subject else ""
    return found.what.replace("_", " ") + version


def why(decisions: Iterable[Decision]) -> str:
    """Why the headline: the reasons that led there, and its own; that a deployment serves is no reason when there are others."""
    known = list(decisions)
    last = headline(known)
    if last is None:
        return ""
    found = {decision.what: decision.why for decision in known}
    led = [found[what] for what in REASONS if what in found and what is not last.what]
    own = [] if led and last.what is What.DEPLOYMENT_FINISHED else [last.why]
    return "; ".join(led + own)
