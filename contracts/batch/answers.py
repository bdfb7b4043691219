"""What came back: an output's lines, checked against the part that they are the answers to, as rows of a table."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from contracts.batch.parts import Part
from contracts.batch.rows import Good
from contracts.errors import StateError
from contracts.evaluation import Problem
from contracts.signature import Signature

ROW, ID, PREDICTION, PROBABILITY = "row", "id", "prediction", "probability"
JOINED = "SageMakerOutput"


class Answer(NamedTuple):
    """A row's prediction: {"prediction": ..., "probability"?: ..., "probabilities"?: {...}}."""

    row: int
    id: str
    said: dict[str, Any]


def read_answers(part: Part, lines: Iterable[bytes]) -> Iterator[Answer]:
    """The answers to a part. Raises StateError unless they are to its rows, in their order, and to all of them."""
    count, last = 0, part.first - 1
    for line in lines:
        try:
            found = json.loads(line)
            answer = Answer(found[ROW], found[ID], found[JOINED])
        except (ValueError, KeyError, TypeError) as error:
            raise StateError(f"output {part.output} has a line that is no joined prediction: {error!r}") from None
        if not last < answer.row <= part.last:
            raise StateError(f"output {part.output} has row {answer.row} where one between {last + 1} and {part.last} belongs")
        count, last = count + 1, answer.row
        yield answer
    if count != part.rows:
        raise StateError(f"output {part.output} has {count} predictions for {part.rows} rows")


def read_rows(lines: Iterable[bytes]) -> Iterator[tuple[Good, str]]:
    """A part's own rows, each with its id, to send them again or to list them."""
    for line in lines:
        found = json.loads(line)
        yield Good(found[ROW], line + b"\n"), found[ID]


def columns(signature: Signature) -> tuple[str, ...]:
    """The names of a prediction's columns: probabilities of several classes have one each."""
    if signature.problem is Problem.REGRESSION:
        return (PREDICTION,)
    if signature.problem is Problem.BINARY:
        return (PREDICTION, PROBABILITY)
    return (PREDICTION, *(f"{PROBABILITY}_{name}" for name in signature.classes))


def cells(signature: Signature, said: dict[str, Any]) -> Sequence[Any]:
    """A prediction as cells under `columns`. Raises StateError when it is not as the signature says."""
    try:
        if signature.problem is Problem.REGRESSION:
            return (said[PREDICTION],)
        if signature.problem is Problem.BINARY:
            return (said[PREDICTION], said[PROBABILITY])
        return (said[PREDICTION], *(said["probabilities"][name] for name in signature.classes))
    except (KeyError, TypeError) as error:
        raise StateError(f"a prediction is not as the model's signature says: {error!r}") from None
