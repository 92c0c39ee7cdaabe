# SPDX-License-Identifier: Apache-2.0
"""What the functions of custom resources share: CloudFormation is always answered, and IAM is given time.

In: the event that CloudFormation sends, and what to do with it. Out: the answer, put where CloudFormation waits for it.
The build packs this file with every function that imports it.
"""

import json
import logging
import time
import urllib.request
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

logger = logging.getLogger()
logger.setLevel(logging.INFO)

REASON_LIMIT = 1_000  # characters; CloudFormation takes an answer of at most 4,096 bytes
DENIALS = ("403", "AccessDenied", "AccessDeniedException", "UnauthorizedOperation")
# IAM takes some seconds until a new policy is known everywhere.
PATIENCE = 30
RESERVED = 15  # seconds of the function that are kept for the answer


class Refused(Exception):
    """The resource cannot be made or deleted; the message says why, and what to do."""


class Patience:
    """Repeats calls that IAM denies, until the policy must be known or the function's time is nearly up."""

    def __init__(self, context: Any) -> None:
        left = context.get_remaining_time_in_millis() / 1_000 - RESERVED
        self._until = time.monotonic() + max(0.0, min(PATIENCE, left))

    def call(self, operation: Callable[..., Any], **arguments: Any) -> Any:
        pause = 1.0
        while True:
            try:
                return operation(**arguments)
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code not in DENIALS or time.monotonic() + pause > self._until:
                    raise
                logger.info("%s was denied: %s; IAM may not know the policy yet", error.operation_name, code)
            time.sleep(pause)
            pause = min(2 * pause, 8)


Work = Callable[[dict[str, Any], Patience], str]


def serve(event: dict[str, Any], context: Any, work: Work, physical_id: str) -> None:
    """Do the work and answer: success with the text that it returns, or failure with the reason."""
    try:
        status, reason = "SUCCESS", work(event, Patience(context))
    except Refused as refusal:
        status, reason = "FAILED", str(refusal)
    except Exception as error:  # an unanswered request would keep CloudFormation waiting
        logger.exception("The function itself failed")
        status, reason = "FAILED", f"The function itself failed: {type(error).__name__}: {error}"
    # Another physical id would have CloudFormation delete the old one: it stays what it was.
    answer(event, status, reason, event.get("PhysicalResourceId", physical_id))


def answer(event: dict[str, Any], status: str, reason: str, physical_id: str) -> None:
    """Put the answer where CloudFormation waits for it."""
    logger.info("%s %s: %s", event["RequestType"], status, reason)
    body = {
        "Status": status,
        "Reason": reason if len(reason) <= REASON_LIMIT else f"{reason[: REASON_LIMIT - 2]} …",
        "PhysicalResourceId": physical_id,
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
    }
    request = urllib.request.Request(  # noqa: S310 - CloudFormation's own presigned URL
        event["ResponseURL"], data=json.dumps(body).encode(), method="PUT", headers={"Content-Type": ""}
    )
    urllib.request.urlopen(request, timeout=10).close()  # noqa: S310
