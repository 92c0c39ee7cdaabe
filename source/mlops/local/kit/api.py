# SPDX-License-Identifier: Apache-2.0
"""An AWS API served from botocore's own model of it.

A service is an `Api` and a handler per operation. The model says how a request is read, what is wrong with
it, which operations there are and what an answer may hold. Requests come over the wire (`handle`) or from
another service in this process (`call`), and are checked and authorized alike.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel, StructureShape

from mlops.local.kit import identity, shapes, unsupported
from mlops.local.kit.errors import ApiError, Caller
from mlops.local.kit.wire import JsonProtocol, RestJsonProtocol, Wire
from mlops.local.ministack import context, router

__all__ = ["Api", "ApiError", "Caller"]

Operation = Callable[[dict[str, Any], Caller], dict[str, Any] | None]
Resources = Callable[[str, dict[str, Any], Caller], list[str]]

_log = logging.getLogger(__name__)
_ROLE_MEMBERS = {"RoleArn", "ExecutionRoleArn", "roleArn", "serviceRole"}


class Api:
    """One AWS API. `service` is botocore's name for it."""

    registered: dict[str, Api] = {}  # noqa: RUF012  by botocore's name

    def __init__(self, service: str) -> None:
        self.service = service
        self.model = ServiceModel(Loader().load_service_model(service, "service-2"), service)
        rest = self.model.metadata["protocol"] == "rest-json"
        self._wire: Wire = RestJsonProtocol(self.model) if rest else JsonProtocol(self.model)
        self._operations: dict[str, Operation] = {}
        self._resources: Resources = lambda operation, request, caller: ["*"]
        Api.registered[service] = self

    # --- what a service declares ---

    def operation(self, name: str) -> Callable[[Operation], Operation]:
        """Decorator: this function answers the operation `name`. It may take its time."""
        self.model.operation_model(name)  # a name the model doesn't know is our mistake

        def register(function: Operation) -> Operation:
            self._operations[name] = function
            return function

        return register

    def resources(self, function: Resources) -> Resources:
        """Decorator: function(operation, request, caller) -> the ARNs a policy must allow, or `["*"]`."""
        self._resources = function
        return function

    # --- what others ask ---

    @property
    def signing_name(self) -> str:
        return str(self.model.signing_name)

    def call(self, operation: str, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        """Check and authorize the request, run the operation, check its answer."""
        model = self._operation_model(operation)
        problems = shapes.check(model.input_shape, request)
        if problems:
            raise self._invalid(problems)
        self._authorize(model, request, caller)
        handler = self._operations.get(operation)
        if handler is None:
            raise ApiError("NotImplemented", unsupported.words(self.service, operation), 501)
        answer = handler(request, caller) or {}
        wrong = shapes.check(model.output_shape, answer)
        if wrong:
            raise TypeError(f"{self.service} {operation} returned a response that does not match its model: {wrong}")
        return answer

    def recognises(self, method: str, path: str, headers: dict[str, str]) -> bool:
        return self._wire.operation(method, path, headers) is not None

    async def handle(
        self, method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
    ) -> router.Response:
        """One request over the wire."""
        request_id = str(uuid.uuid4())
        try:
            if not context.is_signed(headers, query):
                raise ApiError("MissingAuthenticationTokenException", "Missing Authentication Token", 403)
            name = self._wire.operation(method, path, headers)
            if name is None:
                raise ApiError("NotImplemented", unsupported.words(self.service, f"{method} {path}"), 501)
            model = self._operation_model(name)
            request = self._wire.read(model, path, headers, body, query)
            answer = await router.in_thread(self.call, name, request, identity.current_caller())
            return self._wire.write(model, answer, request_id)
        except ApiError as error:
            return self._wire.write_error(self._with_model_status(error), request_id)
        except Exception:
            _log.exception("%s %s %s failed", self.service, method, path)
            failure = ApiError("InternalFailure", "The request processing has failed.", 500)
            return self._wire.write_error(failure, request_id)

    # --- inside ---

    def _operation_model(self, name: str) -> OperationModel:
        if name not in self.model.operation_names:
            raise ApiError("UnknownOperationException", unsupported.words(self.service, name), 404)
        return self.model.operation_model(name)

    def _authorize(self, model: OperationModel, request: dict[str, Any], caller: Caller) -> None:
        action = f"{self.signing_name}:{model.name}"
        keys = _tag_keys(request)
        identity.authorize(caller, action, self._resources(model.name, request, caller), keys)
        if model.name.startswith(("Create", "Update")):
            for role_arn in _roles(model.input_shape, request):
                identity.authorize_pass_role(caller, role_arn, f"{self.signing_name}.amazonaws.com")

    def _invalid(self, problems: list[str]) -> ApiError:
        many = "error" if len(problems) == 1 else "errors"
        # sagemaker-runtime has a modelled error of its own for this
        code = "ValidationError" if "ValidationError" in self.model.shape_names else "ValidationException"
        return ApiError(code, f"{len(problems)} validation {many} detected: {'; '.join(problems)}")

    def _with_model_status(self, error: ApiError) -> ApiError:
        shape = self.error_shape(error.code)
        if shape is not None and error.status == 400:
            error.status = shape.metadata.get("error", {}).get("httpStatusCode", 400)
        return error

    def error_shape(self, code: str) -> StructureShape | None:
        """The model's shape of an error code, if it has one."""
        if code not in self.model.shape_names:
            return None
        shape = self.model.shape_for(code)
        return shape if isinstance(shape, StructureShape) and shape.metadata.get("exception") else None


def _tag_keys(request: dict[str, Any]) -> dict[str, Any]:
    """The condition keys of the tags a request carries."""
    tags = request.get("Tags") or request.get("tags") or []
    pairs = {
        tag.get("Key", tag.get("key")): tag.get("Value", tag.get("value")) for tag in tags if isinstance(tag, dict)
    }
    keys: dict[str, Any] = {f"aws:RequestTag/{key}": value for key, value in pairs.items()}
    named = [*pairs, *(request.get("TagKeys") or request.get("tagKeys") or [])]
    return {**keys, "aws:TagKeys": named} if named else keys


def _roles(shape: Any, value: Any) -> Iterator[str]:
    """The role ARNs a request hands to the service."""
    if isinstance(shape, StructureShape):
        for name, item in value.items():
            if name in _ROLE_MEMBERS and isinstance(item, str):
                yield item
            else:
                yield from _roles(shape.members[name], item)
    elif isinstance(value, list):
        for item in value:
            yield from _roles(shape.member, item)
