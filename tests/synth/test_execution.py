"""CloudFormation's permissions against AWS's own schemas of the resource types: nothing is missing, nothing is there without a reason."""

import json
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from contracts.config import Config
from contracts.network import Mode
from contracts.privacy import Privacy
from stacks.execution import LIMIT, Place, execution_policies, main
from stacks.project import read_project
from stacks.tidewheel import new_app
from tests.synth.conftest import ROOT
from tests.synth.templates import Template, as_list

# Resource types that the example project has only by configuration.
GITHUB = {"AWS::IAM::OIDCProvider"}
_NETWORK = ("VPC", "Subnet", "RouteTable", "SubnetRouteTableAssociation", "SecurityGroup", "SecurityGroupIngress", "VPCEndpoint", "FlowLog")
NETWORK = {f"AWS::EC2::{kind}" for kind in _NETWORK}
SECRET = {"AWS::SecretsManager::Secret"}
STREAM = {"AWS::Kinesis::Stream", "AWS::Lambda::EventSourceMapping"}
PLACE = Place("123456789012", "eu-west-1")

# Actions that a type's handler makes only for what our templates do not use.
NOT_USED = {
    "*scheduledaction": "no scheduled scaling",
    "lambda:*provisionedconcurrencyconfig": "only endpoints are scaled",
    "cloudwatch:getmetricdata": "no predictive scaling",
    "dynamodb:*item": "no import into the table",
    "dynamodb:query": "no import into the table",
    "dynamodb:scan": "no import into the table",
    "dynamodb:*import*": "no import into the table",
    "dynamodb:*tablereplica": "one region",
    "dynamodb:*kinesisstreamingdestination": "no stream",
    "dynamodb:*resourcepolicy": "IAM alone says who may use the table",
    "dynamodb:updatecontributorinsights": "no contributor insights",
    "dynamodb:updatetimetolive": "records are kept",
    "dynamodb:deletetable": "the ledger is kept when its stack goes",
    "kinesis:*": "no stream",
    "kms:disablekey": "the key stays enabled",
    "kms:enablekey": "the key stays enabled",
    "kms:disablekeyrotation": "the key rotates",
    "kms:schedulekeydeletion": "the key is kept when its stack goes",
    "kms:revokegrant": "the table is kept when its stack goes",
    "ec2:*": "without a network of its own",
    "elasticfilesystem:*": "no file system",
    "s3files:*": "no file system",
    "firehose:*": "logs go to CloudWatch only",
    "iam:*clientid*": "one audience",
    "iam:updateopenidconnectproviderthumbprint": "AWS trusts GitHub's certificates by itself",
    "iam:*tachrolepolicy": "roles have their policy inline",
    "iam:*rolepermissionsboundary": "no boundary",
    "lambda:*codesigningconfig": "no code signing",
    "lambda:associateruntimealias": "the runtime is updated by AWS",
    "lambda:put*config": "no recursion, scaling or runtime settings",
    "lambda:passcapacityprovider": "no capacity provider",
    "lambda:publishversion": "no versions",
    "logs:*logstream*": "no import into the table",
    "logs:putlogevents": "no import into the table",
    "logs:*dataprotectionpolicy": "no data protection policy",
    "logs:*indexpolicy": "no field indexes",
    "logs:deleteresourcepolicy": "the account's policy for log delivery is shared",
    "logs:putbearertokenauthentication": "no bearer tokens",
    "logs:putloggroupdeletionprotection": "log groups go with their stack",
    "s3:rest.put.object": "logs go to CloudWatch only",
    "s3:delete*": "buckets are kept when their stack goes, and settings are not taken back",
    "s3:*metadata*": "no metadata tables",
    "s3tables:*": "no metadata tables",
    "s3:*acl": "ownership is enforced, so there are no ACLs",
    "s3:getobjectversion": "code is named by its digest",
    **{f"s3:put*{what}*": "not set" for what in ("accelerate", "analytics", "abac", "cors", "objectlock", "replication", "website")},
    **{f"s3:put{what}*": "not set" for what in ("intelligenttiering", "inventory", "metrics")},
    "sns:putdataprotectionpolicy": "no data protection policy",
    "sns:*subscribe": "people subscribe by themselves",
}
# The same for what is there by configuration.
NOT_USED_THERE = {
    "autoscaling:describetags": "flow logs go to CloudWatch",
    "ec2:*subnetcidrblock": "IPv4 only",
    "ec2:*vpcencryptioncontrol*": "no encryption controls",
    "ec2:modifyvpctenancy": "default tenancy",
    "ec2:describeinstances": "no instances",
    "vpc-lattice:*": "no service networks",
    "kinesis:*enhancedmonitoring": "no metrics of single shards",
    "kinesis:updatestreammode": "shards are provisioned",
    "kinesis:update*size": "records of up to 1 MB",
    "kinesis:updatestream*strategy": "records are distributed by their keys",
    "kinesis:*warmthroughput": "shards are provisioned",
    "vpce:*": "one region",
    "secretsmanager:*region*": "one region",
    "secretsmanager:deletesecret": "the key is kept when its stack goes",
    "secretsmanager:getsecretvalue": "CloudFormation makes the value up, and does not read it",
}
# Actions that no schema names, and what asks for them.
MORE = {
    "ssm:getparameters": "CDK's rule on the bootstrap's version",
    "sagemaker:describemodelpackage": "a model that is made of a package",
    "sagemaker:updateendpointweightsandcapacities": "Application Auto Scaling, for whoever registers a target",
    "kms:generatedatakeywithoutplaintext": "DynamoDB, for whoever makes an encrypted table",
    "kms:reencryptfrom": "DynamoDB, for whoever makes an encrypted table",
    "kms:reencryptto": "DynamoDB, for whoever makes an encrypted table",
    "logs:*logdeliver*": "the access log of an HTTP API",
    "lambda:listtags": "tags of functions",
}


@pytest.fixture(scope="module")
def config(flags: Mapping[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Config:
    """The example project, deployed from GitHub."""
    found = read_project(new_app(flags, tmp_path_factory.mktemp("config")).node, ROOT, None).config
    return Config.model_validate(found.model_dump() | {"github": {"repository": "octo-org/octo-repo", "branch": "main"}})


@pytest.fixture(scope="module")
def granted(config: Config) -> set[str]:
    """Every action of the policies, in lower case."""
    return actions(config)


@pytest.fixture(scope="module")
def named(templates: Mapping[str, Template]) -> set[str]:
    """Every action that the schema of a resource type in the templates names, in lower case."""
    types = GITHUB | {resource["Type"] for template in templates.values() for resource in template.resources.values()}
    return of_types(types)


def actions(config: Config) -> set[str]:
    """Every action of a project's policies, in lower case."""
    documents = execution_policies(config, PLACE)
    return {action.lower() for document in documents for statement in document["Statement"] for action in statement["Action"]}


def of_types(types: set[str]) -> set[str]:
    """Every action that the schemas of resource types name, in lower case."""
    return {action for schema in schemas() if schema["typeName"] in types for action in permissions(schema)}


def schemas() -> Iterator[dict[str, Any]]:
    """The schemas of all resource types, as cfn-lint ships them."""
    folder = resources.files("cfnlint") / "data" / "schemas" / "resources"
    for path in sorted(folder.iterdir(), key=lambda path: path.name):
        if not path.name.endswith(".json"):
            continue
        schema: dict[str, Any] = json.loads(path.read_text())
        if "typeName" in schema:
            yield schema


def permissions(schema: Mapping[str, Any]) -> Iterator[str]:
    """What a type's handlers need, but for listing all resources of the type."""
    for verb, handler in schema.get("handlers", {}).items():
        if verb != "list":
            yield from (action.lower() for action in handler.get("permissions", ()))


def test_nothing_that_cloudformation_needs_is_missing(named: set[str], granted: set[str]) -> None:
    missing = {action for action in named - granted if not any(fnmatchcase(action, pattern) for pattern in NOT_USED)}
    assert missing == set()


def test_nothing_is_granted_that_no_handler_needs(named: set[str], granted: set[str]) -> None:
    more = {action for action in granted - named if not any(fnmatchcase(action, pattern) for pattern in MORE)}
    assert more == set()


def test_no_reason_is_left_over(named: set[str], granted: set[str]) -> None:
    assert [pattern for pattern in NOT_USED if not any(fnmatchcase(action, pattern) for action in named - granted)] == []
    assert [pattern for pattern in MORE if not any(fnmatchcase(action, pattern) for action in granted - named)] == []


def test_a_network_a_secret_and_a_stream_are_covered_where_they_are_configured(config: Config, granted: set[str]) -> None:
    network = config.network.model_copy(update={"mode": Mode.VPC})
    data = config.data.model_copy(update={"privacy": Privacy(hash=("email",))})
    stream = config.stream.model_copy(update={"enabled": True})
    more = actions(config.model_copy(update={"network": network, "data": data, "stream": stream}))
    named = of_types(NETWORK | SECRET | STREAM)
    assert {action for action in named - more if not any(fnmatchcase(action, pattern) for pattern in NOT_USED_THERE)} == set()
    assert more - granted - named == {"ec2:describeavailabilityzones", "ec2:describenetworkinterfaces"}
    assert [pattern for pattern in NOT_USED_THERE if not any(fnmatchcase(action, pattern) for action in named - more)] == []


def test_the_deployment_role_may_all_that_serving_a_version_needs(templates: Mapping[str, Template]) -> None:
    types = {resource["Type"] for resource in templates["endpoint"].resources.values() if "AWS::SageMaker::" in resource["Type"]}
    assert {"AWS::SageMaker::Model", "AWS::SageMaker::EndpointConfig", "AWS::SageMaker::Endpoint"} <= types
    allowed = {action.lower() for each in templates["control"].statements("DeploymentRole") for action in as_list(each["Action"])}
    assert of_types(types) - allowed == {"sagemaker:deletetags"}  # the stack's tags stay


def test_no_action_has_a_wildcard_and_everything_has_a_name(config: Config) -> None:
    statements = [statement for document in execution_policies(config, PLACE) for statement in document["Statement"]]
    assert not [action for statement in statements for action in statement["Action"] if "*" in action]
    assert len({statement["Sid"] for statement in statements}) == len(statements)
    everywhere = {statement["Sid"] for statement in statements if "*" in statement["Resource"]}
    assert everywhere == {"NewKey", "LogDelivery", "ScalingState"}


def test_the_documents_fit_into_managed_policies(config: Config) -> None:
    longest = config.model_copy(update={"project": "a" * 24, "environment": "producti"})
    documents = execution_policies(longest, PLACE)
    assert len(documents) <= 3
    assert max(len(json.dumps(document, separators=(",", ":"))) for document in documents) <= LIMIT


def test_one_command_writes_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--account", PLACE.account, "--region", PLACE.region, "--config", str(ROOT / "tidewheel.yaml"), "--out", str(tmp_path)])
    paths = [Path(line) for line in capsys.readouterr().out.splitlines()]
    assert [path.name for path in paths] == [f"breast-cancer-dev-execution-{number}.json" for number in range(1, len(paths) + 1)]
    assert "arn:aws:sqs:eu-west-1:123456789012:breast-cancer-dev-*" in "".join(path.read_text() for path in paths)
