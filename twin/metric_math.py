"""Metric math: arithmetic over metrics, for GetMetricData and alarms.

Understood: numbers, ids of other queries, + - * / and parentheses, comparisons (1 or 0), IF(condition, then, else), FILL(m, number), and
SUM, AVG, MIN, MAX of a list in brackets or of METRICS(). Anything else is refused by name. As on AWS, a point of an expression exists where
all of its metrics have one, and a division by zero gives no point. Source:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html.
Modelled: METRICS() is every MetricStat of the request; FILL fills the periods in which any metric of the request has a point; IF has a
point where its condition and the value that it chooses have one.
"""

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from moto.cloudwatch.exceptions import CloudWatchException

Points = dict[int, float]
Value = Points | float
_OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_COMPARISONS: dict[type[ast.cmpop], Callable[[float, float], float]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
}
_AGGREGATES: dict[str, Callable[[list[float]], float]] = {
    "SUM": sum,
    "AVG": lambda values: sum(values) / len(values),
    "MIN": min,
    "MAX": max,
}


def resolve(queries: Sequence[Mapping[str, Any]], read: Callable[[Mapping[str, Any]], Points]) -> dict[str, Points]:
    """The points of every query by its id; `read` gives those of a MetricStat. Raises ValidationError for what is not understood."""
    series = {query["Id"]: read(query["MetricStat"]) for query in queries if "MetricStat" in query}
    waiting = {query["Id"]: parse(query) for query in queries if "MetricStat" not in query}
    metrics = dict(series)
    while waiting:
        ready = [name for name, tree in waiting.items() if not _names(tree) & waiting.keys()]
        if not ready:
            raise _refuse(f"expressions {', '.join(sorted(waiting))} refer to each other")
        for name in ready:
            value = _Evaluation(series, metrics).of(waiting.pop(name))
            series[name] = value if isinstance(value, dict) else {}
    return series


def parse(query: Mapping[str, Any]) -> ast.expr:
    """The tree of a query's Expression. Raises ValidationError."""
    if not query.get("Expression"):
        raise _refuse(f"query {query.get('Id')} has neither MetricStat nor Expression")
    try:
        tree: ast.expr = ast.parse(str(query["Expression"]), mode="eval").body
    except SyntaxError:
        raise _refuse(f"expression {query['Expression']}") from None
    return tree


def check(queries: Sequence[Mapping[str, Any]]) -> None:
    """Stop at an expression that cannot be evaluated, before anything is stored. Raises ValidationError."""
    resolve(queries, lambda _: {0: 1.0})


def _names(tree: ast.expr) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def _refuse(what: str) -> CloudWatchException:
    return CloudWatchException("ValidationError", f"The twin's metric math does not understand {what}.")


class _Evaluation:
    def __init__(self, series: Mapping[str, Points], metrics: Mapping[str, Points]) -> None:
        self._series = series
        self._metrics = metrics

    def of(self, node: ast.expr) -> Value:
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            return float(node.value)
        if isinstance(node, ast.Name) and node.id in self._series:
            return self._series[node.id]
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return _combine(operator.sub, 0.0, self.of(node.operand))
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            return _combine(_OPERATORS[type(node.op)], self.of(node.left), self.of(node.right))
        if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _COMPARISONS:
            compare = _COMPARISONS[type(node.ops[0])]
            return _combine(lambda left, right: float(compare(left, right)), self.of(node.left), self.of(node.comparators[0]))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return self._call(node.func.id.upper(), node)
        raise _refuse(ast.unparse(node))

    def _call(self, function: str, node: ast.Call) -> Value:
        if function == "FILL" and len(node.args) == 2:
            points, filler = self.of(node.args[0]), self.of(node.args[1])
            if isinstance(points, dict) and isinstance(filler, float):
                return {at: points.get(at, filler) for at in {at for metric in self._metrics.values() for at in metric}}
        if function == "IF" and len(node.args) == 3:
            condition, *choices = (self.of(each) for each in node.args)
            if isinstance(condition, dict):
                return _choose(condition, *choices)
        if function in _AGGREGATES and len(node.args) == 1:
            parts = self._listed(node.args[0])
            shared = set.intersection(*(set(part) for part in parts)) if parts else set()
            return {at: _AGGREGATES[function]([part[at] for part in parts]) for at in shared}
        raise _refuse(ast.unparse(node))

    def _listed(self, node: ast.expr) -> list[Points]:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id.upper() == "METRICS" and not node.args:
            return list(self._metrics.values())
        if isinstance(node, ast.List):
            return [value for each in node.elts if isinstance(value := self.of(each), dict)]
        raise _refuse(ast.unparse(node))


def _choose(condition: Points, then: Value, otherwise: Value) -> Points:
    chosen = {at: then if value else otherwise for at, value in condition.items()}
    return {at: value if isinstance(value, float) else value[at] for at, value in chosen.items() if isinstance(value, float) or at in value}


def _combine(apply: Callable[[float, float], float], left: Value, right: Value) -> Value:
    if isinstance(left, float):
        if isinstance(right, float):
            return apply(left, right)
        pairs = {at: (left, value) for at, value in right.items()}
    elif isinstance(right, float):
        pairs = {at: (value, right) for at, value in left.items()}
    else:
        pairs = {at: (left[at], right[at]) for at in left.keys() & right.keys()}
    return {at: apply(*pair) for at, pair in pairs.items() if apply is not operator.truediv or pair[1] != 0}
