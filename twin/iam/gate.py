"""The gate before every AWS call: authenticate, decode, authorise, then let it through.

A caller that the account does not know gets AWS's 403 (only who asks for a role with a provider's token needs no key); one that may not do
this gets AccessDenied with AWS's wording, in the protocol of the service; a call that cannot be mapped to IAM actions is denied, and named,
unless the account's root makes it. Each of these refusals is written down (twin.iam.record).
"""

import logging
from collections.abc import Callable, Iterable
from typing import Any

from twin.cloud import Cloud
from twin.iam import installed
from twin.iam.authenticate import AuthenticationError, caller_of, required_signature
from twin.iam.behalf import calling
from twin.iam.calls import UnmappedCallError, decode, rewind
from twin.iam.errors import AccessDenied, PolicyError
from twin.iam.identity import Caller, UnknownKeyError
from twin.iam.web_identity import is_asked
from twin.replies import error_reply

log = logging.getLogger("twin.iam")

_CODES = {"s3": "AccessDenied", "iam": "AccessDenied", "sts": "AccessDenied", "cloudformation": "AccessDenied", "sns": "AuthorizationError"}
"""The error code of services that do not say AccessDeniedException."""
_SERVICE = "twin.service"
"""Where a request keeps the name of the service that it was signed for."""
CALLER = "twin.caller"
"""Where a request keeps who has signed it (Caller)."""
UNKNOWN = "an unknown caller"


class Gate:
    """WSGI middleware."""

    def __init__(self, application: Callable[[dict[str, Any], Any], Iterable[bytes]], cloud: Cloud) -> None:
        self._application = application
        self._cloud = cloud
        self._iam = installed(cloud)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer with a refusal, or with what the application answers."""
        try:
            self._admit(environ)
        except (AuthenticationError, UnknownKeyError) as error:
            log.warning("%s %s: %s", environ["REQUEST_METHOD"], environ.get("PATH_INFO"), error)
            self._write_down(environ, error)
            return error_reply(environ, start_response, error.status, error.code, str(error))
        except AccessDenied as error:
            log.warning("%s", error)
            return self._deny(environ, start_response, str(error))
        except (UnmappedCallError, PolicyError) as error:
            log.error("denied: %s", error)  # noqa: TRY400 - the message says it all
            self._write_down(environ, error)
            return self._deny(environ, start_response, f"Denied by the twin: {error}")
        except Exception as error:
            log.exception("the gate broke on %s %s", environ["REQUEST_METHOD"], environ.get("PATH_INFO"))
            return error_reply(environ, start_response, 500, "InternalFailure", f"the twin's IAM broke: {error!r}")
        return self._application(environ, start_response)

    def _admit(self, environ: dict[str, Any]) -> None:
        if is_asked(environ):
            environ[_SERVICE] = "sts"
            return self._iam.web_identities.check(decode(environ, "sts"))
        signature = required_signature(environ)
        environ[_SERVICE] = service = signature.service
        caller = caller_of(environ, signature, self._iam.directory)
        self._iam.sessions.renewed(signature.key)
        calling.set(caller)
        environ[CALLER] = caller
        # Root may do everything, so only the assuming of roles needs to be looked at.
        if not caller.is_root or service == "sts":
            call = decode(environ, service)
            if call.name == "sts:AssumeRoleWithWebIdentity":
                self._iam.web_identities.check(call)  # the token counts, not who brings it
            else:
                self._iam.authoriser.check(caller, call)
        return rewind(environ)

    def _write_down(self, environ: dict[str, Any], error: Exception) -> None:
        """A refusal that no policy gave."""
        call = environ.get("twin.call")
        operation = call.name if call else f"{environ.get(_SERVICE, 'unsigned')}:{environ['REQUEST_METHOD']}"
        caller: Caller | None = environ.get(CALLER)
        who, path = caller.name_in_policies if caller else UNKNOWN, str(environ.get("PATH_INFO", ""))
        self._iam.decisions.refuse(self._cloud.clock.now(), who, operation, path, str(error))

    @staticmethod
    def _deny(environ: dict[str, Any], start_response: Any, message: str) -> Iterable[bytes]:
        json_rpc = "HTTP_X_AMZ_TARGET" in environ
        code = _CODES.get(environ.get(_SERVICE, ""), "AccessDeniedException")
        return error_reply(environ, start_response, 400 if json_rpc else 403, code, message)
