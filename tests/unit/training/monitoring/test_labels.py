"""Ground truth: joined by inference id and row, corrected by the later file, and never silently dropped."""

from pathlib import Path

import numpy as np
import pytest

from tests.unit.training.monitoring import traffic
from training.monitoring import labels as reading
from training.monitoring.labels import OTHERS, LabelReader, Labels
from training.monitoring.quality import ClassQuality
from training.monitoring.scan import scan_window

ROWS = traffic.rows(6, 3)


def test_labels_join_by_inference_id_and_row(tmp_path: Path) -> None:
    traffic.write(tmp_path / "captures", [traffic.line([ROWS[0]], 1), traffic.line(ROWS[1:4], 2), traffic.line([ROWS[4]], 3)])
    # The answers of request 2 are 0.74, 0.85 and 0.96: yes, yes, yes; that of request 1 is 0.37: no.
    lines = [traffic.truth("inference-1", "no"), traffic.truth("inference-2-1", "yes"), traffic.truth("inference-2-3", "no")]
    traffic.write(tmp_path / "truth", [*lines, traffic.truth("inference-99", "yes"), traffic.truth("inference-2", "yes")])
    labels = Labels.read(tmp_path / "truth", traffic.SIGNATURE)
    window, _ = scan_window(tmp_path / "captures", traffic.scanner(labels), 1)
    assert (window.tally.predictions, window.tally.labels) == (5, 3)
    assert isinstance(window.quality, ClassQuality)
    assert window.quality.confusion.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 0]]


def test_the_later_label_is_taken_and_what_is_none_is_counted(tmp_path: Path) -> None:
    traffic.write(tmp_path, [traffic.truth("a", "yes"), traffic.truth("b", "no"), "nonsense", traffic.truth("c", " ")], hour=10)
    traffic.write(tmp_path, [traffic.truth("a", "no"), traffic.truth("b", "no")], hour=12)
    labels = Labels.read(tmp_path, traffic.SIGNATURE)
    assert (labels.unreadable, labels.repeated) == (2, 2)
    np.testing.assert_array_equal(labels.of(["a", "b", "c", "z"]), [0, 0, np.nan, np.nan])


def test_labels_that_model_monitor_merged_count_too(tmp_path: Path) -> None:
    merged = traffic.line([ROWS[0]], 1).replace('"eventVersion"', '"groundTruthData": {"data": "yes", "encoding": "CSV"}, "eventVersion"')
    broken = traffic.line([ROWS[0]], 2).replace('"eventVersion"', '"groundTruthData": {"data": "", "encoding": "CSV"}, "eventVersion"')
    traffic.write(tmp_path, [merged, broken])
    tally = traffic.whole(tmp_path).tally
    assert (tally.labels, tally.unreadable_labels) == (1, 1)


def test_a_class_that_the_model_does_not_know_is_a_label_and_never_a_hit(tmp_path: Path) -> None:
    merged = traffic.line([ROWS[5]], 3).replace('"eventVersion"', '"groundTruthData": {"data": "maybe"}, "eventVersion"')
    traffic.write(tmp_path / "captures", [traffic.line([ROWS[0]], 1), traffic.line(ROWS[1:4], 2), merged])
    lines = [traffic.truth("inference-1", "perhaps"), traffic.truth("inference-2-1", "yes"), traffic.truth("inference-2-2", "maybe")]
    traffic.write(tmp_path / "truth", [*lines, traffic.truth("inference-99", "of no answer here")])
    labels = Labels.read(tmp_path / "truth", traffic.SIGNATURE)
    window, _ = scan_window(tmp_path / "captures", traffic.scanner(labels), 1)
    assert isinstance(window.quality, ClassQuality)
    assert window.quality.confusion.tolist() == [[0, 0, 0], [0, 1, 0], [2, 1, 0]]
    assert window.unknown_labels.counts == {"maybe": 2, "perhaps": 1}
    assert (window.tally.labels, labels.unreadable, window.tally.unreadable_labels) == (4, 0, 0)


def test_texts_that_are_no_classes_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "KEPT", 2)
    reader = LabelReader(traffic.SIGNATURE)
    assert [reader.read(text) for text in ("a", "b", "c", "yes", "a", "d")] == [2, 3, 4, 1, 2, 4]
    assert reader.names == ("no", "yes", "a", "b", OTHERS)


def test_no_labels_are_none_for_anybody() -> None:
    assert np.isnan(Labels().of(["a"])).all()


@pytest.mark.parametrize(("text", "value"), [("yes", 1.0), (" no\n", 0.0), ('"yes"', 1.0)])
def test_a_label_is_a_cell_of_csv(text: str, value: float) -> None:
    assert LabelReader(traffic.SIGNATURE).read(text) == value


@pytest.mark.parametrize("text", ["", " ", '""', "yes,no"])
def test_what_is_no_label_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a label must hold a value"):
        LabelReader(traffic.SIGNATURE).read(text)
