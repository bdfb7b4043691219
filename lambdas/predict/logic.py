"""How the endpoint is asked, and how its answer becomes the API's.

A prediction has no side effect, so an attempt that failed for the endpoint's sake is simply made again, up to six times, as long as even
the slowest attempt would still end before the function must, with full jitter
(https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/). That is what keeps a new fleet that fails during its
canary from being seen by a client. What the client did wrong is answered at once, in the model server's own words.

Every answer names its rows: as `inference_id` the request's id, and in each prediction the row's, under which its label is sent to
/feedback later.
"""

import json
from collections.abc import Callable

from contracts.inference import row_ids
from lambdas.api import JSON, Reply, refuse
from lambdas.predict.outcomes import TOO_MANY, TOO_SLOW, UNAVAILABLE, Answered, NotDeployed, Outcome, Refused, Unavailable
from lambdas.predict.request import Request

# What Lambda gives back holds 6 MB, as JSON text in which every quote of the answer takes two characters.
LONGEST_ANSWER = 6 * 1024 * 1024 - 64 * 1024
ATTEMPTS = 6
FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 0.8
CONNECT_SECONDS = 2  # of one attempt; an HTTP API waits 30 s for all of them
READ_SECONDS = 20
RESERVE_SECONDS = 1.0  # for the answer itself
RETRY_AFTER_SECONDS = "5"
_KINDS = {TOO_MANY: "Throttled", UNAVAILABLE: "Unavailable", TOO_SLOW: "TooSlow"}


def predict(
    request: Request,
    invoke: Callable[[Request], Outcome],
    sleep: Callable[[float], None],
    uniform: Callable[[float, float], float],
    seconds_left: Callable[[], float],
) -> Reply:
    """Ask the endpoint until it answers, or time or attempts run out."""
    outcome: Outcome = Unavailable("no time was left to ask the endpoint")
    for attempt in range(ATTEMPTS):
        if attempt:
            pause = uniform(0, min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** (attempt - 1)))
            if seconds_left() - pause < CONNECT_SECONDS + READ_SECONDS + RESERVE_SECONDS:
                break  # cut off in the middle of it, the client would get a bare 500
            sleep(pause)
        outcome = invoke(request)
        if not isinstance(outcome, Unavailable):
            break
    return _reply(outcome, request.inference_id)


def _reply(outcome: Outcome, identity: str) -> Reply:
    match outcome:
        case Answered(body):
            return _answer(_with_ids(body.decode(), identity))
        case Refused(status, message):
            return _as_said(status, message)
        case NotDeployed():
            return _later(
                UNAVAILABLE,
                "NotDeployed",
                "no model is deployed yet. Next: upload a table (tide data push FILE), or approve a version (tide approve VERSION)",
            )
        case Unavailable(why, status):
            return _later(status, _KINDS[status], f"the endpoint did not answer: {why}. Next: try again")


def _answer(text: str) -> Reply:
    if len(json.dumps(text)) > LONGEST_ANSWER:
        return refuse(413, "AnswerTooLarge", "the answer is longer than an API reply may be. Next: send fewer rows at once")
    return Reply(200, text, {"content-type": JSON})


def _with_ids(answer: str, identity: str) -> str:
    """The model server's answer with the ids of request and rows. What has no predictions is another image's, and is left alone."""
    try:
        document = json.loads(answer)
        predictions = document["predictions"]
        rows = [row | {"inference_id": name} for row, name in zip(predictions, row_ids(identity, len(predictions)), strict=True)]
    except (ValueError, TypeError, KeyError):
        return answer
    return json.dumps(document | {"inference_id": identity, "predictions": rows})


def _as_said(status: int, message: str) -> Reply:
    """The model server's own JSON error when it sent one."""
    try:
        said = json.loads(message)
    except ValueError:
        said = None
    if isinstance(said, dict) and "error" in said:
        return Reply(status, json.dumps(said), {"content-type": JSON})
    return refuse(status, "ModelError", message)


def _later(status: int, kind: str, message: str) -> Reply:
    reply = refuse(status, kind, message)
    return Reply(reply.status, reply.body, {**reply.headers, "retry-after": RETRY_AFTER_SECONDS})
