"""The API as an OpenAPI 3.1 document, generated from the live model's signature; before the first model, from the data contract.

Schemas are JSON Schema 2020-12, as OpenAPI 3.1 has them (https://spec.openapis.org/oas/v3.1.1.html). A document tells what a caller should
send; the API also takes some spellings beyond it, such as 0 and 1 for a boolean. What API Gateway itself answers (401, 403, 429, 500, and
sometimes 413 and 503) has the shape of GatewayError.
"""

from typing import Any

from contracts.api import Authorization
from contracts.config import Config
from contracts.live_model import LiveModel
from contracts.openapi.operations import feedback, model, openapi, predict
from contracts.openapi.schemas import record, reply, shared
from contracts.signature import Signature

VERSION = "3.1.0"
_NO_MODEL = "No model is deployed yet: this is what the project's data contract says, and the classes are not known."


def document(config: Config, live: LiveModel | None, url: str) -> dict[str, Any]:
    """The document. `live`: None before the first model; `url`: where callers reach the API, without a slash at the end."""
    signature = (live.signature if live else None) or Signature.of(config.data)
    privacy = config.data.privacy
    hidden = {name for name in privacy.columns if name not in signature.features}
    schemas = {"Record": record(signature, hidden, privacy.hash), **reply(signature), **shared()}
    guard = _guards(config)
    closed = (401,) if config.api.authorization is Authorization.JWT else (403,)
    return {
        "openapi": VERSION,
        "info": {
            "title": config.prefix,
            "version": str(live.version) if live and live.version else "0",
            "description": f"Predicts {signature.target} ({signature.problem}). " + (_about(live) if live else _NO_MODEL),
        },
        "servers": [{"url": url}],
        "security": [{name: [] for name in guard}],
        "paths": {
            "/predict": {"post": predict(signature, closed, config.api.maximum_body_kilobytes, csv_header=bool(privacy.columns))},
            "/feedback": {"post": feedback(closed)},
            "/model": {"get": model(closed)},
            "/openapi.json": {"get": openapi(closed)},
        },
        "components": {"schemas": schemas, "securitySchemes": guard},
    }


def _about(live: LiveModel) -> str:
    version = f"Version {live.version}" if live.version else "A model from outside the registry"
    return f"{version}, trained on dataset version {live.dataset_version or 'unknown'}."


def _guards(config: Config) -> dict[str, Any]:
    jwt = config.api.jwt
    if jwt is not None:
        issuer = f"{jwt.issuer.rstrip('/')}/.well-known/openid-configuration"
        return {"token": {"type": "openIdConnect", "openIdConnectUrl": issuer, "description": f"for {', '.join(jwt.audience)}"}}
    signed = "AWS Signature Version 4, service execute-api; the caller may execute-api:Invoke"
    return {"sigv4": {"type": "apiKey", "name": "Authorization", "in": "header", "description": signed}}
