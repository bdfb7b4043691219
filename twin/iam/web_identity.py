"""Roles for the token of an identity provider: AssumeRoleWithWebIdentity, which needs no AWS credentials.

docs: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html (its errors),
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html#condition-keys-wif (`<provider>:aud`, `:sub`),
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_oidc.html (an account names its providers and their audiences).

Modelled: the twin itself is the provider. Real ones sign with a private key whose public half AWS fetches from the issuer's address; here
`token` signs with a key of the twin's (HS256), and no token signed with another is taken. Custom claims are no condition keys.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from twin.cloud import Cloud
from twin.iam.authenticate import AuthenticationError
from twin.iam.authorise import Authoriser, in_order, refuse_unknown, trust_of
from twin.iam.calls import Call, buffer_body
from twin.iam.errors import AccessDenied
from twin.iam.identity import PARTITION, Directory
from twin.iam.policy import Principal
from twin.iam.question import Question

ACTION = "sts:AssumeRoleWithWebIdentity"
ISSUER_KEY = b"the-issuer-of-this-laptop-only"
"""Signs tokens that open nothing but the twin, on loopback."""
LIFETIME = timedelta(minutes=5)
"""How long a token of GitHub's is good."""


class TokenError(AuthenticationError):
    """The token itself is refused: (AWS error code, message)."""

    status = 400


def token(claims: Mapping[str, Any], now: datetime, key: bytes = ISSUER_KEY) -> str:
    """A token as an identity provider issues it. `claims` are at least iss, aud and sub; `now` is twin time."""
    timed = {"iat": int(now.timestamp()), "exp": int((now + LIFETIME).timestamp())} | dict(claims)
    signed = f"{_encoded({'alg': 'HS256', 'typ': 'JWT'})}.{_encoded(timed)}"
    return f"{signed}.{_base64(hmac.digest(key, signed.encode(), hashlib.sha256))}"


def claims_of(text: str) -> dict[str, Any]:
    """The claims of a token that the twin has signed. Raises TokenError for any other."""
    try:
        header, payload, signature = text.split(".")
        algorithm, claims = _decoded(header)["alg"], _decoded(payload)
        given = _bytes(signature)
    except (ValueError, KeyError, TypeError) as error:
        raise TokenError("InvalidIdentityToken", "The ID Token provided is not a valid JWT.") from error
    expected = hmac.digest(ISSUER_KEY, f"{header}.{payload}".encode(), hashlib.sha256)
    if algorithm != "HS256" or not hmac.compare_digest(given, expected):
        raise TokenError("InvalidIdentityToken", "Couldn't verify the signature of the token: it is not signed by its issuer.")
    return claims


def is_asked(environ: dict[str, Any]) -> bool:
    """Is this an unsigned request for a role by token, and for nothing else?"""
    if environ.get("REQUEST_METHOD") != "POST" or environ.get("QUERY_STRING") or "HTTP_AUTHORIZATION" in environ:
        return False
    if not str(environ.get("CONTENT_TYPE", "")).startswith("application/x-www-form-urlencoded"):
        return False
    actions = [item for item in buffer_body(environ).split(b"&") if item.startswith(b"Action=")]
    return actions == [b"Action=AssumeRoleWithWebIdentity"]


class WebIdentities:
    """The account's identity providers, and what their tokens may take."""

    def __init__(self, cloud: Cloud, directory: Directory, authoriser: Authoriser) -> None:
        self._cloud = cloud
        self._directory = directory
        self._authoriser = authoriser

    def check(self, call: Call) -> None:
        """Raises TokenError for a token that is none of this account's, AccessDenied when the role does not trust its holder.

        And UnmappedCallError for what the twin does not know.
        """
        refuse_unknown(call)
        claims = self._claims(str(call.parameters.get("WebIdentityToken", "")))
        name = str(claims["iss"]).removeprefix("https://")
        provider = f"arn:{PARTITION}:iam::{self._cloud.account}:oidc-provider/{name}"
        self._check_provider(provider, claims)
        arn = str(call.parameters.get("RoleArn", ""))
        role = self._directory.role(arn)
        principal = Principal("Federated", frozenset({provider}))
        context = {
            f"{name}:aud".lower(): str(claims["aud"]),
            f"{name}:sub".lower(): str(claims["sub"]),
            "sts:rolesessionname": str(call.parameters.get("RoleSessionName", "")),
            "aws:currenttime": self._cloud.clock.now().isoformat(),
            "aws:requestedregion": self._cloud.region,
            "aws:securetransport": "true",
            "aws:sourceip": "127.0.0.1",
        }
        trust = trust_of(role)
        question = Question(principal, principal, ACTION, arn, in_order(context), on_resource=trust, must_be_named=True)
        if not self._authoriser.judge(question, str(claims["sub"]), call.name).allowed:
            raise AccessDenied(f"Not authorized to perform {ACTION}")

    def _claims(self, text: str) -> dict[str, Any]:
        claims = claims_of(text)
        missing = {"iss", "aud", "sub", "exp"} - claims.keys()
        if missing:
            raise TokenError("InvalidIdentityToken", f"Missing a required claim: {sorted(missing)[0]}")
        return claims

    def _check_provider(self, arn: str, claims: Mapping[str, Any]) -> None:
        provider = self._directory.iam.open_id_providers.get(arn)
        if provider is None:
            raise TokenError("InvalidIdentityToken", f"No OpenIDConnect provider found in your account for {claims['iss']}")
        if claims["aud"] not in provider.client_id_list:
            raise TokenError("InvalidIdentityToken", "Incorrect token audience")
        now = self._cloud.clock.now()
        if now.timestamp() >= float(claims["exp"]):
            raise TokenError("ExpiredTokenException", f"Token expired: current date/time {now.isoformat()} must be before the expiration")


def _encoded(content: Mapping[str, Any]) -> str:
    return _base64(json.dumps(content).encode())


def _decoded(part: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(_bytes(part))
    return content


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _bytes(part: str) -> bytes:
    return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
