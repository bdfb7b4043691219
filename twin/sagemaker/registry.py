"""The model registry: groups and versions, with everything that was registered, and an event for every change.

Sources: API_CreateModelPackage, API_UpdateModelPackage; events: developer guide, automating-sagemaker-with-eventbridge.
A version's number is one more than the highest that its group ever had, also under concurrency. Its status is Completed at once:
the twin validates no packages (ValidationSpecification is refused).
Modelled: UpdateModelPackage merges CustomerMetadataProperties by key. An update that changes nothing still sends an event.
"""

import threading
from typing import Any

from twin.sagemaker import api
from twin.sagemaker.context import Context, iso

APPROVALS = ("Approved", "Rejected", "PendingManualApproval")
_KEPT = (
    "ModelPackageDescription",
    "InferenceSpecification",
    "SourceAlgorithmSpecification",
    "MetadataProperties",
    "ModelMetrics",
    "Domain",
    "Task",
    "SamplePayloadUrl",
    "CustomerMetadataProperties",
    "DriftCheckBaselines",
    "AdditionalInferenceSpecifications",
    "SkipModelValidation",
    "SourceUri",
    "ModelCard",
    "ModelLifeCycle",
    "SecurityConfig",
)
_ACCEPTED = (*_KEPT, "ModelPackageGroupName", "ModelApprovalStatus", "Tags", "ClientToken")
_UPDATED = ("ModelApprovalStatus", "ApprovalDescription", "InferenceSpecification", "SourceUri", "ModelCard", "ModelLifeCycle")
_CHANGES = (*_UPDATED, "ModelPackageArn", "CustomerMetadataProperties", "CustomerMetadataPropertiesToRemove", "ClientToken")
_SUMMARY = (
    "ModelPackageGroupName",
    "ModelPackageVersion",
    "ModelPackageArn",
    "ModelPackageDescription",
    "CreationTime",
    "ModelPackageStatus",
    "ModelApprovalStatus",
    "ModelLifeCycle",
)
_GROUP_SUMMARY = (
    "ModelPackageGroupName",
    "ModelPackageGroupArn",
    "ModelPackageGroupDescription",
    "CreationTime",
    "ModelPackageGroupStatus",
)
_EVENT = (*_SUMMARY, *_KEPT, "ModelPackageStatusDetails", "ApprovalDescription", "LastModifiedTime", "CertifyForMarketplace")


class Registry:
    """Model package groups and their versions, in Describe's shape."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._groups: dict[str, dict[str, Any]] = {}
        self._packages: dict[str, dict[str, Any]] = {}
        self._highest: dict[str, int] = {}
        self._tokens: dict[str, str] = {}
        self._lock = threading.RLock()

    def replaced(self) -> dict[str, api.Operation]:
        """Operations that moto has."""
        return {
            "create_model_package_group": self.create_group,
            "describe_model_package_group": self.describe_group,
            "list_model_package_groups": self.list_groups,
            "create_model_package": self.create,
            "update_model_package": self.update,
            "describe_model_package": self.describe,
            "list_model_packages": self.list_all,
        }

    def added(self) -> dict[str, api.Operation]:
        """Operations that moto lacks."""
        return {"delete_model_package": self.delete, "delete_model_package_group": self.delete_group}

    def create_group(self, request: api.Request) -> api.Reply:
        """CreateModelPackageGroup."""
        name = request["ModelPackageGroupName"]
        arn = self._context.arn("model-package-group", name)
        with self._lock:
            if name in self._groups:
                raise api.invalid(f"Model Package Group already exists: {arn}")
            kept = api.pick(request, ["ModelPackageGroupName", "ModelPackageGroupDescription"])
            self._groups[name] = kept | {
                "ModelPackageGroupArn": arn,
                "CreationTime": self._context.now(),
                "CreatedBy": {},
                "ModelPackageGroupStatus": "Completed",
            }
        self._context.tag(arn, request.get("Tags"))
        return {"ModelPackageGroupArn": arn}

    def describe_group(self, request: api.Request) -> api.Reply:
        """DescribeModelPackageGroup."""
        return dict(self._group(request["ModelPackageGroupName"]))

    def list_groups(self, request: api.Request) -> api.Reply:
        """ListModelPackageGroups."""
        wanted = request.get("NameContains") or ""
        groups = [api.pick(group, _GROUP_SUMMARY) for name, group in list(self._groups.items()) if wanted in name]
        return api.page(request, "ModelPackageGroupSummaryList", api.ordered(request, groups, default="Ascending"))

    def delete_group(self, request: api.Request) -> api.Reply:
        """DeleteModelPackageGroup: only an empty group goes."""
        with self._lock:
            group = self._group(request["ModelPackageGroupName"])
            if any(each["ModelPackageGroupName"] == group["ModelPackageGroupName"] for each in self._packages.values()):
                raise api.conflict(f"Model Package Group {group['ModelPackageGroupArn']} cannot be deleted: it still holds model packages.")
            del self._groups[group["ModelPackageGroupName"]]
        self._context.untag(group["ModelPackageGroupArn"])
        return {}

    def create(self, request: api.Request) -> api.Reply:
        """CreateModelPackage: the next version of a group. Unversioned packages are refused."""
        api.refuse_unknown(request, _ACCEPTED, "CreateModelPackage")
        if not request.get("ModelPackageGroupName"):
            raise api.invalid("The twin keeps only versioned model packages. Next: give ModelPackageGroupName.")
        token, now = request.get("ClientToken"), self._context.now()
        with self._lock:
            if token and token in self._tokens:
                return {"ModelPackageArn": self._tokens[token]}
            name = self._group(request["ModelPackageGroupName"])["ModelPackageGroupName"]
            version = self._highest[name] = self._highest.get(name, 0) + 1
            arn = self._context.arn("model-package", f"{name}/{version}")
            package = api.pick(request, _KEPT) | {
                "ModelPackageGroupName": name,
                "ModelPackageVersion": version,
                "ModelPackageArn": arn,
                "CreationTime": now,
                "ModelPackageStatus": "Completed",
                "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
                "CertifyForMarketplace": False,
                "ModelApprovalStatus": _approval(request.get("ModelApprovalStatus") or "PendingManualApproval"),
            }
            self._packages[arn] = package
            if token:
                self._tokens[token] = arn
            self._publish(package)
        self._context.tag(arn, request.get("Tags"))
        return {"ModelPackageArn": arn}

    def update(self, request: api.Request) -> api.Reply:
        """UpdateModelPackage."""
        api.refuse_unknown(request, _CHANGES, "UpdateModelPackage")
        if request.get("ModelApprovalStatus"):
            _approval(request["ModelApprovalStatus"])
        with self._lock:
            package = self.find(request["ModelPackageArn"])
            package |= api.pick(request, _UPDATED) | {"LastModifiedTime": self._context.now()}
            properties = package.get("CustomerMetadataProperties", {}) | (request.get("CustomerMetadataProperties") or {})
            for key in request.get("CustomerMetadataPropertiesToRemove") or ():
                properties.pop(key, None)
            if properties or "CustomerMetadataProperties" in package:
                package["CustomerMetadataProperties"] = properties
            self._packages[package["ModelPackageArn"]] = package
            self._publish(package)
        return {"ModelPackageArn": package["ModelPackageArn"]}

    def describe(self, request: api.Request) -> api.Reply:
        """DescribeModelPackage, by ARN."""
        return self.find(request["ModelPackageName"])

    def list_all(self, request: api.Request) -> api.Reply:
        """ListModelPackages, by group and approval status."""
        group, status = request.get("ModelPackageGroupName"), request.get("ModelApprovalStatus")
        if group is None and (request.get("ModelPackageType") or "Unversioned") == "Unversioned":
            return {"ModelPackageSummaryList": []}
        name = None if group is None else self._group(group)["ModelPackageGroupName"]
        with self._lock:
            packages = [
                api.pick(package, _SUMMARY)
                for package in self._packages.values()
                if name in {None, package["ModelPackageGroupName"]} and status in {None, package["ModelApprovalStatus"]}
            ]
        return api.page(request, "ModelPackageSummaryList", api.ordered(request, packages, default="Ascending"))

    def delete(self, request: api.Request) -> api.Reply:
        """DeleteModelPackage. Its version number is not given again."""
        with self._lock:
            package = self.find(request["ModelPackageName"])
            del self._packages[package["ModelPackageArn"]]
        self._context.untag(package["ModelPackageArn"])
        return {}

    def find(self, arn: str) -> dict[str, Any]:
        """A copy of the version with this ARN. Raises ValidationException."""
        with self._lock:
            if arn not in self._packages:
                raise api.invalid(f"ModelPackage {arn} does not exist.")
            return dict(self._packages[arn])

    def _group(self, name_or_arn: str) -> dict[str, Any]:
        name = name_or_arn.rpartition("/")[2]
        if name not in self._groups:
            raise api.invalid(f"ModelPackageGroup {self._context.arn('model-package-group', name)} does not exist.")
        return self._groups[name]

    def _publish(self, package: dict[str, Any]) -> None:
        detail = api.pick(package, _EVENT)
        detail["ModelPackageName"] = f"{package['ModelPackageGroupName']}/{package['ModelPackageVersion']}"
        for key in ("CreationTime", "LastModifiedTime"):
            detail[key] = iso(package.get(key))
        self._context.publish("SageMaker Model Package State Change", detail, [package["ModelPackageArn"]])


def _approval(status: str) -> str:
    if status not in APPROVALS:
        raise api.invalid(
            f"1 validation error detected: Value '{status}' at 'modelApprovalStatus' failed to satisfy constraint: "
            f"Member must satisfy enum value set: [{', '.join(APPROVALS)}]"
        )
    return status
