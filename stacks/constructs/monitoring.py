"""monitoring in tidewheel.yaml -> when windows are looked at, and the alarms over what was found in them, or that nobody looked."""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from contracts.config import MonitoringBackend
from contracts.events import DetailType
from contracts.monitoring import DRIFT_ALARM, ENDPOINT_DIMENSION, NAMESPACE, QUALITY_ALARM
from stacks.constructs.triggers import Notice
from stacks.names import monitor_jobs, window_alarm_names
from stacks.project import Project

_MINUTES_AFTER = 10  # data capture writes its files some minutes late


def window_ends(hours: int) -> str:
    """A schedule, in UTC: some minutes after the end of each window of a day."""
    return f"cron({_MINUTES_AFTER} {','.join(map(str, range(0, 24, hours)))} * * ? *)"


def window_alarms(scope: Construct, project: Project, topic: sns.ITopic) -> list[cloudwatch.CfnAlarm]:
    """`<prefix>-drift` and `<prefix>-quality`: M of the last N windows were bad; people hear of it.

    A window that could not be judged has no metric, and changes no alarm: hence `ignore`. With `missing` a first, bad window alone would
    raise the alarm: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html, "premature".
    The period is the window, at most a day, and N of them are at most a week, which are CloudWatch's limits.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
    """
    drift, quality = window_alarm_names(project)
    return [
        _alarm(scope, "DriftAlarm", project, topic, drift, DRIFT_ALARM, "The traffic differs from what the model was trained on"),
        _alarm(scope, "QualityAlarm", project, topic, quality, QUALITY_ALARM, "By its labels, the model is worse than on its holdout"),
    ]


def tell_of_failed_windows(scope: Construct, project: Project, topic: sns.ITopic, dead_letters: sqs.IQueue, role_arn: str) -> None:
    """People hear of a monitoring job that failed: a window that nobody looked at raises no alarm by itself.

    Model Monitor names its jobs without the project, so their role (`role_arn`) tells them. That a merge found no label is no failure.
    """
    jobs: dict[str, Any] = {"ProcessingJobName": [{"wildcard": monitor_jobs(project)}]}
    if project.config.monitoring.backend is MonitoringBackend.MODEL_MONITOR:
        jobs = {"RoleArn": [role_arn], "ProcessingJobName": [{"anything-but": {"prefix": "groundtruth-merge-"}}]}
    job, why = (events.EventField.from_path(f"$.detail.{name}") for name in ("ProcessingJobName", "FailureReason"))
    Notice(
        scope,
        project.prefix,
        "window-failed",
        source="aws.sagemaker",
        detail_type=DetailType.PROCESSING_JOB,
        detail=jobs | {"ProcessingJobStatus": ["Failed"]},
        text=f"{job} failed, so its window has no verdict: {why}. Its log in /aws/sagemaker/ProcessingJobs says more",
        topic=topic,
        dead_letters=dead_letters,
    )


def _alarm(
    scope: Construct,
    id: str,  # noqa: A002 - CDK's name
    project: Project,
    topic: sns.ITopic,
    name: str,
    metric: str,
    what: str,
) -> cloudwatch.CfnAlarm:
    monitoring = project.config.monitoring
    needed, windows = monitoring.alarm.needed, monitoring.alarm.windows
    return cloudwatch.CfnAlarm(
        scope,
        id,
        alarm_name=name,
        alarm_description=f"{what}, in {needed} of {windows} windows of {monitoring.window_hours} h. tide monitor shows the last one",
        namespace=NAMESPACE,
        metric_name=metric,
        dimensions=[cloudwatch.CfnAlarm.DimensionProperty(name=ENDPOINT_DIMENSION, value=project.prefix)],
        statistic="Maximum",
        period=cdk.Duration.hours(monitoring.window_hours).to_seconds(),
        evaluation_periods=windows,
        datapoints_to_alarm=needed,
        threshold=1,
        comparison_operator="GreaterThanOrEqualToThreshold",
        treat_missing_data="ignore",
        alarm_actions=[topic.topic_arn],
    )
