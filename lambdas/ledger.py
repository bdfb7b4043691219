"""The ledger's table, for the functions that decide.

Nothing here is a transaction, and nothing needs one. What must happen once is kept under a key of its own, with the time of whoever came
first, and the decision about it is recorded at that time. So two invocations at once, or one that died half way and is tried again, write
the same decision under the same key. Needs dynamodb:GetItem, PutItem, UpdateItem, DeleteItem and Query on the table.
"""

from datetime import datetime, timedelta
from typing import Any, TypeVar

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from pydantic import BaseModel

from contracts.ledger import (
    DEPLOYMENT,
    HOLD,
    OPEN,
    QUARANTINE,
    RETRAINING,
    SKIP,
    Decision,
    Deployment,
    Hold,
    Quarantine,
    Retraining,
    Skip,
    instant,
)

Item = TypeVar("Item", bound=BaseModel)

# How late an event may be: longer than EventBridge, Lambda's retries and the dead letters keep one.
LATEST = timedelta(days=30)

_DEPLOYMENT_KEY = {"pk": DEPLOYMENT, "sk": OPEN}
_HOLD_KEY = {"pk": HOLD, "sk": OPEN}
_RETRAINING_KEY = {"pk": RETRAINING, "sk": OPEN}
_SKIP_KEY = {"pk": SKIP, "sk": OPEN}


class Ledger:
    """Decisions, the open deployment, quarantines, the current hold, and retrainings. Reads are consistent."""

    def __init__(self, dynamodb: Any, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def record(self, decision: Decision) -> bool:
        """Write a decision down. False when it already was."""
        return self._put(decision.key, decision, "attribute_not_exists(pk)")

    def open_deployment(self) -> Deployment | None:
        """The deployment that is not settled yet."""
        return self._get(_DEPLOYMENT_KEY, Deployment)

    def open(self, deployment: Deployment) -> bool:
        """Remember a deployment. False when a later one is open: an invocation that was held up must not overwrite it."""
        condition = "attribute_not_exists(pk) OR asked <= :asked"
        return self._put(_DEPLOYMENT_KEY, deployment, condition, {":asked": instant(deployment.asked)})

    def settle(self, deployment: Deployment, now: datetime) -> datetime | None:
        """When the deployment was first seen to be live: `now`, or what another invocation saw. None when it is no longer open."""
        found = self._try(
            self._dynamodb.update_item,
            Key=_wire(_DEPLOYMENT_KEY),
            UpdateExpression="SET settled = if_not_exists(settled, :now)",
            ConditionExpression="model_package_arn = :arn AND asked = :asked",
            ExpressionAttributeValues=_wire({":now": instant(now)} | _identity(deployment)),
            ReturnValues="ALL_NEW",
        )
        return Deployment.model_validate(_plain(found["Attributes"])).settled if found else None

    def close(self, deployment: Deployment) -> bool:
        """Forget a deployment. False when it is no longer open."""
        closed = self._try(
            self._dynamodb.delete_item,
            Key=_wire(_DEPLOYMENT_KEY),
            ConditionExpression="model_package_arn = :arn AND asked = :asked",
            ExpressionAttributeValues=_wire(_identity(deployment)),
        )
        return closed is not None

    def quarantine(self, quarantine: Quarantine) -> Quarantine:
        """Keep a package out of production for good. Gives what is kept: the first reason stays."""
        key = {"pk": QUARANTINE, "sk": quarantine.model_package_arn}
        if self._put(key, quarantine, "attribute_not_exists(pk)"):
            return quarantine
        return self._get(key, Quarantine) or quarantine

    def quarantines(self) -> tuple[Quarantine, ...]:
        """Every package that is kept out."""
        return self._query(Quarantine, "pk = :pk", {":pk": QUARANTINE})

    def held(self) -> Hold | None:
        """Why the endpoint is held, if it is."""
        return self._get(_HOLD_KEY, Hold)

    def hold(self, hold: Hold) -> Hold:
        """Hold the endpoint. Gives what is kept: the same reason again stays what it was."""
        if self._put(_HOLD_KEY, hold, "attribute_not_exists(pk) OR why <> :why", {":why": hold.why}):
            return hold
        return self.held() or hold

    def release(self) -> None:
        """The reason to hold is gone; should it return, it is recorded again."""
        self._dynamodb.delete_item(TableName=self._table, Key=_wire(_HOLD_KEY))

    def open_retraining(self) -> Retraining | None:
        """The retraining that goes on."""
        return self._get(_RETRAINING_KEY, Retraining)

    def begin(self, retraining: Retraining) -> bool:
        """Take the lock for a retraining. False when one goes on."""
        return self._put(_RETRAINING_KEY, retraining, "attribute_not_exists(pk)")

    def trained(self, name: str, run: str, execution: str, now: datetime) -> datetime | None:
        """Remember a retraining's run. Gives when it was first seen to be started; None when no retraining started it.

        Whoever saw it first may have ended the retraining since: an event that comes late, or again, is still about the same start.
        """
        found = self._try(
            self._dynamodb.update_item,
            Key=_wire(_RETRAINING_KEY),
            UpdateExpression="SET #run = :run, #execution = :execution, #trained = if_not_exists(#trained, :now)",
            ConditionExpression="#name = :name",
            ExpressionAttributeNames={f"#{name}": name for name in ("name", "run", "execution", "trained")},
            ExpressionAttributeValues=_wire({":name": name, ":run": run, ":execution": execution, ":now": instant(now)}),
            ReturnValues="ALL_NEW",
        )
        if found:
            return Retraining.model_validate(_plain(found["Attributes"])).trained
        ended = [each.trained for each in self.retrainings(now - LATEST) if (each.run, each.execution) == (run, execution)]
        return ended[-1] if ended else None

    def end(self, retraining: Retraining) -> Retraining:
        """Put an ended retraining into the history. Gives what is kept: the first end stays."""
        if self._put(retraining.key, retraining, "attribute_not_exists(pk)"):
            return retraining
        return self._get(retraining.key, Retraining) or retraining

    def free(self, name: str) -> bool:
        """Give the lock back. False when that retraining does not hold it."""
        freed = self._try(
            self._dynamodb.delete_item,
            Key=_wire(_RETRAINING_KEY),
            ConditionExpression="#name = :name",
            ExpressionAttributeNames={"#name": "name"},
            ExpressionAttributeValues=_wire({":name": name}),
        )
        return freed is not None

    def retrainings(self, since: datetime) -> tuple[Retraining, ...]:
        """Every retraining that was asked for since then and has ended, oldest first."""
        values = {":pk": RETRAINING, ":since": instant(since), ":open": OPEN}
        found = self._query(Retraining, "pk = :pk AND sk BETWEEN :since AND :open", values)
        return tuple(each for each in found if each.ended is not None)

    def skipped(self) -> Skip | None:
        """Why the loop last did not train although something asked for it."""
        return self._get(_SKIP_KEY, Skip)

    def skip(self, skip: Skip) -> Skip:
        """Remember a reason not to train. Gives what is kept: the same reason again stays what it was."""
        if self._put(_SKIP_KEY, skip, "attribute_not_exists(pk) OR why <> :why", {":why": skip.why}):
            return skip
        return self.skipped() or skip

    def forget_skip(self) -> None:
        """Nothing asks for training any more, or it began; should the reason return, it is recorded again."""
        self._dynamodb.delete_item(TableName=self._table, Key=_wire(_SKIP_KEY))

    def _query(self, model: type[Item], condition: str, values: dict[str, Any]) -> tuple[Item, ...]:
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table, KeyConditionExpression=condition, ExpressionAttributeValues=_wire(values), ConsistentRead=True
        )
        return tuple(model.model_validate(_plain(item)) for page in pages for item in page["Items"])

    def _get(self, key: dict[str, str], model: type[Item]) -> Item | None:
        found = self._dynamodb.get_item(TableName=self._table, Key=_wire(key), ConsistentRead=True).get("Item")
        return model.model_validate(_plain(found)) if found else None

    def _put(self, key: dict[str, str], item: BaseModel, condition: str, values: dict[str, Any] | None = None) -> bool:
        content = item.model_dump(mode="json", exclude_none=True)
        extra = {"ExpressionAttributeValues": _wire(values)} if values else {}
        for name, value in item:
            if isinstance(value, datetime):
                content[name] = instant(value)
        return self._try(self._dynamodb.put_item, Item=_wire(key | content), ConditionExpression=condition, **extra) is not None

    def _try(self, operation: Any, **request: Any) -> dict[str, Any] | None:
        """A conditional write's reply; None when its condition does not hold."""
        try:
            reply: dict[str, Any] = operation(TableName=self._table, **request)
        except self._dynamodb.exceptions.ConditionalCheckFailedException:
            return None
        return reply


def _identity(deployment: Deployment) -> dict[str, Any]:
    return {":arn": deployment.model_package_arn, ":asked": instant(deployment.asked)}


def _wire(values: dict[str, Any]) -> dict[str, Any]:
    serialize = TypeSerializer().serialize
    return {name: serialize(value) for name, value in values.items()}


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    deserialize = TypeDeserializer().deserialize
    return {name: deserialize(value) for name, value in values.items()}
