"""What the endpoint keeps of its traffic: requests and answers, on S3, under the project's key.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DataCaptureConfig.html. SageMaker writes with the model's execution role. The
content types that predict passes on are named, so that what is captured of them is text; anything else would be base64.
"""

from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sagemaker as sagemaker

from contracts.config import Monitoring
from contracts.layout import CAPTURE

_JSON = ["application/json", "application/jsonlines"]
_CSV = ["text/csv"]


def data_capture(monitoring: Monitoring, bucket: s3.IBucket, key: kms.IKey) -> sagemaker.CfnEndpointConfig.DataCaptureConfigProperty | None:
    """Both sides of monitoring.capture_percent of the requests, in the bucket's capture/; nothing for 0."""
    config = sagemaker.CfnEndpointConfig
    if not monitoring.capture_percent:
        return None
    return config.DataCaptureConfigProperty(
        enable_capture=True,
        initial_sampling_percentage=monitoring.capture_percent,
        destination_s3_uri=bucket.s3_url_for_object(CAPTURE.rstrip("/")),
        kms_key_id=key.key_arn,
        capture_options=[config.CaptureOptionProperty(capture_mode=mode) for mode in ("Input", "Output")],
        capture_content_type_header=config.CaptureContentTypeHeaderProperty(json_content_types=_JSON, csv_content_types=_CSV),
    )
