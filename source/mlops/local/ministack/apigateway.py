# SPDX-License-Identifier: Apache-2.0
"""API Gateway: REST APIs."""

from __future__ import annotations

from typing import Any

from ministack.services import apigateway_v1 as _apigateway


def rest_api_tags(api_id: str) -> dict[str, str] | None:
    """The tags of a REST API; None where there is no such API."""
    if api_id not in _apigateway._rest_apis:
        return None
    return dict(_apigateway._v1_tags.get(_apigateway._rest_api_arn(api_id)) or {})


def put_gateway_response(api_id: str, response_type: str, response: dict[str, Any]) -> None:
    _apigateway._put_gateway_response(api_id, response_type, response)
