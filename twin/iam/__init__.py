"""Who may do what in the twin's account.

    gate.py        the WSGI gate before every AWS call: who calls, which actions on which resources, allowed or AccessDenied
    calls.py       a request as operation and parameters
    actions.py     an operation as IAM actions and resource ARNs, from AWS's own tables; special.py where AWS documents it otherwise
    authorise.py   what is consulted about a call: identity policies, boundary, session policy, resource policies, KMS
    question.py    the decision (pure); policy.py: policies and their evaluation (pure); conditions.py: their condition blocks (pure)
    identity.py    access keys; authenticate.py: signatures; trust.py: role sessions; web_identity.py: roles for a provider's token
    services.py    what services do in their own name
    record.py      every decision, written down
    grants.py      the statements of the deployed stacks; usage.py: which of them was needed by which decision (pure)

The twin's door stands for TLS: aws:SecureTransport is true on loopback, unless a request says with `X-Forwarded-Proto: http` that its
client came without.
"""

from moto.iam.access_control import PermissionResult
from moto.s3.models import FakeBucket

from twin import patches
from twin.cloud import Cloud
from twin.iam.authorise import Authoriser
from twin.iam.errors import AccessDenied, PolicyError
from twin.iam.identity import Directory
from twin.iam.record import Decisions
from twin.iam.trust import Sessions
from twin.iam.web_identity import WebIdentities

__all__ = ["AccessDenied", "Iam", "PolicyError", "install", "installed"]


class Iam:
    """The installed part: the account's identities and the decisions made about them."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.directory = Directory(cloud)
        self.decisions = Decisions(cloud.folder / "iam")
        self.authoriser = Authoriser(cloud, self.directory, self.decisions)
        self.sessions = Sessions(cloud, self.directory, self.authoriser)
        self.web_identities = WebIdentities(cloud, self.directory, self.authoriser)

    def stop(self) -> None:
        """Close the record of decisions."""
        self.decisions.close()
        _installed.remove(self)


_installed: list[Iam] = []


def install(cloud: Cloud) -> Iam:
    """Open the `assume` door."""
    part = Iam(cloud)
    patches.apply(_bucket_policies())
    cloud.assume = part.sessions.assume
    _installed.append(part)
    return part


def installed(cloud: Cloud) -> Iam:
    """The part of this account."""
    return next(part for part in _installed if part.cloud is cloud)


def _bucket_policies() -> patches.Patch:
    def get_permission(self: object, action: str, resource: str) -> PermissionResult:  # noqa: ARG001 - moto's signature
        return PermissionResult.NEUTRAL

    expects = "(self, action: 'str', resource: 'str') -> 'Any'"
    why = "moto ignores a bucket policy's conditions, so a TLS-only policy denies everything; the gate evaluates it"
    return patches.Patch(FakeBucket, "get_permission", get_permission, expects, why)
