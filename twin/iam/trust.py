"""Role sessions: who may assume a role is what its trust policy says.

`assume` is the door for the services of the twin (Lambda, SageMaker, EventBridge, CloudFormation, ...); AssumeRole through the API is
checked in twin.iam.special. A service's sessions do not expire: AWS renews them behind the workload's back, and outliving the twin is the
same to it.
"""

import threading

from moto.sts.models import sts_backends

from twin.cloud import Cloud, Credentials
from twin.iam.authorise import Authoriser, in_order, trust_of
from twin.iam.errors import AccessDenied
from twin.iam.identity import PARTITION, Directory, UnknownKeyError
from twin.iam.policy import Principal
from twin.iam.question import Question

_FOREVER = 10 * 365 * 24 * 3600


class Sessions:
    """Opens role sessions for services: the `cloud.assume` door."""

    def __init__(self, cloud: Cloud, directory: Directory, authoriser: Authoriser) -> None:
        self._cloud = cloud
        self._directory = directory
        self._authoriser = authoriser
        self._opened: dict[str, tuple[str, str]] = {}
        """Access key -> (role, service)."""
        self._lock = threading.Lock()

    def assume(self, role_arn: str, service: str, session_name: str) -> Credentials:
        """Credentials of the role for a service. Raises AccessDenied when there is no such role or it does not trust the service."""
        if not self._is_trusted(role_arn, service):
            if self._directory.role(role_arn) is None:
                raise AccessDenied(f"{service} cannot assume {role_arn}: there is no such role")
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
        with self._lock:
            self._opened[session.access_key_id] = (role_arn, service)
        return Credentials(session.access_key_id, session.secret_access_key, session.session_token)

    def renewed(self, access_key: str) -> None:
        """Would AWS renew the credentials of this session? Raises UnknownKeyError when its role no longer trusts the service.

        Asked as long as statements are withheld: a workload that began before they were lives on credentials that AWS would not renew.
        """
        with self._lock:
            opened = self._opened.get(access_key)
        if opened and self._authoriser.is_withholding and not self._is_trusted(*opened):
            raise UnknownKeyError("ExpiredToken", f"The security token included in the request is expired: {opened[1]} may not renew it.")

    def _is_trusted(self, role_arn: str, service: str) -> bool:
        return self._authoriser.judge(self._question(role_arn, service), service, "sts:AssumeRole").allowed

    def _question(self, role_arn: str, service: str) -> Question:
        principal = Principal("Service", frozenset({service}))
        context = {"aws:sourceaccount": self._cloud.account, "aws:currenttime": self._cloud.clock.now().isoformat()}
        trust = trust_of(self._directory.role(role_arn))
        return Question(principal, principal, "sts:AssumeRole", role_arn, in_order(context), on_resource=trust, must_be_named=True)
