"""What a replay says at its end: keys of the JSON, alarms without reason, how late a change was found."""

import io
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from cli.observe import Version
from cli.output import Output
from cli.replay.hindsight import detection_delay, false_alarms, lasting, onsets
from cli.replay.page import page
from cli.replay.plan import Plan
from cli.replay.report import Report, chart, detected, show_report, summary, window_line
from cli.replay.story import decided, headline, why
from cli.replay.windows import Window
from cli.score import Tally
from contracts.config import WindowAlarm
from contracts.evaluation import Metric
from contracts.ledger import Decision, What

START = datetime(2026, 1, 1, tzinfo=UTC)
BARS = " .:-=+*#@"


def decision(what: What, why: str = "because") -> Decision:
    return Decision(time=START, what=what, subject="it", why=why, by="a test")


def window(number: int, right: float, *decisions: Decision, version: int = 1, alarms: tuple[str, ...] = ()) -> Window:
    rows = range(200 + 100 * number, 300 + 100 * number)
    start = START + timedelta(hours=number)
    wrong = round(100 * (1 - right))
    tally = Tally(Metric.ACCURACY, 100, wrong, wrong)
    return Window(start, start + timedelta(hours=1), rows, 100, tally, {version: 100}, None, alarms, decisions, 1.0)


def report() -> Report:
    """Good, fallen and found a window later, and mended by version 2."""
    asked, started, deployed = (
        decision(what, "it said so") for what in (What.RETRAINING_STARTED, What.TRAINING_STARTED, What.DEPLOYMENT_FINISHED)
    )
    found = Report(Metric.ACCURACY, "tides.csv", Plan(200, 100, 100), requests=40, labels=300, seconds=12.0)
    found.windows = [
        window(0, 0.9),
        window(1, 0.6, asked),
        window(2, 0.6, asked, started, deployed, alarms=("drift",)),
        window(3, 0.9, version=2),
    ]
    found.first = [Tally(Metric.ACCURACY, 100, wrong, wrong) for wrong in (10, 40, 40, 40)]
    found.versions = [Version(number, f"arn/{number}", "Approved", "", START, None, {"accuracy": 0.9}) for number in (2, 1)]
    return found


def test_the_json_keeps_its_keys() -> None:
    document = report().document()
    assert (document["ok"], document["metric"], document["rows"], document["requests"], document["failed_requests"]) == (
        True,
        "accuracy",
        400,
        40,
        0,
    )
    assert document["score"] == pytest.approx(0.75)
    assert document["score_without_retraining"] == pytest.approx(0.675)
    assert (document["retrainings"], document["false_alarms"], document["detection_delay"]) == (1, 0, 1)
    assert [each["version"] for each in document["versions"]] == [1, 2]
    third = document["windows"][2]
    assert {"start", "end", "rows", "score", "drift", "version", "decision"} <= third.keys()
    assert (third["decision"], third["why"], third["drift"]) == ("deployment_finished", "it said so", "not_enough_data")
    assert [each["what"] for each in third["decisions"]] == ["retraining_started", "training_started", "deployment_finished"]
    assert (third["start"], third["first_row"], third["last_row"], third["fell"]) == ("2026-01-01T02:00:00+00:00", 401, 500, True)


def test_a_failure_an_interruption_or_no_window_is_not_ok() -> None:
    failed, interrupted, nothing = report(), report(), report()
    failed.failures = ["rows 1 to 20: 503 no"]
    interrupted.reason = "interrupted"
    interrupted.first = []
    nothing.windows = []
    assert [each.document()["ok"] for each in (failed, interrupted, nothing)] == [False, False, False]
    assert failed.document()["failures"] == ["rows 1 to 20: 503 no"]
    refused = report()
    refused.refused = ["row 7: 400 x is not a number"]
    assert [refused.document()[key] for key in ("ok", "failed_requests", "refused")] == [True, 1, refused.refused]
    # What was replayed until then is told; without all of the first model's answers nothing is said of it.
    assert interrupted.document()["score"] == pytest.approx(0.75)
    assert interrupted.document()["score_without_retraining"] is None


@pytest.mark.parametrize(
    ("fell", "begun", "count"),
    [
        ([False, False, False], [1], 1),
        ([False, True, False], [1], 0),
        ([True, False, False, False], [2], 0),
        ([True, False, False, False], [3], 1),
        ([False, True], [0, 1], 1),
    ],
)
def test_an_alarm_is_false_when_no_window_that_it_looks_at_had_fallen(fell: list[bool], begun: list[int], count: int) -> None:
    assert false_alarms(fell, begun, 2) == count


@pytest.mark.parametrize(
    ("bad", "fell"),
    [("..B..", "....."), (".BB..", ".FF.."), ("B.B..", "F.F.."), ("B..BB", "...FF"), ("B..B.", "....."), ("....B", ".....")],
)
def test_one_bad_window_is_chance(bad: str, fell: str) -> None:
    assert lasting([mark == "B" for mark in bad], WindowAlarm(needed=2, windows=3)) == [mark == "F" for mark in fell]


@pytest.mark.parametrize(
    ("fell", "begun", "delay"),
    [
        ("...", [0], None),
        (".F.", [], None),
        (".FF", [2], 1),
        (".F.", [1], 0),
        (".F.F", [0, 3], 2),
        (".FF", [0], None),
    ],
)
def test_the_delay_counts_from_the_first_fall_to_the_first_alarm_that_begins(fell: str, begun: list[int], delay: int | None) -> None:
    assert detection_delay([mark == "F" for mark in fell], begun) == delay


def test_an_alarm_that_rang_before_the_fall_is_false_and_has_not_found_it() -> None:
    found = report()
    found.alarm = WindowAlarm(needed=2, windows=2)
    found.plan = Plan(200, 100, 0)
    ringing = ("drift",)
    found.windows = [window(0, 0.9, alarms=ringing), window(1, 0.9, alarms=ringing)]
    found.windows += [window(number, 0.6, alarms=ringing) for number in (2, 3)]
    document = found.document()
    assert [each["fell"] for each in document["windows"]] == [False, False, True, True]
    assert (document["false_alarms"], document["detection_delay"]) == (1, None)
    assert detected(document) == "an alarm rang already before the quality fell"
    found.windows[3] = window(3, 0.6, alarms=("drift", "quality"))
    assert found.document()["detection_delay"] == 1


def test_a_lone_bad_window_is_no_fall_and_its_alarm_is_false() -> None:
    found = report()
    found.windows = [window(0, 0.9), window(1, 0.6, alarms=("quality",)), window(2, 0.9)]
    found.first = [each.tally for each in found.windows]
    document = found.document()
    assert [each["fell"] for each in document["windows"]] == [False, False, False]
    assert (document["false_alarms"], document["detection_delay"]) == (1, None)


def test_windows_that_nobody_answered_are_not_ok_and_name_no_version() -> None:
    found = report()
    found.windows = [replace(each, answered=0, versions={}, tally=Tally(Metric.ACCURACY)) for each in found.windows]
    found.refused = ["row 201: 400 x is not a number"]
    document = found.document()
    assert (document["ok"], document["score"], document["failed_requests"]) == (False, None, 1)
    assert {each["version"] for each in document["windows"]} == {None}
    assert window_line(found, found.windows[0]) == "accuracy unknown, not enough data, no answer"
    assert "None" not in page(document, "a replay")


def test_an_alarm_begins_once() -> None:
    assert onsets([(), ("drift",), ("drift",), ("drift", "quality"), (), ("drift",)]) == [1, 3, 5]


def test_the_headline_is_what_says_most() -> None:
    assert headline([]) is None
    assert headline([decision(What.MODEL_APPROVED)]) is None
    both = [decision(What.RETRAINING_STARTED), decision(What.CHALLENGER_LOST)]
    assert (found := headline(both)) is not None
    assert found.what is What.CHALLENGER_LOST


def test_a_window_says_which_version_and_why_it_was_made() -> None:
    led = [
        decision(What.RETRAINING_STARTED, "drift"),
        decision(What.TRAINING_STARTED, "rows"),
        decision(What.MODEL_APPROVED, "passed its gate"),
        Decision(
            time=START,
            what=What.DEPLOYMENT_FINISHED,
            subject="arn:aws:sagemaker:r:1:model-package/tides-dev/2",
            why="it serves",
            by="a test",
        ),
    ]
    assert (decided(led), why(led)) == ("deployment finished, version 2", "drift; passed its gate")
    assert why(led[3:]) == "it serves"
    lost = [led[0], decision(What.CHALLENGER_LOST, "it was worse")]
    assert (decided(lost), why(lost)) == ("challenger lost", "drift; it was worse")
    assert (decided(led[:1]), why(led[:1])) == ("retraining started", "drift")
    assert (decided([]), why([])) == ("", "")


def test_a_fall_without_an_alarm_is_told_apart_from_one_that_was_mended() -> None:
    found = report()
    assert detected(found.document()) == "1 window"
    quiet = [Window(each.start, each.end, each.rows, 100, each.tally, each.versions, None, (), (), 1.0) for each in found.windows]
    found.windows = quiet
    assert detected(found.document()) == "no alarm, but another version took over"
    found.windows = quiet[:3]
    assert detected(found.document()) == "no alarm"
    found.windows = quiet[:1]
    assert detected(found.document()) == "the quality did not fall"


def test_a_version_that_came_too_late_is_named() -> None:
    found = report()
    arn = found.versions[0].arn
    found.windows[2] = window(2, 0.6, Decision(time=START, what=What.DEPLOYMENT_FINISHED, subject=arn, why="it serves", by="a test"))
    assert found.unused() == []
    del found.windows[3:]
    assert found.unused() == [2]
    assert "version 2 was deployed after the last window: it answered none of these rows" in summary(found)


def test_bars_are_on_one_scale_and_higher_is_better() -> None:
    lines = chart(report(), BARS)
    assert lines[1].endswith("|@..@|")
    assert lines[2].endswith("|@...|")
    assert lines[3].endswith("|..A.|")
    assert lines[4].endswith("|1112|")
    errors = Report(Metric.RMSE, "tides.csv", Plan(200, 100, 0, retrain=False))
    errors.windows = [window(0, 0.9), window(1, 0.9)]
    errors.windows = [
        Window(each.start, each.end, each.rows, 100, Tally(Metric.RMSE, 100, loss), {1: 100}, None, (), (), 1.0)
        for each, loss in zip(errors.windows, (100.0, 400.0), strict=True)
    ]
    assert chart(errors, BARS)[1].endswith("|@.|")


def test_the_summary_says_what_retraining_gained() -> None:
    assert summary(report()) == [
        "accuracy 0.7500 over 400 labelled rows of 400 in 4 windows",
        "accuracy 0.6750 without retraining; 1 retraining gained +0.0750",
        "false alarms 0, detection delay: 1 window",
        "40 requests, failed requests = 0, 12 s",
    ]
    never = report()
    never.windows[2] = window(2, 0.6)
    assert summary(never)[1] == "accuracy 0.6750 without retraining; nothing was retrained"
    output = Output()
    output.console = Console(file=io.StringIO(), width=200)
    show_report(output, report())
    shown = output.console.file
    assert isinstance(shown, io.StringIO)
    assert "deployment finished" in shown.getvalue()
    assert "1 retraining gained +0.0750" in shown.getvalue()


def test_the_page_draws_every_window_and_trusts_no_text() -> None:
    document = report().document()
    document["windows"][2]["why"] = "<script>alert(1)</script>"
    drawn = page(document, "tides & <moons>")
    assert "<script>" not in drawn
    assert "<title>tides &amp; &lt;moons&gt;</title>" in drawn
    assert "<th>moon &lt;age&gt; from</th>" not in drawn
    ordered = report()
    ordered.order_by, ordered.places = "moon <age>", ["1", "8", "<15>", "22"]
    placed = page(ordered.document(), "by moon")
    assert "<th>moon &lt;age&gt; from</th>" in placed
    assert '<td class="number">&lt;15&gt;</td>' in placed
    lines = re.findall(r'<polyline class="(\w+)" points="([^"]+)"', drawn)
    places = {name: [tuple(map(float, point.split(","))) for point in points.split()] for name, points in lines}
    assert [len(places[name]) for name in ("loop", "first")] == [4, 4]
    # Window 4: the loop is back at its best, which is higher on the page, and the first model is not.
    assert places["loop"][3][1] == places["loop"][0][1] < places["first"][3][1] == places["first"][2][1]
    assert drawn.count('<rect class="alarm"') == 1
    interrupted = report()
    interrupted.first = []
    interrupted.reason = "interrupted"
    told = page(interrupted.document(), "so far")
    assert '<polyline class="first" points=""/>' in told
    assert "The replay did not come to its end: interrupted." in told
    assert "did not come to its end" not in drawn
