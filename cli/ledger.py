"""The ledger, read: decisions in their order, and what is open at the moment. Reads are consistent."""

from collections.abc import Iterable, Iterator
from typing import Any

from contracts.ledger import (
    DECISION,
    DEPLOYMENT,
    HOLD,
    OPEN,
    QUARANTINE,
    RETRAINING,
    Decision,
    Deployment,
    Hold,
    Quarantine,
    Retraining,
    What,
)


class LedgerView:
    """The decisions' table of an app."""

    def __init__(self, dynamodb: Any, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def decisions(self) -> list[Decision]:
        """Every decision, oldest first."""
        return in_order(Decision.model_validate(item) for item in self._items(DECISION))

    def quarantines(self) -> dict[str, Quarantine]:
        """The model packages that are kept out of production, by ARN."""
        found = (Quarantine.model_validate(item) for item in self._items(QUARANTINE))
        return {quarantine.model_package_arn: quarantine for quarantine in found}

    def open_deployment(self) -> Deployment | None:
        """The deployment that is not settled yet."""
        item = self._open(DEPLOYMENT)
        return Deployment.model_validate(item) if item else None

    def held(self) -> Hold | None:
        """Why the endpoint waits for a person, if it does."""
        item = self._open(HOLD)
        return Hold.model_validate(item) if item else None

    def open_retraining(self) -> Retraining | None:
        """The retraining that goes on, from the collection of its rows to the end of its run."""
        item = self._open(RETRAINING)
        return Retraining.model_validate(item) if item else None

    def retrainings(self) -> dict[str, Retraining]:
        """Every retraining by its name, the open one too."""
        found = (Retraining.model_validate(item) for item in self._items(RETRAINING))
        return {retraining.name: retraining for retraining in found}

    def _open(self, pk: str) -> dict[str, Any] | None:
        key = {"pk": {"S": pk}, "sk": {"S": OPEN}}
        item = self._dynamodb.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")
        return _plain(item) if item else None

    def _items(self, pk: str) -> Iterator[dict[str, Any]]:
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": pk}},
            ConsistentRead=True,
        )
        return (_plain(item) for page in pages for item in page["Items"])


def in_order(decisions: Iterable[Decision]) -> list[Decision]:
    """Decisions by time. Events have whole seconds, so within a second an approval comes before the deployment that it causes."""
    return sorted(decisions, key=lambda d: (d.time.replace(microsecond=0), d.what is not What.MODEL_APPROVED, d.time))


def shortened(text: str) -> str:
    """ARNs say little but their end."""
    return " ".join(word.rpartition(":")[2] if word.startswith("arn:") else word for word in text.split())


def _plain(item: dict[str, Any]) -> dict[str, Any]:
    """A DynamoDB item without its type letters."""
    from boto3.dynamodb.types import TypeDeserializer  # noqa: PLC0415 - only needed here

    deserializer = TypeDeserializer()
    return {name: deserializer.deserialize(value) for name, value in item.items()}
