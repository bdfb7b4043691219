"""SageMaker Model Monitor: job definitions and monitoring schedules.

docs: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_SageMaker.html
A changed definition is a new definition; a schedule is moved to it in place. Definitions are tagged with the stack's name, schedules are
not (cloudFormationSystemTags of their public schemas).
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from twin.cloudformation.resources.base import Call, Created, Handler, changed, gone
from twin.cloudformation.resources.sagemaker import GONE, name_in, own_name, retag, stack_tags
from twin.cloudformation.shapes import request


class _JobDefinition(Handler):
    """Ref is the definition's ARN. `kind`: DataQuality or ModelQuality; `operation`: the same, as boto3 writes it."""

    kind: ClassVar[str]
    operation: ClassVar[str]
    name_property = "JobDefinitionName"
    attributes = frozenset({"CreationTime", "JobDefinitionArn"})

    def create(self, call: Call) -> Created:
        api, name = call.client("sagemaker"), own_name(call, "JobDefinitionName")
        values = call.request("sagemaker", f"Create{self.kind}JobDefinition", "JobDefinitionName", "Tags")
        create = getattr(api, f"create_{self.operation}_job_definition")
        arn = create(JobDefinitionName=name, Tags=stack_tags(call), **values)["JobDefinitionArn"]
        call.begun(arn)
        api.list_tags(ResourceArn=arn)
        made = getattr(api, f"describe_{self.operation}_job_definition")(JobDefinitionName=name)["CreationTime"]
        return Created(arn, {"CreationTime": made.isoformat(), "JobDefinitionArn": arn})

    def delete(self, call: Call, physical_id: str) -> None:
        with gone(*GONE):
            getattr(call.client("sagemaker"), f"delete_{self.operation}_job_definition")(JobDefinitionName=name_in(physical_id))


def _definition_properties(kind: str) -> frozenset[str]:
    own = {f"{kind}{part}" for part in ("AppSpecification", "BaselineConfig", "JobInput", "JobOutputConfig")}
    return frozenset(own | {"JobDefinitionName", "JobResources", "NetworkConfig", "RoleArn", "StoppingCondition", "Tags"})


class DataQualityJobDefinition(_JobDefinition):
    """What looks at the data of a window."""

    type = "AWS::SageMaker::DataQualityJobDefinition"
    kind, operation = "DataQuality", "data_quality"
    properties = _definition_properties(kind)
    replacement = properties
    required = frozenset({"DataQualityAppSpecification", "DataQualityJobInput", "DataQualityJobOutputConfig", "JobResources", "RoleArn"})


class ModelQualityJobDefinition(_JobDefinition):
    """What looks at the labelled predictions of a window."""

    type = "AWS::SageMaker::ModelQualityJobDefinition"
    kind, operation = "ModelQuality", "model_quality"
    properties = _definition_properties(kind)
    replacement = properties
    required = frozenset({"ModelQualityAppSpecification", "ModelQualityJobInput", "ModelQualityJobOutputConfig", "JobResources", "RoleArn"})


class MonitoringSchedule(Handler):
    """Ref is the schedule's ARN."""

    type = "AWS::SageMaker::MonitoringSchedule"
    properties = frozenset({"MonitoringScheduleConfig", "MonitoringScheduleName", "Tags"})
    required = frozenset({"MonitoringScheduleConfig", "MonitoringScheduleName"})
    replacement = frozenset({"MonitoringScheduleName"})
    attributes = frozenset({"CreationTime", "LastModifiedTime", "MonitoringScheduleArn"})
    name_property = "MonitoringScheduleName"

    def create(self, call: Call) -> Created:
        arn = call.client("sagemaker").create_monitoring_schedule(**call.request("sagemaker", "CreateMonitoringSchedule"))
        return Created(arn["MonitoringScheduleArn"], self._known(call))

    def update(self, call: Call, physical_id: str, before: Mapping[str, Any]) -> Mapping[str, Any]:
        if changed(call, before, "MonitoringScheduleConfig"):
            values = {key: call.properties[key] for key in ("MonitoringScheduleConfig", "MonitoringScheduleName")}
            call.client("sagemaker").update_monitoring_schedule(**request("sagemaker", "UpdateMonitoringSchedule", values))
        retag(call, physical_id, before)
        return self._known(call)

    def delete(self, call: Call, physical_id: str) -> None:
        with gone(*GONE):
            call.client("sagemaker").delete_monitoring_schedule(MonitoringScheduleName=call.properties["MonitoringScheduleName"])

    def _known(self, call: Call) -> Mapping[str, Any]:
        found = call.client("sagemaker").describe_monitoring_schedule(MonitoringScheduleName=call.properties["MonitoringScheduleName"])
        times = {key: found[key].isoformat() for key in ("CreationTime", "LastModifiedTime")}
        return times | {"MonitoringScheduleArn": found["MonitoringScheduleArn"]}


HANDLERS: tuple[Handler, ...] = (DataQualityJobDefinition(), ModelQualityJobDefinition(), MonitoringSchedule())
