# SPDX-License-Identifier: Apache-2.0
"""Model cards: documents about models, in versions, whose content follows SageMaker's schema.

A changed content is a new version; a changed status is not. Versions stay as they are until the card is deleted.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError
from chalicelib.model_cards import schemas

from mlops.local.kit import identity
from mlops.local.kit.errors import ApiError, Caller
from mlops.local.services.sagemaker import listing, tags
from mlops.local.services.sagemaker.service import arn, invalid, now, sagemaker, store
from mlops.local.state.store import Record

KIND = "ModelCard"
ARCHIVED = "Archived"
# https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeModelCard.html
METADATA = {
    "model_overview": ("model_id", "model_name"),
    "intended_uses": ("risk_rating",),
    "model_package_details": ("model_package_group_name", "model_package_arn"),
}

_cards = store.table(KIND)  # by name: what all versions have in common, and the number of the last
_versions = store.table("ModelCardVersion")  # by name and number


def find(name_or_arn: str, caller: Caller) -> Record:
    """A card. Raises ResourceNotFound."""
    name = name_or_arn.rsplit("/", 1)[-1]
    card = _cards.get(name)
    if card is None or (name_or_arn != name and card["ModelCardArn"] != name_or_arn):
        raise ApiError("ResourceNotFound", f"Model card {arn(caller, 'model-card', name)} does not exist.")
    return card


def version(card: Record, number: int | None = None) -> Record:
    """A version of a card, the last if no number is given. Raises ResourceNotFound."""
    found = _versions.get(_key(card, number or card["ModelCardVersion"]))
    if found is None:
        raise ApiError("ResourceNotFound", f"Model card {card['ModelCardArn']} has no version {number}.")
    return found


@sagemaker.operation("CreateModelCard")
def create_model_card(request: dict[str, Any], caller: Caller) -> dict[str, Any]:
    name = request["ModelCardName"]
    card_arn = arn(caller, "model-card", name)
    _check_content(request["Content"])
    security = request.get("SecurityConfig", {})
    _use_key(security, caller, "kms:DescribeKey", "kms:CreateGrant", "kms:GenerateDataKey")
    with _cards.lock:
        if name in _cards:
            raise ApiError("ConflictException", f"Model card {card_arn} already exists.")
        tags.attach(card_arn, request, caller)
        _cards[name] = {
            "ModelCardName": name,
            "ModelCardArn": card_arn,
            "ModelCardVersion": 0,
            "CreationTime": now(),
            "CreatedBy": _user(caller),
            **({"SecurityConfig": security} if security else {}),
        }
        _add_version(_cards[name], request["Content"], request["ModelCardStatus"], caller)
    return {"ModelCardArn": card_arn}


@sagemaker.operation("UpdateModelCard")
def update_model_card(request: dict[str, Any], caller: Caller) -> dict[str, Any]:
    content, status = request.get("Content"), request.get("ModelCardStatus")
    if (content is None) == (status is None):
        raise invalid("Specify either Content or ModelCardStatus: they cannot be updated in a single call.")
    with _cards.lock:
        card = find(request["ModelCardName"], caller)
        last = version(card)
        if content is None:
            last.update(ModelCardStatus=status, LastModifiedTime=now(), LastModifiedBy=_user(caller))
        else:
            if last["ModelCardStatus"] == ARCHIVED:
                raise invalid(f"Model card {card['ModelCardArn']} is archived: its content cannot be updated.")
            _check_content(content)
            _use_key(card.get("SecurityConfig", {}), caller, "kms:GenerateDataKey")
            _add_version(card, content, last["ModelCardStatus"], caller)
    return {"ModelCardArn": card["ModelCardArn"]}


@sagemaker.operation("DescribeModelCard")
def describe_model_card(request: dict[str, Any], caller: Caller) -> dict[str, Any]:
    card = find(request["ModelCardName"], caller)
    found = version(card, request.get("ModelCardVersion"))
    described = {**card, **found, "CreationTime": card["CreationTime"]}
    if request.get("IncludedData") == "MetadataOnly":
        return {**described, "Content": json.dumps(_metadata(json.loads(found["Content"])))}
    _use_key(card.get("SecurityConfig", {}), caller, "kms:Decrypt")
    return described


@sagemaker.operation("DeleteModelCard")
def delete_model_card(request: dict[str, Any], caller: Caller) -> dict[str, Any]:
    with _cards.lock:
        card = find(request["ModelCardName"], caller)
        _use_key(card.get("SecurityConfig", {}), caller, "kms:RetireGrant")
        for number in range(1, card["ModelCardVersion"] + 1):
            del _versions[_key(card, number)]
        for job_arn, job in store.table("ModelCardExportJob").items():
            if job["ModelCardName"] == card["ModelCardName"]:
                del store.table("ModelCardExportJob")[job_arn]
        del _cards[card["ModelCardName"]]
    tags.forget(card["ModelCardArn"])
    return {}


@sagemaker.operation("ListModelCards")
def list_model_cards(request: dict[str, Any], caller: Caller) -> dict[str, Any]:
    found = [{**version(card), "CreationTime": card["CreationTime"]} for card in _cards.values()]
    return listing.page(KIND, _with_status(found, request), request)


@sagemaker.operation("ListModelCardVersions")
def list_model_card_versions(request: dict[str, Any], caller: Caller) -> dict[str, Any]:
    card = find(request["ModelCardName"], caller)
    found = [version(card, number) for number in range(1, card["ModelCardVersion"] + 1)]
    keys = {"Name": "ModelCardName", "Version": "ModelCardVersion"}
    return listing.page("ModelCardVersion", _with_status(found, request), request, default_sort="Version", keys=keys)


def _with_status(records: list[Record], request: dict[str, Any]) -> Iterator[Record]:
    status = request.get("ModelCardStatus")
    return (record for record in records if status in (None, record["ModelCardStatus"]))


def _metadata(content: dict[str, Any]) -> dict[str, Any]:
    """The part of a content that is returned to those who may not read all of it."""
    sections = {
        section: {key: content[section][key] for key in keys if key in content.get(section, {})}
        for section, keys in METADATA.items()
    }
    return {section: found for section, found in sections.items() if found}


def _add_version(card: Record, content: str, status: str, caller: Caller) -> None:
    moment, number = now(), card["ModelCardVersion"] + 1
    _versions[_key(card, number)] = {
        "ModelCardName": card["ModelCardName"],
        "ModelCardArn": card["ModelCardArn"],
        "ModelCardVersion": number,
        "Content": content,
        "ModelCardStatus": status,
        "CreationTime": moment,
        "LastModifiedTime": moment,
        "LastModifiedBy": _user(caller),
    }
    card["ModelCardVersion"] = number


def _key(card: Record, number: int) -> str:
    return f"{card['ModelCardName']}/{number}"


def _user(caller: Caller) -> dict[str, Any]:
    return {"IamIdentity": {"Arn": caller.arn}}


def _check_content(content: str) -> None:
    """Refuse what does not follow the schema."""
    import jsonschema  # 80 ms: the account is ready before the first card

    try:
        document = json.loads(content)
    except ValueError as error:
        raise invalid(f"Model card content is not JSON: {error}") from error
    errors = jsonschema.Draft202012Validator(schemas.content()).iter_errors(document)
    if problems := [f"#/{'/'.join(map(str, error.absolute_path))}: {error.message}" for error in errors]:
        raise invalid(f"Model card content does not follow the model card JSON schema: {'; '.join(problems)}")


def _use_key(security: dict[str, Any], caller: Caller, *actions: str) -> None:
    """Refuse a key that isn't there, and one that the caller may not use. An alias stands for its key, as in KMS."""
    key = security.get("KmsKeyId")
    if not key:
        return
    kms = identity.root_session(caller).client("kms")
    try:
        key_arn = kms.describe_key(KeyId=key)["KeyMetadata"]["Arn"]
    except ClientError as error:
        raise invalid(f"The KMS key {key} cannot be used: {error.response['Error']['Message']}") from error
    called = [alias["AliasName"] for alias in kms.list_aliases(KeyId=key_arn)["Aliases"]]
    keys = {"kms:ResourceAliases": called, "kms:ViaService": f"sagemaker.{caller.region}.amazonaws.com"}
    for action in actions:
        identity.authorize(caller, action, [key_arn], keys)
