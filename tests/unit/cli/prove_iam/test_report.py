"""The proof's report: what counts as proven, and what a reader is told to do next."""

import json
from pathlib import Path

import pytest

from cli.output import Output, Phase
from cli.project import REPOSITORY
from cli.prove_iam.report import Broken, Proof, next_step, show_proof
from twin.iam.findings import Finding
from twin.iam.pieces import WHOLE, Piece
from twin.iam.policy import Key, Principal
from twin.iam.question import Question
from twin.iam.record import Recorded
from twin.iam.usage import Grant, Superfluous, Usage

STACK = "project-dev-control"
ROLE = "arn:aws:iam::123456789012:role/r"
OBJECTS = "arn:aws:s3:::data/datasets/*"
KEY = Key("identity", ROLE, "Exactly", 0)
GRANT = Grant(
    f"{STACK}/PredictRoleDB74D916/identity/Exactly/0",
    "PredictRoleDB74D916",
    STACK,
    "identity",
    0,
    "",
    {"Effect": "Allow", "Action": "s3:GetObject", "Resource": OBJECTS},
    (KEY,),
)
SELF = Principal("AWS", frozenset())
READ = Recorded("", "train", ROLE, "s3:GetObject", Question(SELF, SELF, "s3:GetObject", OBJECTS, ()), True, "Exactly", True)
NEEDED = Usage(GRANT, (READ, READ), (), ())
DENIED = Finding(
    "denied", "identity", STACK, GRANT.owner, "s3:PutObject", OBJECTS, "train", "role r: denied s3:PutObject on x in step train"
)


def test_needed_and_missed_is_proven() -> None:
    proof = Proof(usages=[NEEDED], broken={GRANT.id: Broken("train", "the run failed")})
    assert proof.ok
    assert proof.sentences() == []


def test_a_finding_is_not_proven_and_says_the_next_step() -> None:
    proof = Proof(usages=[NEEDED], findings=[DENIED])
    assert not proof.ok
    assert proof.sentences() == [f"{DENIED.words}. Next: allow it in stacks/constructs/function_policies.py"]


def test_a_statement_that_is_not_missed_when_withheld_is_not_proven() -> None:
    proof = Proof(usages=[NEEDED], broken={GRANT.id: Broken("train", "")})
    assert not proof.ok
    (sentence,) = proof.sentences()
    assert sentence.startswith(
        f"role PredictRoleDB74D916 of stack {STACK}: s3:GetObject on {OBJECTS} was withheld, and step train went as well"
    )


def test_a_story_that_did_not_end_is_not_proven() -> None:
    assert not Proof(usages=[NEEDED], failed="step train failed: no run").ok


def test_the_table_has_role_statement_use_and_what_breaks(capsys: pytest.CaptureFixture[str]) -> None:
    gone = Usage(GRANT, (), (), (Superfluous(Piece(KEY, WHOLE), (), ()),))
    show_proof(Output(), Proof(usages=[NEEDED, gone], broken={GRANT.id: Broken("train", "the run failed")}))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split("  ")[0] == "role"
    assert [part for part in lines[1].split("  ") if part.strip()] == [
        "PredictRole",
        "s3:GetObject on s3:data/datasets/*",
        "train",
        "train: the run failed",
    ]
    assert "nothing" in lines[2]
    assert lines[-1].startswith("2 statements, 1 needed, 1 missed when withheld, 0 needed by the deployment: proven by use")


def test_what_was_needed_and_not_withheld_is_listed_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    proof = Proof(usages=[NEEDED], broken={}, replaced=["serving.mode: realtime instead of serverless"])
    show_proof(Output(), proof)
    said = capsys.readouterr().out
    assert said.splitlines()[1].rstrip().endswith("proven by use, not withheld")
    assert "1 needed by the deployment: proven by use, not withheld" in said
    assert proof.ok
    assert "proven with serving.mode: realtime instead of serverless" in " ".join(said.split())
    assert (proof.document()["by_use"], proof.document()["replaced"]) == ([GRANT.id], proof.replaced)


def test_the_document_says_it_all() -> None:
    proof = Proof([(Phase("train", 2.0), "a run")], [NEEDED], [DENIED], {GRANT.id: Broken("train", "")}, seconds=3.0)
    content = json.loads(json.dumps(proof.document()))
    assert (content["ok"], content["mutated"], content["failed"]) == (False, True, None)
    assert content["steps"] == [{"name": "train", "what": "a run", "seconds": 2.0}]
    (statement,) = content["statements"]
    assert (statement["used_by"], statement["breaks"]) == (["train"], {"step": "train", "how": ""})
    assert [each["problem"] for each in content["findings"]] == ["denied", "not missed"]
    assert all(each["next"] and each["owner"] == GRANT.owner for each in content["findings"])


@pytest.mark.parametrize(
    ("owner", "file"),
    [
        ("DeploymentRoleC7BBCF2C", "deployment_role"),
        ("RolesJob4D5C6F70", "job_roles"),
        ("Key961B73FD", "key"),
        ("AlertsTopicPolicyFF1F97BA", "alerts"),
        ("DataPolicyB80589C3", "bucket"),
        ("TickRole4D313812", "triggers"),
        ("DeadLettersPolicy05322138", "triggers"),
        ("stackchangedAllowEventRuleprojectdevcontrolReconcileEndpointFunction504F347A8B797FDA", "triggers"),
        ("StartTrainingRoleE2CB968E", "function_policies"),
        ("PredictFunctionInvokeDED0D6E6", "http_api"),
        ("Role1ABCC5F0", "github"),
    ],
)
def test_the_next_step_names_a_file_that_is_there(owner: str, file: str) -> None:
    path = next_step("denied", owner).removeprefix("allow it in ")
    assert Path(path).stem == file
    assert (REPOSITORY / path).is_file()


def test_whose_policy_is_not_the_projects_is_named_too() -> None:
    assert next_step("denied", ROLE) == f"allow it in the policy of {ROLE}"
