"""Who signed this request? The access key, in the header or (presigned) in the query, and whether the signature is its own.

docs: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html. The signature covers the hash of the body.
S3 lets a client state a word in its place (UNSIGNED-PAYLOAD, STREAMING-...:
https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html). Modelled: then neither the body nor the signatures of its
chunks are verified, and the age of presigned requests alone is.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from twin.iam.calls import buffer_body
from twin.iam.identity import Caller, Directory, UnknownKeyError

_BODY_HASH = "x-amz-content-sha256"
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Signature:
    """What a request says about its signer."""

    key: str
    token: str | None
    service: str
    region: str
    headers: tuple[str, ...]
    value: str
    moment: str
    presigned: bool


class AuthenticationError(Exception):
    """The request is not signed by a key of the account: (AWS error code, message)."""

    status = 403

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class ChangedBodyError(AuthenticationError):
    """The body is not the one whose hash was signed."""

    status = 400


def signature_of(environ: dict[str, Any]) -> Signature | None:
    """The request's signature; None for an anonymous one. Raises AuthenticationError for one that the twin cannot read."""
    header = str(environ.get("HTTP_AUTHORIZATION", ""))
    query = dict(parse_qsl(str(environ.get("QUERY_STRING", "")), keep_blank_values=True))
    if header.startswith("AWS4-HMAC-SHA256"):
        fields = dict(part.strip().split("=", 1) for part in header.removeprefix("AWS4-HMAC-SHA256").split(",") if "=" in part)
        token, moment = environ.get("HTTP_X_AMZ_SECURITY_TOKEN"), str(environ.get("HTTP_X_AMZ_DATE", ""))
        return _signature(fields, token, moment, presigned=False)
    if "X-Amz-Credential" in query:
        fields = {name.removeprefix("X-Amz-"): value for name, value in query.items()}
        _check_age(fields)
        return _signature(fields, fields.get("Security-Token"), fields.get("Date", ""), presigned=True)
    if header or "AWSAccessKeyId" in query:
        raise AuthenticationError(
            "InvalidRequest", "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."
        )
    return None


def required_signature(environ: dict[str, Any]) -> Signature:
    """The request's signature. Raises AuthenticationError for an anonymous one."""
    signature = signature_of(environ)
    if signature is None:
        raise AuthenticationError("MissingAuthenticationToken", "Missing Authentication Token: the request is not signed.")
    return signature


def caller_of(environ: dict[str, Any], signature: Signature, directory: Directory) -> Caller:
    """The caller, its signature and the body's hash verified. Raises AuthenticationError."""
    try:
        caller = directory.caller(signature.key, signature.token)
    except UnknownKeyError as error:
        raise AuthenticationError("InvalidAccessKeyId" if signature.service == "s3" else error.code, str(error)) from error
    if not hmac.compare_digest(expected(environ, signature, caller.secret), signature.value):
        raise AuthenticationError(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
        )
    _check_body(environ, signature)
    return replace(caller, is_secure=environ.get("HTTP_X_FORWARDED_PROTO", "https") == "https")


def expected(environ: dict[str, Any], signature: Signature, secret: str) -> str:
    """The signature that the key's owner would have made of this request."""
    uri = str(environ.get("RAW_URI") or environ.get("REQUEST_URI") or environ.get("PATH_INFO", "/"))
    parts = urlsplit(uri)
    query = "&".join(item for item in parts.query.split("&") if not item.startswith("X-Amz-Signature="))
    request = AWSRequest(
        method=environ["REQUEST_METHOD"], url=f"http://{environ.get('HTTP_HOST', '')}{parts.path}" + (f"?{query}" if query else "")
    )
    for name in signature.headers:
        request.headers[name] = _header(environ, name)
    auth_type = S3SigV4Auth if signature.service == "s3" else SigV4Auth
    auth = auth_type(Credentials(signature.key, secret, signature.token), signature.service, signature.region)
    if signature.presigned:
        request.headers["X-Amz-Content-SHA256"] = "UNSIGNED-PAYLOAD"
        canonical = auth.canonical_request(request).replace("x-amz-content-sha256:UNSIGNED-PAYLOAD\n", "", 1)
        canonical = canonical.replace(";x-amz-content-sha256\n", "\n", 1)
    else:
        if _BODY_HASH not in signature.headers:
            request.data = buffer_body(environ)
        canonical = auth.canonical_request(request)
    request.context["timestamp"] = signature.moment
    return str(auth.signature(auth.string_to_sign(request, canonical), request))


def _check_body(environ: dict[str, Any], signature: Signature) -> None:
    """Has the body the hash that the client states? Without a statement it is part of the signature itself."""
    if _BODY_HASH not in signature.headers:
        return
    stated = _header(environ, _BODY_HASH)
    if signature.service == "s3" and not _DIGEST.fullmatch(stated):
        return
    if hashlib.sha256(buffer_body(environ)).hexdigest() != stated:
        raise ChangedBodyError("XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed.")


def _header(environ: dict[str, Any], name: str) -> str:
    key = name.upper().replace("-", "_")
    return str(environ.get(key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}", ""))


def _signature(fields: dict[str, str], token: str | None, moment: str, *, presigned: bool) -> Signature:
    try:
        key, _, region, service, _ = fields["Credential"].split("/")
        return Signature(
            key, token, service.lower(), region, tuple(fields["SignedHeaders"].split(";")), fields["Signature"], moment, presigned
        )
    except (KeyError, ValueError) as error:
        raise AuthenticationError("IncompleteSignature", f"The request signature does not conform to AWS standards: {error}") from error


def _check_age(fields: dict[str, str]) -> None:
    try:
        signed = datetime.strptime(fields["Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        ends = signed + timedelta(seconds=int(fields["Expires"]))
    except (KeyError, ValueError) as error:
        raise AuthenticationError("AuthorizationQueryParametersError", f"X-Amz-Date and X-Amz-Expires are needed: {error}") from error
    if datetime.now(UTC) > ends:
        raise AuthenticationError("AccessDenied", "Request has expired")
