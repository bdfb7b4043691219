"""What can be said of alarms when every label is known. Pure.

A window is bad when the version that answered scored worse on it than on its own holdout, by more than monitoring tolerates and chance
explains. The quality had fallen in the bad windows that are not alone: as many as an alarm needs, among as many as it looks at. A false
alarm is an alarm that began while in neither its window nor any that it looks back at the quality had fallen. The detection delay is the
number of windows from the first fall to the first alarm that began at or after it: 0 when it began in that very window, None when nothing
fell or nothing was raised. An alarm that rang before, for whatever reason, has not found the fall.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from contracts.config import WindowAlarm


def lasting(bad: list[bool], alarm: WindowAlarm) -> list[bool]:
    """The bad windows that are not alone: of as many windows around it as an alarm looks at, as many are bad as it needs."""
    stretches = [range(start, start + alarm.windows) for start in range(1 - alarm.windows, len(bad))]
    enough = [stretch for stretch in stretches if sum(bad[number] for number in stretch if 0 <= number < len(bad)) >= alarm.needed]
    return [is_bad and any(number in stretch for stretch in enough) for number, is_bad in enumerate(bad)]


def false_alarms(fell: list[bool], begun: Iterable[int], looked_back: int) -> int:
    """How many alarms began without reason (see above)."""
    return sum(not any(fell[max(0, number - looked_back) : number + 1]) for number in begun)


def detection_delay(fell: list[bool], begun: Iterable[int]) -> int | None:
    """Windows from the first fall to the first alarm that began at or after it (see above)."""
    if True not in fell:
        return None
    first = fell.index(True)
    return min((number - first for number in begun if number >= first), default=None)


def onsets(alarms: Sequence[tuple[str, ...]]) -> list[int]:
    """The windows in which an alarm began, by number from 0, from the names of those in ALARM at the end of each."""
    return [number for number, (before, now) in enumerate(pairwise([(), *alarms])) if set(now) - set(before)]
