"""The gate through real AWS clients: who may do what, and how a refusal reads."""

import json
import re
import urllib.error
import urllib.request
from typing import Any

import boto3
import pytest
import urllib3
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials as Keys
from botocore.exceptions import ClientError

from tests.twin.functions.helpers import make_role, policy, trust
from twin.cloud import ADMIN_KEY, ADMIN_SECRET, Credentials
from twin.iam import AccessDenied
from twin.iam.findings import findings_of
from twin.iam.gate import UNKNOWN
from twin.iam.policy import Key
from twin.server import TwinServer

ACCOUNT = "123456789012"
BASE = f"us-east-1:{ACCOUNT}"
MODEL_PACKAGE = f"arn:aws:sagemaker:{BASE}:model-package/g/1"


class Role:
    """A role, its session, and clients under it."""

    def __init__(self, twin: TwinServer, name: str = "r") -> None:
        self.twin = twin
        self.name = name
        self.arn = make_role(twin, name, "lambda.amazonaws.com")
        self.credentials = twin.cloud.assume(self.arn, "lambda.amazonaws.com", "session")

    def may(self, *statements: tuple[str | list[str], str | list[str]], document: str | None = None) -> None:
        text = json.dumps({"Version": "2012-10-17"} | json.loads(document)) if document else policy(*statements)
        self.twin.cloud.client("iam").put_role_policy(RoleName=self.name, PolicyName="inline", PolicyDocument=text)

    def client(self, service: str) -> Any:
        return self.twin.cloud.client(service, self.credentials)


@pytest.fixture
def role(twin: TwinServer) -> Role:
    return Role(twin)


def refused(operation: Any, **arguments: Any) -> tuple[str, str]:
    """(action, resource) that the refusal of a call names."""
    with pytest.raises(ClientError) as caught:
        operation(**arguments)
    found = re.search(r"is not authorized to perform: (\S+) on resource: (.+?) because no identity-based", str(caught.value))
    assert found is not None, caught.value
    return found[1], found[2]


CALLS: list[tuple[str, str, dict[str, Any], str, str]] = [
    ("dynamodb", "get_item", {"TableName": "t", "Key": {"a": {"S": "1"}}}, "dynamodb:GetItem", f"arn:aws:dynamodb:{BASE}:table/t"),
    (
        "dynamodb",
        "query",
        {"TableName": "t", "IndexName": "idx", "KeyConditionExpression": "a = :a"},
        "dynamodb:Query",
        f"arn:aws:dynamodb:{BASE}:table/t/index/idx",
    ),
    (
        "dynamodb",
        "transact_write_items",
        {"TransactItems": [{"Put": {"TableName": "t", "Item": {"a": {"S": "1"}}}}]},
        "dynamodb:PutItem",
        f"arn:aws:dynamodb:{BASE}:table/t",
    ),
    ("sqs", "send_message", {"QueueUrl": f"http://x/{ACCOUNT}/q", "MessageBody": "x"}, "sqs:SendMessage", f"arn:aws:sqs:{BASE}:q"),
    ("sns", "publish", {"TopicArn": f"arn:aws:sns:{BASE}:t", "Message": "x"}, "sns:Publish", f"arn:aws:sns:{BASE}:t"),
    ("lambda", "invoke", {"FunctionName": "f"}, "lambda:InvokeFunction", f"arn:aws:lambda:{BASE}:function:f"),
    (
        "logs",
        "create_log_stream",
        {"logGroupName": "g", "logStreamName": "s"},
        "logs:CreateLogStream",
        f"arn:aws:logs:{BASE}:log-group:g:log-stream:s",
    ),
    ("cloudwatch", "put_metric_data", {"Namespace": "n", "MetricData": []}, "cloudwatch:PutMetricData", "*"),
    ("events", "put_events", {"Entries": [{"Source": "x"}]}, "events:PutEvents", f"arn:aws:events:{BASE}:event-bus/default"),
    ("events", "put_rule", {"Name": "r", "ScheduleExpression": "rate(1 day)"}, "events:PutRule", f"arn:aws:events:{BASE}:rule/r"),
    ("ssm", "get_parameter", {"Name": "/a/b"}, "ssm:GetParameter", f"arn:aws:ssm:{BASE}:parameter/a/b"),
    ("cloudformation", "describe_stacks", {"StackName": "s"}, "cloudformation:DescribeStacks", f"arn:aws:cloudformation:{BASE}:stack/s/*"),
    ("apigatewayv2", "get_apis", {}, "apigateway:GET", "arn:aws:apigateway:us-east-1::/apis"),
    ("iam", "get_role", {"RoleName": "r"}, "iam:GetRole", f"arn:aws:iam::{ACCOUNT}:role/r"),
    (
        "sagemaker",
        "start_pipeline_execution",
        {"PipelineName": "p"},
        "sagemaker:StartPipelineExecution",
        f"arn:aws:sagemaker:{BASE}:pipeline/p",
    ),
    (
        "sagemaker",
        "describe_data_quality_job_definition",
        {"JobDefinitionName": "d"},
        "sagemaker:DescribeDataQualityJobDefinition",
        f"arn:aws:sagemaker:{BASE}:data-quality-job-definition/d",
    ),
    (
        "sagemaker",
        "stop_monitoring_schedule",
        {"MonitoringScheduleName": "s"},
        "sagemaker:StopMonitoringSchedule",
        f"arn:aws:sagemaker:{BASE}:monitoring-schedule/s",
    ),
    ("sagemaker", "describe_model_package", {"ModelPackageName": MODEL_PACKAGE}, "sagemaker:DescribeModelPackage", MODEL_PACKAGE),
    ("sagemaker", "update_model_package", {"ModelPackageArn": MODEL_PACKAGE}, "sagemaker:UpdateModelPackage", MODEL_PACKAGE),
    ("sagemaker", "create_model_package", {"ModelPackageGroupName": "g"}, "sagemaker:CreateModelPackage", f"{MODEL_PACKAGE[:-1]}*"),
    (
        "sagemaker-runtime",
        "invoke_endpoint",
        {"EndpointName": "e", "Body": b""},
        "sagemaker:InvokeEndpoint",
        f"arn:aws:sagemaker:{BASE}:endpoint/e",
    ),
]


def test_a_call_is_mapped_to_awss_action_and_resource(role: Role) -> None:
    for service, operation, arguments, action, resource in CALLS:
        assert refused(getattr(role.client(service), operation), **arguments) == (action, resource), (service, operation)


def test_a_roles_arn_holds_its_path(role: Role, twin: TwinServer) -> None:
    iam, trusted = role.client("iam"), trust("lambda.amazonaws.com")
    arn = f"arn:aws:iam::{ACCOUNT}:role/team/made"
    assert refused(iam.create_role, RoleName="made", Path="/team/", AssumeRolePolicyDocument=trusted) == ("iam:CreateRole", arn)
    twin.cloud.client("iam").create_role(RoleName="made", Path="/team/", AssumeRolePolicyDocument=trusted)
    assert refused(iam.delete_role, RoleName="made") == ("iam:DeleteRole", arn)


def test_a_policy_lets_exactly_its_action_and_resource_through(role: Role, twin: TwinServer) -> None:
    twin.cloud.client("sqs").create_queue(QueueName="q")
    twin.cloud.client("sqs").create_queue(QueueName="other")
    role.may(("sqs:SendMessage", f"arn:aws:sqs:{BASE}:q"))
    sqs = role.client("sqs")
    sqs.send_message(QueueUrl=f"{twin.cloud.url}/{ACCOUNT}/q", MessageBody="x")
    assert refused(sqs.send_message, QueueUrl=f"{twin.cloud.url}/{ACCOUNT}/other", MessageBody="x")[1].endswith(":other")
    assert refused(sqs.receive_message, QueueUrl=f"{twin.cloud.url}/{ACCOUNT}/q")[0] == "sqs:ReceiveMessage"


def test_the_refusal_has_awss_words(role: Role) -> None:
    with pytest.raises(ClientError) as caught:
        role.client("sqs").list_queues()
    assert caught.value.response["Error"]["Message"] == (
        f"User: arn:aws:sts::{ACCOUNT}:assumed-role/r/session is not authorized to perform: sqs:ListQueues on resource: * "
        "because no identity-based policy allows the sqs:ListQueues action"
    )


def test_an_explicit_deny_says_so(role: Role) -> None:
    document = {"Statement": [{"Effect": e, "Action": "sqs:*", "Resource": "*"} for e in ("Allow", "Deny")]}
    role.may(document=json.dumps(document))
    with pytest.raises(ClientError, match="with an explicit deny in an identity-based policy"):
        role.client("sqs").list_queues()


@pytest.mark.parametrize(
    ("credentials", "code"),
    [
        (Credentials("AKIAAAAAAAAAAAAAAAAA", "x"), "InvalidClientTokenId"),
        (Credentials("TIDEWHEELADMIN", "wrong"), "SignatureDoesNotMatch"),
    ],
)
def test_an_unknown_key_and_a_wrong_secret_are_refused(twin: TwinServer, credentials: Credentials, code: str) -> None:
    with pytest.raises(ClientError, match=code):
        twin.cloud.client("sqs", credentials).list_queues()


def test_an_unsigned_request_is_refused(twin: TwinServer) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{twin.cloud.url}/bucket/key")  # noqa: S310 - the twin's own URL
    assert caught.value.code == 403


def test_a_session_needs_its_token_and_its_secret(role: Role, twin: TwinServer) -> None:
    session = role.credentials
    for wrong in (
        Credentials(session.access_key, session.secret_key, "other"),
        Credentials(session.access_key, "wrong", session.session_token),
        Credentials(session.access_key, session.secret_key),
    ):
        with pytest.raises(ClientError, match=r"InvalidClientTokenId|SignatureDoesNotMatch"):
            twin.cloud.client("sts", wrong).get_caller_identity()
    assert role.client("sts").get_caller_identity()["Arn"].endswith("assumed-role/r/session")


def test_a_user_has_its_policies(twin: TwinServer) -> None:
    iam = twin.cloud.client("iam")
    iam.create_user(UserName="ann")
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    sqs = twin.cloud.client("sqs", Credentials(key["AccessKeyId"], key["SecretAccessKey"]))
    assert refused(sqs.list_queues)[0] == "sqs:ListQueues"
    iam.put_user_policy(UserName="ann", PolicyName="p", PolicyDocument=policy(("sqs:ListQueues", "*")))
    sqs.list_queues()


def test_attached_policies_and_boundaries_count(twin: TwinServer) -> None:
    iam = twin.cloud.client("iam")
    everything = iam.create_policy(PolicyName="all", PolicyDocument=policy(("*", "*")))["Policy"]["Arn"]
    boundary = iam.create_policy(PolicyName="some", PolicyDocument=policy(("sqs:*", "*")))["Policy"]["Arn"]
    arn = iam.create_role(RoleName="b", AssumeRolePolicyDocument=trust("lambda.amazonaws.com"), PermissionsBoundary=boundary)["Role"]["Arn"]
    iam.attach_role_policy(RoleName="b", PolicyArn=everything)
    credentials = twin.cloud.assume(arn, "lambda.amazonaws.com", "s")
    twin.cloud.client("sqs", credentials).list_queues()
    assert refused(twin.cloud.client("sns", credentials).list_topics)[0] == "sns:ListTopics"


def test_passing_a_role_needs_pass_role_for_that_service(role: Role) -> None:
    target = {"Arn": f"arn:aws:lambda:{BASE}:function:f", "RoleArn": role.arn}
    create = {"Name": "s", "ScheduleExpression": "rate(1 day)", "FlexibleTimeWindow": {"Mode": "OFF"}, "Target": target}
    scheduler = role.client("scheduler")
    role.may(("scheduler:CreateSchedule", "*"))
    assert refused(scheduler.create_schedule, **create) == ("iam:PassRole", role.arn)
    passing = {"Effect": "Allow", "Action": "iam:PassRole", "Resource": role.arn}
    only = {"Condition": {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}}
    creating = {"Effect": "Allow", "Action": "scheduler:CreateSchedule", "Resource": "*"}
    conditional = json.dumps({"Statement": [creating, passing | only]})
    role.may(document=conditional)
    assert refused(scheduler.create_schedule, **create) == ("iam:PassRole", role.arn)
    role.may(document=conditional.replace("lambda.amazonaws.com", "scheduler.amazonaws.com"))
    scheduler.create_schedule(**create)


def test_a_condition_sees_into_a_body_that_the_sdk_compressed(role: Role) -> None:
    condition = {"StringEquals": {"cloudwatch:namespace": "Tides"}}
    statement = {"Effect": "Allow", "Action": "cloudwatch:PutMetricData", "Resource": "*", "Condition": condition}
    role.may(document=json.dumps({"Statement": [statement]}))
    cloudwatch = role.client("cloudwatch")
    # 10,240 bytes and more are compressed: https://docs.aws.amazon.com/sdkref/latest/guide/feature-compression.html
    metrics = [{"MetricName": f"{number}-{'long' * 50}", "Value": 1.0} for number in range(100)]
    cloudwatch.put_metric_data(Namespace="Tides", MetricData=metrics)
    assert refused(cloudwatch.put_metric_data, Namespace="Ebbs", MetricData=metrics) == ("cloudwatch:PutMetricData", "*")


def test_an_operation_that_cannot_be_mapped_is_denied_by_name(role: Role) -> None:
    role.may(("*", "*"))
    with pytest.raises(ClientError, match="the twin cannot map sagemaker:ListInferenceRouters") as caught:
        role.client("sagemaker").list_inference_routers()
    assert caught.value.response["Error"]["Code"] == "AccessDeniedException"
    form = {"InputSerialization": {"CSV": {}}, "OutputSerialization": {"CSV": {}}, "ExpressionType": "SQL", "Expression": "x"}
    with pytest.raises(ClientError, match="there is no s3:SelectObjectContent"):
        role.client("s3").select_object_content(Bucket="b", Key="k", **form)


def test_what_is_refused_before_any_policy_is_asked_is_written_down_and_found(role: Role, twin: TwinServer) -> None:
    role.may(("*", "*"))
    with pytest.raises(ClientError, match="cannot map"):
        role.client("sagemaker").list_inference_routers()
    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        twin.cloud.client("sqs", Credentials("AKIAAAAAAAAAAAAAAAAA", "x")).list_queues()
    urllib3.request("GET", f"{twin.cloud.url}/bucket/key", retries=False)
    missing = f"arn:aws:iam::{ACCOUNT}:role/missing"
    with pytest.raises(ClientError, match="not authorized"):
        role.client("sts").assume_role(RoleArn=missing, RoleSessionName="ss")
    with pytest.raises(AccessDenied, match="no such role"):
        twin.cloud.assume(missing, "lambda.amazonaws.com", "s")
    role.may(document=json.dumps({"Statement": [{"Effect": "Deny", "NotPrincipal": "*", "Action": "*", "Resource": "*"}]}))
    with pytest.raises(ClientError, match="NotPrincipal"):
        role.client("sqs").list_queues()
    decisions = twin.part("iam").decisions.latest()
    found = [finding for finding in findings_of([], decisions) if finding.problem == "denied"]
    assert [(finding.owner.rpartition("/")[2], finding.action) for finding in found] == [
        ("r", "sagemaker:ListInferenceRouters"),
        (UNKNOWN, "sqs:POST"),
        (UNKNOWN, "unsigned:GET"),
        ("r", "sts:AssumeRole"),
        ("lambda.amazonaws.com", "sts:AssumeRole"),
        ("r", "sqs:ListQueues"),
    ]
    assert "before any policy was asked: the twin cannot map" in found[0].words


def test_a_body_that_was_changed_after_signing_is_refused(twin: TwinServer) -> None:
    twin.cloud.client("s3").create_bucket(Bucket="bucket")
    url = f"{twin.cloud.url}/bucket/key"
    request = AWSRequest("PUT", url, data=b"signed")
    S3SigV4Auth(Keys(ADMIN_KEY, ADMIN_SECRET), "s3", "us-east-1").add_auth(request)
    for body, status in ((b"changed", 400), (b"signed", 200)):
        reply = urllib3.request("PUT", url, body=body, headers=dict(request.headers), retries=False)
        assert reply.status == status
        assert (b"XAmzContentSHA256Mismatch" in reply.data) is (status == 400)


def test_a_role_is_not_taken_with_what_the_twin_does_not_know(role: Role) -> None:
    read_only = {"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}
    for given in ({"PolicyArns": [read_only]}, {"Tags": [{"Key": "team", "Value": "a"}]}, {"SourceIdentity": "ann"}):
        for sts in (role.client("sts"), role.twin.cloud.client("sts")):
            with pytest.raises(ClientError, match=f"does not know {next(iter(given))} of sts:AssumeRole"):
                sts.assume_role(RoleArn=role.arn, RoleSessionName="ss", **given)


class Bucket:
    """An encrypted, TLS-only bucket as the Data stack makes it."""

    def __init__(self, twin: TwinServer) -> None:
        self.s3 = twin.cloud.client("s3")
        self.key: str = twin.cloud.client("kms").create_key()["KeyMetadata"]["Arn"]
        rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": self.key}}
        self.s3.create_bucket(Bucket="data")
        self.s3.put_bucket_encryption(Bucket="data", ServerSideEncryptionConfiguration={"Rules": [rule]})
        self.policy({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}})

    def policy(self, statement: dict[str, Any]) -> None:
        document = {"Statement": [statement | {"Resource": ["arn:aws:s3:::data", "arn:aws:s3:::data/*"]}]}
        self.s3.put_bucket_policy(Bucket="data", Policy=json.dumps(document))


@pytest.fixture
def bucket(twin: TwinServer) -> Bucket:
    return Bucket(twin)


def test_writing_to_an_encrypted_bucket_needs_a_data_key(role: Role, bucket: Bucket) -> None:
    s3 = role.client("s3")
    put = {"Bucket": "data", "Key": "a b/c+d.csv", "Body": b"x"}
    assert refused(s3.put_object, **put) == ("s3:PutObject", "arn:aws:s3:::data/a b/c+d.csv")
    role.may(("s3:PutObject", "arn:aws:s3:::data/*"))
    assert refused(s3.put_object, **put) == ("kms:GenerateDataKey", bucket.key)
    role.may(("s3:PutObject", "arn:aws:s3:::data/*"), ("kms:GenerateDataKey", bucket.key))
    s3.put_object(**put)


def test_reading_needs_decrypt_and_a_missing_key_needs_list(role: Role, bucket: Bucket) -> None:
    bucket.s3.put_object(Bucket="data", Key="k", Body=b"x")
    s3 = role.client("s3")
    role.may(("s3:GetObject", "arn:aws:s3:::data/*"))
    assert refused(s3.get_object, Bucket="data", Key="k") == ("kms:Decrypt", bucket.key)
    role.may(("s3:GetObject", "arn:aws:s3:::data/*"), ("kms:Decrypt", bucket.key))
    assert s3.get_object(Bucket="data", Key="k")["Body"].read() == b"x"
    assert refused(s3.get_object, Bucket="data", Key="missing") == ("s3:ListBucket", "arn:aws:s3:::data")
    role.may(("s3:GetObject", "arn:aws:s3:::data/*"), ("kms:Decrypt", bucket.key), ("s3:ListBucket", "arn:aws:s3:::data"))
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3.get_object(Bucket="data", Key="missing")


def test_a_version_a_copy_and_a_batch_delete_have_their_own_needs(role: Role, bucket: Bucket) -> None:
    bucket.s3.put_bucket_versioning(Bucket="data", VersioningConfiguration={"Status": "Enabled"})
    version = bucket.s3.put_object(Bucket="data", Key="k", Body=b"x")["VersionId"]
    role.may((["s3:GetObject", "s3:PutObject"], "arn:aws:s3:::data/*"), (["kms:Decrypt", "kms:GenerateDataKey"], bucket.key))
    s3 = role.client("s3")
    assert refused(s3.get_object, Bucket="data", Key="k", VersionId=version)[0] == "s3:GetObjectVersion"
    assert (
        refused(s3.copy_object, Bucket="data", Key="l", CopySource={"Bucket": "data", "Key": "k", "VersionId": version})[0]
        == "s3:GetObjectVersion"
    )
    assert refused(s3.copy_object, Bucket="data", Key="l", CopySource={"Bucket": "other", "Key": "k"})[1] == "arn:aws:s3:::other/k"
    s3.copy_object(Bucket="data", Key="l", CopySource={"Bucket": "data", "Key": "k"})
    assert refused(s3.delete_objects, Bucket="data", Delete={"Objects": [{"Key": "k"}]}) == ("s3:DeleteObject", "arn:aws:s3:::data/k")
    role.may((["s3:DeleteObject"], "arn:aws:s3:::data/*"))
    versioned = {"Objects": [{"Key": "l"}, {"Key": "k", "VersionId": version}]}
    assert refused(s3.delete_objects, Bucket="data", Delete=versioned) == ("s3:DeleteObjectVersion", "arn:aws:s3:::data/k")
    assert refused(s3.list_objects_v2, Bucket="data") == ("s3:ListBucket", "arn:aws:s3:::data")


def test_acls_and_attributes_have_needs_of_their_own(role: Role, bucket: Bucket) -> None:
    own, s3 = "arn:aws:s3:::data/k", role.client("s3")
    role.may(("s3:PutObject", "*"), (["kms:Decrypt", "kms:GenerateDataKey"], bucket.key))
    grantee = 'uri="http://acs.amazonaws.com/groups/global/AllUsers"'
    for acl in ({"ACL": "public-read"}, {"GrantRead": grantee}):
        assert refused(s3.put_object, Bucket="data", Key="k", Body=b"x", **acl) == ("s3:PutObjectAcl", own)
    role.may((["s3:PutObject", "s3:PutObjectAcl", "s3:GetObjectAttributes"], "*"), (["kms:Decrypt", "kms:GenerateDataKey"], bucket.key))
    s3.put_object(Bucket="data", Key="k", Body=b"x", ACL="private")
    assert refused(s3.get_object_attributes, Bucket="data", Key="k", ObjectAttributes=["ETag"]) == ("s3:GetObject", own)
    role.may(("s3:CreateBucket", "*"))
    assert refused(s3.create_bucket, Bucket="new", ACL="public-read") == ("s3:PutBucketAcl", "arn:aws:s3:::new")


def test_list_bucket_may_be_limited_to_a_prefix(role: Role, bucket: Bucket) -> None:
    statement = {
        "Effect": "Allow",
        "Action": "s3:ListBucket",
        "Resource": "arn:aws:s3:::data",
        "Condition": {"StringLike": {"s3:prefix": "uploads/*"}},
    }
    role.may(document=json.dumps({"Statement": [statement]}))
    role.client("s3").list_objects_v2(Bucket="data", Prefix="uploads/a")
    assert refused(role.client("s3").list_objects_v2, Bucket="data", Prefix="secret/")[0] == "s3:ListBucket"


def test_a_bucket_policys_deny_and_allow_count(role: Role, bucket: Bucket) -> None:
    role.may(("s3:ListBucket", "*"))
    bucket.policy({"Effect": "Deny", "Principal": {"AWS": role.arn}, "Action": "s3:*"})
    with pytest.raises(ClientError, match="with an explicit deny in a resource-based policy"):
        role.client("s3").list_objects_v2(Bucket="data")
    bucket.policy({"Effect": "Allow", "Principal": {"AWS": role.arn}, "Action": "s3:GetBucketVersioning"})
    role.client("s3").get_bucket_versioning(Bucket="data")


def test_a_key_policy_that_does_not_name_the_account_shuts_iam_out(role: Role, bucket: Bucket, twin: TwinServer) -> None:
    role.may(("s3:PutObject", "arn:aws:s3:::data/*"), ("kms:*", "*"))
    only = {
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/other"}, "Action": "kms:*", "Resource": "*"}]
    }
    twin.cloud.client("kms").put_key_policy(KeyId=bucket.key, PolicyName="default", Policy=json.dumps(only))
    assert refused(role.client("s3").put_object, Bucket="data", Key="k", Body=b"x")[0] == "kms:GenerateDataKey"


def test_a_presigned_url_acts_as_its_signer(role: Role, bucket: Bucket, twin: TwinServer) -> None:
    bucket.s3.put_object(Bucket="data", Key="a b", Body=b"x")
    session = role.credentials
    client = boto3.client(
        "s3",
        endpoint_url=twin.cloud.url,
        region_name="us-east-1",
        aws_access_key_id=session.access_key,
        aws_secret_access_key=session.secret_key,
        aws_session_token=session.session_token,
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
    )
    url = client.generate_presigned_url("get_object", Params={"Bucket": "data", "Key": "a b"})

    def status(address: str) -> int:
        try:
            with urllib.request.urlopen(address) as reply:  # noqa: S310 - the twin's own URL
                return int(reply.status)
        except urllib.error.HTTPError as error:
            return error.code

    assert status(url) == 403
    role.may(("s3:GetObject", "arn:aws:s3:::data/*"), ("kms:Decrypt", bucket.key))
    assert status(url) == 200
    assert status(url.replace("a%20b", "c")) == 403


def test_assume_role_asks_the_trust_policy_and_the_caller(role: Role, twin: TwinServer) -> None:
    iam = twin.cloud.client("iam")
    account = json.dumps({"Statement": [{"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}]})
    target = iam.create_role(RoleName="target", AssumeRolePolicyDocument=account)["Role"]["Arn"]
    sts = role.client("sts")
    assert refused(sts.assume_role, RoleArn=target, RoleSessionName="ss") == ("sts:AssumeRole", target)
    role.may(("sts:AssumeRole", target))
    given = sts.assume_role(RoleArn=target, RoleSessionName="ss")["Credentials"]
    assumed = Credentials(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
    assert twin.cloud.client("sts", assumed).get_caller_identity()["Arn"].endswith("assumed-role/target/ss")
    with pytest.raises(ClientError, match="sts:AssumeRole"):
        sts.assume_role(RoleArn=role.arn, RoleSessionName="ss")


def test_a_service_assumes_only_what_trusts_it(role: Role, twin: TwinServer) -> None:
    with pytest.raises(AccessDenied, match=r"sagemaker.amazonaws.com is not authorized .*role/r"):
        twin.cloud.assume(role.arn, "sagemaker.amazonaws.com", "s")
    with pytest.raises(AccessDenied, match="no such role"):
        twin.cloud.assume(role.arn + "-missing", "lambda.amazonaws.com", "s")


def test_every_decision_is_written_down(role: Role, twin: TwinServer) -> None:
    role.may(("sqs:ListQueues", "*"))
    role.client("sqs").list_queues()
    refused(role.client("sns").list_topics)
    allowed, denied = twin.part("iam").decisions.latest()[-2:]
    assert (allowed.caller, allowed.action, allowed.allowed, allowed.statement) == (role.arn, "sqs:ListQueues", True, "inline")
    assert (denied.action, denied.allowed, denied.statement) == ("sns:ListTopics", False, None)
    lines = (twin.cloud.folder / "iam" / "decisions.jsonl").read_text().splitlines()
    assert json.loads(lines[-1])["action"] == "sns:ListTopics"


def test_an_encrypted_queue_topic_and_table_need_their_key(role: Role) -> None:
    admin = role.twin.cloud.client
    key: str = admin("kms").create_key()["KeyMetadata"]["Arn"]
    queue = admin("sqs").create_queue(QueueName="q", Attributes={"KmsMasterKeyId": key})["QueueUrl"]
    topic = admin("sns").create_topic(Name="t", Attributes={"KmsMasterKeyId": key})["TopicArn"]
    admin("dynamodb").create_table(
        TableName="t",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        SSESpecification={"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": key},
    )
    calls: list[tuple[Any, dict[str, Any], str]] = [
        (role.client("sqs").send_message, {"QueueUrl": queue, "MessageBody": "x"}, "kms:GenerateDataKey"),
        (role.client("sqs").receive_message, {"QueueUrl": queue}, "kms:Decrypt"),
        (role.client("sns").publish, {"TopicArn": topic, "Message": "x"}, "kms:GenerateDataKey"),
        (role.client("dynamodb").put_item, {"TableName": "t", "Item": {"pk": {"S": "1"}}}, "kms:Decrypt"),
        (role.client("dynamodb").query, {"TableName": "t", "KeyConditionExpression": "pk = :p", **VALUE}, "kms:Decrypt"),
    ]
    own = (["sqs:*", "sns:*", "dynamodb:*"], "*")
    for operation, arguments, action in calls:
        role.may(own)
        assert refused(operation, **arguments) == (action, key)
        role.may(own, (["kms:GenerateDataKey", "kms:Decrypt"], key))
        operation(**arguments)


VALUE = {"ExpressionAttributeValues": {":p": {"S": "1"}}}


def test_a_queue_under_awss_own_key_needs_none(role: Role) -> None:
    queue = role.twin.cloud.client("sqs").create_queue(QueueName="q", Attributes={"KmsMasterKeyId": "alias/aws/sqs"})["QueueUrl"]
    role.may(("sqs:*", "*"))
    role.client("sqs").send_message(QueueUrl=queue, MessageBody="x")


def test_a_deny_of_plain_http_is_for_requests_that_came_without_tls(role: Role, twin: TwinServer) -> None:
    admin = twin.cloud.client("s3")
    admin.create_bucket(Bucket="bucket")
    tls_only: dict[str, Any] = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::bucket"}
    tls_only |= {"Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    admin.put_bucket_policy(Bucket="bucket", Policy=json.dumps({"Statement": [tls_only]}))
    role.may(("s3:*", "*"))
    s3 = role.client("s3")
    s3.list_objects_v2(Bucket="bucket")
    s3.meta.events.register("before-sign.s3", lambda request, **_: request.headers.add_header("X-Forwarded-Proto", "http"))
    with pytest.raises(
        ClientError, match=r"s3:ListBucket on resource: arn:aws:s3:::bucket with an explicit deny in a resource-based policy"
    ):
        s3.list_objects_v2(Bucket="bucket")


def test_a_withheld_statement_does_not_exist_meanwhile(role: Role, twin: TwinServer) -> None:
    role.may(("sqs:ListQueues", "*"), ("sns:ListTopics", "*"))
    part, sqs = twin.part("iam"), role.client("sqs")
    with part.authoriser.withheld([Key("identity", role.arn, "inline", 0)]):
        assert refused(sqs.list_queues) == ("sqs:ListQueues", "*")
        role.client("sns").list_topics()
    sqs.list_queues()
    with part.authoriser.withheld([Key("trust", role.arn, "trust policy", 0)]):
        with pytest.raises(AccessDenied, match="sts:AssumeRole"):
            twin.cloud.assume(role.arn, "lambda.amazonaws.com", "s")
        with pytest.raises(ClientError, match="may not renew it"):
            sqs.list_queues()
    sqs.list_queues()


def test_equal_decisions_are_one_with_a_count(role: Role, twin: TwinServer) -> None:
    role.may(("sqs:ListQueues", "*"))
    decisions = twin.part("iam").decisions
    with decisions.during("attack", [(role.arn, "sns:*")]):
        role.client("sqs").list_queues()
        role.client("sqs").list_queues()
        refused(role.client("sns").list_topics)
    listed, denied = decisions.latest()[-2:]
    assert (listed.step, listed.action, listed.count, listed.expected) == ("attack", "sqs:ListQueues", 2, True)
    assert (denied.step, denied.allowed, denied.expected) == ("attack", False, True)
    refused(role.client("sns").list_topics)
    assert not decisions.latest()[-1].expected
