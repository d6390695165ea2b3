"""Stripe's error answers: type, code, message, parameter and what belongs to them."""

from __future__ import annotations

from typing import Any

DOCS = "https://stripe.com/docs/error-codes/"


class ApiError(Exception):
    """An error answer. `keep_changes` says that what was written before it stays written (declines).

    `kept` says whether it is kept under the request's idempotency key; mistakes in parameters are not.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        keep_changes: bool = False,
        kept: bool = True,
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.keep_changes = keep_changes
        self.kept = kept
        self.headers = headers or {}
        self.error: dict[str, Any] = {"type": kind, "message": message}
        if code:
            self.error["code"] = code
            self.error["doc_url"] = DOCS + code.replace("_", "-")
        if param:
            self.error["param"] = param
        self.error.update({name: value for name, value in more.items() if value is not None})

    def body(self, request_id: str) -> dict[str, Any]:
        """The answer's JSON body."""
        return {"error": {**self.error, "request_log_url": f"/logs/{request_id}"}}


def invalid(message: str, *, param: str | None = None, code: str | None = None, **more: Any) -> ApiError:
    """400 invalid_request_error."""
    return ApiError(400, "invalid_request_error", message, param=param, code=code, **more)


def mistake(message: str, *, param: str | None = None, code: str | None = None) -> ApiError:
    """400 for parameters that can be seen to be wrong without looking at anything else."""
    return invalid(message, param=param, code=code, kept=False)


def missing_object(noun: str, object_id: str, *, param: str = "id", status: int = 404) -> ApiError:
    """404 (or 400, when named in a parameter) resource_missing: "No such customer: 'cus_x'"."""
    return ApiError(
        status,
        "invalid_request_error",
        f"No such {noun}: '{object_id}'",
        code="resource_missing",
        param=param,
    )


def unauthorized(message: str) -> ApiError:
    """401: no key, or one the sandbox does not take."""
    return ApiError(
        401, "invalid_request_error", message, headers={"WWW-Authenticate": 'Basic realm="Stripe"'}
    )


def forbidden(message: str) -> ApiError:
    """403: the key is good but not for this."""
    return ApiError(403, "invalid_request_error", message, code="secret_key_required")


def server_error(message: str = "An unknown error occurred") -> ApiError:
    """500 api_error."""
    return ApiError(500, "api_error", message)
