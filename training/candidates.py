"""What the search tries: seeded configurations of three families, each one scikit-learn Pipeline of features and estimator.

blend       the mean of a linear model's, small trees' and large trees' answers
linear      logistic or ridge regression
boosting    gradient boosted trees over histograms

In all of them missing numbers become the median, with a feature that says so, and categories are one-hot; rare ones (and, when there are
rare ones, unknown ones) share a column. Numbers are scaled where trees are not alone. The first candidates are sound defaults, the blend
before all: models that are wrong in different ways are wrong less often together, above all about rows of a later time than those that
they were chosen by (docs/adr/0026). Only scikit-learn's own types are used: see TRUSTED in stored.py. An estimator of another type is
served from the pipeline itself, slowly, until export/graph.py knows it.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor, VotingClassifier, VotingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from contracts.columns import ColumnKind
from contracts.evaluation import Problem
from contracts.signature import Signature
from training.frame import Column, number_names, text_names

RARE = 5  # rows; a category seen less often shares a column with the other rare ones
CATEGORIES = 64  # columns a categorical feature may take
ROWS_FOR_THREADS = 10_000  # with fewer, one thread is as fast as many that wait for each other, and takes half the processor


class Family(StrEnum):
    """Kinds of estimator."""

    BLEND = "blend"
    LINEAR = "linear"
    BOOSTING = "boosting"


Parameters = dict[str, int | float]

SMALL_TREES: Parameters = {
    "learning_rate": 0.05,
    "max_iter": 150,
    "max_leaf_nodes": 6,
    "min_samples_leaf": 20,
    "l2_regularization": 1.0,
}
LARGE_TREES: Parameters = {
    "learning_rate": 0.1,
    "max_iter": 100,
    "max_leaf_nodes": 31,
    "min_samples_leaf": 20,
    "l2_regularization": 0.0,
}
"""scikit-learn's defaults, by name."""


class Candidate(BaseModel):
    """One configuration. `parameters` are the estimator's, under scikit-learn's names; a blend has none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    family: Family
    parameters: Parameters


def propose(problem: Problem, count: int, seed: int) -> list[Candidate]:
    """`count` configurations: the sound ones, then drawn ones of the families in turn. A longer list starts with the shorter one."""
    generator = np.random.default_rng(seed)
    sound = [default(problem, Family.BLEND), *_members(problem).values()]
    families = (Family.LINEAR, Family.BOOSTING)
    return sound[:count] + [_draw(problem, families[number % 2], generator) for number in range(count - len(sound))]


def default(problem: Problem, family: Family) -> Candidate:
    """A family's sound default."""
    parameters: dict[Family, Parameters] = {Family.BLEND: {}, Family.LINEAR: {_strength(problem): 1.0}, Family.BOOSTING: SMALL_TREES}
    return Candidate(family=family, parameters=parameters[family])


def _members(problem: Problem) -> dict[str, Candidate]:
    """What a blend is made of, by name."""
    return {
        "linear": default(problem, Family.LINEAR),
        "small": default(problem, Family.BOOSTING),
        "large": Candidate(family=Family.BOOSTING, parameters=LARGE_TREES),
    }


def _draw(problem: Problem, family: Family, generator: np.random.Generator) -> Candidate:
    if family is Family.LINEAR:
        return Candidate(family=family, parameters={_strength(problem): _rounded(10 ** generator.uniform(-2.5, 1.5))})
    return Candidate(
        family=family,
        parameters={
            "learning_rate": _rounded(10 ** generator.uniform(-1.7, -0.9)),
            "max_iter": int(generator.integers(80, 251)),
            "max_leaf_nodes": round(2 ** generator.uniform(2, 5)),
            "min_samples_leaf": int(generator.integers(10, 51)),
            "l2_regularization": _rounded(10 ** generator.uniform(-1, 1)),
        },
    )


def _strength(problem: Problem) -> str:
    return "alpha" if problem is Problem.REGRESSION else "C"


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def build(candidate: Candidate, problem: Problem, features: Mapping[str, ColumnKind], seed: int) -> Pipeline:
    """The candidate's pipeline, unfitted."""
    # A feature may hold no value at all, in one fold or everywhere; it is then kept as zeros.
    imputer = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    numbers: Any = imputer if candidate.family is Family.BOOSTING else Pipeline([("impute", imputer), ("scale", StandardScaler())])
    categories = OneHotEncoder(
        handle_unknown="infrequent_if_exist", min_frequency=RARE, max_categories=CATEGORIES, sparse_output=False, dtype=np.float64
    )
    parts = [("numbers", numbers, number_names(features)), ("categories", categories, text_names(features))]
    encode = ColumnTransformer([part for part in parts if part[2]], sparse_threshold=0)
    return Pipeline([("encode", encode), ("estimate", _estimator(candidate, problem, seed))])


def fit(
    candidate: Candidate, signature: Signature, frame: pd.DataFrame, target: Column, seed: int, weights: NDArray[np.float64] | None = None
) -> Pipeline:
    """The candidate's pipeline, fitted on rows of these weights."""
    pipeline = build(candidate, signature.problem, signature.features, seed)
    more = {} if weights is None else {"estimate__sample_weight": weights}
    with threadpool_limits(1 if len(target) < ROWS_FOR_THREADS else None):
        return pipeline.fit(frame, target, **more)


def _estimator(candidate: Candidate, problem: Problem, seed: int) -> Any:
    regression = problem is Problem.REGRESSION
    if candidate.family is Family.BLEND:
        members = [(name, _estimator(member, problem, seed)) for name, member in _members(problem).items()]
        return VotingRegressor(members) if regression else VotingClassifier(members, voting="soft")
    if candidate.family is Family.LINEAR:
        return Ridge(**candidate.parameters) if regression else LogisticRegression(**candidate.parameters, max_iter=1000)
    kind = HistGradientBoostingRegressor if regression else HistGradientBoostingClassifier
    return kind(**candidate.parameters, early_stopping=False, random_state=seed)
