"""The key that hashes private columns (contracts/privacy.py): a secret that CloudFormation makes up, and nobody sees.

Only when `data.privacy.hash` names columns there is one. It is named, not referred to, so that taking the last column out of the
configuration does not have to undo the stacks in the order in which they use it; and it is kept when its stack goes, because models know
their categories by it.
"""

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager

from contracts.privacy import KEY_CHARACTERS, secret_name
from stacks.constructs.policy import acknowledge, allow
from stacks.project import Project

SECRETS = "secretsmanager"


def add_hash_key(stack: cdk.Stack, project: Project, key: kms.IKey) -> None:
    """The secret, encrypted with the project's key; none without hashed columns."""
    if not project.config.data.privacy.hash:
        return
    # Not CDK's own construct, which would add to the key's policy.
    secret = secretsmanager.CfnSecret(
        stack,
        "HashKey",
        name=secret_name(project.prefix),
        description=f"Hashes the private columns of {project.prefix}",
        kms_key_id=key.key_arn,
        generate_secret_string=secretsmanager.CfnSecret.GenerateSecretStringProperty(
            password_length=KEY_CHARACTERS, exclude_punctuation=True
        ),
    )
    secret.apply_removal_policy(cdk.RemovalPolicy.RETAIN)
    acknowledge(secret, "AwsSolutions-SMG4", "With another key every value would get another hash, and no live model would know it.")


def read_hash_key(stack: cdk.Stack, project: Project) -> list[iam.PolicyStatement]:
    """What a role needs to read the key, besides the project's key for secrets; nothing without hashed columns."""
    if not project.config.data.privacy.hash:
        return []
    # Secrets Manager ends the name in an ARN with a hyphen and six characters.
    # https://docs.aws.amazon.com/secretsmanager/latest/userguide/auth-and-access_iam-policies.html
    name = f"{secret_name(project.prefix)}-??????"
    arn = stack.format_arn(service=SECRETS, resource="secret", resource_name=name, arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME)
    return [allow(["secretsmanager:GetSecretValue"], [arn])]


def decrypt_hash_key(stack: cdk.Stack, project: Project, key: kms.IKey) -> list[iam.PolicyStatement]:
    """The same for a role that has no other use of the project's key.

    https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html: in the name of who reads the secret.
    """
    via = {"StringEquals": {"kms:ViaService": f"{SECRETS}.{stack.region}.amazonaws.com"}}
    reads = read_hash_key(stack, project)
    return [*reads, allow(["kms:Decrypt"], [key.key_arn], via)] if reads else []
