"""What the search tries: seeded configurations of two families, each one scikit-learn Pipeline of features and estimator.

linear      scaling; logistic or ridge regression
boosting    gradient boosted trees over histograms

In both, missing numbers become the median, with a feature that says so, and categories are one-hot; rare ones (and, when there are rare
ones, unknown ones) share a column. The first candidate of each family is a sound default, so that a search of two is already useful. Only
scikit-learn's own types are used: see TRUSTED in stored.py. An estimator of another type is served from the pipeline itself, slowly, until
export/graph.py knows it.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from contracts.columns import ColumnKind
from contracts.evaluation import Problem
from contracts.signature import Signature
from training.frame import Column, number_names, text_names

RARE = 5  # rows; a category seen less often shares a column with the other rare ones
CATEGORIES = 64  # columns a categorical feature may take


class Family(StrEnum):
    """Kinds of estimator."""

    LINEAR = "linear"
    BOOSTING = "boosting"


class Candidate(BaseModel):
    """One configuration. `parameters` are the estimator's, under scikit-learn's names."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    family: Family
    parameters: dict[str, int | float]


def propose(problem: Problem, count: int, seed: int) -> list[Candidate]:
    """`count` configurations, the families in turn. A longer list starts with the shorter one of the same seed."""
    generator = np.random.default_rng(seed)
    families = [(Family.LINEAR, Family.BOOSTING)[number % 2] for number in range(count)]
    return [default(problem, family) if number < 2 else _draw(problem, family, generator) for number, family in enumerate(families)]


def default(problem: Problem, family: Family) -> Candidate:
    """A family's sound default."""
    if family is Family.LINEAR:
        return Candidate(family=family, parameters={_strength(problem): 1.0})
    return Candidate(
        family=family,
        parameters={"learning_rate": 0.05, "max_iter": 150, "max_leaf_nodes": 6, "min_samples_leaf": 20, "l2_regularization": 1.0},
    )


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
    numbers: Any = Pipeline([("impute", imputer), ("scale", StandardScaler())]) if candidate.family is Family.LINEAR else imputer
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
    return pipeline.fit(frame, target) if weights is None else pipeline.fit(frame, target, estimate__sample_weight=weights)


def _estimator(candidate: Candidate, problem: Problem, seed: int) -> Any:
    regression = problem is Problem.REGRESSION
    if candidate.family is Family.LINEAR:
        return Ridge(**candidate.parameters) if regression else LogisticRegression(**candidate.parameters, max_iter=1000)
    kind = HistGradientBoostingRegressor if regression else HistGradientBoostingClassifier
    return kind(**candidate.parameters, early_stopping=False, random_state=seed)
