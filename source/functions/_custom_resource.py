# SPDX-License-Identifier: Apache-2.0
"""Shared code of the custom resources: always sends a response to CloudFormation, and waits for IAM to propagate.

In: the event from CloudFormation, and the function to run. Out: the response, sent to CloudFormation's response URL.
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

REASON_LIMIT = 1_000  # characters; CloudFormation accepts a response of at most 4,096 bytes
DENIALS = ("403", "AccessDenied", "AccessDeniedException", "UnauthorizedOperation")
# IAM takes some seconds to propagate a new policy.
RETRY_SECONDS = 30
RESERVED = 15  # seconds of the function's timeout, reserved for sending the response


class Refused(Exception):
    """The resource cannot be created or deleted; the message gives the reason and the solution."""


class DeniedCallRetries:
    """Retries calls that IAM denies, until a new policy must have propagated or the function is about to time out."""

    def __init__(self, context: Any) -> None:
        left = context.get_remaining_time_in_millis() / 1_000 - RESERVED
        self._until = time.monotonic() + max(0.0, min(RETRY_SECONDS, left))

    def call(self, operation: Callable[..., Any], **arguments: Any) -> Any:
        pause = 1.0
        while True:
            try:
                return operation(**arguments)
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code not in DENIALS or time.monotonic() + pause > self._until:
                    raise
                logger.info(
                    "%s was denied: %s; retrying, the policy may not have propagated", error.operation_name, code
                )
            time.sleep(pause)
            pause = min(2 * pause, 8)


Work = Callable[[dict[str, Any], DeniedCallRetries], str]


def serve(event: dict[str, Any], context: Any, work: Work, physical_id: str) -> None:
    """Do the work and send the response: success with the text that it returns, or failure with the reason."""
    try:
        status, reason = "SUCCESS", work(event, DeniedCallRetries(context))
    except Refused as refusal:
        status, reason = "FAILED", str(refusal)
    except Exception as error:  # without a response, CloudFormation would wait for the timeout
        logger.exception("Internal error")
        status, reason = "FAILED", f"Internal error: {type(error).__name__}: {error}"
    # The physical id must not change: CloudFormation would delete the old resource.
    answer(event, status, reason, event.get("PhysicalResourceId", physical_id))


def answer(event: dict[str, Any], status: str, reason: str, physical_id: str) -> None:
    """Send the response to CloudFormation."""
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
