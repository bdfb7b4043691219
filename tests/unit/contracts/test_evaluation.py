"""The gate: better than the baseline, not below the minimum, not clearly worse than the champion."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.evaluation import METRICS, Champion, GateMode, GateRules, Metric, Problem, default_metric

scores = st.floats(0.01, 1, allow_nan=False)


def scored(metric: Metric, score: float | None, gain_error: float = 0) -> Champion | None:
    """A champion with one score."""
    return None if score is None else Champion(model_package_arn="arn", metrics={metric: score}, gain_error=gain_error)


def test_a_good_first_model_passes() -> None:
    assert GateRules().decide(Metric.ROC_AUC, challenger=0.8, baseline=0.5, champion=None).passed


@pytest.mark.parametrize(
    ("metric", "challenger", "baseline", "champion", "word"),
    [
        (Metric.ROC_AUC, 0.5, 0.5, None, "ignores the features"),
        (Metric.ROC_AUC, 0.65, 0.5, None, "minimum"),
        (Metric.ROC_AUC, 0.80, 0.5, 0.85, "champion"),
        (Metric.RMSE, 12.0, 10.0, None, "ignores the features"),
        (Metric.RMSE, 0.6, 10.0, 0.5, "champion"),
    ],
)
def test_each_rule_says_why(metric: Metric, challenger: float, baseline: float, champion: float | None, word: str) -> None:
    minimum = 0.7 if metric.higher_is_better else None
    gate = GateRules(minimum=minimum).decide(metric, challenger, baseline, scored(metric, champion))
    assert not gate.passed
    assert any(word in reason for reason in gate.reasons)


def test_a_dry_run_reports_and_passes() -> None:
    gate = GateRules(mode=GateMode.DRY_RUN).decide(Metric.ACCURACY, 0.1, 0.5, scored(Metric.ACCURACY, 0.9))
    assert gate.passed
    assert len(gate.reasons) == 2


@given(metric=st.sampled_from(list(Metric)), champion=scores, tolerance=st.floats(0, 0.5))
def test_the_champion_itself_is_never_worse_than_the_champion(metric: Metric, champion: float, tolerance: float) -> None:
    worst = 0.0 if metric.higher_is_better else 2.0
    assert GateRules(tolerance=tolerance).decide(metric, champion, worst, scored(metric, champion)).passed


def test_what_chance_explains_is_not_worse() -> None:
    rules = GateRules(tolerance=0.02)
    assert rules.decide(Metric.ROC_AUC, 0.54, 0.5, scored(Metric.ROC_AUC, 0.58, gain_error=0.05)).passed
    assert not rules.decide(Metric.ROC_AUC, 0.54, 0.5, scored(Metric.ROC_AUC, 0.58, gain_error=0.01)).passed


@given(metric=st.sampled_from(list(Metric)), one=scores, other=scores)
def test_a_gain_one_way_is_a_loss_the_other(metric: Metric, one: float, other: float) -> None:
    assert metric.gain(one, other) == -metric.gain(other, one)


def test_every_problem_has_a_deciding_metric() -> None:
    assert {problem: default_metric(problem) for problem in Problem} == {
        Problem.BINARY: Metric.ROC_AUC,
        Problem.MULTICLASS: Metric.ACCURACY,
        Problem.REGRESSION: Metric.RMSE,
    }
    assert set(METRICS) == set(Problem)


def test_rules_survive_the_way_through_a_job() -> None:
    rules = GateRules(minimum=0.7, tolerance=0.1)
    assert GateRules.from_hyperparameters(rules.hyperparameters()) == rules
