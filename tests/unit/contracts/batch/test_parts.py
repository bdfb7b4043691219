"""Every row of a table is predicted, rejected or failed, exactly once, whatever fails."""

import json
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.batch.answers import Answer, cells, columns, read_answers, read_rows
from contracts.batch.parts import MOST_DIVIDED, PART_ROWS, PIECES, ROUNDS, Part, divide, pack, to_divide
from contracts.batch.rows import Good, Rejected, find_columns
from contracts.columns import ColumnKind
from contracts.errors import StateError
from contracts.evaluation import Problem
from contracts.signature import Signature

FEATURES = {"x": ColumnKind.NUMERIC}
SIGNATURE = Signature(problem=Problem.BINARY, target="y", positive="1", features=FEATURES, classes=("0", "1"))


def service(part: Part, content: bytes, poison: set[int]) -> bytes | None:
    """What Batch Transform makes of a part: all of it, or nothing."""
    found = [json.loads(line) for line in content.splitlines()]
    if any(record["row"] in poison for record in found):
        return None
    assert len(found) == part.rows
    lines = [{"row": each["row"], "id": each["id"], "SageMakerOutput": {"prediction": "1", "probability": 0.7}} for each in found]
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def rounds(parts: list[tuple[Part, bytes]], poison: set[int]) -> Iterator[tuple[int, bool]]:
    """(row, whether it has a prediction), as the command finds out, without S3."""
    sent, number, outputs, pieces = dict(parts), 0, dict[str, bytes](), dict[Part, list[Part]]()
    waiting = [part for part, _ in parts]
    while waiting:
        found = {part.output: service(part, sent[part], poison) for part in waiting}
        outputs |= {name: output for name, output in found.items() if output is not None}
        failed, waiting, number = to_divide(number, waiting, outputs), [], number + 1
        assert number <= ROUNDS
        for part in failed:
            divided = dict(divide(part, [row for row, _ in read_rows(sent[part].splitlines())]))
            sent, pieces[part] = sent | divided, list(divided)
            waiting += pieces[part]

    def outcome(part: Part) -> Iterator[tuple[int, bool]]:
        if part.output in outputs:
            yield from ((answer.row, True) for answer in read_answers(part, outputs[part.output].splitlines()))
        elif part in pieces:
            for piece in pieces[part]:
                yield from outcome(piece)
        else:
            yield from ((row.row, False) for row, _ in read_rows(sent[part].splitlines()))

    for part, _ in parts:
        yield from outcome(part)


@given(
    st.lists(st.sampled_from(["1", "2.5", "", "tall"]), max_size=300),
    st.sets(st.integers(0, 299)),
    st.integers(60, 4000),
)
def test_every_row_is_accounted_for_exactly_once_in_order(table: list[str], poison: set[int], size: int) -> None:
    found, _ = find_columns("t.csv", ["x"], FEATURES, None)
    examined = list(found.examine((number, [cell]) for number, cell in enumerate(table)))
    rejected = [row.row for row in examined if isinstance(row, Rejected)]
    outcome = list(rounds(list(pack((row for row in examined if isinstance(row, Good)), size)), poison))
    assert [row for row, _ in outcome] == sorted(row for row, _ in outcome)
    assert sorted([*rejected, *(row for row, _ in outcome)]) == list(range(len(table)))
    assert rejected == [number for number, cell in enumerate(table) if cell == "tall"]
    assert {row for row, good in outcome if not good} == {row for row, _ in outcome} & poison


def goods(count: int) -> list[Good]:
    return [Good(number, json.dumps({"row": number, "id": f"c{number}", "features": {}}).encode() + b"\n") for number in range(count)]


def test_parts_hold_at_most_their_size_or_one_row() -> None:
    rows = goods(10)
    packed = list(pack(rows, 3 * len(rows[0].line)))
    assert [(part.name, part.rows, part.first, part.last) for part, _ in packed][1] == ("00001", 3, 3, 5)
    assert b"".join(content for _, content in packed) == b"".join(row.line for row in rows)
    assert [part.rows for part, _ in pack(rows, 1)] == [1] * 10


@pytest.mark.parametrize("every", [2, 100, 30_000])
def test_however_many_rows_fail_evenly_the_others_are_predicted(every: int) -> None:
    poison, waiting, failed, number = set(range(7, 30_000, every)), [part for part, _ in pack(numbered(30_000))], set[int](), 0
    while waiting:
        outputs = {part.output for part in waiting if poison.isdisjoint(range(part.first, part.last + 1))}
        again = to_divide(number, waiting, outputs)
        failed |= {row for part in waiting if part.output not in outputs and part not in again for row in range(part.first, part.last + 1)}
        waiting = [piece for part in again for piece, _ in divide(part, numbered(part.rows, part.first))]
        number += 1
    assert failed == poison


def numbered(count: int, first: int = 0) -> list[Good]:
    return [Good(number, b"{}\n") for number in range(first, first + count)]


def test_a_row_alone_is_sent_twice_and_no_round_divides_more_than_may_be() -> None:
    many, one = Part("0", 2, 1, 2), Part("1", 1, 3, 3)
    assert to_divide(0, [many, one], {}) == [many, one]
    assert to_divide(1, [many, one], {}) == [many]
    assert to_divide(1, [many, one], {many.output}) == []
    assert to_divide(ROUNDS - 1, [many, one], {one.output}) == []
    parts = [Part(str(number), 2, number, number + 1) for number in range(MOST_DIVIDED + 1)]
    assert to_divide(1, parts, {}) == parts[:-1]


def test_the_last_division_of_the_largest_part_leaves_rows_alone() -> None:
    (whole, _), (rest, _) = pack(numbered(PART_ROWS + 1))
    assert (whole.rows, rest.rows) == (PART_ROWS, 1)
    sizes = whole.rows
    for _ in range(ROUNDS - 1):
        sizes = divide(whole, numbered(sizes))[0][0].rows
    assert sizes == 1


@pytest.mark.parametrize("count", [1, 2, PIECES, PIECES + 1, 1000])
def test_pieces_are_of_about_the_same_size_and_few(count: int) -> None:
    rows = goods(count)
    ((part, content),) = pack(rows, 1 << 30)
    pieces = divide(part, rows)
    assert len(pieces) <= PIECES
    assert b"".join(each for _, each in pieces) == content
    assert [piece.output for piece, _ in pieces] == sorted(piece.output for piece, _ in pieces)
    assert sum(piece.rows for piece, _ in pieces) == count


def answers(*numbers: int) -> Iterable[bytes]:
    return [json.dumps({"row": number, "id": "c", "SageMakerOutput": {"prediction": "1"}}).encode() for number in numbers]


PART = Part("00000", 3, 5, 9)


@pytest.mark.parametrize(
    ("lines", "word"),
    [
        (answers(5, 7), "2 predictions for 3 rows"),
        (answers(5, 7, 7), "row 7 where one between 8 and 9"),
        (answers(5, 7, 10), "row 10"),
        (answers(4, 7, 9), "row 4"),
        (answers(5, 9, 7), "row 7"),
        ([*answers(5, 7), b"oops"], "no joined prediction"),
        ([*answers(5, 7), b'{"row": 9, "id": "c"}'], "no joined prediction"),
    ],
)
def test_an_output_that_is_not_the_parts_is_refused(lines: Iterable[bytes], word: str) -> None:
    with pytest.raises(StateError, match=word):
        list(read_answers(PART, lines))


def test_a_whole_output_is_read() -> None:
    assert [answer.row for answer in read_answers(PART, answers(5, 7, 9))] == [5, 7, 9]


def test_predictions_become_cells_by_problem() -> None:
    several = SIGNATURE.model_copy(update={"problem": Problem.MULTICLASS, "classes": ("a", "b"), "positive": None})
    number = SIGNATURE.model_copy(update={"problem": Problem.REGRESSION, "classes": (), "positive": None})
    said = Answer(1, "c", {"prediction": "a", "probability": 0.7, "probabilities": {"b": 0.3, "a": 0.7}}).said
    assert dict(zip(columns(SIGNATURE), cells(SIGNATURE, said), strict=True)) == {"prediction": "a", "probability": 0.7}
    assert dict(zip(columns(several), cells(several, said), strict=True)) == {"prediction": "a", "probability_a": 0.7, "probability_b": 0.3}
    assert list(cells(number, {"prediction": 3.5})) == [3.5]
    with pytest.raises(StateError, match="not as the model's signature says"):
        cells(SIGNATURE, {"prediction": "a"})
