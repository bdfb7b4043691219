"""tidewheel.yaml: every mistake at once, each with its path; environments override and are checked too."""

from typing import Any

import pytest

from contracts.config import ApprovalPolicy, Config, parse_config
from contracts.errors import ConfigError
from contracts.evaluation import Metric
from contracts.serving import RolloutType


def project(**changes: Any) -> dict[str, Any]:
    """A correct project, with changes on its top level."""
    base: dict[str, Any] = {
        "project": "churn",
        "data": {
            "dataset": "churn",
            "target": "Churn",
            "problem": "binary",
            "positive": "Yes",
            "id": "customerID",
            "features": {"tenure": "numeric", "Contract": "categorical"},
        },
    }
    return base | changes


def problems_of(raw: Any, environment: str | None = None) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        parse_config(raw, environment)
    return caught.value.problems


def test_a_short_file_is_a_whole_project() -> None:
    config = parse_config(project())
    assert config.prefix == "churn-dev"
    assert config.metric is Metric.ROC_AUC
    assert config.serving.rollout.type is RolloutType.CANARY


def test_every_mistake_is_reported_at_once_with_its_path() -> None:
    raw = project(project="Not A Name", training={"holdout": 2, "foldz": 3}, serving={"rollout": {"step_percent": 80}})
    raw["data"]["features"]["Contract"] = "colour"
    paths = {problem.split(":")[0] for problem in problems_of(raw)}
    assert paths == {"project", "data.features.Contract", "training.holdout", "training.foldz", "serving.rollout.step_percent"}


def test_contradictions_inside_a_section_are_all_named() -> None:
    raw = project()
    raw["data"] |= {"positive": None, "id": "tenure", "ignore": ["Contract"]}
    assert problems_of(raw) == (
        "data: id column 'tenure' is also a feature",
        "data: ignored column 'Contract' is also a feature",
        "data: positive is needed for a binary problem, and for no other",
    )


def test_a_canary_needs_two_instances() -> None:
    (problem,) = problems_of(project(serving={"instance_count": 1}))
    assert "all_at_once" in problem
    parse_config(project(serving={"instance_count": 1, "rollout": {"type": "all_at_once"}}))


SERVERLESS: dict[str, Any] = {
    "serving": {"mode": "serverless", "rollout": {"type": "all_at_once"}},
    "monitoring": {"capture_percent": 0},
    "api": {"maximum_body_kilobytes": 4096},
}


def test_a_serverless_endpoint_needs_little_to_be_said() -> None:
    config = parse_config(project(**SERVERLESS))
    assert (config.serving.serverless.memory_megabytes, config.serving.serverless.max_concurrency) == (2048, 20)
    assert Config.model_validate_json(config.model_dump_json()) == config


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"serving": {"mode": "serverless"}}, "a canary rollout moves traffic by shares of a fleet's instances"),
        ({"serving": SERVERLESS["serving"] | {"serverless": {"memory_megabytes": 1500}}}, "1024, 2048"),
        ({"serving": SERVERLESS["serving"] | {"serverless": {"max_concurrency": 201}}}, "200"),
        ({"monitoring": {}}, "captures nothing of a serverless endpoint"),
        ({"monitoring": {"capture_percent": 0, "backend": "model_monitor"}}, "Model Monitor"),
        ({"network": {"mode": "vpc"}}, "no VPC and no network isolation"),
        ({"api": {}}, "takes requests of 4096 KB, and the API lets in 5120"),
    ],
)
def test_what_a_serverless_endpoint_cannot_do_is_refused_with_its_reason(changes: dict[str, Any], word: str) -> None:
    (problem,) = problems_of(project(**SERVERLESS | changes))
    assert word in problem


def test_environments_can_differ_in_their_mode() -> None:
    raw = project(serving={"instance_count": 4, "max_instance_count": 8}, environments={"dev": SERVERLESS, "prod": {}})
    assert parse_config(raw, "dev").serving.is_serverless
    assert not parse_config(raw, "prod").serving.is_serverless


def test_answers_from_memory_are_refused_where_traffic_is_watched() -> None:
    (problem,) = problems_of(project(api={"cache_seconds": 60}))
    assert "not captured" in problem
    assert parse_config(project(api={"cache_seconds": 60}, monitoring={"capture_percent": 0})).api.cache_seconds == 60


def test_a_metric_that_does_not_fit_the_problem_is_refused() -> None:
    (problem,) = problems_of(project(training={"metric": "rmse"}))
    assert "does not measure a binary problem" in problem


JWT = {"issuer": "https://id.example.com", "audience": ["tides"]}


@pytest.mark.parametrize(
    "api", [{"authorization": "jwt"}, {"jwt": JWT}, {"authorization": "jwt", "jwt": JWT | {"issuer": "http://id.example.com"}}]
)
def test_tokens_need_an_issuer_over_tls_and_only_they_do(api: dict[str, Any]) -> None:
    assert [problem.split(":")[0] for problem in problems_of(project(api=api))] in (["api"], ["api.jwt.issuer"])
    parse_config(project(api={"authorization": "jwt", "jwt": JWT}))


@pytest.mark.parametrize("cidr", ["8.8.0.0/16", "10.0.0.0/8", "10.0.0.0/28", "10.0.0.1/16", "ten"])
def test_a_network_is_private_and_large_enough(cidr: str) -> None:
    assert [problem.split(":")[0] for problem in problems_of(project(network={"mode": "vpc", "cidr": cidr}))] == ["network.cidr"]


def test_an_environment_overrides_deeply() -> None:
    raw = project(
        serving={"instance_count": 3, "rollout": {"interval_seconds": 120}},
        environments={"prod": {"approval": {"policy": "manual"}, "serving": {"rollout": {"type": "linear"}}}},
    )
    prod = parse_config(raw, "prod")
    assert prod.prefix == "churn-prod"
    assert prod.approval.policy is ApprovalPolicy.MANUAL
    assert (prod.serving.instance_count, prod.serving.rollout.interval_seconds) == (3, 120)
    assert prod.serving.rollout.type is RolloutType.LINEAR
    assert parse_config(raw).approval.policy is ApprovalPolicy.AUTO


def test_a_mistake_in_another_environment_is_found_and_said_once() -> None:
    raw = project(training={"folds": 1}, environments={"prod": {"serving": {"instance_count": 0}}, "qa": 3})
    assert [problem.split(":")[0] for problem in problems_of(raw)] == [
        "training.folds",
        "environments.prod.serving.instance_count",
        "environments.qa",
    ]


def test_an_unknown_environment_names_the_known_ones() -> None:
    assert problems_of(project(environments={"prod": {}}), "stage") == ("environments: has no 'stage', only prod",)


@pytest.mark.parametrize("raw", [None, [], "text", 3])
def test_a_file_that_is_no_mapping_says_the_next_step(raw: Any) -> None:
    assert "tide init" in problems_of(raw)[0]


def test_the_error_reads_well() -> None:
    with pytest.raises(ConfigError, match=r"tidewheel.yaml has 1 mistake:\n  project: "):
        parse_config(project(project="UPPER"))


def test_a_config_survives_json() -> None:
    config = parse_config(project(training={"gate": {"minimum": 0.8}}))
    assert Config.model_validate_json(config.model_dump_json()) == config
