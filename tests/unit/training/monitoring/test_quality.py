"""Quality from sums is what scikit-learn says of the rows, however they are cut; errors are of the size that a bootstrap finds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from contracts.evaluation import Metric, Problem
from training.monitoring.quality import ClassQuality, NumberQuality, Quality, quality_of

Rows = tuple[np.ndarray, np.ndarray, np.ndarray]


def classified(classes: int, rows: int, seed: int) -> Rows:
    """Truth, predicted class, probabilities; better than chance."""
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, classes, rows)
    scores = generator.random((rows, classes)) + 0.7 * np.eye(classes)[truth]
    chances = scores / scores.sum(axis=1, keepdims=True)
    return truth.astype(float), chances.argmax(axis=1).astype(float), chances


def whole(problem: Problem, classes: int, rows: Rows) -> Quality:
    """All rows at once."""
    found = quality_of(problem, classes, 3.0)
    found.add(*rows)
    return found


@pytest.mark.parametrize("classes", [2, 4])
def test_classification_is_scikit_learns(classes: int) -> None:
    truth, said, chances = classified(classes, 800, 1)
    problem, average = (Problem.BINARY, "binary") if classes == 2 else (Problem.MULTICLASS, "macro")
    found = {metric: value.value for metric, value in whole(problem, classes, (truth, said, chances)).metrics().items()}
    score = chances[:, 1] if classes == 2 else chances
    assert found == pytest.approx(
        {
            Metric.ACCURACY: metrics.accuracy_score(truth, said),
            Metric.PRECISION: metrics.precision_score(truth, said, average=average),
            Metric.RECALL: metrics.recall_score(truth, said, average=average),
            Metric.F1: metrics.f1_score(truth, said, average=average),
            Metric.ROC_AUC: metrics.roc_auc_score(truth, score, multi_class="ovr"),
            Metric.LOG_LOSS: metrics.log_loss(truth, chances),
        },
        abs=1e-4,
    )


def test_equal_probabilities_count_half() -> None:
    truth, said, chances = classified(2, 500, 4)
    coarse = chances.round(1)
    found = whole(Problem.BINARY, 2, (truth, said, coarse)).metrics()[Metric.ROC_AUC].value
    assert found == pytest.approx(metrics.roc_auc_score(truth, coarse[:, 1]))


def test_regression_is_scikit_learns() -> None:
    generator = np.random.default_rng(2)
    truth = generator.normal(1000, 5, 500)
    said = truth + generator.normal(0, 2, 500)
    found = {metric: value.value for metric, value in whole(Problem.REGRESSION, 0, (truth, said, np.empty((500, 0)))).metrics().items()}
    assert found == pytest.approx(
        {
            Metric.RMSE: metrics.root_mean_squared_error(truth, said),
            Metric.MAE: metrics.mean_absolute_error(truth, said),
            Metric.R2: metrics.r2_score(truth, said),
        },
        rel=1e-6,
    )


@given(st.integers(1, 199), st.sampled_from([2, 3]))
@settings(deadline=None, max_examples=20)
def test_two_parts_merged_are_the_whole(cut: int, classes: int) -> None:
    problem = Problem.BINARY if classes == 2 else Problem.MULTICLASS
    rows = classified(classes, 200, cut)
    left = whole(problem, classes, tuple(part[:cut] for part in rows))  # type: ignore[arg-type]  # three parts stay three
    right = whole(problem, classes, tuple(part[cut:] for part in rows))  # type: ignore[arg-type]  # three parts stay three
    assert isinstance(left, ClassQuality)
    assert isinstance(right, ClassQuality)
    left.merge(right)
    every = whole(problem, classes, rows)
    assert left.metrics().keys() == every.metrics().keys()
    for metric, value in every.metrics().items():
        assert left.metrics()[metric] == pytest.approx(value)


@pytest.mark.parametrize("metric", [Metric.ACCURACY, Metric.F1, Metric.LOG_LOSS])  # Hanley and McNeil's is wider, for scores of any shape
def test_errors_are_about_those_of_a_bootstrap(metric: Metric) -> None:
    rows = classified(2, 400, 7)
    generator = np.random.default_rng(3)
    drawn = [generator.integers(0, 400, 400) for _ in range(150)]
    values = [whole(Problem.BINARY, 2, tuple(part[d] for part in rows)).metrics()[metric].value for d in drawn]  # type: ignore[arg-type]  # as above
    assert whole(Problem.BINARY, 2, rows).metrics()[metric].error == pytest.approx(np.std(values), rel=0.35)


@pytest.mark.parametrize("classes", [2, 3])
def test_a_label_of_a_class_that_the_model_does_not_know_is_one_more_class_that_it_never_hits(classes: int) -> None:
    truth, said, chances = classified(classes, 600, 5)
    truth[::3] = classes + np.arange(200) % 5  # as labels number them: behind the model's own
    problem = Problem.BINARY if classes == 2 else Problem.MULTICLASS
    found = whole(problem, classes, (truth, said, chances)).metrics()
    known = np.minimum(truth, classes)
    assert found[Metric.ACCURACY].value == pytest.approx(metrics.accuracy_score(known, said))
    f1 = metrics.f1_score(known == 1, said == 1) if classes == 2 else metrics.f1_score(known, said, average="macro")
    assert found[Metric.F1].value == pytest.approx(f1)
    given = np.column_stack([chances, np.zeros(600)])
    assert found[Metric.LOG_LOSS].value == pytest.approx(-np.log(given[np.arange(600), known.astype(int)].clip(1e-15)).mean())


def test_an_unknown_class_is_a_wrong_answer_and_one_class_has_no_auc() -> None:
    found = ClassQuality(2, binary=True)
    found.add(np.array([1.0, 1.0]), np.array([1.0, -1.0]), np.array([[0.2, 0.8], [0.5, 0.5]]))
    values = found.metrics()
    assert values[Metric.ACCURACY].value == 0.5
    found.add(np.array([2.0]), np.array([-1.0]), np.array([[0.5, 0.5]]))  # both are unknown, and nobody says that they are the same
    assert found.metrics()[Metric.ACCURACY].value == pytest.approx(1 / 3)
    assert Metric.ROC_AUC not in values


def test_no_labels_no_metrics() -> None:
    assert ClassQuality(2, binary=True).metrics() == {}
    assert NumberQuality(0.0).metrics() == {}
