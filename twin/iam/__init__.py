"""Who may do what in the twin's account.

    gate.py        the WSGI gate before every AWS call: who calls, which actions on which resources, allowed or AccessDenied
    calls.py       a request as operation and parameters
    actions.py     an operation as IAM actions and resource ARNs, from AWS's own tables; special.py where AWS documents it otherwise
    authorise.py   the decision: identity policies, boundary, session policy, resource policies, KMS
    policy.py      policies and their evaluation (pure); conditions.py: their condition blocks (pure)
    identity.py    access keys; trust.py: role sessions; signature.py: SigV4
    record.py      every decision, written down

The twin's door stands for TLS: aws:SecureTransport is true on loopback.
"""

from twin.cloud import Cloud
from twin.iam.errors import AccessDenied, PolicyError
from twin.iam.identity import Directory
from twin.iam.record import Decisions
from twin.iam.trust import Sessions

__all__ = ["AccessDenied", "Iam", "PolicyError", "install"]


class Iam:
    """The installed part: the account's identities and the decisions made about them."""

    def __init__(self, cloud: Cloud) -> None:
        self.directory = Directory(cloud)
        self.decisions = Decisions(cloud.folder / "iam")
        self.sessions = Sessions(cloud, self.directory)

    def stop(self) -> None:
        """Close the record of decisions."""
        self.decisions.close()


def install(cloud: Cloud) -> Iam:
    """Open the `assume` door."""
    part = Iam(cloud)
    cloud.assume = part.sessions.assume
    return part
