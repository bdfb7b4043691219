"""API Gateway's HTTP APIs, at /execute-api/<api id>/<path> of the twin's port: route, authorise, invoke the function, answer.

    front.py        the WSGI application
    routes.py       which route a request takes (pure)
    throttle.py     a stage's rate and burst
    tokens.py       JWT authorizers
    payload.py      payload format 2.0: the function's event, and its answer (pure)

On AWS the API has a host name of its own; a client of the twin puts the path here instead, and signs what it sends (service `execute-api`).
Supported: Lambda proxy integrations with payload format 2.0, routes that are open or authorised by IAM or JWT
(modelled: the twin is the issuer); a stage's throttling; everything else is refused by name.
Not modelled: CORS, custom domains, access logs.
"""

from twin.http_api.front import HttpApi

__all__ = ["HttpApi"]
