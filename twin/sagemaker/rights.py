"""What SageMaker does in the name of an execution role before and after a container runs: it pulls the image and encrypts the volume.

Sources: https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html (execution role permissions per API: ECR, kms:CreateGrant
for a volume's key, kms:Encrypt for an output's key), https://docs.aws.amazon.com/sagemaker/latest/dg/api-permissions-reference.html (the
caller of CreateEndpoint needs kms:CreateGrant for the configuration's key). Modelled: the volume of a job is granted by its role alone,
where AWS takes a caller who may do it too; whoever updates an endpoint grants the volumes of the new fleet, as whoever creates it.
"""

from typing import Any

from twin.cloud import Credentials
from twin.iam import behalf
from twin.iam.actions import Place
from twin.iam.errors import AccessDenied
from twin.iam.special import key_arn
from twin.sagemaker import api
from twin.sagemaker.context import Context

_PULL = ("ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage")


def pull(context: Context, credentials: Credentials, uri: str) -> None:
    """Raises AccessDenied unless the role may pull the image."""
    registry, _, name = uri.partition("/")
    account, _, _, region = registry.split(".")[:4]
    repository = f"arn:aws:ecr:{region}:{account}:repository/{name.partition(':')[0].partition('@')[0]}"
    behalf.require(context.cloud, credentials, f"pull {name}", "ecr:GetAuthorizationToken", "*")
    for action in _PULL:
        behalf.require(context.cloud, credentials, f"pull {name}", action, repository)


def encrypt_volume(context: Context, credentials: Credentials, key: str | None) -> None:
    """Raises AccessDenied unless the role may let a job's volume use the key."""
    if key:
        need = behalf.grant(context.cloud, key, "sagemaker")
        behalf.require(context.cloud, credentials, "encrypt the volume", need.action, need.resource, need.context)


def encrypt_output(context: Context, credentials: Credentials, key: str | None) -> None:
    """Raises AccessDenied unless the role may encrypt a job's output with the key."""
    if key:
        cloud = context.cloud
        behalf.require(cloud, credentials, "encrypt the output", "kms:Encrypt", key_arn(key, Place(cloud.account, cloud.region)))


def check_endpoint_volumes(context: Context, operation: str, config: dict[str, Any]) -> None:
    """Stop whoever creates or updates an endpoint and may not let its volumes use the configuration's key."""
    if not config.get("KmsKeyId"):
        return
    try:
        behalf.require_of_caller(context.cloud, operation, behalf.grant(context.cloud, config["KmsKeyId"], "sagemaker"))
    except AccessDenied as error:
        raise api.denied(str(error)) from error
