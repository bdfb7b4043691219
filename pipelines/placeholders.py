"""Names that only CloudFormation knows, as literals that the SageMaker SDK accepts.

`get_pipeline` builds with these; the Training stack walks the definition and puts a token in the place of each. They are valid wherever the
SDK or AWS's models validate, and none is part of another, so they can be swapped in any order.
"""

IMAGE_URI = "000000000000.dkr.ecr.us-east-1.amazonaws.com/placeholder-image:placeholder"
JOB_ROLE_ARN = "arn:aws:iam::000000000000:role/placeholder-job-role"
KMS_KEY_ARN = "arn:aws:kms:us-east-1:000000000000:key/00000000-0000-4000-8000-000000000000"
SUBNET_1, SUBNET_2, SUBNET_3 = (f"subnet-{zone:017}" for zone in (1, 2, 3))
SECURITY_GROUP = "sg-00000000000000000"
MODEL_PACKAGE_GROUP = "placeholder-model-package-group"


def subnets(zones: int) -> list[str]:
    """One subnet a zone."""
    return [SUBNET_1, SUBNET_2, SUBNET_3][:zones]
