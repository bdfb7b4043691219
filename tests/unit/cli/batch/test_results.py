"""What a batch leaves here."""

from pathlib import Path

from cli.batch.results import missing_path, open_results
from contracts.batch.answers import Answer
from contracts.batch.rows import Rejected
from contracts.columns import ColumnKind
from contracts.evaluation import Problem
from contracts.signature import Signature


def test_ids_and_classes_stay_what_they_are_in_the_table(tmp_path: Path) -> None:
    """They are what somebody joins by: docs/batch.md says what that means in a spreadsheet."""
    out = tmp_path / "out.csv"
    signature = Signature(target="kind", problem=Problem.BINARY, features={"petal": ColumnKind.NUMERIC}, classes=("-a", "b"))
    with open_results(signature, out, missing_path(out)) as results:
        results.predict(Answer(2, "=1+1", {"prediction": "-a", "probability": 0.5}))
        results.reject(Rejected(3, "@b", "'petal': '=1' is not a number"))
        results.fail(4, "-c", "the model gave no prediction")
    assert out.read_text().splitlines()[1:] == ["2,=1+1,-a,0.5"]
    assert missing_path(out).read_text().splitlines()[1:] == [
        "3,@b,rejected,'petal': '=1' is not a number",
        "4,-c,failed,the model gave no prediction",
    ]


def test_each_result_has_a_list_of_its_own() -> None:
    names = [missing_path(Path(out)).name for out in ("scores.csv", "scores.2026", "scores.2027")]
    assert names == ["scores-missing.csv", "scores.2026-missing.csv", "scores.2027-missing.csv"]
