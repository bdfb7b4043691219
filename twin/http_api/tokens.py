"""JWT authorizers: is this token one of the issuer's, for this API, now?

docs: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html (the claims that are looked at),
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-troubleshooting-jwt.html (the answer, and its www-authenticate).

Modelled: the twin itself is the issuer, whichever is configured. AWS fetches the issuer's RSA keys from its URL, which nothing here can do,
so a token of the real issuer is not taken, and one of `twin.iam.web_identity.token` is.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from twin.iam.web_identity import TokenError, claims_of


class UnauthorizedError(Exception):
    """The request carries no token, or not a good one; the message is its error_description."""


def claims_for(header: str, issuer: str, audience: Sequence[str], scopes: Sequence[str], now: datetime) -> dict[str, Any]:
    """The claims of the token in an Authorization header, with or without "Bearer". Raises UnauthorizedError."""
    kind, _, rest = header.strip().partition(" ")
    text = rest.strip() if kind.lower() == "bearer" else header.strip()
    if not text:
        raise UnauthorizedError("")
    try:
        claims = claims_of(text)
    except TokenError as error:
        raise UnauthorizedError("invalid token") from error
    if claims.get("iss") != issuer:
        raise UnauthorizedError("the token does not have a valid issuer")
    meant = claims.get("aud", claims.get("client_id"))
    if not set(meant if isinstance(meant, list) else [meant]) & set(audience):
        raise UnauthorizedError("the token does not have a valid audience")
    _check_times(claims, now.timestamp())
    if scopes and not set(scopes) & set(str(claims.get("scope", claims.get("scp", ""))).split()):
        raise UnauthorizedError("the token does not have a valid scope")
    return claims


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    try:
        expires, starts, issued = (float(claims[name]) if name in claims else None for name in ("exp", "nbf", "iat"))
    except (TypeError, ValueError) as error:
        raise UnauthorizedError("invalid token") from error
    if expires is None or expires <= now:
        raise UnauthorizedError("the token has expired")
    if starts is not None and starts > now:
        raise UnauthorizedError("the token is not valid yet")
    if issued is not None and int(issued) > now:
        raise UnauthorizedError("the token was issued in the future")


def in_event(claims: Mapping[str, Any], scopes: Sequence[str]) -> dict[str, Any]:
    """requestContext.authorizer, as a function gets it: claims are texts."""
    texts = {name: f"[{' '.join(map(str, value))}]" if isinstance(value, list) else str(value) for name, value in claims.items()}
    return {"jwt": {"claims": texts, "scopes": list(scopes) or None}}
