"""CloudFormation: deploys what `cdk synth` wrote, strictly, through the same AWS APIs that everybody else calls.

    template.py, references.py, intrinsics.py,
    parameters.py                               what a template says; everything wrong with it is found before anything is made
    scopes.py                                   what references resolve to; whether an update changes anything
    stack.py, journal.py                        what is remembered, and the events of it
    runner.py                                   one create, update or delete, with rollback and clean-up
    engine.py, requests.py, changes.py          the stacks of the account, what requests may ask for, change sets
    operations.py                               the API in front of them
    shapes.py, resources/                       resource types: their properties, API calls, attributes and replacement rules

Resources are made under the stack's role, so the role's policy is really tested. The engine makes no exception for itself.

Modelled: resources are made one after the other, never in parallel; tags of a stack stay on the stack; replies come in one page; deleting a
stack whose export is in use ends in DELETE_FAILED. Refused by name: transforms, dynamic references, nested stacks, custom resources, drift,
stack sets, imports, ContinueUpdateRollback and CancelUpdateStack.
"""

from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

from twin import patches
from twin.cloud import ADMIN, Cloud, Credentials
from twin.cloudformation.changes import ChangeSets
from twin.cloudformation.engine import Engine
from twin.cloudformation.errors import CloudFormationError
from twin.cloudformation.operations import patches as operation_patches


def install(cloud: Cloud) -> Engine:
    """Put the engine behind the CloudFormation API."""
    engine = Engine(cloud)
    patches.apply(*operation_patches(engine, ChangeSets(engine, cloud.clock.now), lambda key: _credentials(cloud, key)))
    return engine


def _credentials(cloud: Cloud, access_key: str) -> Credentials:
    """The whole credentials of a caller, by access key: an operation without a role goes on under the caller's own permissions."""
    if access_key == ADMIN.access_key:
        return ADMIN
    session = sts_backends[cloud.account]["aws"].get_assumed_role_from_access_key(access_key)
    if session is not None:
        return Credentials(session.access_key_id, session.secret_access_key, session.session_token)
    key = iam_backends[cloud.account]["aws"].access_keys.get(access_key)
    if key is None:
        raise CloudFormationError("InvalidClientTokenId", "The security token included in the request is invalid.")
    return Credentials(key.access_key_id, key.secret_access_key)
