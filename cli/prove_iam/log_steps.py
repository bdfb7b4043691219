"""What is asked of the buckets is in their access logs."""

from cli.prove_iam.session import Session
from cli.prove_iam.step import Step

NEWEST = 5
"""Log files that are read: other buckets log to the same place."""


def _logged(session: Session) -> None:
    s3, bucket, key = session.client("s3"), session.app.data_bucket, session.name("proof/logged")
    s3.put_object(Bucket=bucket, Key=key, Body=b"")
    settings = s3.get_bucket_logging(Bucket=bucket)["LoggingEnabled"]
    session.twin.part("access_logs").deliver()  # AWS takes hours

    def look() -> bool | None:
        files = s3.list_objects_v2(Bucket=settings["TargetBucket"], Prefix=settings["TargetPrefix"]).get("Contents", [])
        newest = sorted((each["Key"] for each in files), reverse=True)[:NEWEST]
        found = (s3.get_object(Bucket=settings["TargetBucket"], Key=name)["Body"].read().decode() for name in newest)
        return True if any(key in text for text in found) else None

    session.reach(f"the request for {key} in the access logs", look)


LOG_STEPS = (Step("access logs", "a request to the data bucket is in its access logs", _logged),)
