"""Problems, metrics, the gate, and the evaluation report (evaluation.json) that the gate and the approval policy read."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from contracts.runtime import BEFORE_ONNX, RuntimeCheck


class Problem(StrEnum):
    """What the target is."""

    BINARY = "binary"
    MULTICLASS = "multiclass"
    REGRESSION = "regression"


class Metric(StrEnum):
    """A measure of a model. `roc_auc` of several classes is one-versus-rest, macro-averaged, as are `precision`, `recall` and `f1`.

    Precision and recall are reported by monitoring; no training is decided by one half of F1, so METRICS leaves them out.
    """

    ACCURACY = "accuracy"
    PRECISION = "precision"
    RECALL = "recall"
    F1 = "f1"
    ROC_AUC = "roc_auc"
    LOG_LOSS = "log_loss"
    RMSE = "rmse"
    MAE = "mae"
    R2 = "r2"

    @property
    def higher_is_better(self) -> bool:
        """False for errors and losses."""
        return self not in {Metric.LOG_LOSS, Metric.RMSE, Metric.MAE}

    def gain(self, challenger: float, champion: float) -> float:
        """By how much the challenger is better (negative: worse), in the metric's own unit."""
        return challenger - champion if self.higher_is_better else champion - challenger


METRICS: dict[Problem, tuple[Metric, ...]] = {
    Problem.BINARY: (Metric.ROC_AUC, Metric.ACCURACY, Metric.F1, Metric.LOG_LOSS),
    Problem.MULTICLASS: (Metric.ACCURACY, Metric.F1, Metric.ROC_AUC, Metric.LOG_LOSS),
    Problem.REGRESSION: (Metric.RMSE, Metric.MAE, Metric.R2),
}


def compared_metrics(problem: Problem, metric: Metric, fresh: bool) -> tuple[Metric, ...]:
    """In what challenger and champion are compared: the deciding metric; on fresh rows, as a guard, how often or how far they are wrong."""
    plain = Metric.RMSE if problem is Problem.REGRESSION else Metric.ACCURACY
    return (metric, plain) if fresh and metric is not plain else (metric,)


def default_metric(problem: Problem) -> Metric:
    """The metric that decides when the configuration names none: the first of its problem."""
    return METRICS[problem][0]


class GateMode(StrEnum):
    """`enabled` stops a model that fails, `dry_run` only reports, `disabled` does not look."""

    ENABLED = "enabled"
    DRY_RUN = "dry_run"
    DISABLED = "disabled"


CHANCE = 1.645
"""Standard errors that chance exceeds once in twenty, on one side."""


class _Report(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Gate(_Report):
    """The gate's verdict. `reasons` says every rule that failed, in words; empty when all passed."""

    passed: bool
    mode: GateMode
    reasons: tuple[str, ...] = ()


class Champion(_Report):
    """The model in production, scored on the challenger's holdout.

    `gain_errors` are the standard errors of the challenger's gains over it in the metrics that the gate compares: what a holdout of this
    size cannot tell apart.
    """

    model_package_arn: str
    metrics: dict[Metric, float]
    gain_errors: dict[Metric, Annotated[float, Field(ge=0)]]


class Evaluation(_Report):
    """evaluation.json: everything measured on the holdout. `baseline` is a model that ignores the features."""

    problem: Problem
    metric: Metric
    metrics: dict[Metric, float]
    baseline: dict[Metric, float]
    champion: Champion | None = None
    gate: Gate
    dataset_version: str
    rows: int = Field(gt=0, description="rows of the holdout")
    fresh: bool = Field(default=False, description="the holdout is of live traffic that the champion has not seen")
    artifact_sha256: str = Field(pattern="^[0-9a-f]{64}$")
    runtime: RuntimeCheck = Field(default=BEFORE_ONNX, description="what it is served from")
    former: str | None = Field(default=None, description="the model package that was live before, when this is that model again")
    notes: tuple[str, ...] = Field(default=(), description="what a reader should know, such as a champion that cannot be compared")

    @property
    def score(self) -> float:
        """The deciding metric's value."""
        return self.metrics[self.metric]


class Verdict(StrEnum):
    """The gate's verdict as the pipeline's condition compares it."""

    PASSED = "passed"
    FAILED = "failed"


class Outcome(_Report):
    """outcome.json: what the pipeline's later steps take from evaluate. Flat, and text only, because it goes where AWS wants text."""

    gate: Verdict
    reasons: str
    artifact_sha256: str
    score: str
    libraries: str = Field(description="name=version, separated by spaces")
    runtime: str = Field(description="onnx or skops: what it is served from")
    runtime_difference: str = Field(description="by how much that answers otherwise than scikit-learn, at most; none: it is scikit-learn")


class GateRules(BaseModel):
    """What a model must show before it is registered (training.gate in tidewheel.yaml)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mode: GateMode = GateMode.ENABLED
    minimum: float | None = Field(default=None, description="the deciding metric's worst acceptable value")
    tolerance: float = Field(
        default=0.02, ge=0, description="how much worse than the champion, relative to it, is still accepted on the dataset's holdout"
    )

    def decide(
        self, metric: Metric, challenger: Mapping[Metric, float], baseline: Mapping[Metric, float], champion: Champion | None, fresh: bool
    ) -> Gate:
        """The verdict: better than the baseline, not below the minimum, and not shown to be worse than the champion."""
        if self.mode is GateMode.DISABLED:
            return Gate(passed=True, mode=self.mode)
        score, known = challenger[metric], baseline[metric]
        reasons = []
        # After an abrupt change the champion may itself be no better than guessing: then it is what must be beaten.
        lost = fresh and champion is not None and not _knows_more(metric, champion.metrics, baseline)
        if not lost and not _knows_more(metric, challenger, baseline):
            reasons.append(f"{metric} {score:.4f} is not better than {known:.4f}, which a model that ignores the features reaches")
        if self.minimum is not None and metric.gain(score, self.minimum) < 0:
            reasons.append(f"{metric} {score:.4f} is worse than the minimum of {self.minimum:.4f}")
        if champion is not None:
            reasons += self._worse(metric, challenger, champion, fresh)
        return Gate(passed=not reasons or self.mode is GateMode.DRY_RUN, mode=self.mode, reasons=tuple(reasons))

    def _worse(self, metric: Metric, challenger: Mapping[Metric, float], champion: Champion, fresh: bool) -> Iterator[str]:
        """In what the challenger is shown to be worse.

        By more than chance explains at 95 %, one-sided, and on the dataset's own holdout by more than the tolerance too. Of two models that
        the holdout cannot tell apart, the one on newer data is taken.

        When instruments move, a champion may still order the rows well and call them all the same: then being right more often is enough.
        """
        rows = "fresh rows" if fresh else "holdout"
        guards = [name for name in champion.gain_errors if name is not metric]
        righter = fresh and any(
            name.gain(challenger[name], champion.metrics[name]) > CHANCE * champion.gain_errors[name] for name in guards
        )
        for name, error in champion.gain_errors.items():
            if righter and name is metric:
                continue
            before, after = champion.metrics[name], challenger[name]
            allowed = max(0.0 if fresh else self.tolerance * abs(before), CHANCE * error)
            if name.gain(after, before) < -allowed:
                yield f"{name} {after:.4f} is worse than the champion's {before:.4f} on the same {rows}, by more than {allowed:.4f}"


def _knows_more(metric: Metric, model: Mapping[Metric, float], baseline: Mapping[Metric, float]) -> bool:
    """Whether a model is better than one that ignores the features.

    Where nearly all rows are of one class, no model decides better than to say it always; that one is better then shows in its chances.
    """
    measures = (metric, Metric.LOG_LOSS) if metric in {Metric.ACCURACY, Metric.F1} else (metric,)
    return any(each.gain(model[each], baseline[each]) > 0 for each in measures if each in model and each in baseline)
