"""What SageMaker asks for under an execution role, and what becomes of a job, model or endpoint whose role lacks it."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.twin.sagemaker.conftest import IMAGE, Account, until
from tests.twin.sagemaker.test_jobs import process, train

CONTAINER = (
    "ecr:GetAuthorizationToken",
    "ecr:BatchCheckLayerAvailability",
    "ecr:GetDownloadUrlForLayer",
    "ecr:BatchGetImage",
    "logs:CreateLogGroup",
    "logs:DescribeLogStreams",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "cloudwatch:PutMetricData",
)
JOB = (*CONTAINER, "s3:ListBucket", "s3:GetObject", "s3:PutObject")
KEYS = ("kms:CreateGrant", "kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey")


def without(actions: tuple[str, ...], *missing: str) -> list[str]:
    return [action for action in actions if action not in missing]


def encrypted(account: Account, **changes: Any) -> dict[str, Any]:
    """A processing job whose volume and outputs have a customer-managed key."""
    key = account.cloud.client("kms").create_key()["KeyMetadata"]["Arn"]
    given = account.processing_job(**changes)
    given["ProcessingResources"]["ClusterConfig"]["VolumeKmsKeyId"] = key
    given["ProcessingOutputConfig"]["KmsKeyId"] = key
    return given


def log_lines(account: Account, group: str) -> list[str]:
    logs = account.cloud.client("logs")
    if not logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
        return []
    return [event["message"] for event in logs.filter_log_events(logGroupName=group)["events"]]


def metrics(account: Account, namespace: str) -> set[str]:
    return {metric["MetricName"] for metric in account.cloud.client("cloudwatch").list_metrics(Namespace=namespace)["Metrics"]}


def test_a_job_whose_role_may_do_all_that_is_documented_has_outputs_log_and_metrics(account: Account) -> None:
    job = train(account, RoleArn=account.new_role("job", list(JOB)))
    assert job["TrainingJobStatus"] == "Completed"
    assert log_lines(account, "/aws/sagemaker/TrainingJobs") == ["auc=0.75;"]
    assert metrics(account, "/aws/sagemaker/TrainingJobs") == {"CPUUtilization", "MemoryUtilization"}


def test_an_image_that_the_role_cannot_pull_fails_the_job(account: Account) -> None:
    for number, action in enumerate(action for action in CONTAINER if action.startswith("ecr:")):
        job = process(account, name=f"p{number}", RoleArn=account.new_role(f"r{number}", without(JOB, action)))
        assert job["ProcessingJobStatus"] == "Failed"
        assert action in job["FailureReason"]


def test_a_job_that_may_not_write_its_log_or_publish_metrics_runs_without_them(account: Account) -> None:
    for number, action in enumerate(action for action in CONTAINER if action.startswith("logs:")):
        job = train(account, name=f"t{number}", RoleArn=account.new_role(f"r{number}", without(JOB, action, "cloudwatch:PutMetricData")))
        assert job["TrainingJobStatus"] == "Completed"
        assert log_lines(account, "/aws/sagemaker/TrainingJobs") == []
    assert metrics(account, "/aws/sagemaker/TrainingJobs") == set()


def test_a_job_under_a_key_needs_a_grant_for_its_volume_and_the_key_for_its_outputs(account: Account) -> None:
    for number, missing in enumerate(("", "kms:CreateGrant", "kms:Encrypt")):
        role = account.new_role(f"r{number}", without((*JOB, *KEYS), missing))
        job = process(account, name=f"p{number}", **encrypted(account, RoleArn=role))
        assert job["ProcessingJobStatus"] == ("Failed" if missing else "Completed")
        assert missing in job.get("FailureReason", "")


def test_a_grant_is_for_a_resource_of_aws(account: Account) -> None:
    role = account.new_role("job", without((*JOB, *KEYS), "kms:CreateGrant"))
    condition = {"Bool": {"kms:GrantIsForAWSResource": "true"}}
    statement = {"Effect": "Allow", "Action": "kms:CreateGrant", "Resource": "*", "Condition": condition}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    account.cloud.client("iam").put_role_policy(RoleName="job", PolicyName="grant", PolicyDocument=document)
    assert process(account, **encrypted(account, RoleArn=role))["ProcessingJobStatus"] == "Completed"


def test_a_model_whose_role_cannot_read_its_data_is_not_made(account: Account) -> None:
    account.s3.put_object(Bucket="data", Key="m.tar.gz", Body=b"x")
    container = {"Image": IMAGE, "ModelDataUrl": "s3://data/m.tar.gz"}
    role = account.new_role("model", list(CONTAINER))
    with pytest.raises(ClientError, match="Could not access model data"):
        account.sagemaker.create_model(ModelName="m", PrimaryContainer=container, ExecutionRoleArn=role)


def test_an_endpoint_that_may_not_pull_its_image_fails(account: Account) -> None:
    account.role = account.new_role("model", without((*CONTAINER, "s3:GetObject"), "ecr:BatchGetImage"))
    account.sagemaker.create_endpoint(EndpointName="e", EndpointConfigName=account.config("c", "one"))
    found = account.settled()
    assert found["EndpointStatus"] == "Failed"
    assert "ecr:BatchGetImage" in found["FailureReason"]


def test_an_endpoint_writes_its_log_and_metrics_in_the_name_of_its_role(account: Account) -> None:
    for name, missing in (("whole", ""), ("mute", "logs:PutLogEvents"), ("unmeasured", "cloudwatch:PutMetricData")):
        account.role = account.new_role(name, without((*CONTAINER, "s3:GetObject"), missing))
        account.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=account.config(name, "one"))
    wanted = {("whole", True, True), ("mute", False, True), ("unmeasured", True, False)}

    def told() -> set[tuple[str, bool, bool]]:
        listed = account.cloud.client("cloudwatch").list_metrics(Namespace="/aws/sagemaker/Endpoints")["Metrics"]
        measured = {dimension["Value"] for metric in listed for dimension in metric["Dimensions"]}
        return {(name, bool(log_lines(account, f"/aws/sagemaker/Endpoints/{name}")), name in measured) for name, _, _ in wanted}

    until(told, wanted.__eq__)


def test_whoever_makes_an_endpoint_under_a_key_needs_a_grant(account: Account) -> None:
    key = account.cloud.client("kms").create_key()["KeyMetadata"]["Arn"]
    account.model("m", "one")
    variant = {"VariantName": "AllTraffic", "ModelName": "m", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    account.sagemaker.create_endpoint_config(EndpointConfigName="c", ProductionVariants=[variant], KmsKeyId=key)
    account.new_role("caller", ["sagemaker:CreateEndpoint"])
    role = "arn:aws:iam::123456789012:role/caller"
    client = account.cloud.client("sagemaker", account.cloud.assume(role, "sagemaker.amazonaws.com", "caller"))
    with pytest.raises(ClientError, match=f"kms:CreateGrant on resource: {key}"):
        client.create_endpoint(EndpointName="e", EndpointConfigName="c")
    account.sagemaker.create_endpoint(EndpointName="e", EndpointConfigName="c")  # the account's root may
    assert account.settled()["EndpointStatus"] == "InService"


def test_a_pipelines_jobs_are_tagged_with_their_execution(account: Account) -> None:
    """So its role needs sagemaker:AddTags (see twin.sagemaker.steps)."""
    step = {"Name": "prepare", "Type": "Processing", "Arguments": account.processing_job()}
    definition = json.dumps({"Version": "2020-12-01", "Parameters": [], "Steps": [step]})
    pipeline = ["sagemaker:CreateProcessingJob", "sagemaker:DescribeProcessingJob", "iam:PassRole"]
    for name, actions in (("tags", [*pipeline, "sagemaker:AddTags"]), ("none", pipeline)):
        role = account.new_role(name, actions)
        account.sagemaker.create_pipeline(PipelineName=name, PipelineDefinition=definition, RoleArn=role, ClientRequestToken=name * 10)
        arn = account.sagemaker.start_pipeline_execution(PipelineName=name)["PipelineExecutionArn"]

        def status(arn: str = arn) -> dict[str, Any]:
            found: dict[str, Any] = account.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
            return found

        ended = until(status, lambda found: found["PipelineExecutionStatus"] != "Executing")
        assert ended["PipelineExecutionStatus"] == ("Succeeded" if name == "tags" else "Failed")
        assert ("sagemaker:AddTags" in ended.get("FailureReason", "")) == (name == "none")
    (job,) = account.sagemaker.list_processing_jobs()["ProcessingJobSummaries"]
    (tag,) = account.sagemaker.list_tags(ResourceArn=job["ProcessingJobArn"])["Tags"]
    assert "/execution/" in tag["Value"]
