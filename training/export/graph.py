"""A fitted estimator as an ONNX graph, in double precision from its input to its answer.

Input   `features`   rows x width, doubles: the encoder's matrix
Output  `answer`     rows x 1: a regression's value, or a binary model's probability of `positive`; rows x classes: their probabilities

The usual converters give trees float32 thresholds or float32 sums: on a threshold's border, or when the classes are nearly even, that
is another decision than scikit-learn's. TreeEnsemble of ai.onnx.ml 5 is double throughout, and sums the trees in scikit-learn's order
when the estimator's first guess is a tree too: the sums are equal to the last bit.
https://onnx.ai/onnx/operators/onnx_aionnxml_TreeEnsemble.html
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor, VotingClassifier, VotingRegressor
from sklearn.linear_model import LogisticRegression, Ridge

from contracts.evaluation import Problem

INPUT, OUTPUT = "features", "answer"
# Fixed, and not the newest that the library knows: the same estimator gives the same bytes under the next release too.
OPSETS = {"": 18, "ai.onnx.ml": 5}
IR_VERSION = 9
PRODUCER = "tidewheel"

Scaling = tuple[NDArray[np.float64], NDArray[np.float64]]


class NotExportableError(Exception):
    """An estimator that has no graph here; the message says which."""


def graph_of(estimator: Any, problem: Problem, width: int, scaling: Scaling | None) -> bytes:
    """model.onnx: the same estimator gives the same bytes. `scaling`: mean and scale of every column. Raises NotExportableError."""
    parts = _Parts()
    source = INPUT
    if scaling is not None:
        mean, scale = parts.constant("mean", scaling[0]), parts.constant("scale", scaling[1])
        source = parts.node("Div", parts.node("Sub", INPUT, mean), scale)
    _, answers = _answer(parts, estimator, problem, source)
    parts.nodes[-1].output[:] = [OUTPUT]  # the last node is the answer
    graph = helper.make_graph(parts.nodes, PRODUCER, [_shape(INPUT, width)], [_shape(OUTPUT, answers)], parts.constants)
    opsets = [helper.make_opsetid(domain, version) for domain, version in OPSETS.items()]
    model: ModelProto = helper.make_model(graph, producer_name=PRODUCER, opset_imports=opsets, ir_version=IR_VERSION)
    serialized: bytes = model.SerializeToString(deterministic=True)
    return serialized


@dataclass
class _Parts:
    """A graph's nodes in their order, and its constants. Names are counted, so that several estimators can stand in one graph."""

    nodes: list[NodeProto] = field(default_factory=list)
    constants: list[TensorProto] = field(default_factory=list)

    def constant(self, name: str, values: Any) -> str:
        """Add a constant; its name."""
        self.constants.append(_tensor(f"{name}{len(self.constants)}", values))
        return str(self.constants[-1].name)

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add a node; the name of what comes out."""
        self.nodes.append(helper.make_node(operator, inputs, [f"{operator.lower()}{len(self.nodes)}"], **attributes))
        return str(self.nodes[-1].output[0])


def _answer(parts: _Parts, estimator: Any, problem: Problem, source: str) -> tuple[str, int]:
    """Add an estimator; (what it answers, in how many columns). A blend is the mean of its members' answers, summed in their order."""
    if isinstance(estimator, VotingClassifier | VotingRegressor):
        members = [_answer(parts, member, problem, source) for member in estimator.estimators_]
        total = reduce(lambda one, other: parts.node("Add", one, other), (name for name, _ in members))
        return parts.node("Div", total, parts.constant("members", [float(len(members))])), members[0][1]
    if isinstance(estimator, LogisticRegression | Ridge):
        weights = np.atleast_2d(estimator.coef_).T
        intercept = parts.constant("intercept", np.atleast_1d(estimator.intercept_))
        raw, answers = parts.node("Gemm", source, parts.constant("weights", weights), intercept), weights.shape[1]
    elif isinstance(estimator, HistGradientBoostingClassifier | HistGradientBoostingRegressor):
        trees = _trees(estimator)
        raw, answers = parts.node("TreeEnsemble", source, **trees.attributes()), trees.targets
    else:
        raise NotExportableError(f"{type(estimator).__name__} has no export")
    link = {Problem.BINARY: "Sigmoid", Problem.MULTICLASS: "Softmax"}.get(problem)
    return (parts.node(link, raw) if link else raw), answers


def _tensor(name: str, values: Any) -> TensorProto:
    return numpy_helper.from_array(np.ascontiguousarray(values, dtype=np.float64), name)


def _shape(name: str, columns: int) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.DOUBLE, ["rows", columns])


def _trees(estimator: Any) -> "_Trees":
    if estimator.loss not in {"log_loss", "squared_error"}:
        raise NotExportableError(f"the loss {estimator.loss!r} has no export")
    # What scikit-learn keeps of the trees is private; the holdout shows whether it was understood (check.py).
    first: Sequence[float] = np.ravel(estimator._baseline_prediction).tolist()
    trees = _Trees(len(first))
    for target, value in enumerate(first):
        trees.add_leaf(target, value)
    for iteration in estimator._predictors:
        for target, predictor in enumerate(iteration):
            trees.add(target, predictor.nodes)
    return trees


@dataclass
class _Trees:
    """TreeEnsemble's attributes, filled tree by tree. A branch is a tuple of what stands in `node` under the attributes' names."""

    targets: int
    roots: list[int] = field(default_factory=list)
    branches: list[list[float]] = field(default_factory=list)
    leaves: list[tuple[int, float]] = field(default_factory=list)

    def add_leaf(self, target: int, value: float) -> None:
        """A tree that says the same of every row: TreeEnsemble wants a branch above each leaf."""
        leaf = self._leaf(target, value)
        self.roots.append(len(self.branches))
        self.branches.append([0, 0.0, leaf, 1, leaf, 1, 0])

    def add(self, target: int, nodes: Any) -> None:
        """scikit-learn's nodes; the first one is the root."""
        if nodes[0]["is_leaf"]:
            self.add_leaf(target, float(nodes[0]["value"]))
        else:
            self.roots.append(self._branch(target, nodes, 0))

    def _branch(self, target: int, nodes: Any, number: int) -> int:
        node = nodes[number]
        if node["is_categorical"]:
            raise NotExportableError("a split by category has no export")
        place = len(self.branches)
        branch: list[float] = [int(node["feature_idx"]), float(node["num_threshold"])]
        self.branches.append(branch)
        for child in (int(node["left"]), int(node["right"])):
            if nodes[child]["is_leaf"]:
                branch += [self._leaf(target, float(nodes[child]["value"])), 1]
            else:
                branch += [self._branch(target, nodes, child), 0]
        branch.append(int(node["missing_go_to_left"]))
        return place

    def _leaf(self, target: int, value: float) -> int:
        self.leaves.append((target, value))
        return len(self.leaves) - 1

    def attributes(self) -> dict[str, Any]:
        """The operator's. Mode 0 goes to the left when the value is at most the threshold; aggregate 1 is the sum."""
        columns: Iterator[Any] = zip(*self.branches, strict=True)
        features, thresholds, left, left_is_leaf, right, right_is_leaf, missing_left = columns
        targets, weights = zip(*self.leaves, strict=True)
        return {
            "domain": "ai.onnx.ml",
            "n_targets": self.targets,
            "aggregate_function": 1,
            "post_transform": 0,
            "tree_roots": self.roots,
            "nodes_featureids": features,
            "nodes_splits": _tensor("thresholds", thresholds),
            "nodes_modes": numpy_helper.from_array(np.zeros(len(features), dtype=np.uint8), "modes"),
            "nodes_truenodeids": left,
            "nodes_trueleafs": left_is_leaf,
            "nodes_falsenodeids": right,
            "nodes_falseleafs": right_is_leaf,
            "nodes_missing_value_tracks_true": missing_left,
            "leaf_targetids": targets,
            "leaf_weights": _tensor("weights", weights),
        }
