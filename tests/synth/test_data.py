"""What must survive is encrypted, versioned, private and kept."""

from collections.abc import Mapping

from tests.synth.templates import Template, text


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
        assert {rule.get("Prefix") for rule in properties["LifecycleConfiguration"]["Rules"] if "Expiration" in text(rule)} <= {"capture/"}
    (data,) = (properties for name, properties in own.items() if name.startswith("Data"))
    assert data["NotificationConfiguration"] == {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}


def test_what_is_captured_expires(templates: Mapping[str, Template]) -> None:
    (artifacts,) = (bucket for name, bucket in templates["data"].of("S3::Bucket").items() if name.startswith("Artifacts"))
    (rule,) = (rule for rule in artifacts["Properties"]["LifecycleConfiguration"]["Rules"] if "ExpirationInDays" in rule)
    assert (rule["Prefix"], rule["ExpirationInDays"], rule["NoncurrentVersionExpiration"]) == ("capture/", 365, {"NoncurrentDays": 30})


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


def test_the_key_rotates_and_serves_named_sources_only(templates: Mapping[str, Template]) -> None:
    key = templates["data"].only("KMS::Key")
    assert key["EnableKeyRotation"] is True
    services = [statement for statement in key["KeyPolicy"]["Statement"] if "Service" in statement["Principal"]]
    assert len(services) == 3
    for statement in services:
        assert not [action for action in statement["Action"] if "*" in action]
    # EventBridge does not document which source it names to the key, so its statement has no condition; see stacks/data.py.
    open_to = [statement["Principal"]["Service"] for statement in services if "Condition" not in statement]
    assert open_to == ["events.amazonaws.com"]
    assert all("breast-cancer-dev" in text(statement["Condition"]) for statement in services if "Condition" in statement)


def test_the_ledger_can_be_restored_and_not_be_dropped(templates: Mapping[str, Template]) -> None:
    ledger = templates["data"].only("DynamoDB::Table")
    assert ledger["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert ledger["DeletionProtectionEnabled"] is True
    assert ledger["SSESpecification"]["SSEType"] == "KMS"
    assert [key["AttributeName"] for key in ledger["KeySchema"]] == ["pk", "sk"]
