"""The champion's baseline, from where its model package says that it lies: for a job whose definition can name the package and no more.

Model Monitor's job definitions are made by CloudFormation, which knows the model package that is live, and not the run that made it.
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DriftCheckBaselines.html
"""

from pathlib import Path
from typing import Any

from contracts.errors import StateError
from contracts.layout import CONSTRAINTS, EVALUATION, STATISTICS
from contracts.signature import SIGNATURE
from training.monitoring.fetch import SCHEME, make_client


def fetch_baseline(package_arn: str, folder: Path, sagemaker: Any = None, s3: Any = None) -> Path:
    """Copy the evaluation files of a model package's run into a folder; the folder.

    Raises StateError when the package names no baseline, and botocore's ClientError.
    """
    package = (sagemaker or make_client("sagemaker")).describe_model_package(ModelPackageName=package_arn)
    uri = package.get("DriftCheckBaselines", {}).get("ModelDataQuality", {}).get("Statistics", {}).get("S3Uri", "")
    if not uri.startswith(SCHEME):
        raise StateError(f"{package_arn} names no baseline of its data. Next: deploy a version that the pipeline registered")
    bucket, _, key = uri.removeprefix(SCHEME).partition("/")
    client = s3 or make_client("s3")
    for name in (STATISTICS, CONSTRAINTS, SIGNATURE, EVALUATION):
        body = client.get_object(Bucket=bucket, Key=f"{key.rpartition('/')[0]}/{name}")["Body"]
        (folder / name).write_bytes(body.read())
    return folder
