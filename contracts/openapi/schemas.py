"""The schemas of bodies: records by the features' kinds, answers by the problem, labels, errors."""

from collections.abc import Collection, Mapping
from typing import Any

from contracts.columns import ColumnKind
from contracts.evaluation import Problem
from contracts.inference import LONGEST_ID, LONGEST_REQUEST_ID
from contracts.live_model import LiveModel
from contracts.signature import Signature

Schema = dict[str, Any]
REF = "#/components/schemas/{model}"
MOST_LABELS = 10_000  # of a request
_ID = r"^[A-Za-z0-9][A-Za-z0-9._:-]*$"
_PROBABILITY: Schema = {"type": "number", "minimum": 0, "maximum": 1}

_CELLS: Mapping[ColumnKind, Schema] = {
    ColumnKind.NUMERIC: {"type": ["number", "null"], "description": "a finite number"},
    ColumnKind.CATEGORICAL: {"type": ["string", "null"]},
    ColumnKind.BOOLEAN: {"type": ["boolean", "null"]},
    ColumnKind.DATETIME: {
        "type": ["string", "null"],
        "description": "ISO 8601; UTC without a zone",
        "examples": ["2026-01-31"],
    },
}


def ref(name: str) -> Schema:
    """A reference to a schema."""
    return {"$ref": REF.format(model=name)}


def record(signature: Signature, hidden: Collection[str], hashed: Collection[str]) -> Schema:
    """A row. Every feature is named; null is a missing value. `hidden`: private columns that may be sent and never reach the model."""
    cells = {name: _CELLS[kind] | _told(name in hashed) for name, kind in signature.features.items()}
    private = {name: {"description": "private: taken out before the model sees the row"} for name in sorted(hidden)}
    return {
        "type": "object",
        "description": "One row: every feature by its name; null is a missing value.",
        "properties": cells | private,
        "required": list(signature.features),
        "additionalProperties": False,
    }


def _told(hashed: bool) -> Schema:
    return {"description": "private: replaced by its keyed hash before the model sees the row"} if hashed else {}


def reply(signature: Signature) -> dict[str, Schema]:
    """What POST /predict answers: Prediction and Predictions."""
    properties: dict[str, Schema] = {"prediction": {"type": "number"}}
    if signature.problem is not Problem.REGRESSION:
        classes = list(signature.classes)
        properties["prediction"] = {"type": "string", **({"enum": classes} if classes else {})}
        if signature.problem is Problem.BINARY:
            properties["probability"] = _PROBABILITY | {"description": f"of {signature.positive}"}
        known = {"properties": dict.fromkeys(classes, _PROBABILITY), "required": classes, "additionalProperties": False}
        properties["probabilities"] = {"type": "object", **(known if classes else {"additionalProperties": _PROBABILITY})}
    properties["inference_id"] = ref("InferenceId")
    details = {"type": "object", "additionalProperties": {"type": "string"}, "description": "which model answered"}
    return {
        "Prediction": _closed(properties),
        "Predictions": _closed(
            {
                "predictions": {"type": "array", "items": ref("Prediction"), "description": "one a row, in the order of the rows"},
                "model": details,
                "inference_id": ref("RequestId"),
            }
        ),
    }


def shared() -> dict[str, Schema]:
    """What no signature changes."""
    live = LiveModel.model_json_schema(mode="serialization", ref_template=REF)
    parts: dict[str, Schema] = live.pop("$defs")
    label = _closed({"inference_id": ref("InferenceId"), "label": _LABEL})
    return {
        **parts,
        "LiveModel": live,
        "InferenceId": _identity(LONGEST_ID, "a row's: the request's own, or with -1, -2, ... when there are many rows"),
        "RequestId": _identity(LONGEST_REQUEST_ID, "a request's"),
        "Instances": _closed({"instances": {"type": "array", "items": ref("Record"), "minItems": 1}}),
        "Label": label,
        "Labels": _closed({"labels": {"type": "array", "items": ref("Label"), "minItems": 1, "maxItems": MOST_LABELS}}),
        "Recorded": _closed({"count": {"type": "integer", "minimum": 1}}),
        "Error": _closed({"error": _ERROR}),
        "GatewayError": {"type": "object", "properties": {"message": {"type": ["string", "null"]}}, "required": ["message"]},
    }


_LABEL: Schema = {"type": ["string", "number", "boolean"], "description": "the true value of the target"}
_ERROR: Schema = {
    "type": "object",
    "properties": {
        "type": {"type": "string"},
        "message": {"type": "string"},
        "problems": {"type": "array", "items": {"type": "string"}, "description": "row and feature of everything that is wrong"},
    },
    "required": ["type", "message"],
    "additionalProperties": False,
}


def _identity(longest: int, what: str) -> Schema:
    return {"type": "string", "pattern": _ID, "maxLength": longest, "description": what}


def _closed(properties: dict[str, Schema]) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
