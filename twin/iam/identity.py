"""Who calls: an access key of the request, as principal with its policies."""

import json
import threading
from dataclasses import dataclass
from typing import Any

from moto.core.utils import utcnow
from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

from twin.cloud import ADMIN_KEY, ADMIN_SECRET, Cloud
from twin.iam.policy import Principal, Statement, parse

PARTITION = "aws"


class UnknownKeyError(Exception):
    """No such access key, or its session token is not the one handed out: (AWS error code, message)."""

    status = 403

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Caller:
    """A principal that calls. `is_root` may do everything; `identity` are its policies; each of `limits` must allow it too."""

    arn: str
    account: str
    user_id: str
    is_root: bool
    secret: str
    role: Any = None
    user: Any = None
    session_policy: str | None = None
    is_secure: bool = True
    """Does it call over TLS?"""

    @property
    def principal(self) -> Principal:
        """The names under which a resource policy may mean the caller."""
        names = {self.arn, self.account, f"arn:{PARTITION}:iam::{self.account}:root"}
        if self.role is not None:
            names.add(self.role.arn)
        return Principal("AWS", frozenset(names))

    @property
    def itself(self) -> Principal:
        """Its own names: what a policy grants to the account is not yet granted to its roles."""
        return Principal("AWS", frozenset({self.arn, self.name_in_policies}))

    @property
    def session(self) -> Principal:
        """The role session's ARN, or the user's."""
        return Principal("AWS", frozenset({self.arn}))

    @property
    def name_in_policies(self) -> str:
        """aws:PrincipalArn: the role's ARN for a session."""
        return str(self.role.arn) if self.role is not None else self.arn


class Directory:
    """The access keys of the account."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._sessions: dict[str, Any] = {}
        self._lock = threading.Lock()

    def remember(self, session: Any) -> None:
        """A session that the twin itself opened."""
        with self._lock:
            self._sessions[session.access_key_id] = session

    def caller(self, key: str, token: str | None) -> Caller:
        """The caller behind an access key. Raises UnknownKeyError."""
        if key == ADMIN_KEY:
            root = f"arn:{PARTITION}:iam::{self._cloud.account}:root"
            return Caller(root, self._cloud.account, self._cloud.account, True, ADMIN_SECRET)
        session = self._session(key)
        if session is not None:
            return self._of_session(session, token)
        found = self.iam.access_keys.get(key)
        if found is None or not getattr(found, "user_name", None) or found.status != "Active":
            raise UnknownKeyError("InvalidClientTokenId", "The security token included in the request is invalid.")
        user = self.iam.users[found.user_name]
        return Caller(user.arn, self._cloud.account, user.id, False, found.secret_access_key, user=user)

    @property
    def iam(self) -> Any:
        """moto's store of roles, users and policies."""
        return iam_backends[self._cloud.account][PARTITION]

    def role(self, arn: str) -> Any | None:
        """The role with this ARN, None if there is none."""
        return next((role for role in list(self.iam.roles.values()) if role.arn == arn), None)

    def identity_statements(self, caller: Caller) -> list[Statement]:
        """Inline and attached policies of the caller's role, or of the user and its groups."""
        if caller.role is not None:
            return _statements(caller.role)
        if caller.user is None:
            return []
        groups = [group for group in list(self.iam.groups.values()) if any(user.name == caller.user.name for user in group.users)]
        return [statement for owner in (caller.user, *groups) for statement in _statements(owner)]

    def limits(self, caller: Caller) -> list[tuple[Statement, ...]]:
        """The permissions boundary and the session policy: each must allow what the identity's policies allow."""
        limits = [parse(caller.session_policy, "session policy")] if caller.session_policy else []
        boundary = getattr(caller.role or caller.user, "permissions_boundary_arn", None)
        if boundary:
            managed = self.iam.managed_policies[boundary]
            limits.append(parse(_current(managed), managed.name, "identity", managed.arn))
        return limits

    def _session(self, key: str) -> Any | None:
        with self._lock:
            session = self._sessions.get(key)
        if session is None:
            session = sts_backends[self._cloud.account][PARTITION].get_assumed_role_from_access_key(key)
            if session is not None:
                self.remember(session)
        return session

    def _of_session(self, session: Any, token: str | None) -> Caller:
        if token != session.session_token:
            raise UnknownKeyError("InvalidClientTokenId", "The security token included in the request is invalid.")
        if session.expiration < utcnow():
            raise UnknownKeyError("ExpiredToken", "The security token included in the request is expired")
        role = self.role(session.role_arn)
        if role is None:
            raise UnknownKeyError("InvalidClientTokenId", "The security token included in the request is invalid: its role is gone.")
        user_id = f"{role.id}:{session.session_name}"
        return Caller(
            session.arn, self._cloud.account, user_id, False, session.secret_access_key, role=role, session_policy=session.policy or None
        )


def _statements(owner: Any) -> list[Statement]:
    documents = [(name, _text(document), owner.arn) for name, document in dict(owner.policies).items()]
    documents += [(policy.name, _current(policy), policy.arn) for policy in list(owner.managed_policies.values())]
    return [statement for name, document, holder in documents for statement in parse(document, name, "identity", holder)]


def _current(policy: Any) -> str:
    """The document of a managed policy's default version."""
    return _text(next(version.document for version in policy.versions if version.version_id == policy.default_version_id))


def _text(document: Any) -> str:
    return document if isinstance(document, str) else json.dumps(document)
