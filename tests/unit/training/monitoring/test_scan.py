"""Reading: however captures are cut, ordered, repeated or broken, the same summary comes out and every line is accounted for."""

import random
import weakref
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.training.monitoring import traffic
from training.monitoring import scan as scanning
from training.monitoring.captures import Shard, find_shards, read_blocks
from training.monitoring.scan import Scanner, WindowSummary, scan_window

ROWS = traffic.rows(60, 5)
SHAPES = ("instances", "pretty", "list", "lines", "base64", "csv")
same_folder = settings(deadline=None, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])


def mixed(count: int = 60) -> list[str]:
    """Requests of every shape, some with several rows, some holes, a strange city, lines that are none, one outside the window."""
    lines = []
    for number in range(count):
        records = [dict(ROWS[number])] if number % 7 else [dict(row) for row in ROWS[number : number + 3]]
        if number % 11 == 0:
            records[0]["income"] = None
        if number % 13 == 0:
            records[0]["city"] = "Chur"
        lines.append(traffic.line(records, number, SHAPES[number % len(SHAPES)], minute=number if number != 9 else 500))
    return [*lines[:20], "not json", *lines[20:40], '{"captureData": {}}', *lines[40:], ""]


def test_every_shape_of_a_request_gives_the_same_columns(tmp_path: Path) -> None:
    records = [row | {"income": None} if number % 9 == 0 else row for number, row in enumerate(ROWS)]
    found = []
    for shape in SHAPES:
        traffic.write(tmp_path / shape, [traffic.line([row], number, shape) for number, row in enumerate(records)])
        found.append(traffic.comparable(traffic.whole(tmp_path / shape)))
    assert found[0]["tally"]["rows"] == len(ROWS)
    assert all(columns == found[0] for columns in found[1:])


@same_folder
@given(size=st.integers(3000, 40_000), order=st.randoms(use_true_random=False), files=st.integers(1, 4))
def test_chunks_files_and_order_change_nothing(
    tmp_path_factory: pytest.TempPathFactory, size: int, order: random.Random, files: int
) -> None:
    folder = tmp_path_factory.mktemp("captures")
    lines = mixed()
    traffic.write(folder / "whole", lines)
    expected = traffic.whole(folder / "whole")
    order.shuffle(lines)
    for number in range(files):
        traffic.write(folder / "parts", lines[number::files], f"{number}.jsonl")
    merged = traffic.scanner().empty()
    for shard in find_shards(folder / "parts", size):
        merged.merge(traffic.scanner().scan(shard)[0])
    assert traffic.comparable(merged) == traffic.comparable(expected)


@given(st.lists(st.text("ab\u00e9", max_size=12), max_size=30), st.integers(1, 60), st.integers(1, 40))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_shards_and_blocks_hold_every_line_once(tmp_path_factory: pytest.TempPathFactory, texts: list[str], size: int, block: int) -> None:
    path = tmp_path_factory.mktemp("shards") / "x.jsonl"
    path.write_bytes("\n".join(texts).encode())
    shards = find_shards(path.parent, size)
    read = b"".join(part for shard in shards for part in read_blocks(shard, block))
    assert read == path.read_bytes()


def test_counts_add_up(tmp_path: Path) -> None:
    traffic.write(tmp_path, mixed())
    window = traffic.whole(tmp_path)
    tally = window.tally
    assert (tally.unreadable_lines, tally.outside_window, tally.duplicates) == (2, 1, 0)
    assert tally.records == 59
    assert tally.rows == tally.predictions == 59 + 2 * 9
    for name in traffic.KINDS:
        summary = window.columns[name]
        assert summary.present + summary.missing + summary.invalid + window.absent[name] == tally.rows


def test_an_event_counts_once_wherever_it_is_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [traffic.line([row], number) for number, row in enumerate(ROWS)]
    traffic.write(tmp_path / "once", lines)
    traffic.write(tmp_path / "again", [*lines, *lines[:7]])
    traffic.write(tmp_path / "again", [*lines[50:], *lines[:3]], "b.jsonl")
    monkeypatch.setattr(scanning, "find_shards", lambda source: find_shards(source, 15_000))
    once, _ = scan_window(tmp_path / "once", traffic.scanner(), 1)
    again, files = scan_window(tmp_path / "again", traffic.scanner(), 1)
    assert (again.tally.duplicates, files) == (20, 2)
    again.tally.duplicates = 0
    assert traffic.comparable(again) == traffic.comparable(once)


def test_few_summaries_are_there_at_a_time_also_when_events_are_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [traffic.line([row], number) for number, row in enumerate(ROWS)]
    traffic.write(tmp_path, [*lines, *lines[:9]])
    monkeypatch.setattr(scanning, "find_shards", lambda source: find_shards(source, 4000))
    made: list[weakref.ref[WindowSummary]] = []
    held: list[int] = []

    class Counted(Scanner):
        """Knows how many of its summaries are still held."""

        def empty(self) -> WindowSummary:
            found = super().empty()
            made.append(weakref.ref(found))
            held.append(sum(each() is not None for each in made))
            return found

    plain = traffic.scanner()
    window, _ = scan_window(tmp_path, Counted(plain.window, plain.judged, plain.baseline, plain.signature, plain.labels), 1)
    assert window.tally.duplicates == 9
    assert len(made) > 10
    assert max(held) <= 4


def test_the_number_of_processes_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for hour in (10, 11):
        traffic.write(tmp_path, mixed(), hour=hour)
    monkeypatch.setattr(scanning, "SMALL", 0)
    results: list[WindowSummary] = [scan_window(tmp_path, traffic.scanner(), workers)[0] for workers in (1, 2)]
    assert results[0].tally.records == 118
    assert traffic.comparable(results[0]) == traffic.comparable(results[1])


def test_a_window_ends_before_its_end(tmp_path: Path) -> None:
    traffic.write(tmp_path, [traffic.line([row], minute, minute=minute) for minute, row in zip((-1, 0, 119, 120), ROWS, strict=False)])
    tally = traffic.whole(tmp_path).tally
    assert (tally.records, tally.outside_window) == (2, 2)


def test_what_does_not_fit_is_counted_by_column(tmp_path: Path) -> None:
    good, *others = ROWS[:6]
    lacking = {name: value for name, value in others[0].items() if name != "age"}
    lines = [
        traffic.line([good], 0),
        traffic.line([lacking], 1),
        traffic.line([others[1] | {"shoe": 42}], 2),
        traffic.line([others[2] | {"age": "old", "city": 7}], 3),
        traffic.line([others[3]], 4, output='{"error": "no"}'),
        traffic.line([{}], 5).replace('{\\"instances\\": [{}]}', "broken"),
    ]
    traffic.write(tmp_path, lines)
    window = traffic.whole(tmp_path)
    assert window.absent == {"age": 1}
    assert window.extra.counts == {"shoe": 1}
    assert (window.columns["age"].invalid, window.columns["city"].invalid, window.columns["age"].present) == (1, 1, 3)
    assert (window.tally.unreadable_requests, window.tally.unreadable_answers, window.tally.rows) == (1, 1, 5)


def test_an_empty_folder_is_an_empty_window(tmp_path: Path) -> None:
    window, files = scan_window(tmp_path, traffic.scanner(), 2)
    assert (window.tally.records, files) == (0, 0)


def test_shards_are_ordered_by_path(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a.jsonl"):
        traffic.write(tmp_path, ["x" * 10], name)
    assert [(shard.path.name, shard.start, shard.stop) for shard in find_shards(tmp_path, 6)] == [
        ("a.jsonl", 0, 6),
        ("a.jsonl", 6, 11),
        ("b.jsonl", 0, 6),
        ("b.jsonl", 6, 11),
    ]
    assert list(read_blocks(Shard(find_shards(tmp_path)[0].path, 6, 11))) == []
