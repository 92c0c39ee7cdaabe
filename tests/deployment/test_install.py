# SPDX-License-Identifier: Apache-2.0
"""Installs the build in an account on the laptop, from outside, as `mlops install` does."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from mlops.deploy.install import InstallError, ResourceEvent, install, uninstall, upload

from tests.support.http import error_shape
from tests.support.installed import post, uploaded
from tests.support.laptop import Account

EMAIL = {"NotificationEmail": "people@example.com"}


@pytest.fixture(scope="session")
def url(built: Path, account: Account) -> str:
    return uploaded(account, built)


@pytest.fixture(scope="session")
def outputs(url: str, account: Account) -> dict[str, str]:
    return install(account, "mlops-orchestrator", url, EMAIL)


@pytest.fixture
def stack_name(account: Account) -> Iterator[str]:
    name = f"another-{uuid4().hex[:8]}"
    yield name
    uninstall(account, name)


def bucket(account: Account) -> str:
    name = f"bucket-{uuid4().hex}"
    account.client("s3").create_bucket(Bucket=name)
    return name


def test_what_is_there_already_is_not_sent_again(url: str, built: Path, account: Account) -> None:
    key = {"Bucket": "a-distribution-bucket-us-east-1", "Key": "mlops-orchestrator/v0/orchestrator.zip"}
    before = account.client("s3").head_object(**key)["LastModified"]
    assert upload(account, built, "a-distribution-bucket", "mlops-orchestrator", "v0") == url
    assert account.client("s3").head_object(**key)["LastModified"] == before


def test_a_folder_without_a_build_says_so(tmp_path: Path, account: Account) -> None:
    with pytest.raises(InstallError, match="run deployment"):
        upload(account, tmp_path, "a-distribution-bucket", "mlops-orchestrator", "v0")


def test_the_api_answers_who_signs(outputs: dict[str, str], account: Account) -> None:
    for path in ("provisionpipeline", "pipelinestatus"):
        refused = post(account, outputs["ApiId"], path, {}, signed=False)
        assert refused.status == 403
        error_shape(refused)
        answer = post(account, outputs["ApiId"], path, {})
        assert answer.status == 400
        assert error_shape(answer)["errors"]


def test_outputs_give_the_apis_url(outputs: dict[str, str]) -> None:
    assert outputs["ApiUrl"].endswith("/prod")
    assert outputs["PipelineOrchestrationLambdaRestApiEndpoint1DE9DCB2"] == outputs["ApiUrl"] + "/"


def test_outputs_name_what_exists(outputs: dict[str, str], account: Account) -> None:
    account.client("s3").head_bucket(Bucket=outputs["AssetsBucketName"])
    account.client("s3").head_bucket(Bucket=outputs["BlueprintsBucketName"])
    (repository,) = account.client("ecr").describe_repositories(repositoryNames=[outputs["ECRRepoName"]])[
        "repositories"
    ]
    assert repository["repositoryArn"] == outputs["ECRRepoArn"]
    topic = outputs["MLOpsNotificationsTopicArn"]
    (subscription,) = account.client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "people@example.com")


def test_nothing_to_update_is_a_success(outputs: dict[str, str], url: str, account: Account) -> None:
    events: list[ResourceEvent] = []
    assert install(account, "mlops-orchestrator", url, {}, events.append) == outputs
    assert events == []


def test_an_update_keeps_the_parameters_it_is_not_given(stack_name: str, url: str, account: Account) -> None:
    install(account, stack_name, url, EMAIL)
    events: list[ResourceEvent] = []
    install(account, stack_name, url, {"AllowDetailedErrorMessage": "No"}, events.append)
    assert events[-1].status == "UPDATE_COMPLETE"
    (stack,) = account.client("cloudformation").describe_stacks(StackName=stack_name)["Stacks"]
    parameters = {item["ParameterKey"]: item["ParameterValue"] for item in stack["Parameters"]}
    assert parameters["NotificationEmail"] == "people@example.com"
    assert parameters["AllowDetailedErrorMessage"] == "No"


def test_an_existing_bucket_is_used_versioned_or_not(stack_name: str, url: str, account: Account) -> None:
    existing = bucket(account)
    outputs = install(account, stack_name, url, {**EMAIL, "ExistingS3Bucket": existing})
    assert outputs["AssetsBucketName"] == existing
    uninstall(account, stack_name)
    account.client("s3").head_bucket(Bucket=existing)


def test_an_existing_repository_is_used(stack_name: str, url: str, account: Account) -> None:
    account.client("ecr").create_repository(repositoryName="mine/images")
    outputs = install(account, stack_name, url, {**EMAIL, "ExistingECRRepo": "mine/images"})
    assert outputs["ECRRepoName"] == "mine/images"
    assert outputs["ECRRepoArn"].endswith(":repository/mine/images")


def test_a_model_package_group_is_made_on_request(stack_name: str, url: str, account: Account) -> None:
    outputs = install(account, stack_name, url, {**EMAIL, "CreateModelRegistry": "Yes"})
    name = outputs["ModelRegistryArn"].rsplit("/", 1)[1]
    group = account.client("sagemaker").describe_model_package_group(ModelPackageGroupName=name)
    assert group["ModelPackageGroupArn"] == outputs["ModelRegistryArn"]


def test_what_cannot_be_used_fails_the_installation_and_leaves_nothing(
    stack_name: str, url: str, account: Account
) -> None:
    before = {item["Name"] for item in account.client("s3").list_buckets()["Buckets"]}
    with pytest.raises(InstallError, match="the bucket there-is-no-such-bucket does not exist"):
        install(account, stack_name, url, {**EMAIL, "DataBuckets": "there-is-no-such-bucket"})
    assert {item["Name"] for item in account.client("s3").list_buckets()["Buckets"]} == before


def test_a_bucket_under_a_customer_key_is_used_with_that_key(stack_name: str, url: str, account: Account) -> None:
    existing, key = bucket(account), account.client("kms").create_key()["KeyMetadata"]["Arn"]
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    encryption = {"Rules": [{"ApplyServerSideEncryptionByDefault": default}]}
    account.client("s3").put_bucket_encryption(Bucket=existing, ServerSideEncryptionConfiguration=encryption)
    with pytest.raises(InstallError, match=f"encrypted with the key {key}.* Set AssetsBucketKmsKeyArn"):
        install(account, stack_name, url, {**EMAIL, "ExistingS3Bucket": existing})
    given = {"ExistingS3Bucket": existing, "AssetsBucketKmsKeyArn": key}
    assert install(account, stack_name, url, {**EMAIL, **given})["AssetsBucketName"] == existing


def test_data_buckets_are_looked_at(stack_name: str, url: str, account: Account) -> None:
    first, second = bucket(account), bucket(account)
    install(account, stack_name, url, {**EMAIL, "DataBuckets": f"{first},{second}"})
    with pytest.raises(InstallError, match="DataBuckets: the bucket not-there-any-more does not exist"):
        install(account, stack_name, url, {"DataBuckets": f"{first},not-there-any-more"})


def test_an_installation_that_failed_is_made_anew(stack_name: str, url: str, account: Account) -> None:
    name = f"bucket-{uuid4().hex}"
    with pytest.raises(InstallError):
        install(account, stack_name, url, {**EMAIL, "ExistingS3Bucket": name})
    account.client("s3").create_bucket(Bucket=name)
    outputs = install(account, stack_name, url, {**EMAIL, "ExistingS3Bucket": name})
    assert outputs["AssetsBucketName"] == name


def test_a_model_package_group_stays_and_is_in_nobodys_way(url: str, account: Account) -> None:
    """Not even in that of a stack of the same name, or of one whose name is as long as a name can be."""
    name, groups = f"again-{uuid4().hex}".ljust(128, "x"), set()
    for _ in range(2):
        groups.add(install(account, name, url, {**EMAIL, "CreateModelRegistry": "Yes"})["ModelRegistryArn"])
        uninstall(account, name)
    sagemaker = account.client("sagemaker")
    assert len(groups) == 2
    for arn in groups:
        sagemaker.describe_model_package_group(ModelPackageGroupName=arn.rsplit("/", 1)[1])


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"ExistingS3Bucket": "there-is-no-such-bucket"}, "the bucket there-is-no-such-bucket does not exist"),
        ({"ExistingECRRepo": "none/such"}, "the repository none/such does not exist"),
        ({"NotificationEmail": "nobody"}, "must be one e-mail address"),
        ({"UseModelRegistry": "Perhaps"}, "UseModelRegistry"),
    ],
)
def test_what_cannot_be_used_is_named(
    parameters: dict[str, str], reason: str, stack_name: str, url: str, account: Account
) -> None:
    with pytest.raises(InstallError, match=reason):
        install(account, stack_name, url, {**EMAIL, **parameters})


def test_pipelines_names_are_theirs(url: str, account: Account) -> None:
    with pytest.raises(InstallError, match="are reserved for pipelines"):
        install(account, "mlops-pipeline-orchestrator", url, EMAIL)
    uninstall(account, "mlops-pipeline-orchestrator")


def test_uninstalling_keeps_what_holds_data(stack_name: str, url: str, account: Account) -> None:
    outputs = install(account, stack_name, url, EMAIL)
    uninstall(account, stack_name)
    account.client("s3").head_bucket(Bucket=outputs["AssetsBucketName"])
    account.client("ecr").describe_repositories(repositoryNames=[outputs["ECRRepoName"]])
    uninstall(account, stack_name)  # again: there is nothing left to do


def test_a_parameter_that_the_template_lacks_is_refused_with_the_nearest(
    url: str, account: Account, stack_name: str, outputs: dict[str, str]
) -> None:
    for name in (stack_name, "mlops-orchestrator"):
        with pytest.raises(InstallError, match="did you mean 'UseModelRegistry'"):
            install(account, name, url, {**EMAIL, "UseModelRegistri": "Yes"})
