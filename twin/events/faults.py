"""Faults of the bus, for tests: drop, duplicate, delay or reorder the events that a predicate picks.

EventBridge delivers at least once and in no order, so everything that listens must live with the last three; and a consumer that
reconciles must live with the first.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Event = Mapping[str, Any]
Predicate = Callable[[Event], bool]
Deliver = Callable[[Event], None]


def matching(source: str | None = None, detail_type: str | None = None) -> Predicate:
    """Events of this source and detail type; None means any."""
    return lambda event: source in {None, event["source"]} and detail_type in {None, event["detail-type"]}


@dataclass
class _Fault:
    kind: str
    picks: Predicate
    amount: float
    times: int | None
    held: list[Event] = field(default_factory=list)


class Faults:
    """The faults in force. Each acts `times` times, or until `clear`; the first that picks an event has it."""

    def __init__(self, later: Callable[[float, Callable[[], None]], None]) -> None:
        self._later = later
        self._faults: list[_Fault] = []
        self._lock = threading.Lock()
        self.hit: list[tuple[str, Event]] = []
        """(kind of fault, event) of every event that a fault touched."""

    def drop(self, picks: Predicate, times: int | None = None) -> None:
        """Lose the events."""
        self._add(_Fault("drop", picks, 0, times))

    def duplicate(self, picks: Predicate, copies: int = 2, times: int | None = None) -> None:
        """Deliver each event `copies` times."""
        self._add(_Fault("duplicate", picks, copies, times))

    def delay(self, picks: Predicate, seconds: float, times: int | None = None) -> None:
        """Deliver the events `seconds` of twin time later."""
        self._add(_Fault("delay", picks, seconds, times))

    def reorder(self, picks: Predicate, window: int = 2, times: int | None = None) -> None:
        """Hold the events back until there are `window` of them, then deliver the last first."""
        self._add(_Fault("reorder", picks, window, times))

    def clear(self) -> list[Event]:
        """End all faults; the events that were still held back, for the caller to publish or forget."""
        with self._lock:
            faults, self._faults = self._faults, []
        return [event for fault in faults for event in fault.held]

    def through(self, event: Event, deliver: Deliver) -> None:
        """Pass an event on, through the first fault that picks it."""
        fault = self._take(event)
        match fault.kind if fault else None:
            case None:
                deliver(event)
            case "duplicate" if fault:
                for _ in range(int(fault.amount)):
                    deliver(event)
            case "delay" if fault:
                self._later(fault.amount, lambda: deliver(event))
            case "reorder" if fault:
                for held in self._released(fault, event):
                    deliver(held)

    def _add(self, fault: _Fault) -> None:
        with self._lock:
            self._faults.append(fault)

    def _take(self, event: Event) -> _Fault | None:
        with self._lock:
            for fault in self._faults:
                if fault.times != 0 and fault.picks(event):
                    fault.times = None if fault.times is None else fault.times - 1
                    self.hit.append((fault.kind, event))
                    return fault
        return None

    def _released(self, fault: _Fault, event: Event) -> list[Event]:
        with self._lock:
            fault.held.append(event)
            if len(fault.held) < fault.amount:
                return []
            released, fault.held = fault.held[::-1], []
            return released
