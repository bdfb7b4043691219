"""The HTTP API: who gets in, how often, and with how much.

    api: {authorization: iam | jwt, jwt: {issuer, audience: [...]}, requests_per_second, burst, maximum_body_kilobytes, cache_seconds}

Limits: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html (rate and burst of an account and region),
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html (an event holds 6 MB, the body as JSON text in it).
"""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

LARGEST_BODY_KILOBYTES = 5 * 1024  # of the 6 MB; the rest is for the event's other fields and for what JSON escapes, if that is little

# API Gateway reads the keys below the issuer's address, over TLS.
Issuer = Annotated[str, StringConstraints(pattern=r"^https://[A-Za-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._~/-]*)?$", max_length=512)]
Audience = Annotated[str, StringConstraints(min_length=1, max_length=512)]


class Authorization(StrEnum):
    """`iam`: requests are signed with AWS credentials; `jwt`: they carry a token of an identity provider."""

    IAM = "iam"
    JWT = "jwt"


class Jwt(BaseModel):
    """The identity provider, and for whom its tokens must be issued: the claim `aud`, or else `client_id`, is one of `audience`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    issuer: Issuer
    audience: tuple[Audience, ...] = Field(min_length=1)


class Api(BaseModel):
    """Authorisation, throttling and the largest body."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    authorization: Authorization = Authorization.IAM
    jwt: Jwt | None = None
    requests_per_second: int = Field(default=500, ge=1, le=10_000, description="of all callers together; more are answered with 429")
    burst: int = Field(default=1000, ge=1, le=5000, description="requests that may come at once")
    maximum_body_kilobytes: int = Field(default=LARGEST_BODY_KILOBYTES, ge=1, le=LARGEST_BODY_KILOBYTES)
    cache_seconds: int = Field(default=0, ge=0, le=3600, description="how long predict may repeat an answer to the same request; 0: never")

    @model_validator(mode="after")
    def _tokens_have_an_issuer(self) -> Self:
        if (self.authorization is Authorization.JWT) != (self.jwt is not None):
            raise ValueError("jwt (issuer and audience) is needed for authorization: jwt, and for no other")
        return self
