"""Who tries what, and where it ends: refused, written down (a decision, the log, the ledger or a metric), and nothing changed.

SECURITY.md names these tests line by line.
"""

import json
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from fnmatch import fnmatchcase
from hashlib import sha256
from io import BytesIO
from typing import Any

import pytest
import urllib3
from boto3.session import Session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError

from cli.account import Account
from cli.api import PredictionApi
from cli.project import Project
from contracts.layout import upload_key
from tests.scenarios.conftest import SPEED
from tests.scenarios.loop import AT_ONCE, CONFIG, Loop, synthesised, table, write_project
from twin.cloud import Credentials
from twin.iam import installed
from twin.server import TwinServer

FOREIGN = "somebody-elses-bucket"
PREDICT = "/$default/POST/predict"
STRANGER = "arn:aws:iam::123456789012:role/stranger"
BODY = b'{"instances": [{"height": 3, "wind": 0, "moon": "full"}]}'
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "sts:AssumeRole"}],
}


@dataclass
class Besieged:
    """A live app whose approvals are a person's, and what an attack could change in it."""

    loop: Loop
    began: str = ""
    """When the attack began, in twin time; what was written down before is of others."""
    logged: int = 0
    """How long the log was then."""

    def begin(self) -> None:
        """An attack begins."""
        self.began = self.loop.twin.cloud.clock.now().isoformat(timespec="milliseconds")
        self.logged = len(self._whole_log())

    @property
    def app(self) -> Any:
        return self.loop.app

    def state(self) -> dict[str, Any]:
        """All that decides what is served: registry, stack, endpoint, dataset versions."""
        app = self.app
        stack = app.account.client("cloudformation").describe_stacks(StackName=f"{app.project.config.prefix}-endpoint")["Stacks"][0]
        endpoint = app.account.client("sagemaker").describe_endpoint(EndpointName=app.project.config.prefix)
        versions = app.s3.list_objects_v2(Bucket=app.data_bucket, Prefix="datasets/").get("Contents", [])
        return {
            "registry": [(version.number, version.approval) for version in app.versions()],
            "parameters": {each["ParameterKey"]: each["ParameterValue"] for each in stack["Parameters"]},
            "endpoint": endpoint["EndpointStatus"],
            "datasets": sorted(each["Key"] for each in versions),
            "answer": self.loop.api().post(BODY, inference_id="same").document()["model"],
        }

    def denied(self, action: str, resource: str) -> set[str]:
        """Who was refused an action on a resource (both are patterns) in this attack, by the account's own record."""
        decisions = [each for each in installed(self.loop.twin.cloud).decisions.latest() if each.time >= self.began and not each.allowed]
        return {each.caller for each in decisions if fnmatchcase(each.action, action) and fnmatchcase(each.resource, resource)}

    def log(self) -> str:
        """What the twin wrote down in this attack."""
        return self._whole_log()[self.logged :]

    def _whole_log(self) -> str:
        return (self.loop.twin.cloud.folder / "twin.log").read_text()

    def counted(self, namespace: str, metric: str, **dimensions: str) -> float:
        """The sum of a metric, up to now."""
        now = self.loop.twin.cloud.clock.now()
        span = {"StartTime": now - timedelta(days=1), "EndTime": now + timedelta(minutes=1), "Period": 3600, "Statistics": ["Sum"]}
        named = [{"Name": name, "Value": value} for name, value in dimensions.items()]
        asked = {"Namespace": namespace, "MetricName": metric, "Dimensions": named}
        return float(sum(point["Sum"] for point in self.app.cloudwatch.get_metric_statistics(**asked, **span)["Datapoints"]))

    def refusals(self) -> float:
        """The requests that the API has answered with 4xx, up to now."""
        return self.counted("AWS/ApiGateway", "4xx", ApiId=self.app.api_url.rpartition("/execute-api/")[2].partition("/")[0])

    def predictions(self) -> float:
        """How often predict was invoked, up to now."""
        return self.counted("AWS/Lambda", "Invocations", FunctionName="tides-dev-predict")

    def endpoint_log(self) -> str:
        """What the model servers said."""
        pages = (
            self.app.account.client("logs").get_paginator("filter_log_events").paginate(logGroupName="/aws/sagemaker/Endpoints/tides-dev")
        )
        return "\n".join(event["message"] for page in pages for event in page["events"])

    def stack_events(self) -> list[str]:
        """What happened to the Endpoint stack."""
        events = self.app.account.client("cloudformation").describe_stack_events(StackName="tides-dev-endpoint")["StackEvents"]
        return [event["EventId"] for event in events]

    def foreign_bucket(self) -> str:
        """A bucket of the account that is not the project's; its own policy lets nobody in."""
        if FOREIGN not in {bucket["Name"] for bucket in self.app.s3.list_buckets()["Buckets"]}:
            self.app.s3.create_bucket(Bucket=FOREIGN)
        return FOREIGN

    def register(self, artifact: str, group: str = "tides-dev") -> int:
        """Register a version that says of itself what version 1 says, with another artifact; its number."""
        sagemaker = self.app.account.client("sagemaker")
        genuine = sagemaker.describe_model_package(ModelPackageName=self.app.version(1).arn)
        specification = genuine["InferenceSpecification"]
        container = {name: specification["Containers"][0][name] for name in ("Image", "Environment")} | {"ModelDataUrl": artifact}
        arn = sagemaker.create_model_package(
            ModelPackageGroupName=group,
            InferenceSpecification=specification | {"Containers": [container]},
            ModelApprovalStatus="PendingManualApproval",
            CustomerMetadataProperties=genuine["CustomerMetadataProperties"],
        )["ModelPackageArn"]
        return int(arn.rpartition("/")[2])

    def artifact(self) -> str:
        """Where version 1's model lies."""
        package = self.app.account.client("sagemaker").describe_model_package(ModelPackageName=self.app.version(1).arn)
        return str(package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"])

    def forget(self, number: int) -> None:
        """Take a version out of the registry again."""
        arn = self.app.version(1).arn.rpartition("/")[0] + f"/{number}"
        self.app.account.client("sagemaker").delete_model_package(ModelPackageName=arn)

    def stranger(self) -> Account:
        """A role of the account that may do nothing."""
        iam = self.loop.twin.cloud.client("iam")
        if not any(role["RoleName"] == "stranger" for role in iam.list_roles()["Roles"]):
            iam.create_role(RoleName="stranger", AssumeRolePolicyDocument=json.dumps(TRUST))
        session = self.loop.twin.cloud.client("sts").assume_role(RoleArn="arn:aws:iam::123456789012:role/stranger", RoleSessionName="siege")
        given = session["Credentials"]
        return _account(self.loop, Credentials(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"]))

    def inside(self, function: str) -> Account:
        """What code in a function of the project could do, were it an attacker's."""
        name = f"{self.app.project.config.prefix}-{function.replace('_', '-')}"
        role = self.app.account.client("lambda").get_function_configuration(FunctionName=name)["Role"]
        return _account(self.loop, self.loop.twin.cloud.assume(role, "lambda.amazonaws.com", "attack"))


def changed(archive: bytes) -> bytes:
    """A model.tar.gz with one file more in it, as valid as the one before."""
    out = BytesIO()
    with tarfile.open(fileobj=BytesIO(archive), mode="r:gz") as old, tarfile.open(fileobj=out, mode="w:gz") as new:
        for member in old.getmembers():
            new.addfile(member, old.extractfile(member))
        new.addfile(tarfile.TarInfo("extra.txt"))
    return out.getvalue()


def _is_about(event: Any, bucket: str, key: str) -> bool:
    detail = event["detail"]
    return bool(detail.get("bucket", {}).get("name") == bucket and detail.get("object", {}).get("key") == key)


def _account(loop: Loop, given: Credentials) -> Account:
    session = Session(given.access_key, given.secret_key, given.session_token, region_name=loop.twin.cloud.region)
    return Account("an attacker's", loop.twin.cloud.region, session, loop.twin.cloud.url)


@pytest.fixture(scope="module")
def manual(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The small project; a person approves."""
    return write_project(tmp_path_factory.mktemp("besieged"), f"{CONFIG}{AT_ONCE}approval: {{policy: manual}}\n")


@pytest.fixture(scope="module")
def siege(manual: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Besieged]:
    """The app with version 1 live."""
    with TwinServer(tmp_path_factory.mktemp("twin"), synthesised(manual), speed=SPEED) as twin:
        loop = Loop.deploy(twin, manual, manual.folder / "cdk.out")
        loop.accepted(table(300))
        loop.version(1, "PendingManualApproval")
        loop.approve(1)
        loop.live(1)
        yield Besieged(loop)


@pytest.fixture
def unchanged(siege: Besieged) -> Iterator[None]:
    """What is served, and why, is the same after the test."""
    before = siege.state()
    siege.begin()
    yield
    assert siege.state() == before


pytestmark = [pytest.mark.timeout(280), pytest.mark.usefixtures("unchanged")]


# Calls without a right to them.


def test_an_unsigned_request_is_forbidden_and_written_down(siege: Besieged) -> None:
    reply = urllib3.request("POST", siege.app.api_url, body=BODY, headers={"Content-Type": "application/json"}, retries=False)
    assert (reply.status, reply.json()) == (403, {"message": "Forbidden"})
    assert f"{PREDICT}: no signature" in siege.log()


def test_a_body_that_was_changed_after_signing_is_forbidden(siege: Besieged) -> None:
    api = siege.loop.api()
    request = AWSRequest("POST", siege.app.api_url, data=BODY, headers={"Content-Type": "application/json"})
    SigV4Auth(siege.app.account.session.get_credentials().get_frozen_credentials(), "execute-api", "us-east-1").add_auth(request)
    headers = dict(request.headers.items())
    assert urllib3.request("POST", siege.app.api_url, body=BODY, headers=headers, retries=False).status == 200
    answered, refused = siege.predictions(), siege.refusals()
    forged = urllib3.request("POST", siege.app.api_url, body=BODY.replace(b"3", b"4"), headers=headers, retries=False)
    assert forged.status == 403
    assert f"{PREDICT}: The request signature we calculated does not match" in siege.log()
    assert (siege.predictions(), siege.refusals()) == (answered, refused + 1)
    assert api.post(BODY).status == 200


def test_a_body_is_not_what_its_signed_hash_says(siege: Besieged) -> None:
    request = AWSRequest("POST", siege.app.api_url, data=BODY, headers={"X-Amz-Content-SHA256": sha256(BODY).hexdigest()})
    SigV4Auth(siege.app.account.session.get_credentials().get_frozen_credentials(), "execute-api", "us-east-1").add_auth(request)
    answered = siege.predictions()
    forged = urllib3.request("POST", siege.app.api_url, body=BODY.replace(b"3", b"4"), headers=dict(request.headers.items()), retries=False)
    assert forged.status == 403
    assert f"{PREDICT}: The provided 'x-amz-content-sha256' header does not match" in siege.log()
    assert siege.predictions() == answered


@pytest.mark.parametrize("path", ["/predict", "/feedback"])
def test_a_role_without_the_right_does_not_reach_the_api(siege: Besieged, path: str) -> None:
    stranger = siege.stranger()
    answer = PredictionApi(stranger, siege.app.api_url.replace("/predict", path)).post(BODY)
    assert answer.status == 403
    assert siege.denied("execute-api:Invoke", f"*/POST{path}") == {STRANGER}


ENDPOINT_ARN = "*:endpoint/tides-dev"
STACK_ARN = "*:stack/tides-dev-"
# Function, action, resource (a pattern), attempt.
FORBIDDEN: dict[str, tuple[str, str, str, Callable[[Besieged, Account], object]]] = {
    "predict reads the data": (
        "predict",
        "s3:GetObject",
        "*/uploads/tides/table.csv",
        lambda siege, own: own.client("s3").get_object(Bucket=siege.app.data_bucket, Key="uploads/tides/table.csv"),
    ),
    "predict approves a model": (
        "predict",
        "sagemaker:UpdateModelPackage",
        "*:model-package/tides-dev/1",
        lambda siege, own: own.client("sagemaker").update_model_package(
            ModelPackageArn=siege.app.version(1).arn, ModelApprovalStatus="Rejected"
        ),
    ),
    "describe_model reads the model itself": (
        "describe_model",
        "s3:GetObject",
        "*/model.tar.gz",
        lambda siege, own: own.client("s3").get_object(
            Bucket=siege.app.artifacts_bucket, Key=siege.artifact().removeprefix(f"s3://{siege.app.artifacts_bucket}/")
        ),
    ),
    "describe_model asks the endpoint": (
        "describe_model",
        "sagemaker:InvokeEndpoint",
        ENDPOINT_ARN,
        lambda siege, own: own.client("sagemaker-runtime").invoke_endpoint(EndpointName="tides-dev", Body=BODY),
    ),
    "ingest_dataset overwrites an upload": (
        "ingest_dataset",
        "s3:PutObject",
        "*/uploads/tides/table.csv",
        lambda siege, own: own.client("s3").put_object(Bucket=siege.app.data_bucket, Key="uploads/tides/table.csv", Body=b"x"),
    ),
    "ingest_dataset reads another bucket": (
        "ingest_dataset",
        "s3:GetObject",
        f"arn:aws:s3:::{FOREIGN}/uploads/tides/table.csv",
        lambda siege, own: own.client("s3").get_object(Bucket=siege.foreign_bucket(), Key="uploads/tides/table.csv"),
    ),
    "record_feedback writes a model": (
        "record_feedback",
        "s3:PutObject",
        "*/runs/x/model/model.tar.gz",
        lambda siege, own: own.client("s3").put_object(Bucket=siege.app.artifacts_bucket, Key="runs/x/model/model.tar.gz", Body=b"x"),
    ),
    "approve_model updates the endpoint": (
        "approve_model",
        "sagemaker:UpdateEndpoint",
        ENDPOINT_ARN,
        lambda siege, own: own.client("sagemaker").update_endpoint(EndpointName="tides-dev", EndpointConfigName="other"),
    ),
    "reconcile_endpoint goes around CloudFormation": (
        "reconcile_endpoint",
        "sagemaker:UpdateEndpoint",
        ENDPOINT_ARN,
        lambda siege, own: own.client("sagemaker").update_endpoint(EndpointName="tides-dev", EndpointConfigName="other"),
    ),
    "reconcile_endpoint updates the stack under its own role": (
        "reconcile_endpoint",
        "cloudformation:UpdateStack",
        f"{STACK_ARN}endpoint/*",
        lambda siege, own: own.client("cloudformation").update_stack(
            StackName="tides-dev-endpoint", UsePreviousTemplate=True, Capabilities=["CAPABILITY_IAM"]
        ),
    ),
    "reconcile_endpoint touches another stack": (
        "reconcile_endpoint",
        "cloudformation:UpdateStack",
        f"{STACK_ARN}data/*",
        lambda siege, own: own.client("cloudformation").update_stack(StackName="tides-dev-data", UsePreviousTemplate=True),
    ),
    "start_training makes itself an administrator": (
        "start_training",
        "iam:PutRolePolicy",
        "*:role/stranger",
        lambda siege, own: own.client("iam").put_role_policy(RoleName="stranger", PolicyName="p", PolicyDocument="{}"),
    ),
}


@pytest.mark.parametrize("attack", FORBIDDEN)
def test_a_function_may_do_its_own_work_and_no_other(siege: Besieged, attack: str) -> None:
    function, action, resource, act = FORBIDDEN[attack]
    with pytest.raises(ClientError, match="not authorized"):
        act(siege, siege.inside(function))
    (caller,) = siege.denied(action, resource)
    assert function.replace("_", "") in caller.lower()


def test_a_stranger_cannot_invoke_a_function(siege: Besieged) -> None:
    functions = [each["FunctionName"] for each in siege.app.account.client("lambda").list_functions()["Functions"]]
    assert len(functions) > 7
    for name in functions:
        with pytest.raises(ClientError, match="not authorized"):
            siege.stranger().client("lambda").invoke(FunctionName=name, Payload=b"{}")
        assert siege.denied("lambda:InvokeFunction", f"*:function:{name}") == {STRANGER}


# Things that were forged.


def test_a_tampered_artifact_is_never_served(siege: Besieged) -> None:
    bucket, _, key = siege.artifact().removeprefix("s3://").partition("/")
    archive = siege.app.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    siege.app.s3.put_object(Bucket=bucket, Key="runs/forged/model.tar.gz", Body=changed(archive))
    number = siege.register(f"s3://{bucket}/runs/forged/model.tar.gz")
    siege.loop.approve(number)
    thrown_back = siege.loop.version(number, "Rejected")
    assert thrown_back.why
    siege.loop.live(1)
    assert "model_quarantined" in siege.loop.decisions()
    assert "ARTIFACT_SHA256" in siege.endpoint_log()
    siege.forget(number)


def test_an_artifact_in_another_bucket_is_never_served(siege: Besieged) -> None:
    number = siege.register(f"s3://{siege.foreign_bucket()}/model.tar.gz")
    siege.loop.approve(number)
    siege.loop.version(number, "Rejected")
    siege.loop.live(1)
    assert any("Model" in caller for caller in siege.denied("s3:GetObject", f"arn:aws:s3:::{FOREIGN}/model.tar.gz"))
    assert "model_quarantined" in siege.loop.decisions()
    siege.forget(number)


def test_a_package_of_another_group_is_not_deployed(siege: Besieged) -> None:
    sagemaker = siege.app.account.client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName="elsewhere")
    siege.register(siege.artifact(), "elsewhere")
    arn = sagemaker.list_model_packages(ModelPackageGroupName="elsewhere")["ModelPackageSummaryList"][0]["ModelPackageArn"]
    events, decisions = siege.stack_events(), siege.loop.decisions()
    sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    siege.loop.tick()
    with pytest.raises(ClientError, match="must be empty or a model package of the group"):
        siege.app.account.client("cloudformation").update_stack(
            StackName="tides-dev-endpoint",
            UsePreviousTemplate=True,
            Parameters=[{"ParameterKey": "ModelPackageArn", "ParameterValue": arn}],
            Capabilities=["CAPABILITY_IAM"],
        )
    assert siege.loop.twin.part("events").router.wait_idle(10)
    # CloudFormation refuses before anything begins: no event of the stack, and no decision about it.
    assert (siege.stack_events(), siege.loop.decisions()) == (events, decisions)


def test_an_event_about_another_bucket_starts_nothing(siege: Besieged) -> None:
    foreign, key = siege.foreign_bucket(), upload_key("tides", "other.csv")
    siege.app.s3.put_bucket_notification_configuration(Bucket=foreign, NotificationConfiguration={"EventBridgeConfiguration": {}})
    invoked = siege.counted("AWS/Lambda", "Invocations", FunctionName="tides-dev-ingest-dataset")
    siege.app.s3.put_object(Bucket=foreign, Key=key, Body=table(300, seed=5).encode())
    router = siege.loop.twin.part("events").router
    siege.loop.until("the event", lambda: any(_is_about(event, foreign, key) for event in list(router.published)) or None)
    siege.loop.tick()
    assert router.wait_idle(10)
    assert not [each for each in siege.app.decisions() if "other.csv" in each.subject]
    assert siege.denied("*", f"*{foreign}*") == set()  # nobody has even tried to read it
    assert siege.counted("AWS/Lambda", "Invocations", FunctionName="tides-dev-ingest-dataset") == invoked


def test_a_run_on_another_buckets_data_fails(siege: Besieged) -> None:
    sagemaker, foreign = siege.app.account.client("sagemaker"), siege.foreign_bucket()
    siege.app.s3.put_object(Bucket=foreign, Key="manifest.json", Body=b"{}")
    first = sagemaker.list_pipeline_executions(PipelineName="tides-dev")["PipelineExecutionSummaries"][0]["PipelineExecutionArn"]
    pages = sagemaker.get_paginator("list_pipeline_parameters_for_execution").paginate(PipelineExecutionArn=first)
    given = {each["Name"]: each["Value"] for page in pages for each in page["PipelineParameters"]}
    given |= {"ManifestUri": f"s3://{foreign}/manifest.json", "Run": "foreign"}
    arn = sagemaker.start_pipeline_execution(
        PipelineName="tides-dev", PipelineParameters=[{"Name": name, "Value": value} for name, value in given.items()]
    )["PipelineExecutionArn"]

    def failed() -> bool | None:
        return sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionStatus"] == "Failed" or None

    siege.loop.until("the run to fail", failed)
    assert any("Job" in caller for caller in siege.denied("s3:*", f"arn:aws:s3:::{foreign}*"))


# Things of the wrong size and shape.


def test_an_oversized_body_is_refused_and_harms_nobody(siege: Besieged) -> None:
    answered, refused = siege.predictions(), siege.refusals()
    answer = siege.loop.api().post(b'{"instances": [' + b" " * (7 * 1024 * 1024) + b"]}")
    assert answer.status == 413
    assert (siege.predictions(), siege.refusals()) == (answered, refused + 1)
    assert siege.loop.api().post(BODY).status == 200


TRICKS = {
    "=cmd|calc.csv": ("tides", table(300, seed=6), "formula"),
    "a\u202ecsv.csv": ("tides", table(300, seed=7), "cannot be seen"),
    "formula.csv": ("tides", table(300, seed=8).replace("height,", "height,=HYPERLINK(1),", 1).replace("\n", "\n1,", 1), "formula"),
    "../../datasets/x.csv": ("tides", table(300, seed=9), "is neither uploads/"),
    "x.csv": ("..", table(300, seed=10), "is neither uploads/"),
}


@pytest.mark.parametrize("name", TRICKS)
def test_a_name_with_a_trick_in_it_is_refused(siege: Besieged, name: str) -> None:
    dataset, content, word = TRICKS[name]
    key = upload_key(dataset, name)
    siege.app.s3.put_object(Bucket=siege.app.data_bucket, Key=key, Body=content.encode())
    decision = siege.loop.until("its refusal", lambda: next((each for each in siege.app.decisions() if each.subject == key), None))
    assert decision.what == "dataset_refused"
    assert word in decision.why
