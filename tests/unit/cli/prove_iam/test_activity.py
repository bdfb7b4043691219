"""What is a sign of life, and what is only tried again."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from cli.prove_iam.activity import Activity
from twin.iam.policy import Decision
from twin.iam.question import NOBODY, Answer, Question
from twin.iam.record import Decisions

START = datetime(2026, 1, 1, tzinfo=UTC)


def test_what_is_asked_again_is_no_sign_of_life_and_anything_else_is(tmp_path: Path) -> None:
    decisions = Decisions(tmp_path)
    events = SimpleNamespace(router=SimpleNamespace(published=[], undelivered=[]))
    parts = {"iam": SimpleNamespace(decisions=decisions), "events": events, "functions": SimpleNamespace(failures=[])}
    twin: Any = SimpleNamespace(part=parts.__getitem__)
    activity = Activity(twin)

    def decide(action: str, minute: int) -> None:
        question = Question(NOBODY, NOBODY, action, "*", ())
        decisions.add(START + timedelta(minutes=minute), "role", action, question, Answer(Decision(False), by_resource=False))

    decide("kinesis:ListShards", 0)
    decide("kinesis:GetShardIterator", 1)
    signs = activity.signs(START + timedelta(minutes=1))
    decide("kinesis:GetShardIterator", 2)
    assert activity.signs(START + timedelta(minutes=1)) == signs
    decide("kinesis:ListShards", 3)
    asked_anew = activity.signs(START + timedelta(minutes=1))
    assert asked_anew != signs
    events.router.published.append({"id": "an event"})
    assert activity.signs(START + timedelta(minutes=1)) != asked_anew
    decisions.close()
