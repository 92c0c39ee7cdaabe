# SPDX-License-Identifier: Apache-2.0
"""The settings of a deployment, read from the environment variables of the API's function.

In: a connection. Out: Settings, or Unreachable with the reason. Timeouts are short, because `mlops validate` also works
without a deployment.
"""

from __future__ import annotations

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from chalicelib.settings import Settings

from mlops.cli.connection import Connection
from mlops.cli.failures import failure_from_aws

FUNCTION = "APIHandler"  # its logical id in the main template
QUICK = Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 1})


class Unreachable(Exception):
    """The settings could not be read; the message is the reason."""


def settings(connection: Connection) -> Settings:
    """The settings of the connection's deployment. Raises Unreachable."""
    try:
        if not connection.session.region_name:
            raise Unreachable("No AWS Region is set")
        if connection.session.get_credentials() is None:
            raise Unreachable("No AWS credentials found")
        environment = {"AWS_REGION": connection.region_name, **_environment(connection)}
    except (BotoCoreError, ClientError) as error:
        raise Unreachable(failure_from_aws(error).message) from error
    if missing := Settings.missing(environment):
        variables = ", ".join(missing)
        raise Unreachable(f"{connection.stack_name} was installed by another version: its function lacks {variables}")
    return Settings.from_environment(environment)


def _environment(connection: Connection) -> dict[str, str]:
    found = connection.session.client("cloudformation", config=QUICK).describe_stack_resource(
        StackName=connection.stack_name, LogicalResourceId=FUNCTION
    )
    function = found["StackResourceDetail"]["PhysicalResourceId"]
    described = connection.session.client("lambda", config=QUICK).get_function_configuration(FunctionName=function)
    return described["Environment"]["Variables"]
