"""What must survive is encrypted, versioned, private and kept."""

from collections.abc import Mapping
from typing import Any

from tests.synth.templates import Template, as_list, text


def test_buckets_are_private_versioned_and_kept(templates: Mapping[str, Template]) -> None:
    buckets = templates["data"].of("S3::Bucket")
    assert len(buckets) == 3
    for bucket in buckets.values():
        properties = bucket["Properties"]
        assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
        assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
        assert properties["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
        assert (bucket["DeletionPolicy"], bucket["UpdateReplacePolicy"]) == ("Retain", "Retain")
        assert any("AbortIncompleteMultipartUpload" in rule for rule in properties["LifecycleConfiguration"]["Rules"])


def test_every_bucket_refuses_what_is_not_tls(templates: Mapping[str, Template]) -> None:
    template = templates["data"]
    refused = set()
    for policy in template.of("S3::BucketPolicy").values():
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
            if statement["Effect"] == "Deny" and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}:
                assert (statement["Action"], statement["Principal"], len(statement["Resource"])) == ("s3:*", {"AWS": "*"}, 2)
                refused.add(policy["Properties"]["Bucket"]["Ref"])
    assert refused == template.of("S3::Bucket").keys()


def test_data_and_artifacts_are_under_the_project_key_and_logged(templates: Mapping[str, Template]) -> None:
    buckets = templates["data"].of("S3::Bucket")
    own = {name: bucket["Properties"] for name, bucket in buckets.items() if not name.startswith("AccessLogs")}
    assert len(own) == 2
    for properties in own.values():
        (rule,) = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
        assert rule["BucketKeyEnabled"] is True
        assert properties["LoggingConfiguration"]["DestinationBucketName"]["Ref"].startswith("AccessLogs")
        # A manifest names object versions: none may ever expire.
        assert {rule.get("Prefix") for rule in properties["LifecycleConfiguration"]["Rules"] if "Expiration" in text(rule)} <= {
            "capture/",
            "batch/",
        }
    (data,) = (properties for name, properties in own.items() if name.startswith("Data"))
    assert data["NotificationConfiguration"] == {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}


def test_what_is_captured_or_on_its_way_expires(templates: Mapping[str, Template]) -> None:
    (artifacts,) = (bucket for name, bucket in templates["data"].of("S3::Bucket").items() if name.startswith("Artifacts"))
    rules = [rule for rule in artifacts["Properties"]["LifecycleConfiguration"]["Rules"] if "ExpirationInDays" in rule]
    assert {rule["Prefix"]: rule["ExpirationInDays"] for rule in rules} == {"capture/": 365, "batch/": 7}
    assert all(rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30} for rule in rules)


def test_only_s3_of_this_account_writes_access_logs(templates: Mapping[str, Template]) -> None:
    statements = [
        statement
        for policy in templates["data"].of("S3::BucketPolicy").values()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow"
    ]
    (delivery,) = statements
    assert (delivery["Principal"], delivery["Action"]) == ({"Service": "logging.s3.amazonaws.com"}, "s3:PutObject")
    assert delivery["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}


def _statements_of_the_key(templates: Mapping[str, Template]) -> dict[str, dict[str, Any]]:
    """Sid -> statement."""
    return {statement["Sid"]: statement for statement in templates["data"].only("KMS::Key")["KeyPolicy"]["Statement"]}


def test_the_key_rotates_and_serves_named_sources_only(templates: Mapping[str, Template]) -> None:
    assert templates["data"].only("KMS::Key")["EnableKeyRotation"] is True
    services = [statement for statement in _statements_of_the_key(templates).values() if "Service" in statement["Principal"]]
    assert len(services) == 3
    # EventBridge does not document which source it names to the key, so its statement has no condition; see stacks/constructs/key.py.
    open_to = [statement["Principal"]["Service"] for statement in services if "Condition" not in statement]
    assert open_to == ["events.amazonaws.com"]
    assert all("breast-cancer-dev" in text(statement["Condition"]) for statement in services if "Condition" in statement)


def test_the_account_administers_the_key_and_its_roles_use_it(templates: Mapping[str, Template]) -> None:
    statements = _statements_of_the_key(templates)
    of_the_account = {sid: statement for sid, statement in statements.items() if "AWS" in statement["Principal"]}
    assert all(text(statement["Principal"]).endswith(':root"]]}}') for statement in of_the_account.values())
    direct = {sid for sid, statement in of_the_account.items() if "kms:ViaService" not in text(statement.get("Condition", {}))}
    assert direct == {"Administration", "UseByRolesOfThisProject", "GrantsByRolesOfThisProject"}
    crypto = ("Encrypt", "Decrypt", "GenerateDataKey", "CreateGrant", "Sign", "Verify", "Mac", "*")
    assert not [action for action in as_list(statements["Administration"]["Action"]) if any(word in action for word in crypto)]
    for sid, statement in of_the_account.items():
        if sid != "Administration":
            (operator,) = (key for key in statement["Condition"] if key.startswith("Arn"))
            assert operator == ("ArnLike" if sid in direct else "ArnNotLike")
            assert ":role/tidewheel/breast-cancer-dev/*" in text(statement["Condition"][operator]["aws:PrincipalArn"])


def test_every_role_has_the_path_by_which_the_key_knows_it(templates: Mapping[str, Template]) -> None:
    paths = {role["Properties"].get("Path") for template in templates.values() for role in template.of("IAM::Role").values()}
    assert paths == {"/tidewheel/breast-cancer-dev/"}


def test_the_ledger_can_be_restored_and_not_be_dropped(templates: Mapping[str, Template]) -> None:
    ledger = templates["data"].only("DynamoDB::Table")
    assert ledger["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert ledger["DeletionProtectionEnabled"] is True
    assert ledger["SSESpecification"]["SSEType"] == "KMS"
    assert [key["AttributeName"] for key in ledger["KeySchema"]] == ["pk", "sk"]
