# SPDX-License-Identifier: Apache-2.0
"""mlops models: list, show, approve and reject the versions in the model registry.

Calls SageMaker with the caller's credentials, so that IAM decides who approves models.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypedDict

import click
from botocore.exceptions import BotoCoreError, ClientError
from click.shell_completion import CompletionItem
from rich.text import Text

from mlops.cli import naming, show, table
from mlops.cli.connection import Connection
from mlops.cli.failures import Document, Failure

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sagemaker.literals import ModelApprovalStatusType
    from mypy_boto3_sagemaker.type_defs import DescribeModelPackageOutputTypeDef, ModelPackageSummaryTypeDef

STATUSES: dict[str, ModelApprovalStatusType] = {
    "approved": "Approved",
    "pending": "PendingManualApproval",
    "rejected": "Rejected",
}
MARKS = {"Approved": ("✓", "green"), "Rejected": ("✗", "red"), "PendingManualApproval": ("?", "yellow")}
HEADINGS = ("VERSION", "STATUS", "AGE", "DESCRIPTION")
ABSENT = ("ValidationException", "ResourceNotFound")
# group, group/version, or the ARN of a group or of a model package
NAME = re.compile(
    r"(?:(?P<arn>arn:[^:]+:sagemaker:[^:]+:[0-9]{12}):(?:model-package-group|model-package)/)?"
    r"(?P<group>[A-Za-z0-9](?:-*[A-Za-z0-9]){0,62})(?:/(?P<version>[1-9][0-9]{0,4}))?"
)


class _Filters(TypedDict, total=False):
    ModelPackageGroupName: str
    ModelApprovalStatus: ModelApprovalStatusType


@click.group()
def models() -> None:
    """List and approve models in the model registry.

    A model in the registry is a version in a group, for example churn/3. Only approved versions are deployed.
    """


@models.command(name="list", epilog="Example:  mlops models list --group churn --status pending")
@click.option("--group", metavar="NAME", help="Only versions in this group.")
@click.option("--status", type=click.Choice(list(STATUSES)), help="Only versions with this approval status.")
@click.pass_obj
def list_models(connection: Connection, group: str | None, status: str | None) -> None:
    """List the versions in the model registry, the newest first."""
    filters: _Filters = {"ModelApprovalStatus": STATUSES[status]} if status else {}
    if group:
        filters["ModelPackageGroupName"] = group
    try:
        found = list(versions(connection, filters))
    except ClientError as error:
        raise absent(error, f"No model package group {group!r}") if group else error from error
    if show.wants_json():
        show.as_json({"models": [summary(one) for one in found]})
        return
    if found:
        table.write(HEADINGS, [cells(summary(one)) for one in found], fold=True)
    else:
        where = f" in the group {group}" if group else ""
        show.err().print(f"  No {f'{status} ' if status else ''}version{where}.", markup=False)


def versions(connection: Connection, filters: _Filters) -> Iterator[ModelPackageSummaryTypeDef]:
    """The versions in the registry, the newest first."""
    pages = client(connection).get_paginator("list_model_packages")
    for page in pages.paginate(
        ModelPackageType="Versioned", SortBy="CreationTime", SortOrder="Descending", PaginationConfig=PAGES, **filters
    ):
        yield from page["ModelPackageSummaryList"]


PAGES: Any = {"PageSize": 100}


def client(connection: Connection) -> SageMakerClient:
    return connection.session.client("sagemaker")


def complete(context: click.Context, argument: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Versions and groups for shell completion; none after an error."""
    given: dict[str, Any] = context.find_root().params
    connection = Connection(
        given["profile"], given["region"], given["endpoint_url"], given["stack_name"], given["api_url"]
    )
    try:
        names = [short(one["ModelPackageArn"]) for one in versions(connection, {})]
    except (Failure, BotoCoreError, ClientError):
        return []
    groups = dict.fromkeys(name.partition("/")[0] for name in names)
    known = [*groups, *names] if "/" not in incomplete else names
    return [CompletionItem(name) for name in known if name.startswith(incomplete)][: naming.LARGEST_PAGE]


name_argument = click.argument("name", metavar="GROUP[/VERSION]|ARN", shell_complete=complete)
comment_option = click.option("--comment", default="", help="Why; stored as the description of the approval.")


@models.command(name="show", epilog="Example:  mlops models show churn/3")
@name_argument
@click.pass_obj
def show_model(connection: Connection, name: str) -> None:
    """Show a version: its approval status, metrics, image and artifact. Of a group, the newest version."""
    package = described(connection, name)
    document = details(package)
    if show.wants_json():
        show.as_json(document)
        return
    show.out().print(Text.assemble(mark(document["status"]), " ", (document["version"], "bold")))
    show.facts({key: value for key, value in document.items() if value and key not in ("version", "metadata")})
    show.facts(document["metadata"])


@models.command(epilog="Example:  mlops models approve churn/3 --comment 'AUC 0.93 on unseen data'")
@name_argument
@comment_option
@click.pass_obj
def approve(connection: Connection, name: str, comment: str) -> None:
    """Approve a version, so that it can be deployed. Of a group, the newest version."""
    decide(connection, name, "Approved", comment)


@models.command(epilog="Example:  mlops models reject churn/3 --comment 'trained on last year's data'")
@name_argument
@comment_option
@click.pass_obj
def reject(connection: Connection, name: str, comment: str) -> None:
    """Reject a version, so that it cannot be deployed. Of a group, the newest version.

    Endpoints that already serve the version are not changed.
    """
    decide(connection, name, "Rejected", comment)


def decide(connection: Connection, name: str, status: ModelApprovalStatusType, comment: str) -> None:
    """Set the approval status of a version, unless it has this status, and no other comment is given."""
    package = described(connection, name)
    arn = package["ModelPackageArn"]
    if "ModelPackageVersion" not in package:
        raise Failure(f"{short(arn)} is in no group, and only versions in a group are approved or rejected")
    before = {"status": package.get("ModelApprovalStatus"), "comment": package.get("ApprovalDescription", "")}
    changed = before["status"] != status or bool(comment and comment != before["comment"])
    if changed:
        described_as: Any = {"ApprovalDescription": comment} if comment else {}
        client(connection).update_model_package(ModelPackageArn=arn, ModelApprovalStatus=status, **described_as)
    if show.wants_json():
        document = {"version": short(arn), "model_package": arn, "status": status, "changed": changed}
        show.as_json({**document, "comment": comment or before["comment"]})
        return
    was = f" (was {before['status']})" if before["status"] != status else ""
    show.success(f"{short(arn)} is {'' if changed else 'already '}{status}{was}", {"model package": arn})


def described(connection: Connection, name: str) -> DescribeModelPackageOutputTypeDef:
    """A model package by its ARN, its group and version, or its group: then the newest version. Raises Failure."""
    found = NAME.fullmatch(name)
    if not found:
        raise Failure(f"{name!r} is not a model package", "write GROUP, GROUP/VERSION or an ARN, for example churn/3")
    arn = name
    if ":model-package/" not in name:
        arn = version_arn(connection, name, found)
    try:
        return client(connection).describe_model_package(ModelPackageName=arn)
    except ClientError as error:
        raise absent(error, f"No model package {short(arn)}") from error


def version_arn(connection: Connection, name: str, found: re.Match[str]) -> str:
    """The ARN of a version, which is looked up in its group: its account is that of the credentials, or of the ARN."""
    group = name if found["arn"] else found["group"]
    try:
        for one in versions(connection, {"ModelPackageGroupName": group}):
            if found["version"] in (None, str(one["ModelPackageVersion"])):
                return one["ModelPackageArn"]
    except ClientError as error:
        raise absent(error, f"No model package group {found['group']!r}") from error
    if found["version"]:
        raise Failure(f"No version {found['version']} in the group {found['group']}", list_hint(found["group"]))
    raise Failure(f"The group {found['group']} has no versions")


def absent(error: ClientError, message: str) -> Exception:
    """The failure for what is not there; any other error as it is."""
    if error.response["Error"]["Code"] not in ABSENT:
        return error
    return Failure(message, "to list the registry: mlops models list")


def list_hint(group: str) -> str:
    return f"to list its versions: mlops models list --group {group}"


def short(arn: str) -> str:
    """`churn/3`"""
    return arn.partition("/")[2]


def summary(package: Any) -> Document:
    """A version as ListModelPackages and DescribeModelPackage return it, for --json and the table."""
    return {
        "version": short(package["ModelPackageArn"]),
        "status": package.get("ModelApprovalStatus"),
        "model_package": package["ModelPackageArn"],
        "created": package["CreationTime"].isoformat(timespec="seconds"),
        "description": package.get("ModelPackageDescription", ""),
    }


def details(package: DescribeModelPackageOutputTypeDef) -> Document:
    containers: list[Any] = list(package.get("InferenceSpecification", {}).get("Containers", []))
    metrics = package.get("ModelMetrics", {}).get("ModelQuality", {}).get("Statistics", {})
    return {
        **summary(package),
        "comment": package.get("ApprovalDescription", ""),
        "image": ", ".join(one.get("Image", "") for one in containers),
        "artifact": ", ".join(one.get("ModelDataUrl", "") for one in containers),
        "statistics": metrics.get("S3Uri", ""),
        "metadata": dict(package.get("CustomerMetadataProperties", {})),
    }


def cells(one: Document) -> list[Text | str]:
    return [
        Text.assemble(mark(one["status"]), " ", one["version"]),
        Text(show.spaced(one["status"] or ""), style=MARKS.get(one["status"], show.NO_MARK)[1]),
        Text(table.ago(one["created"])),
        Text(one["description"], style="dim"),
    ]


def mark(status: str | None) -> Text:
    return Text(*MARKS.get(status or "", show.NO_MARK))
