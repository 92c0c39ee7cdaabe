# SPDX-License-Identifier: Apache-2.0
"""What each operation does with a checked request, and what it answers."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from chalicelib.accepted import Accepted
from chalicelib.aws.calls import Calls
from chalicelib.aws.model_cards import ModelCards
from chalicelib.aws.port import Document
from chalicelib.errors import RETRY_AFTER, Code, Conflict, NotFound, Problem, Unavailable
from chalicelib.model_cards import content
from chalicelib.model_cards.check import ARN, CardRequest, check
from chalicelib.model_cards.lookups import Lookups
from chalicelib.quoting import shown
from chalicelib.settings import REQUEST_SECONDS, Settings

__all__ = ["check", "run"]

EXPORTS = "model_card_exports"  # the prefix in the assets bucket
WAIT = REQUEST_SECONDS - 11  # seconds that a response waits for an export
PAUSE = 0.5  # seconds between two looks at it
NAME = 63  # characters of an export job's name
ARCHIVED = "Archived"


def run(checked: CardRequest, settings: Settings, aws: Calls) -> dict[str, Any]:
    """Carry an operation out; returns the response's document."""
    lookups = Lookups(ModelCards(aws), settings)
    document = _OPERATIONS[checked.operation](checked, lookups)
    if warnings := [*checked.warnings, *lookups.warnings]:
        document["warnings"] = [warning.document() for warning in warnings]
    return document


def _create(request: CardRequest, lookups: Lookups) -> dict[str, Any]:
    text = content.text(lookups.filled(request.sections, content.plain(request.sections)))
    lookups.cards.create(request.name, text, request.keys["status"], request.keys.get("kms_key_arn", ""))
    return {"message": _card(lookups.cards, request.name)}


def _update(request: CardRequest, lookups: Lookups) -> dict[str, Any]:
    """Change what the request names and nothing else.

    SageMaker takes the content or the status in a call, and no longer takes content once a card is archived.
    """
    cards, name = lookups.cards, request.name
    before = _card(cards, name)
    version = request.keys.get("version")
    start = _card(cards, name, version) if version else before
    patch = lookups.filled(request.sections, content.plain(request.sections))
    text = content.text(content.merged(json.loads(start["Content"]), patch))
    changed = json.loads(text) != json.loads(before["Content"])
    status = request.keys.get("status", before["ModelCardStatus"])
    if changed and before["ModelCardStatus"] == ARCHIVED:
        if status == ARCHIVED:
            raise Conflict(f"The model card {name} is archived. To change it, set its status, for example to Draft.")
        cards.update(name, ModelCardStatus=status)
    if changed:
        cards.update(name, Content=text)
    after = _card(cards, name)
    if after["ModelCardStatus"] != status:
        cards.update(name, ModelCardStatus=status)
        after = _card(cards, name)
    if after["ModelCardVersion"] > before["ModelCardVersion"] + changed:
        problem = f"another request changed the card at the same time: compare the versions after {_version(before)}"
        lookups.warnings.append(Problem("", Code.CHANGED_MEANWHILE, problem))
    return {"message": after}


def _describe(request: CardRequest, lookups: Lookups) -> dict[str, Any]:
    document: dict[str, Any] = {"message": _card(lookups.cards, request.name, request.keys.get("version"))}
    if request.keys["all_versions"]:
        document["versions"] = lookups.cards.versions(request.name)
    return document


def _delete(request: CardRequest, lookups: Lookups) -> dict[str, Any]:
    lookups.cards.delete(request.name)
    return {"message": f"Model card {request.name} has been deleted."}


def _list(request: CardRequest, lookups: Lookups) -> dict[str, Any]:
    members = {"name_contains": "NameContains", "status": "ModelCardStatus"}
    filters = {member: request.keys[key] for key, member in members.items() if key in request.keys}
    return {"message": {"ModelCardSummaries": lookups.cards.cards(**filters)}}


def _export(request: CardRequest, lookups: Lookups) -> dict[str, Any]:
    """Start an export job, or find the one with the given name, and wait for it."""
    cards, settings, name = lookups.cards, lookups.settings, request.name
    card = _card(cards, name, request.keys.get("model_card_version"))
    job = request.keys.get("export_job_name") or _job_name(name)
    arn = f"{ARN.format(settings, name)}/export-job/{job}"
    started = cards.export(name, card["ModelCardVersion"], job, f"s3://{settings.assets_bucket}/{EXPORTS}")
    found = _ended(cards, arn)
    if found is None:
        raise Conflict(f"The model card {name} is being changed. Resend the request.", retry_after=RETRY_AFTER)
    if not started and found["ModelCardVersion"] != card["ModelCardVersion"]:
        exported = _version(found)
        raise Conflict(f"The export job {job} exists already, for {exported}. Use another export_job_name.")
    if found["Status"] == "Failed":
        reason = str(found.get("FailureReason", ""))
        raise Unavailable(f"The export job {job} failed. Use another export_job_name to try again.", detail=reason)
    document = {"message": found}
    return document if found["Status"] == "Completed" else Accepted(document, RETRY_AFTER)


def _ended(cards: ModelCards, arn: str) -> Document | None:
    """An export job once it has ended, or as it is when the time is up; None where there is none."""
    deadline = time.monotonic() + WAIT
    while True:
        found = cards.export_job(arn)
        if found is None or found["Status"] != "InProgress" or time.monotonic() > deadline:
            return found
        time.sleep(PAUSE)


def _job_name(card: str) -> str:
    ending = f"-{datetime.now(UTC):%Y-%m-%d-%H-%M-%S}"
    return card[: NAME - len(ending)].rstrip("-") + ending


def _card(cards: ModelCards, name: str, version: int | None = None) -> Document:
    found = cards.card(name, version)
    if found is None:
        of = f"version {version} of the model card {shown(name)}" if version else f"model card {shown(name)}"
        raise NotFound(f"There is no {of}.")
    return found


def _version(document: Mapping[str, Any]) -> str:
    return f"version {document['ModelCardVersion']}"


_OPERATIONS: Mapping[str, Callable[[CardRequest, Lookups], dict[str, Any]]] = {
    "create_model_card": _create,
    "update_model_card": _update,
    "describe_model_card": _describe,
    "delete_model_card": _delete,
    "export_model_card": _export,
    "list_model_cards": _list,
}
