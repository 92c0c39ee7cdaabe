# SPDX-License-Identifier: Apache-2.0
"""List operations: filter, sort and page in the way all of SageMaker's do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from botocore.model import ListShape, StructureShape

from mlops.local.kit import paging
from mlops.local.services.sagemaker.service import invalid, sagemaker
from mlops.local.state.store import Record

_DEFAULT_PAGE = 10


def page(
    kind: str,
    records: Iterable[Record],
    request: Mapping[str, Any],
    *,
    default_sort: str = "CreationTime",
    default_order: str = "Descending",
    keys: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The response of a list operation: summaries of resources of a kind, and a token where there are more.

    `keys` has the members that SortBy sorts by, where they are called otherwise than those of most resources.
    """
    answer, members = _summary(kind)
    sorts = {"Name": f"{kind}Name", "Status": f"{kind}Status", **(keys or {})}
    name, status = sorts["Name"], sorts["Status"]
    found = [record for record in records if _matches(record, request, name, status)]
    sort = request.get("SortBy", default_sort)
    key = sorts.get(sort, sort)
    found.sort(
        key=lambda record: (key in record, record.get(key, ""), record[name], record.get(f"{kind}Version", 0)),
        reverse=request.get("SortOrder", default_order) == "Descending",
    )
    # Some members of a summary lie in the configuration that the description has of a job.
    whole = [{**record.get(f"{kind}Config", {}), **record} for record in found]
    summaries = [{member: one[member] for member in members if one.get(member) is not None} for one in whole]
    return paged(answer, summaries, request)


def paged(answer: str, summaries: list[dict[str, Any]], request: Mapping[str, Any]) -> dict[str, Any]:
    """One page of all summaries, in the member `answer`, and a token where there are more."""
    start = _position(request.get("NextToken"))
    end = start + request.get("MaxResults", _DEFAULT_PAGE)
    return {answer: summaries[start:end], **({"NextToken": paging.token(end)} if end < len(summaries) else {})}


@cache
def _summary(kind: str) -> tuple[str, tuple[str, ...]]:
    """What the API's model says of the response: the member with the summaries, and the members of each."""
    shape = sagemaker.model.operation_model(f"List{kind}s").output_shape
    assert shape is not None
    [(answer, summaries)] = [(name, one) for name, one in shape.members.items() if name != "NextToken"]
    assert isinstance(summaries, ListShape)
    assert isinstance(summaries.member, StructureShape)
    return answer, tuple(summaries.member.members)


def _matches(record: Record, request: Mapping[str, Any], name: str, status: str) -> bool:
    if request.get("NameContains", "") not in record[name]:
        return False
    if "StatusEquals" in request and record[status] != request["StatusEquals"]:
        return False
    for member in ("CreationTime", "LastModifiedTime"):
        if f"{member}After" in request and not record[member] > request[f"{member}After"]:
            return False
        if f"{member}Before" in request and not record[member] < request[f"{member}Before"]:
            return False
    return True


def _position(token: str | None) -> int:
    try:
        return paging.position(token)
    except ValueError as error:
        raise invalid("Invalid pagination token.") from error
