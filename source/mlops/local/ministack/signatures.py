# SPDX-License-Identifier: Apache-2.0
"""Every request is signed by a key of this account, before ministack's routes see it.

ministack leaves authentication to each of its routes, and some have none: registries, sign-in pages, load balancers,
function URLs. Here it is done once, after the body was read, for all of them. What remains open is what AWS leaves
open: methods of an API whose authorization is not IAM, and the answer to a custom resource, which proves itself by the
random token in its address.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

import ministack.app as _app
from ministack.core import iam_actions as _iam_actions
from ministack.core import iam_evaluator as _iam_evaluator
from ministack.core import lambda_runtime as _lambda_runtime
from ministack.core import router as _router
from ministack.core import sigv4 as _sigv4
from ministack.services import apigateway_v1 as _apigateway
from ministack.services import s3 as _s3
from ministack.services import sts as _sts
from ministack.services.cloudformation import custom_resource as _custom_resource
from ministack.services.cloudformation import wait_conditions as _wait_conditions

Response = tuple[int, dict[str, str], bytes]
Failure = Any  # ministack's AuthError: a code and a message

RESPONSE_PATH = "/_ministack/cfn-response/"
SIGNAL_PATH = "/_ministack/cfn-signal/"
# Services whose target header another service's signature is right for.
_SIGNED_AS = {"dynamodbstreams": "dynamodb", "cloudcontrol": "cloudcontrolapi"}


def require_signatures(region: str) -> None:
    """Refuse what is not signed, or signed for another region or service than the one it is sent to."""
    shortcuts, enforce = _app._handle_post_body_shortcuts, _app._enforce_execute_api

    async def no_shortcuts(*request: Any) -> None:
        """ministack's controls and sign-in pages, which answer before anything is checked."""

    async def signed_only(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any], request_id: str
    ) -> Any:
        if path.startswith((RESPONSE_PATH, SIGNAL_PATH)):
            known = method == "PUT" and _is_awaited(path)
            return await shortcuts(method, path, headers, body, query, request_id) if known else _NOT_THERE
        if _app._parse_execute_api_url(headers.get("host", ""), path):
            return None  # its method says who may call: _enforce_execute_api
        refused = _refusal(region, method, path, headers, body, query, request_id)
        return (refused[0], refused[1], b"" if method == "HEAD" else refused[2]) if refused else None

    def signed_where_asked(
        api_id: str, stage: str, method: str, path: str, headers: Any, query: Any, *rest: Any, **more: Any
    ) -> Any:
        if denied := enforce(api_id, stage, method, path, headers, query, *rest, **more):
            return denied
        invokes = more.get("iam_action", "execute-api:Invoke") == "execute-api:Invoke"
        if invokes and _app._execute_api_authorization_type(api_id, stage, method, path) != "AWS_IAM":
            return None
        failure = _not_verified(headers, query) or _wrong_scope(region, "execute-api", headers, query)
        if not failure:
            return None
        return _apigateway.authentication_error_response(
            api_id, stage, failure, headers, query
        ) or _app._credential_failure("apigateway", "execute-api:Invoke", "", failure, headers)

    _apigateway._AUTHENTICATION_GATEWAY_ERRORS["MissingAuthenticationToken"] = (
        "MISSING_AUTHENTICATION_TOKEN",
        "MissingAuthenticationTokenException",
    )
    _app._handle_pre_body_request = no_shortcuts
    _app._handle_post_body_shortcuts = signed_only
    _app._enforce_execute_api = signed_where_asked


_NOT_THERE: Response = (404, {"Content-Type": "text/plain"}, b"Nothing waits for this answer.\n")


def _is_awaited(path: str) -> bool:
    """Whether a stack operation gave this address out and waits for what is sent there."""
    if path.startswith(RESPONSE_PATH):
        return path.removeprefix(RESPONSE_PATH) in _custom_resource._pending
    return bool(_wait_conditions.has_handle(path.removeprefix(SIGNAL_PATH)))


def _refusal(
    region: str, method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any], request_id: str
) -> Response | None:
    parameters = _app._routing_params(method, path, headers, body, query)
    service = _router.detect_service(method, path, headers, parameters)
    if service == "s3" and (wrong := _wrong_region_of_s3(region, path, headers, query)):
        return wrong
    by_scope = _router.detect_service(method, path, {**headers, "x-amz-target": ""}, parameters)
    meant = service if _SIGNED_AS.get(service, service) != by_scope else ""
    failure = _wrong_scope(region, meant, headers, query)
    if not failure and not headers.get("authorization") and _iam_evaluator._s3_presigned_query(query):
        if service == "s3":
            bad: Response | None = _s3._verify_presigned_sigv4(method, path, headers, query)
            return bad
        failure = _failure("SignatureDoesNotMatch", f"Credential should be scoped to correct service: '{service}'. ")
    key = _router.extract_access_key_id(headers, query)
    failure = failure or _iam_evaluator.check_credentials(key, service) or _not_verified(headers, query)
    if not failure:
        return None
    action = _iam_actions.extract_iam_action(service, method, path, headers, body, parameters) or ""
    refused: Response = _app._credential_failure(service, action, request_id, failure, headers)
    return refused


def _not_verified(headers: Mapping[str, str], query: Mapping[str, Any]) -> Failure | None:
    """What ministack let pass without having checked a signature."""
    key = _router.extract_access_key_id(headers, query)
    if key and _iam_evaluator._verified_key.get() == key:
        return None
    return _failure("MissingAuthenticationToken", "Missing Authentication Token")


def _wrong_scope(region: str, service: str, headers: Mapping[str, str], query: Mapping[str, Any]) -> Failure | None:
    """A signature's scope must name this region and, where one is given, this service."""
    signature = _signature(headers, query)
    if signature is None:
        return None
    if signature.region_set is None and signature.region != region:
        return _failure(
            "SignatureDoesNotMatch",
            f"Credential should be scoped to a valid region, not '{signature.region}'. This account is in {region}. ",
        )
    if service and signature.service != service:
        return _failure("SignatureDoesNotMatch", f"Credential should be scoped to correct service: '{service}'. ")
    return None


def _wrong_region_of_s3(
    region: str, path: str, headers: Mapping[str, str], query: Mapping[str, Any]
) -> Response | None:
    """In S3's words, which also tell an SDK which region to ask."""
    signature = _signature(headers, query)
    if signature is None or signature.region_set is not None or signature.region == region:
        return None
    wrong = f"the region '{signature.region}' is wrong; expecting '{region}'"
    code, message = (
        ("AuthorizationHeaderMalformed", f"The authorization header is malformed; {wrong}")
        if headers.get("authorization")
        else ("AuthorizationQueryParametersError", f"Error parsing the X-Amz-Credential parameter; {wrong}")
    )
    answer: Response = _s3._error(code, message, 400, path, {"Region": region}, {"x-amz-bucket-region": region})
    return answer


def _signature(headers: Mapping[str, str], query: Mapping[str, Any]) -> Any:
    """The parts of a SigV4 signature, or None of a request that has none."""
    if headers.get("authorization", "").startswith("AWS4-"):
        found = _sigv4.parse_header_signature(headers)
    elif not headers.get("authorization"):
        found = _sigv4.parse_query_signature(query)
    else:
        return None
    return found if isinstance(found, _sigv4.HeaderSignature) else None


def _failure(code: str, message: str) -> Failure:
    return _iam_evaluator.AuthError(code, message)


def sessions_of_functions(secret: str) -> None:
    """Give each function's execution role credentials that only this account can work out.

    ministack makes them from the two ARNs alone, so whoever guesses these could sign as the role.
    """

    def credentials(config: dict[str, Any]) -> dict[str, str]:
        account_id, _ = _lambda_runtime._account_region_from_function_config(config)
        role, function, name = config.get("Role", ""), config.get("FunctionArn", ""), config.get("FunctionName", "")

        def part(what: str) -> str:
            return hmac.new(secret.encode(), f"{what}\n{function}\n{role}".encode(), hashlib.sha256).hexdigest()

        key, role_name = f"ASIA{part('key')[:16].upper()}", role.rsplit("/", 1)[-1]
        session = {"SecretAccessKey": part("secret")[:40], "SessionToken": part("token")}
        _sts.register_session(
            key,
            {
                "Arn": f"arn:aws:sts::{account_id}:assumed-role/{role_name}/{name[:64]}",
                "UserId": f"{role_name}:{name[:64]}",
                **session,
            },
        )
        return {
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": session["SecretAccessKey"],
            "AWS_SESSION_TOKEN": session["SessionToken"],
        }

    _lambda_runtime.execution_credentials = credentials
