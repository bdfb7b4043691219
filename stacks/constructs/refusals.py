"""The alarm on requests that the model refuses: traffic that no longer fits the signature is never captured, so no window tells of it."""

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sns as sns
from constructs import Construct

from stacks.names import VARIANT, function_name, refused_alarm_name
from stacks.project import Project

SHARE = 0.5
FEWEST_REQUESTS = 10  # of an hour; one mistake among three requests is nobody's broken schema
_METRICS = {"requests": "Invocations", "refused": "Invocation4XXErrors"}


def refused_alarm(scope: Construct, project: Project, topic: sns.ITopic) -> cloudwatch.CfnAlarm:
    """`<prefix>-refused`: most of an hour's requests were answered with 4xx; people hear of it.

    Data capture keeps what was answered only: a window of refused requests is an empty one, "not enough data".
    https://docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html, Invocation4XXErrors
    """
    query = cloudwatch.CfnAlarm.MetricDataQueryProperty
    share = f"IF(requests >= {FEWEST_REQUESTS}, refused / requests, 0)"
    return cloudwatch.CfnAlarm(
        scope,
        "RefusedAlarm",
        alarm_name=refused_alarm_name(project),
        alarm_description=(
            f"The model refused {SHARE:.0%} or more of an hour's requests (4xx), so they are neither answered nor watched: a column may be "
            f"missing, unknown or of another type. The log of {function_name(project, 'predict')} says which; tide api shows what fits"
        ),
        metrics=[
            query(id="share", expression=share, label="refused requests, share", return_data=True),
            *(query(id=name, metric_stat=_of_endpoint(project, metric), return_data=False) for name, metric in _METRICS.items()),
        ],
        evaluation_periods=1,
        threshold=SHARE,
        comparison_operator="GreaterThanOrEqualToThreshold",
        treat_missing_data="notBreaching",
        alarm_actions=[topic.topic_arn],
    )


def _of_endpoint(project: Project, metric: str) -> cloudwatch.CfnAlarm.MetricStatProperty:
    places = {"EndpointName": project.prefix, "VariantName": VARIANT}
    dimensions = [cloudwatch.CfnAlarm.DimensionProperty(name=name, value=value) for name, value in places.items()]
    return cloudwatch.CfnAlarm.MetricStatProperty(
        metric=cloudwatch.CfnAlarm.MetricProperty(namespace="AWS/SageMaker", metric_name=metric, dimensions=dimensions),
        period=cdk.Duration.hours(1).to_seconds(),
        stat="Sum",
    )
