"""Where functions, jobs and the endpoint run: on AWS's own network, or in private subnets of the project's own VPC.

network: {mode: public | vpc, zones, cidr}
"""

from enum import StrEnum
from ipaddress import IPv4Network
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


class Mode(StrEnum):
    """`public`: AWS's network, every call over TLS; `vpc`: subnets without a way to the internet, and endpoints of what the loop calls."""

    PUBLIC = "public"
    VPC = "vpc"


def _fitting(network: IPv4Network) -> IPv4Network:
    if not network.is_private or not 16 <= network.prefixlen <= 24:
        raise ValueError("must be a private network between /16 and /24, such as 10.20.0.0/20")
    return network


class Network(BaseModel):
    """`cidr` is divided among `zones` availability zones, so that each may hold the instances of a deployment."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mode: Mode = Mode.PUBLIC
    zones: int = Field(default=2, ge=2, le=3)
    cidr: Annotated[IPv4Network, AfterValidator(_fitting)] = IPv4Network("10.20.0.0/20")
