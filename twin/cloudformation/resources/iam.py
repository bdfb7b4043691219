"""IAM roles and policies.

docs: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_IAM.html
"""

from collections.abc import Mapping
from typing import Any

from twin.cloudformation.resources.base import Call, Created, Handler, HandlerError, changed, gone, tag_list
from twin.cloudformation.shapes import as_text

_GONE = "NoSuchEntity"
_PRINCIPALS = (("Roles", "role", "RoleName"), ("Users", "user", "UserName"), ("Groups", "group", "GroupName"))


class Role(Handler):
    """Its inline policies and attachments are exactly those of the template."""

    type = "AWS::IAM::Role"
    properties = frozenset(
        {
            "AssumeRolePolicyDocument",
            "Description",
            "ManagedPolicyArns",
            "MaxSessionDuration",
            "Path",
            "PermissionsBoundary",
            "Policies",
            "RoleName",
            "Tags",
        }
    )
    required = frozenset({"AssumeRolePolicyDocument"})
    replacement = frozenset({"RoleName", "Path"})
    attributes = frozenset({"Arn", "RoleId"})
    name_property = "RoleName"
    is_iam = True

    def create(self, call: Call) -> Created:
        iam, name = call.client("iam"), call.name("RoleName")
        request = call.request("iam", "CreateRole", "ManagedPolicyArns", "Policies", "RoleName", "Tags")
        role = iam.create_role(RoleName=name, Tags=tag_list(call.properties.get("Tags")), **request)["Role"]
        call.begun(name)
        self._grant(call, name, {})
        return Created(name, {"Arn": role["Arn"], "RoleId": role["RoleId"]})

    def update(self, call: Call, physical_id: str, before: Mapping[str, Any]) -> Mapping[str, Any]:
        iam, given = call.client("iam"), call.properties
        if changed(call, before, "AssumeRolePolicyDocument"):
            iam.update_assume_role_policy(RoleName=physical_id, PolicyDocument=as_text(given["AssumeRolePolicyDocument"]))
        if changed(call, before, "Description", "MaxSessionDuration"):
            duration = int(given.get("MaxSessionDuration", 3600))
            iam.update_role(RoleName=physical_id, Description=given.get("Description", ""), MaxSessionDuration=duration)
        if changed(call, before, "PermissionsBoundary"):
            if "PermissionsBoundary" in given:
                iam.put_role_permissions_boundary(RoleName=physical_id, PermissionsBoundary=given["PermissionsBoundary"])
            else:
                iam.delete_role_permissions_boundary(RoleName=physical_id)
        if changed(call, before, "Tags"):
            iam.untag_role(RoleName=physical_id, TagKeys=[tag["Key"] for tag in tag_list(before.get("Tags"))])
            iam.tag_role(RoleName=physical_id, Tags=tag_list(given.get("Tags")))
        self._grant(call, physical_id, before)
        role = iam.get_role(RoleName=physical_id)["Role"]
        return {"Arn": role["Arn"], "RoleId": role["RoleId"]}

    def delete(self, call: Call, physical_id: str) -> None:
        iam = call.client("iam")
        with gone(_GONE):
            for policy in call.properties.get("Policies", ()):
                with gone(_GONE):
                    iam.delete_role_policy(RoleName=physical_id, PolicyName=policy["PolicyName"])
            for arn in call.properties.get("ManagedPolicyArns", ()):
                with gone(_GONE):
                    iam.detach_role_policy(RoleName=physical_id, PolicyArn=arn)
            iam.delete_role(RoleName=physical_id)

    def _grant(self, call: Call, name: str, before: Mapping[str, Any]) -> None:
        iam = call.client("iam")
        wanted = {policy["PolicyName"]: policy["PolicyDocument"] for policy in call.properties.get("Policies", ())}
        had = {policy["PolicyName"]: policy["PolicyDocument"] for policy in before.get("Policies", ())}
        for policy, document in wanted.items():
            if had.get(policy) != document:
                iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=as_text(document))
        for policy in had.keys() - wanted.keys():
            iam.delete_role_policy(RoleName=name, PolicyName=policy)
        attached, attached_before = set(call.properties.get("ManagedPolicyArns", ())), set(before.get("ManagedPolicyArns", ()))
        for arn in sorted(attached - attached_before):
            iam.attach_role_policy(RoleName=name, PolicyArn=arn)
        for arn in sorted(attached_before - attached):
            iam.detach_role_policy(RoleName=name, PolicyArn=arn)


class Policy(Handler):
    """An inline policy of roles, users and groups; Ref is its name."""

    type = "AWS::IAM::Policy"
    properties = frozenset({"PolicyName", "PolicyDocument", "Roles", "Users", "Groups"})
    required = frozenset({"PolicyName", "PolicyDocument"})
    replacement = frozenset({"PolicyName"})
    is_iam = True

    def create(self, call: Call) -> Created:
        name = str(call.properties["PolicyName"])
        call.begun(name)
        self._put(call, name, call.properties)
        return Created(name)

    def update(self, call: Call, physical_id: str, before: Mapping[str, Any]) -> Mapping[str, Any]:
        self._put(call, physical_id, call.properties)
        left = {key: [who for who in before.get(key, ()) if who not in call.properties.get(key, ())] for key, _, _ in _PRINCIPALS}
        self._take(call, physical_id, left)
        return {}

    def delete(self, call: Call, physical_id: str) -> None:
        self._take(call, physical_id, call.properties)

    def _put(self, call: Call, name: str, principals: Mapping[str, Any]) -> None:
        for key, kind, parameter in _PRINCIPALS:
            for who in principals.get(key, ()):
                put = getattr(call.client("iam"), f"put_{kind}_policy")
                put(PolicyName=name, PolicyDocument=as_text(call.properties["PolicyDocument"]), **{parameter: who})

    def _take(self, call: Call, name: str, principals: Mapping[str, Any]) -> None:
        for key, kind, parameter in _PRINCIPALS:
            for who in principals.get(key, ()):
                with gone(_GONE):
                    getattr(call.client("iam"), f"delete_{kind}_policy")(PolicyName=name, **{parameter: who})


class ManagedPolicy(Handler):
    """A policy of its own, attached to roles, users and groups; Ref is its ARN."""

    type = "AWS::IAM::ManagedPolicy"
    properties = frozenset({"ManagedPolicyName", "Description", "Path", "PolicyDocument", "Roles", "Users", "Groups"})
    required = frozenset({"PolicyDocument"})
    replacement = frozenset({"ManagedPolicyName", "Description", "Path"})
    attributes = frozenset({"PolicyArn"})
    name_property = "ManagedPolicyName"
    is_iam = True

    def create(self, call: Call) -> Created:
        given = call.properties
        more = {key: given[key] for key in ("Description", "Path") if key in given}
        document = as_text(given["PolicyDocument"])
        arn = call.client("iam").create_policy(PolicyName=call.name("ManagedPolicyName", 128), PolicyDocument=document, **more)["Policy"][
            "Arn"
        ]
        call.begun(arn)
        self._each(call, arn, "attach", given)
        return Created(arn, {"PolicyArn": arn})

    def update(self, call: Call, physical_id: str, before: Mapping[str, Any]) -> Mapping[str, Any]:
        iam = call.client("iam")
        if changed(call, before, "PolicyDocument"):
            versions = iam.list_policy_versions(PolicyArn=physical_id)["Versions"]
            for version in [version for version in versions if not version["IsDefaultVersion"]]:
                iam.delete_policy_version(PolicyArn=physical_id, VersionId=version["VersionId"])
            iam.create_policy_version(PolicyArn=physical_id, PolicyDocument=as_text(call.properties["PolicyDocument"]), SetAsDefault=True)
        self._each(call, physical_id, "detach", _without(before, call.properties))
        self._each(call, physical_id, "attach", _without(call.properties, before))
        return {"PolicyArn": physical_id}

    def delete(self, call: Call, physical_id: str) -> None:
        iam = call.client("iam")
        with gone(_GONE):
            self._each(call, physical_id, "detach", call.properties)
        with gone(_GONE):
            for version in iam.list_policy_versions(PolicyArn=physical_id)["Versions"]:
                if not version["IsDefaultVersion"]:
                    iam.delete_policy_version(PolicyArn=physical_id, VersionId=version["VersionId"])
            iam.delete_policy(PolicyArn=physical_id)

    def _each(self, call: Call, arn: str, verb: str, principals: Mapping[str, Any]) -> None:
        for key, kind, parameter in _PRINCIPALS:
            for who in principals.get(key, ()):
                getattr(call.client("iam"), f"{verb}_{kind}_policy")(PolicyArn=arn, **{parameter: who})


class OidcProvider(Handler):
    """An identity provider that roles may trust; Ref is its ARN. An account has each URL once.

    docs: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-oidcprovider.html
    """

    type = "AWS::IAM::OIDCProvider"
    properties = frozenset({"Url", "ClientIdList"})
    required = frozenset({"Url"})
    replacement = frozenset({"Url"})
    attributes = frozenset({"Arn"})
    name_property = "Url"

    def create(self, call: Call) -> Created:
        audiences = list(call.properties.get("ClientIdList", ()))
        made = call.client("iam").create_open_id_connect_provider(Url=call.properties["Url"], ClientIDList=audiences)
        arn = made["OpenIDConnectProviderArn"]
        return Created(arn, {"Arn": arn})

    def update(self, call: Call, physical_id: str, before: Mapping[str, Any]) -> Mapping[str, Any]:
        raise HandlerError("The twin cannot change the audiences of an identity provider.")

    def delete(self, call: Call, physical_id: str) -> None:
        with gone(_GONE):
            call.client("iam").delete_open_id_connect_provider(OpenIDConnectProviderArn=physical_id)


def _without(these: Mapping[str, Any], those: Mapping[str, Any]) -> dict[str, list[str]]:
    return {key: [who for who in these.get(key, ()) if who not in those.get(key, ())] for key, _, _ in _PRINCIPALS}


HANDLERS: tuple[Handler, ...] = (Role(), Policy(), ManagedPolicy(), OidcProvider())
