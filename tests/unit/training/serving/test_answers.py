"""Answers in three formats."""

import csv
import json

import numpy as np
import pytest

from contracts.errors import RequestError
from contracts.evaluation import Problem
from contracts.signature import Signature
from tests.unit.training.tables import FEATURES
from training.serving.answers import Answers
from training.serving.media import CSV, JSON, JSON_LINES

BINARY = Signature(problem=Problem.BINARY, target="answer", positive="yes", features=FEATURES, classes=("no", "yes"))
THREE = Signature(problem=Problem.MULTICLASS, target="answer", features=FEATURES, classes=("a", "b", "c"))
NUMBER = Signature(problem=Problem.REGRESSION, target="answer", features=FEATURES)


def test_answers_of_a_binary_model() -> None:
    rows = [
        {"prediction": "yes", "probability": 0.75, "probabilities": {"no": 0.25, "yes": 0.75}},
        {"prediction": "no", "probability": 0.5, "probabilities": {"no": 0.5, "yes": 0.5}},
    ]
    answers, said = Answers(BINARY, {"artifact_sha256": "x"}), np.array([[0.75], [0.5]])
    assert json.loads(answers.write(JSON, said)) == {"predictions": rows, "model": {"artifact_sha256": "x"}}
    assert [json.loads(line) for line in answers.write(JSON_LINES, said).splitlines()] == rows
    assert answers.write(CSV, said) == b"yes,0.75\nno,0.5\n"


def test_answers_of_the_other_problems() -> None:
    three, number = Answers(THREE, {}), Answers(NUMBER, {})
    chances = np.array([[0.2, 0.3, 0.5]])
    assert three.write(CSV, chances) == b"c,0.2,0.3,0.5\n"
    assert json.loads(three.write(JSON_LINES, chances)) == {"prediction": "c", "probabilities": {"a": 0.2, "b": 0.3, "c": 0.5}}
    assert number.write(CSV, np.array([[1.5], [-2.0]])) == b"1.5\n-2.0\n"
    assert json.loads(number.write(JSON, np.array([[1.5]])))["predictions"] == [{"prediction": 1.5}]


def test_any_text_may_be_a_class() -> None:
    odd = ('%b "%s"', "a,b\nc", "ö%")
    signature = THREE.model_copy(update={"classes": odd})
    answers, said = Answers(signature, {}), np.eye(3)
    assert [row["prediction"] for row in json.loads(answers.write(JSON, said))["predictions"]] == list(odd)
    assert [row[0] for row in csv.reader(answers.write(CSV, said).decode().splitlines(keepends=True))] == list(odd)


@pytest.mark.parametrize("kind", [JSON, JSON_LINES, CSV])
def test_what_is_no_number_is_never_answered(kind: str) -> None:
    for wrong in (np.nan, np.inf):
        with pytest.raises(RequestError, match="row 2: its numbers are beyond what the model can compute with"):
            Answers(NUMBER, {}).write(kind, np.array([[1.0], [wrong]]))
