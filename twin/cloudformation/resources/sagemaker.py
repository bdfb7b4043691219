"""SageMaker: model package groups, pipelines, models, endpoint configurations and endpoints.

docs: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_SageMaker.html
What a handler calls beside the operation itself is in the type's public schema: it reads what it made, with its tags, tags models with the
stack's name (cloudFormationSystemTags), and looks at the key of an endpoint configuration. Modelled: configurations get the stack's tags
too, because CloudFormation passes its tags on to every type that takes tags (aws-properties-resource-tags.html).
An endpoint counts as made or updated when it is InService, which it also is after SageMaker rolled a blue/green update back to the old
configuration: CloudFormation sees the status and no more, so it reports success (see the reconciler, which compares configurations).
"""

from collections.abc import Mapping
from typing import Any

from twin.cloudformation.resources.base import Call, Created, Handler, HandlerError, changed, gone, tag_list
from twin.cloudformation.shapes import as_text, request

GONE = ("ValidationException", "ResourceNotFound", "ResourceNotFoundException")
"""SageMaker answers a Describe or Delete of what does not exist with a ValidationException."""
_UNDER_WAY = frozenset({"Creating", "Updating", "RollingBack", "SystemUpdating", "Deleting"})
POLL_SECONDS = 0.1


class ModelPackageGroup(Handler):
    """Ref is the group's ARN."""

    type = "AWS::SageMaker::ModelPackageGroup"
    properties = frozenset({"ModelPackageGroupDescription", "ModelPackageGroupName", "ModelPackageGroupPolicy", "Tags"})
    required = frozenset({"ModelPackageGroupName"})
    replacement = frozenset({"ModelPackageGroupDescription", "ModelPackageGroupName"})
    attributes = frozenset({"ModelPackageGroupArn", "ModelPackageGroupStatus"})
    name_property = "ModelPackageGroupName"

    def create(self, call: Call) -> Created:
        api = call.client("sagemaker")
        arn = api.create_model_package_group(**call.request("sagemaker", "CreateModelPackageGroup", "ModelPackageGroupPolicy"))
        call.begun(arn["ModelPackageGroupArn"])
        self._policy(call, {})
        return Created(arn["ModelPackageGroupArn"], self._known(arn["ModelPackageGroupArn"]))

    def update(self, call: Call, physical_id: str, before: Mapping[str, Any]) -> Mapping[str, Any]:
        self._policy(call, before)
        retag(call, physical_id, before)
        return self._known(physical_id)

    def delete(self, call: Call, physical_id: str) -> None:
        api, name = call.client("sagemaker"), call.properties["ModelPackageGroupName"]
        packages = api.list_model_packages(ModelPackageGroupName=name)["ModelPackageSummaryList"]
        if packages:
            raise HandlerError(f"Model Package Group {name} cannot be deleted: it contains {len(packages)} Model Packages.")
        with gone(*GONE):
            api.delete_model_package_group(ModelPackageGroupName=name)

    def _policy(self, call: Call, before: Mapping[str, Any]) -> None:
        if not changed(call, before, "ModelPackageGroupPolicy"):
            return
        api, name = call.client("sagemaker"), call.properties["ModelPackageGroupName"]
        if "ModelPackageGroupPolicy" in call.properties:
            policy = as_text(call.properties["ModelPackageGroupPolicy"])
            api.put_model_package_group_policy(ModelPackageGroupName=name, ResourcePolicy=policy)
        else:
            api.delete_model_package_group_policy(ModelPackageGroupName=name)

    def _known(self, arn: str) -> Mapping[str, Any]:
        return {"ModelPackageGroupArn": arn, "ModelPackageGroupStatus": "Completed"}


class Pipeline(Handler):
    """Ref is the pipeline's name. The definition is inline, as PipelineDefinitionBody."""

    type = "AWS::SageMaker::Pipeline"
    properties = frozenset(
        {"ParallelismConfiguration", "PipelineDefinition", "PipelineDescription", "PipelineDisplayName", "PipelineName", "RoleArn", "Tags"}
    )
    required = frozenset({"PipelineDefinition", "PipelineName", "RoleArn"})
    replacement = frozenset({"PipelineName"})
    name_property = "PipelineName"

    def create(self, call: Call) -> Created:
        # The token is part of the request's shape; one a resource is enough, because a name is only created once.
        token = f"{call.logical_id}-{call.new_name()}".ljust(32, "0")[-128:]
        call.client("sagemaker").create_pipeline(ClientRequestToken=token, **self._request(call, "CreatePipeline"))
        return Created(call.properties["PipelineName"])

    def update(self, call: Call, physical_id: str, before: Mapping[str, Any]) -> Mapping[str, Any]:
        call.client("sagemaker").update_pipeline(**self._request(call, "UpdatePipeline", "Tags"))
        retag(call, call.account.arn("sagemaker", f"pipeline/{physical_id}"), before)
        return {}

    def delete(self, call: Call, physical_id: str) -> None:
        with gone(*GONE):
            token = call.new_name().ljust(32, "0")[-128:]
            call.client("sagemaker").delete_pipeline(PipelineName=physical_id, ClientRequestToken=token)

    def _request(self, call: Call, operation: str, *left_out: str) -> dict[str, Any]:
        definition = call.properties["PipelineDefinition"]
        if set(definition) != {"PipelineDefinitionBody"}:
            raise HandlerError(f"the twin reads PipelineDefinition.PipelineDefinitionBody, not {sorted(definition)}")
        return call.request(
            "sagemaker", operation, "PipelineDefinition", *left_out, PipelineDefinition=definition["PipelineDefinitionBody"]
        )


class Model(Handler):
    """Ref is the model's ARN. A changed model is a new model."""

    type = "AWS::SageMaker::Model"
    properties = frozenset(
        {
            "Containers",
            "EnableNetworkIsolation",
            "ExecutionRoleArn",
            "InferenceExecutionConfig",
            "ModelName",
            "PrimaryContainer",
            "Tags",
            "VpcConfig",
        }
    )
    replacement = properties
    attributes = frozenset({"ModelArn", "ModelName"})
    name_property = "ModelName"

    def create(self, call: Call) -> Created:
        name = own_name(call, "ModelName")
        api = call.client("sagemaker")
        request = call.request("sagemaker", "CreateModel", "ModelName", "Tags")
        arn = api.create_model(ModelName=name, Tags=stack_tags(call), **request)["ModelArn"]
        call.begun(arn)
        api.describe_model(ModelName=name)
        api.list_tags(ResourceArn=arn)
        return Created(arn, {"ModelArn": arn, "ModelName": name})

    def delete(self, call: Call, physical_id: str) -> None:
        with gone(*GONE):
            call.client("sagemaker").delete_model(ModelName=name_in(physical_id))


class EndpointConfig(Handler):
    """Ref is the configuration's ARN. A changed configuration is a new configuration."""

    type = "AWS::SageMaker::EndpointConfig"
    properties = frozenset(
        {
            "AsyncInferenceConfig",
            "DataCaptureConfig",
            "EnableNetworkIsolation",
            "EndpointConfigName",
            "ExecutionRoleArn",
            "ExplainerConfig",
            "KmsKeyId",
            "ProductionVariants",
            "ShadowProductionVariants",
            "Tags",
            "VpcConfig",
        }
    )
    required = frozenset({"ProductionVariants"})
    replacement = properties
    attributes = frozenset({"EndpointConfigArn", "EndpointConfigName"})
    name_property = "EndpointConfigName"

    def create(self, call: Call) -> Created:
        name = own_name(call, "EndpointConfigName")
        api = call.client("sagemaker")
        request = call.request("sagemaker", "CreateEndpointConfig", "EndpointConfigName", "Tags")
        if "KmsKeyId" in request:
            call.client("kms").describe_key(KeyId=request["KmsKeyId"])
        arn = api.create_endpoint_config(EndpointConfigName=name, Tags=stack_tags(call), **request)["EndpointConfigArn"]
        call.begun(arn)
        api.describe_endpoint_config(EndpointConfigName=name)
        api.list_tags(ResourceArn=arn)
        return Created(arn, {"EndpointConfigArn": arn, "EndpointConfigName": name})

    def delete(self, call: Call, physical_id: str) -> None:
        with gone(*GONE):
            call.client("sagemaker").delete_endpoint_config(EndpointConfigName=name_in(physical_id))


class Endpoint(Handler):
    """Ref is the endpoint's ARN. Waits until SageMaker has come to rest."""

    type = "AWS::SageMaker::Endpoint"
    properties = frozenset(
        {
            "DeploymentConfig",
            "EndpointConfigName",
            "EndpointName",
            "ExcludeRetainedVariantProperties",
            "RetainAllVariantProperties",
            "RetainDeploymentConfig",
            "Tags",
        }
    )
    required = frozenset({"EndpointConfigName"})
    replacement = frozenset({"EndpointName"})
    attributes = frozenset({"EndpointArn", "EndpointName"})
    name_property = "EndpointName"

    def create(self, call: Call) -> Created:
        name, given = own_name(call, "EndpointName"), call.properties
        values = {key: given[key] for key in ("DeploymentConfig", "EndpointConfigName", "Tags") if key in given}
        reply = call.client("sagemaker").create_endpoint(EndpointName=name, **request("sagemaker", "CreateEndpoint", values))
        call.begun(reply["EndpointArn"])
        self._settle(call, name)
        call.client("sagemaker").list_tags(ResourceArn=reply["EndpointArn"])
        return Created(reply["EndpointArn"], {"EndpointArn": reply["EndpointArn"], "EndpointName": name})

    def update(self, call: Call, physical_id: str, before: Mapping[str, Any]) -> Mapping[str, Any]:
        # The last part of an ARN is in lower case; the name is not.
        name = call.properties.get("EndpointName") or name_in(physical_id)
        calls_sagemaker = sorted(self.properties - {"EndpointName", "Tags"})
        if changed(call, before, *calls_sagemaker):
            values = {key: call.properties[key] for key in calls_sagemaker if key in call.properties}
            call.client("sagemaker").update_endpoint(EndpointName=name, **request("sagemaker", "UpdateEndpoint", values))
            self._settle(call, name)
        call.client("sagemaker").list_tags(ResourceArn=physical_id)
        retag(call, physical_id, before)
        return {"EndpointArn": physical_id, "EndpointName": name}

    def delete(self, call: Call, physical_id: str) -> None:
        name = call.properties.get("EndpointName") or name_in(physical_id)
        with gone(*GONE):
            call.client("sagemaker").delete_endpoint(EndpointName=name)
            while True:  # until Describe no longer finds it
                call.client("sagemaker").describe_endpoint(EndpointName=name)
                self._pause(call)

    def _settle(self, call: Call, name: str) -> None:
        while (endpoint := call.client("sagemaker").describe_endpoint(EndpointName=name))["EndpointStatus"] in _UNDER_WAY:
            self._pause(call)
        if endpoint["EndpointStatus"] != "InService":
            raise HandlerError(f"Endpoint {name} is {endpoint['EndpointStatus']}: {endpoint.get('FailureReason', 'no reason given')}")

    def _pause(self, call: Call) -> None:
        if call.account.stopping.wait(POLL_SECONDS):
            raise HandlerError("the twin is stopping")


def own_name(call: Call, key: str) -> str:
    """The given name, or a generated one, from which CloudFormation leaves the stack's name out (https://github.com/aws/aws-cli/issues/4021)."""
    return str(call.properties.get(key) or call.new_name().removeprefix(f"{call.stack_name}-"))[-63:].lstrip("-")


def stack_tags(call: Call) -> list[dict[str, str]]:
    """A resource's own tags, and those that CloudFormation gives it."""
    system = {"logical-id": call.logical_id, "stack-id": call.stack_id, "stack-name": call.stack_name}
    named = [{"Key": f"aws:cloudformation:{key}", "Value": value} for key, value in system.items()]
    return [*tag_list(call.properties.get("Tags")), *named]


def name_in(arn: str) -> str:
    """The name at the end of an ARN."""
    return arn.rpartition("/")[2]


def retag(call: Call, arn: str, before: Mapping[str, Any]) -> None:
    """Bring a resource's tags up to date."""
    if not changed(call, before, "Tags"):
        return
    api = call.client("sagemaker")
    had = [tag["Key"] for tag in tag_list(before.get("Tags"))]
    if had:
        api.delete_tags(ResourceArn=arn, TagKeys=had)
    api.add_tags(ResourceArn=arn, Tags=tag_list(call.properties.get("Tags")))


HANDLERS: tuple[Handler, ...] = (ModelPackageGroup(), Pipeline(), Model(), EndpointConfig(), Endpoint())
