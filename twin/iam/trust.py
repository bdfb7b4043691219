"""Role sessions: who may assume a role is what its trust policy says.

`assume` is the door for the services of the twin (Lambda, SageMaker, EventBridge, CloudFormation, ...); AssumeRole through the API is
checked in
twin.iam.special. A service's sessions do not expire: AWS renews them behind the workload's back, and outliving the twin is the same to it.
"""

import json
from collections.abc import Mapping

from moto.sts.models import sts_backends

from twin.cloud import Cloud, Credentials
from twin.iam.errors import AccessDenied
from twin.iam.identity import PARTITION, Directory
from twin.iam.policy import Decision, Principal, Request, evaluate, parse

_FOREVER = 10 * 365 * 24 * 3600


def trusts(document: object, principal: Principal, context: Mapping[str, str]) -> Decision:
    """Does a trust policy let this principal assume the role?"""
    text = document if isinstance(document, str) else json.dumps(document)
    # A trust policy has no Resource element: the role itself is meant.
    return evaluate(parse(text, "trust policy"), Request(principal, "sts:AssumeRole", "*", context))


class Sessions:
    """Opens role sessions for services: the `cloud.assume` door."""

    def __init__(self, cloud: Cloud, directory: Directory) -> None:
        self._cloud = cloud
        self._directory = directory

    def assume(self, role_arn: str, service: str, session_name: str) -> Credentials:
        """Credentials of the role for a service. Raises AccessDenied when there is no such role or it does not trust the service."""
        role = self._directory.role(role_arn)
        if role is None:
            raise AccessDenied(f"{service} cannot assume {role_arn}: there is no such role")
        context = {"aws:sourceaccount": self._cloud.account, "aws:currenttime": self._cloud.clock.now().isoformat()}
        if not trusts(role.assume_role_policy_document, Principal("Service", frozenset({service})), context).allowed:
            raise AccessDenied(
                f"{service} is not authorized to perform: sts:AssumeRole on resource: {role_arn}. "
                f"Next: name {service} in the role's trust policy."
            )
        session = sts_backends[self._cloud.account][PARTITION].assume_role(
            region_name=self._cloud.region,
            role_session_name=session_name[:64],
            role_arn=role_arn,
            policy=None,
            duration=_FOREVER,
            external_id=None,
        )
        self._directory.remember(session)
        return Credentials(session.access_key_id, session.secret_access_key, session.session_token)
