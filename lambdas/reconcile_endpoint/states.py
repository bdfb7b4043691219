"""What the reconciler sees, and what it may do about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from contracts.ledger import Deployment
from lambdas.live import Endpoint


@dataclass(frozen=True)
class Package:
    """A version of the project's model package group. `approved`: it is complete, and somebody approved it."""

    arn: str
    version: int
    approved: bool


@dataclass(frozen=True)
class Stack:
    """The Endpoint stack. `parameter`: the model package it was last told to serve, "" for none; `updated`: when its last update began.

    `config`: the endpoint configuration that it made last and asked the endpoint to run; "" without an endpoint.
    """

    status: str
    reason: str
    parameter: str
    updated: datetime | None = None
    config: str = ""


@dataclass(frozen=True)
class Observed:
    """One look at the account.

    `moved`: the stack changed while the rest was read, so the parts do not fit together. `alarms`: the rollback alarms that are in ALARM.
    """

    packages: tuple[Package, ...]
    stack: Stack | None
    endpoint: Endpoint | None
    deployment: Deployment | None
    quarantined: Mapping[str, str]  # model package arn -> why
    held: bool = False
    moved: bool = False
    alarms: tuple[str, ...] = ()

    @property
    def live(self) -> str | None:
        """The model package that answers requests now."""
        return self.endpoint.package_arn if self.endpoint and self.endpoint.status == "InService" else None

    def name(self, arn: str) -> str:
        """A model package as people name it."""
        return next((f"version {package.version}" for package in self.packages if package.arn == arn), arn)


@dataclass(frozen=True)
class Wait:
    """Something is under way; its end is an event, and the next tick looks anyway."""

    why: str


@dataclass(frozen=True)
class Deploy:
    """Ask the Endpoint stack to serve a package: step by step under its rollback alarms, or, not `guarded`, at once whatever they say."""

    package: Package
    why: str
    guarded: bool = True


@dataclass(frozen=True)
class Settle:
    """A deployment succeeded: its package is live."""

    deployment: Deployment


@dataclass(frozen=True)
class Drop:
    """A deployment was overtaken by another update of the stack, so nothing can be said about its package."""

    deployment: Deployment
    why: str


@dataclass(frozen=True)
class Quarantine:
    """A package failed in production: reject it, and never deploy it again. Closes its deployment when it has one open."""

    arn: str
    why: str
    deployment: Deployment | None = None


@dataclass(frozen=True)
class Hold:
    """Only a person can go on; `why` says what is wrong and the next step."""

    why: str


@dataclass(frozen=True)
class Nothing:
    """The endpoint serves what it should."""

    why: str


Action = Wait | Deploy | Settle | Drop | Quarantine | Hold | Nothing
