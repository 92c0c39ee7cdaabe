# SPDX-License-Identifier: Apache-2.0
"""How a container's process reaches this account: as the role of its job or model, and as nobody else.

In: a session of that role. Out: the environment variables that boto3 and the AWS CLI read. An isolated container gets
no credentials, as on AWS; nothing else keeps it from the network.
"""

from __future__ import annotations

import os

import boto3


def variables(session: boto3.Session, isolated: bool = False) -> dict[str, str]:
    """The role's credentials, the account's address and region; no settings of the user's own are read beside them."""
    neutral = {
        "AWS_REGION": session.region_name,
        "AWS_DEFAULT_REGION": session.region_name,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    if isolated:
        return neutral
    credentials = session.get_credentials()
    if credentials is None:
        raise LookupError("a role's session has no credentials")
    held = credentials.get_frozen_credentials()
    return {
        **neutral,
        "AWS_ACCESS_KEY_ID": held.access_key or "",
        "AWS_SECRET_ACCESS_KEY": held.secret_key or "",
        "AWS_SESSION_TOKEN": held.token or "",
        "AWS_ENDPOINT_URL": os.environ["AWS_ENDPOINT_URL"],
    }
