"""The operations, each with every status that it can answer."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from contracts.inference import LONGEST_REQUEST_ID
from contracts.openapi.schemas import ref
from contracts.signature import Signature
from contracts.sticky import LONGEST_USER

Operation = dict[str, Any]
JSON = "application/json"
_RETRY: dict[str, Any] = {"retry-after": {"description": "seconds", "schema": {"type": "integer", "minimum": 1}}}
_SAID = {
    400: "the request is not what it should be; `problems` name row and feature",
    401: "no valid token",
    403: "not signed, or the signer may not call this",
    404: "no model is deployed yet",
    413: "the body, or what would be the answer, is too long: send fewer rows at once",
    415: "another content type",
    422: "labels that cannot be used, so none of them is",
    429: "more requests than the API or the endpoint lets in",
    500: "a defect",
    503: "the endpoint does not answer, or there is no model yet",
    504: "the model took too long",
}
_GATEWAY = frozenset({401, 403, 500})  # API Gateway's own answers
_BOTH = frozenset({413, 429, 503})  # API Gateway's, or this API's
_LATER = frozenset({429, 503, 504})  # try again


def predict(signature: Signature, closed: Iterable[int], kilobytes: int, *, csv_header: bool) -> Operation:
    """POST /predict. `closed`: what somebody is answered who may not call."""
    one_of = [ref("Instances"), {"type": "array", "items": ref("Record"), "minItems": 1}, ref("Record")]
    order = "" if csv_header else f", or the cells are in this order: {', '.join(signature.features)}"
    bucket = {"description": "where the named user stands, from 0 to below 1", "schema": {"type": "string", "pattern": r"^0\.[0-9]{6}$"}}
    identity = {"x-inference-id": {"schema": ref("RequestId")}}
    answer = _content(ref("Predictions"), "a prediction a row") | {"headers": identity | {"x-tidewheel-bucket": bucket}}
    return {
        "operationId": "predict",
        "summary": "Predict rows",
        "parameters": [_id_header(), _user_header()],
        "requestBody": {
            "required": True,
            "description": f"At most {kilobytes} KB.",
            "content": {
                JSON: {"schema": {"anyOf": one_of}},
                "application/jsonlines": {"schema": {"type": "string", "description": "a record a line"}},
                "text/csv": {"schema": {"type": "string", "description": f"The first row names the features{order}."}},
            },
        },
        "responses": {"200": answer} | _refusals(400, *closed, 413, 415, 429, 500, 503, 504, headers=identity),
    }


def feedback(closed: Iterable[int]) -> Operation:
    """POST /feedback."""
    return {
        "operationId": "recordFeedback",
        "summary": "Tell the true values of earlier predictions",
        "requestBody": {"required": True, "content": {JSON: {"schema": {"anyOf": [ref("Label"), ref("Labels")]}}}},
        "responses": {"202": _content(ref("Recorded"), "recorded")} | _refusals(400, *closed, 413, 415, 422, 429, 500, 503),
    }


def model(closed: Iterable[int]) -> Operation:
    """GET /model."""
    return {
        "operationId": "describeModel",
        "summary": "What is live",
        "responses": {"200": _content(ref("LiveModel"), "the live model")} | _refusals(*closed, 404, 429, 500, 503),
    }


def openapi(closed: Iterable[int]) -> Operation:
    """GET /openapi.json."""
    return {
        "operationId": "describeApi",
        "summary": "This document",
        "responses": {"200": _content({"type": "object"}, "OpenAPI 3.1")} | _refusals(*closed, 429, 500, 503),
    }


def _id_header() -> dict[str, Any]:
    said = "The request's inference id, made by the API when there is none; labels are sent under it later."
    identity = {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._:-]*$", "maxLength": LONGEST_REQUEST_ID}
    return {"name": "x-inference-id", "in": "header", "required": False, "description": said, "schema": identity}


def _user_header() -> dict[str, Any]:
    said = (
        "Whoever the prediction is for: names a stable place between 0 and 1, by which traffic may be split one day. Nothing of it is kept."
    )
    user = {"type": "string", "minLength": 1, "maxLength": LONGEST_USER}
    return {"name": "x-tidewheel-user", "in": "header", "required": False, "description": said, "schema": user}


def _refusals(*statuses: int, headers: Mapping[str, Any] = MappingProxyType({})) -> dict[str, Any]:
    """`headers`: of this API's own refusals."""
    return {str(status): _refusal(status, headers) for status in statuses}


def _refusal(status: int, headers: Mapping[str, Any]) -> dict[str, Any]:
    own, gateway = ref("Error"), ref("GatewayError")
    schema = gateway if status in _GATEWAY else {"anyOf": [own, gateway]} if status in _BOTH else own
    found = (_RETRY if status in _LATER else {}) | ({} if status in _GATEWAY else dict(headers))
    return _content(schema, _SAID[status]) | ({"headers": found} if found else {})


def _content(schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"description": description, "content": {JSON: {"schema": schema}}}
