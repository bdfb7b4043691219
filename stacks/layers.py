"""The layers that AWS publishes and the functions use, by region.

Powertools, with pydantic, has one number everywhere. The SDK for pandas, of which ingest_dataset uses pyarrow, has an account and a number
of its own in many regions. Unzipped, a function and its layers may have 250 MB
(https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html). Of that the SDK for pandas takes some 167 MB by its makers' count
(https://github.com/aws/aws-sdk-pandas/pull/3336; version 3.16.1 took 204 MB); Powertools with what it needs has some 30 MB on a laptop.
"""

from contracts.errors import StateError

# https://docs.aws.amazon.com/powertools/python/latest/getting-started/install/ (Lambda layer): published by AWS in every commercial region.
POWERTOOLS_ACCOUNT = "017000801446"
POWERTOOLS = "arn:{partition}:lambda:{region}:017000801446:layer:AWSLambdaPowertoolsPythonV3-python313-x86_64:34"

PANDAS_NAME = "AWSSDKPandas-Python313"
# Version 3.17.0, Python 3.13, x86_64: https://github.com/aws/aws-sdk-pandas/blob/main/docs/source/layers.rst. Region -> account, number.
PANDAS = {
    **dict.fromkeys(
        (
            *("ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-southeast-1", "ap-southeast-2", "ca-central-1"),
            *("eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3", "sa-east-1"),
            *("us-east-1", "us-east-2", "us-west-1", "us-west-2"),
        ),
        ("336392948345", 14),
    ),
    "af-south-1": ("336392948345", 13),
    "ap-east-1": ("839552336658", 11),
    "ap-south-2": ("246107603503", 11),
    "ap-southeast-3": ("258944054355", 11),
    "ap-southeast-4": ("945386623051", 11),
    "ca-west-1": ("941713567376", 3),
    "eu-central-2": ("956415814219", 11),
    "eu-south-1": ("774444163449", 11),
    "eu-south-2": ("982086096842", 11),
    "il-central-1": ("263840725265", 11),
    "me-central-1": ("593833071574", 11),
}


def pandas_layer(region: str) -> str:
    """The ARN of the SDK for pandas in a region. Raises StateError for a region in which AWS does not publish it."""
    if region not in PANDAS:
        raise StateError(
            f"AWS publishes no {PANDAS_NAME} in {region}, which ingest_dataset needs. Next: one of {', '.join(sorted(PANDAS))}"
        )
    account, number = PANDAS[region]
    return f"arn:aws:lambda:{region}:{account}:layer:{PANDAS_NAME}:{number}"
