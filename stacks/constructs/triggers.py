"""What wakes the functions: EventBridge rules, and the schedule that makes a lost event a matter of minutes."""

import json
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from contracts.events import DetailType
from stacks.constructs.policy import allow, service_role

_RETRIES = 8
_OLDEST_HOURS = 6


class Trigger(events.Rule):
    """`<prefix>-<name>`: an event of an AWS service -> one function; what cannot be delivered goes to the dead letters."""

    def __init__(
        self,
        scope: Construct,
        prefix: str,
        name: str,
        *,
        source: str,
        detail_type: DetailType,
        detail: dict[str, Any],
        function: lambda_.IFunction,
        dead_letters: sqs.IQueue,
    ) -> None:
        pattern = events.EventPattern(source=[source], detail_type=[detail_type.value], detail=detail)
        # Named, because the key's policy is held to rules of this prefix, and generated names cut long prefixes short.
        super().__init__(scope, name, rule_name=f"{prefix}-{name}", event_pattern=pattern)
        self.add_target(
            targets.LambdaFunction(
                function,
                dead_letter_queue=dead_letters,
                retry_attempts=_RETRIES,
                max_event_age=cdk.Duration.hours(_OLDEST_HOURS),
            )
        )


class Notice(events.Rule):
    """`<prefix>-<name>`: an event of an AWS service -> a sentence to people; `text` may hold fields of the event."""

    def __init__(
        self,
        scope: Construct,
        prefix: str,
        name: str,
        *,
        source: str,
        detail_type: DetailType,
        detail: dict[str, Any],
        text: str,
        topic: sns.ITopic,
        dead_letters: sqs.IQueue,
    ) -> None:
        pattern = events.EventPattern(source=[source], detail_type=[detail_type.value], detail=detail)
        super().__init__(scope, name, rule_name=f"{prefix}-{name}", event_pattern=pattern)
        # By its ARN, so that CDK grants nothing by itself: it would give EventBridge kms:GenerateDataKey*. Alerts and the key's policy say
        # what is needed.
        known = sns.Topic.from_topic_arn(self, "Topic", topic.topic_arn)
        self.add_target(
            targets.SnsTopic(
                known,
                message=events.RuleTargetInput.from_text(text),
                dead_letter_queue=dead_letters,
                retry_attempts=_RETRIES,
                max_event_age=cdk.Duration.hours(_OLDEST_HOURS),
            )
        )


class Tick(Construct):
    """By a schedule in UTC (`expression`), an envelope like EventBridge's, with the time at which it was due; `why` is for people."""

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 - CDK's name
        *,
        name: str,
        expression: str,
        why: str,
        function: lambda_.IFunction,
        dead_letters: sqs.IQueue,
        key: kms.IKey,
    ) -> None:
        super().__init__(scope, id)
        statements = [
            allow(["lambda:InvokeFunction"], [function.function_arn]),
            allow(["sqs:SendMessage"], [dead_letters.queue_arn]),
            allow(["kms:Decrypt", "kms:GenerateDataKey"], [key.key_arn]),
        ]
        role = service_role(self, "Role", "scheduler.amazonaws.com", f"Ticks {name}", statements)
        scheduler.CfnSchedule(
            self,
            "Schedule",
            name=name,
            description=why,
            schedule_expression=expression,
            flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
            target=scheduler.CfnSchedule.TargetProperty(
                arn=function.function_arn,
                role_arn=role.role_arn,
                input=self._envelope(),
                dead_letter_config=scheduler.CfnSchedule.DeadLetterConfigProperty(arn=dead_letters.queue_arn),
                retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(
                    maximum_retry_attempts=_RETRIES, maximum_event_age_in_seconds=_OLDEST_HOURS * 3600
                ),
            ),
        )

    def _envelope(self) -> str:
        # https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
        stack = cdk.Stack.of(self)
        return json.dumps(
            {
                "id": "<aws.scheduler.execution-id>",
                "source": "tidewheel",
                "detail-type": DetailType.TICK.value,
                "time": "<aws.scheduler.scheduled-time>",
                "region": stack.region,
                "account": stack.account,
                "resources": [],
                "detail": {},
            }
        )
