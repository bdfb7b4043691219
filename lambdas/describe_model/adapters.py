"""The reports of the run that made what is live."""

from typing import Any
from urllib.parse import urlparse

from botocore.exceptions import ClientError

from lambdas.describe_model.logic import Report

_NOT_READABLE = frozenset({"NoSuchKey", "NoSuchBucket", "AccessDenied"})


class Reports:
    """What evaluate wrote."""

    def __init__(self, s3: Any) -> None:
        self._s3 = s3

    def read(self, uri: str) -> Report:
        """A report's content, or S3's word for why not.

        Without s3:ListBucket, an object that is not there is AccessDenied: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html.
        """
        place = urlparse(uri)
        try:
            content: bytes = self._s3.get_object(Bucket=place.netloc, Key=place.path.lstrip("/"))["Body"].read()
        except ClientError as error:
            code: str = error.response["Error"]["Code"]
            if code in _NOT_READABLE:
                return code
            raise
        return content
