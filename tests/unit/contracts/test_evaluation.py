"""The gate: better than the baseline, not below the minimum, not clearly worse than the champion."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from contracts.evaluation import (
    CHANCE,
    METRICS,
    Champion,
    Gate,
    GateMode,
    GateRules,
    Metric,
    Problem,
    compared_metrics,
    default_metric,
)

scores = st.floats(0.01, 1, allow_nan=False)


def scored(metric: Metric, score: float | None, gain_error: float = 0) -> Champion | None:
    """A champion with one score."""
    return None if score is None else Champion(model_package_arn="arn", metrics={metric: score}, gain_errors={metric: gain_error})


def decide(rules: GateRules, metric: Metric, challenger: float, baseline: float, champion: Champion | None, fresh: bool = False) -> Gate:
    """What the gate says about these scores."""
    return rules.decide(metric, {metric: challenger}, {metric: baseline}, champion, fresh)


def test_a_good_first_model_passes() -> None:
    assert decide(GateRules(), Metric.ROC_AUC, challenger=0.8, baseline=0.5, champion=None).passed


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
    gate = decide(GateRules(minimum=minimum), metric, challenger, baseline, scored(metric, champion))
    assert not gate.passed
    assert any(word in reason for reason in gate.reasons)


def test_a_dry_run_reports_and_passes() -> None:
    gate = decide(GateRules(mode=GateMode.DRY_RUN), Metric.ACCURACY, 0.1, 0.5, scored(Metric.ACCURACY, 0.9))
    assert gate.passed
    assert len(gate.reasons) == 2


@given(metric=st.sampled_from(list(Metric)), champion=scores, tolerance=st.floats(0, 0.5))
def test_the_champion_itself_is_never_worse_than_the_champion(metric: Metric, champion: float, tolerance: float) -> None:
    worst = 0.0 if metric.higher_is_better else 2.0
    assert decide(GateRules(tolerance=tolerance), metric, champion, worst, scored(metric, champion)).passed


def test_what_chance_explains_is_not_worse() -> None:
    rules = GateRules(tolerance=0.02)
    assert decide(rules, Metric.ROC_AUC, 0.54, 0.5, scored(Metric.ROC_AUC, 0.58, gain_error=0.05)).passed
    assert not decide(rules, Metric.ROC_AUC, 0.54, 0.5, scored(Metric.ROC_AUC, 0.58, gain_error=0.01)).passed


@given(metric=st.sampled_from(list(Metric)), before=scores, error=st.floats(0, 0.2), behind=st.floats(0, 3))
def test_on_fresh_rows_a_challenger_may_seem_as_much_worse_as_chance_explains(
    metric: Metric, before: float, error: float, behind: float
) -> None:
    assume(abs(behind - CHANCE) > 1e-6 and error > 1e-6)
    after = before - behind * error if metric.higher_is_better else before + behind * error
    worst = -10.0 if metric.higher_is_better else 10.0
    gate = decide(GateRules(tolerance=0.5), metric, after, worst, scored(metric, before, error), fresh=True)
    assert gate.passed == (behind < CHANCE)


def test_on_fresh_rows_a_better_order_does_not_make_up_for_more_mistakes() -> None:
    champion = Champion(
        model_package_arn="arn",
        metrics={Metric.ROC_AUC: 0.8, Metric.ACCURACY: 0.75},
        gain_errors=dict.fromkeys(compared_metrics(Problem.BINARY, Metric.ROC_AUC, fresh=True), 0.01),
    )
    scores = {Metric.ROC_AUC: 0.85, Metric.ACCURACY: 0.72}
    gate = GateRules().decide(Metric.ROC_AUC, scores, {Metric.ROC_AUC: 0.5}, champion, fresh=True)
    assert gate.reasons == ("accuracy 0.7200 is worse than the champion's 0.7500 on the same fresh rows, by more than 0.0164",)


@pytest.mark.parametrize(("accuracy", "passed"), [(0.83, True), (0.60, False)])
def test_on_fresh_rows_clearly_fewer_mistakes_make_up_for_a_worse_order(accuracy: float, passed: bool) -> None:
    champion = Champion(
        model_package_arn="arn",
        metrics={Metric.ROC_AUC: 0.995, Metric.ACCURACY: 0.59},
        gain_errors=dict.fromkeys(compared_metrics(Problem.BINARY, Metric.ROC_AUC, fresh=True), 0.01),
    )
    scores = {Metric.ROC_AUC: 0.97, Metric.ACCURACY: accuracy}
    assert GateRules().decide(Metric.ROC_AUC, scores, {Metric.ROC_AUC: 0.5}, champion, fresh=True).passed is passed


def test_what_is_compared() -> None:
    assert compared_metrics(Problem.BINARY, Metric.ROC_AUC, fresh=False) == (Metric.ROC_AUC,)
    assert compared_metrics(Problem.MULTICLASS, Metric.ACCURACY, fresh=True) == (Metric.ACCURACY,)
    assert compared_metrics(Problem.REGRESSION, Metric.MAE, fresh=True) == (Metric.MAE, Metric.RMSE)


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


def test_where_nearly_all_rows_are_of_one_class_better_chances_are_enough() -> None:
    challenger, baseline = {Metric.ACCURACY: 0.95, Metric.LOG_LOSS: 0.15}, {Metric.ACCURACY: 0.95, Metric.LOG_LOSS: 0.2}
    assert GateRules().decide(Metric.ACCURACY, challenger, baseline, None, fresh=False).passed
    assert not GateRules().decide(Metric.ACCURACY, baseline, baseline, None, fresh=False).passed


@pytest.mark.parametrize(("champion", "passed"), [(0.45, True), (0.52, False)])
def test_a_champion_that_a_change_made_useless_is_what_must_be_beaten(champion: float, passed: bool) -> None:
    rival = scored(Metric.ACCURACY, champion, gain_error=0.1)
    assert decide(GateRules(), Metric.ACCURACY, 0.49, 0.5, rival, fresh=True).passed is passed
    assert not decide(GateRules(), Metric.ACCURACY, 0.49, 0.5, rival, fresh=False).passed
