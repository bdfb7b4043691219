"""monitoring.backend: model_monitor -> SageMaker Model Monitor runs the analyzer, for accounts that still have it.

Two schedules in the Endpoint stack, each with a job definition: on the data of a window, and on its labelled predictions, which SageMaker
merges before. Both begin at the ends of windows, in UTC, and run the same image as start_monitoring's jobs. CloudFormation knows the model
package that is live and not the run that made it, so a definition names the package, and the analyzer asks the registry for its baseline.
A new champion replaces the definitions and moves the schedules to them.

What Model Monitor cannot do: it merges a label with a request, so the labels of requests with several rows are not judged; and it writes
to monitoring/<endpoint>/<schedule>/yyyy/mm/dd/hh.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import aws_cdk as cdk
from constructs import Construct

from contracts import layout
from contracts.config import Monitoring
from contracts.evaluation import Problem
from contracts.instances import has_local_storage
from contracts.monitoring import NAMESPACE
from stacks.constructs.placement import placement
from stacks.names import DATA_QUALITY, MODEL_QUALITY, monitoring_schedule_name
from stacks.project import Project

VOLUME = 30  # GB
_CAPTURES = layout.PROCESSING_INPUT / layout.CAPTURES_CHANNEL
_VERDICT = layout.PROCESSING_OUTPUT / layout.VERDICT_CHANNEL
_PROBLEMS = {
    Problem.BINARY: "BinaryClassification",
    Problem.MULTICLASS: "MulticlassClassification",
    Problem.REGRESSION: "Regression",
}
# Of an execution's time: the merge has the other half. An hourly job ends before the next begins.
# https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-model-quality-schedule.html
_SHARE = {DATA_QUALITY: 1.0, MODEL_QUALITY: 0.5}


class ModelMonitor(Construct):
    """Both schedules, when the endpoint is there. `package`: the champion; `role_arn`: what the analyzer runs under."""

    def __init__(
        self,
        scope: Construct,
        project: Project,
        *,
        endpoint: cdk.CfnResource,
        package: cdk.CfnParameter,
        condition: cdk.CfnCondition,
        image_uri: str,
        role_arn: str,
        key_arn: str,
        data_bucket: str,
        artifacts_bucket: str,
    ) -> None:
        super().__init__(scope, "ModelMonitor")
        self._project = project
        self._package = package.value_as_string
        self._image_uri, self._role_arn, self._key_arn = image_uri, role_arn, key_arn
        self._output = f"s3://{artifacts_bucket}/{layout.MONITORING}".rstrip("/")
        self._ground_truth = f"s3://{data_bucket}/{layout.GROUND_TRUTH}".rstrip("/")
        for kind in (DATA_QUALITY, MODEL_QUALITY):
            properties = self._definition(kind)
            name = self._definition_name(kind, properties)
            definition = cdk.CfnResource(
                self,
                f"{kind}Definition",
                type=f"AWS::SageMaker::{kind}JobDefinition",
                properties={"JobDefinitionName": name} | properties,
            )
            config = {
                "MonitoringJobDefinitionName": name,
                "MonitoringType": kind,
                "ScheduleConfig": {"ScheduleExpression": window_ends(project.config.monitoring.window_hours)},
            }
            schedule = cdk.CfnResource(
                self,
                f"{kind}Schedule",
                type="AWS::SageMaker::MonitoringSchedule",
                properties={"MonitoringScheduleName": monitoring_schedule_name(project, kind), "MonitoringScheduleConfig": config},
            )
            definition.add_resource_dependency(endpoint)
            schedule.add_resource_dependency(definition)
            for resource in (definition, schedule):
                resource.cfn_options.condition = condition

    def _definition(self, kind: str) -> dict[str, Any]:
        monitoring = self._project.config.monitoring
        cluster: dict[str, Any] = {"InstanceCount": 1, "InstanceType": monitoring.instance_type, "VolumeSizeInGB": VOLUME}
        if not has_local_storage(monitoring.instance_type):
            cluster["VolumeKmsKeyId"] = self._key_arn
        output = {"LocalPath": str(_VERDICT), "S3UploadMode": "EndOfJob", "S3Uri": self._output}
        longest = min(monitoring.max_runtime_seconds, int(monitoring.window_hours * 3600 * _SHARE[kind]))
        return {
            f"{kind}AppSpecification": self._application(kind),
            f"{kind}JobInput": self._input(kind),
            f"{kind}JobOutputConfig": {"KmsKeyId": self._key_arn, "MonitoringOutputs": [{"S3Output": output}]},
            "JobResources": {"ClusterConfig": cluster},
            "RoleArn": self._role_arn,
            "StoppingCondition": {"MaxRuntimeInSeconds": longest},
            **self._network(),
        }

    def _network(self) -> dict[str, Any]:
        where = placement(self._project)
        if where is None:
            return {}
        return {"NetworkConfig": {"EnableInterContainerTrafficEncryption": True, "VpcConfig": where.vpc_config}}

    def _application(self, kind: str) -> dict[str, Any]:
        config = self._project.config
        application = {
            "ImageUri": self._image_uri,
            "ContainerEntrypoint": ["python", "-m", "training", "monitor"],
            "ContainerArguments": ["--namespace", NAMESPACE],
            "Environment": {
                "analysis_type": "MODEL_QUALITY" if kind == MODEL_QUALITY else "DATA_QUALITY",
                "model_package": self._package,
                "publish_cloudwatch_metrics": "Enabled",
                # Only what differs from the defaults, which are the image's too: a value has at most 256 characters.
                "thresholds": config.monitoring.thresholds.model_dump_json(exclude_defaults=True),
            },
        }
        return application | ({"ProblemType": _PROBLEMS[config.data.problem]} if kind == MODEL_QUALITY else {})

    def _input(self, kind: str) -> dict[str, Any]:
        endpoint = {"EndpointName": self._project.prefix, "LocalPath": str(_CAPTURES)}
        if kind == DATA_QUALITY:
            return {"EndpointInput": endpoint}
        # The attribute is for AWS's own container; ours reads the answers as the model server writes them.
        given = endpoint | {"InferenceAttribute": "prediction"} | offsets(self._project.config.monitoring)
        return {"EndpointInput": given, "GroundTruthS3Input": {"S3Uri": self._ground_truth}}

    def _definition_name(self, kind: str, properties: Mapping[str, Any]) -> str:
        """With the version, and with what the definition says: whatever changes is replaced, and the new one needs a name of its own."""
        content = json.dumps(cdk.Stack.of(self).resolve(properties), sort_keys=True)
        digest = hashlib.sha256(content.encode()).hexdigest()[:8]
        version = cdk.Fn.select(2, cdk.Fn.split("/", self._package))
        return f"{monitoring_schedule_name(self._project, kind)}-{digest}-{version}"


def window_ends(hours: int) -> str:
    """The ends of windows, as Model Monitor writes schedules.

    https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-schedule-expression.html
    """
    return f"cron(0 {'*' if hours == 1 else '0' if hours == 24 else f'0/{hours}'} ? * * *)"


def offsets(monitoring: Monitoring) -> dict[str, str]:
    """How far the window of labelled predictions lies back, from the time at which an execution is scheduled; none without a delay.

    https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-model-quality-schedule.html
    """
    delay = monitoring.label_delay_hours
    if not delay:
        return {}
    return {"StartTimeOffset": f"-PT{delay + monitoring.window_hours}H", "EndTimeOffset": f"-PT{delay}H"}
