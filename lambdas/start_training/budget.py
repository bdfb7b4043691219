"""The budget of retraining, counted in windows in which labels came. Pure.

A retraining costs `cooldown_windows` of them since the one before. It may come before its time, and then the next one waits as many windows
longer: what is borrowed is paid back, so that no history holds more than one retraining to `cooldown_windows` windows, but for what the
newest one owes. There are two loans:

- the first retraining comes one window early, because a young model gains most by data;
- one that an alarm asks for needs the labels of no more windows than the alarm needs bad ones: those that made it ring, or that came after
  them. It borrows WORTH_A_LOAN windows at least: a window more of what is new is worth more than to be one window sooner. The alarm must
  have begun after the last retraining and deployment, so that what rings is about the model that is live, and that retraining must have
  been asked for by labels alone: an alarm that goes on or flaps gets one loan, and the next one has been worked for.
"""

from collections.abc import Sequence
from datetime import datetime

from contracts.ledger import Outcome, Retraining
from lambdas.start_training.states import Champion, Rules

WORTH_A_LOAN = 2


def labels_since(champion: Champion, history: Sequence[Retraining]) -> datetime:
    """From when on labels are new: since the last retraining was asked for, or the champion was deployed."""
    return max([champion.since, *(each.asked for each in history[-1:])])


def windows_due(history: Sequence[Retraining], rules: Rules) -> int:
    """The price of the next retraining: in how many windows labels must have come for it to borrow nothing.

    One that found too few labels has spent nothing, so what it came with is left, and one more window may be enough.
    """
    if not history:
        return rules.cooldown_windows
    last = history[-1]
    return max(1, last.borrowed) if last.outcome is Outcome.TOO_FEW_LABELS else rules.cooldown_windows + last.borrowed


def windows_needed(history: Sequence[Retraining], rules: Rules) -> int:
    """In how many windows labels must have come, whatever asks."""
    due = windows_due(history, rules)
    return due if any(each.run is not None for each in history) else max(1, due - 1)


def windows_needed_by(wanted: Retraining, champion: Champion, labelled: int, history: Sequence[Retraining], rules: Rules) -> int:
    """As windows_needed; fewer for what an alarm may borrow when labels came in `labelled` windows."""
    needed = windows_needed(history, rules)
    is_lent = needed - labelled >= WORTH_A_LOAN and _may_borrow(wanted, champion, history)
    return min(needed, rules.alarm_windows) if is_lent else needed


def _may_borrow(wanted: Retraining, champion: Champion, history: Sequence[Retraining]) -> bool:
    by_labels_alone = bool(history) and not history[-1].alarms
    return by_labels_alone and wanted.rings_since is not None and wanted.rings_since > labels_since(champion, history)


def borrows(labelled: int, history: Sequence[Retraining], rules: Rules) -> int:
    """How many windows before its time a retraining comes that begins now. `labelled` counts no further than windows_due."""
    return windows_due(history, rules) - labelled
