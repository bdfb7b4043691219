"""Which statement, action, resource pattern and principal of the deployed policies was needed, by which decision? Pure.

A piece of a statement is needed by a recorded decision that would be another one without it, Allow and Deny alike. The question is asked
again (twin.iam.question) with the piece left out; so what counts is AWS's evaluation, not whether the words look alike.
"""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from twin.cloud import Cloud
from twin.iam import installed
from twin.iam.policy import Key


@dataclass(frozen=True)
class Grant:
    """One statement of one deployed policy."""

    id: str
    """stack/owner/kind/policy/index: the same in every deployment of the same templates."""
    owner: str
    """The logical id of the resource whose template has the statement."""
    stack: str
    kind: str
    """identity, trust, resource or permission."""
    index: int
    sid: str
    document: dict[str, Any]
    """The statement, resolved."""
    keys: tuple[Key, ...]
    """Where the account has it: once for each role, queue, ... that carries it."""


def withheld(cloud: Cloud, grant: Grant) -> AbstractContextManager[None]:
    """As long as this lasts, the statement does not exist, in whatever kind of policy it is.

    What services hold in the name of a role (a function's warm worker, a job) ends with it: AWS would not renew those credentials.
    """
    return installed(cloud).authoriser.withheld(grant.keys)
