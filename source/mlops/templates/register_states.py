# SPDX-License-Identifier: Apache-2.0
"""The states that a RegisterModel state is made into (register_model.py), and why they are what they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.job_kinds import JOB_KINDS, JobKind

from mlops.templates.job_states import CAUSE, INPUT, PATIENCE, Job, State, task

SUFFIXES = (
    "", "IfAsked", "FindJob", "Prepare", "FindGroup", "Group", "GroupRefused", "IfMeasured", "Statistics", "Version",
    "Refused",
)  # fmt: skip
_TRAINING = JOB_KINDS["TrainingJob"]
_RESPONSES = ("text/csv", "application/json")

# Which section of SageMaker's model quality statistics metrics belong to, by their names in lower case, the first match
# first: https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-model-quality-metrics.html
_SECTIONS = (
    ("multiclass_classification_metrics", "merror|mlogloss|f1_?macro|precision_?macro|recall_?macro|.*weighted.*"),
    ("binary_classification_metrics", "auc|aucpr|error(@.*)?|logloss|accuracy|balanced_?accuracy|f1|precision|recall"),
    ("regression_metrics", "rmse|mse|mae|r2|rmsle|mape|mphe|.*nloglik"),
)


@dataclass(frozen=True)
class Registration:
    """One RegisterModel state as it was written."""

    state: str
    job: Job
    image: Any  # that serves; of a kind whose job names its containers, ""
    content_type: Any
    then: str  # the state that follows
    comment: str

    def of_its_own(self, suffix: str) -> str:
        """The name of a state made for this registration alone."""
        return f"{self.state}{suffix}"


def states_of(one: Registration, begins: Mapping[str, str]) -> dict[str, State]:
    """The states for one registration; `begins` are the first states of all jobs."""
    kind = one.job.kind
    then = begins.get(one.then, one.then)
    begin, asked, find_job, prepare, find_group, group, taken, measured, statistics, version, refused = map(
        one.of_its_own, SUFFIXES
    )
    catch = [{"ErrorEquals": ["States.ALL"], "Assign": {"cause": CAUSE}, "Output": INPUT, "Next": refused}]
    found: dict[str, State] = {
        # What the request says enters as data. The token is picked before the create, so that a retried create finds
        # the version that it made.
        begin: {
            "Type": "Pass",
            **({"Comment": one.comment} if one.comment else {}),
            "Assign": {
                "registration": {
                    "group": {"Ref": "ModelPackageGroupName"},
                    "approval": {"Ref": "ModelApprovalStatus"},
                    "key": {"Ref": "KmsKeyArn"},
                    "image": one.image,
                    "content_type": one.content_type,
                    "token": "{% $uuid() %}",
                }
            },
            "Next": asked,
        },
        asked: {
            "Type": "Choice",
            "Choices": [{"Condition": "{% $registration.group = '' %}", "Next": then}],
            "Default": find_job if kind.best else prepare,
        },
    }
    made_by = f"${one.job.state}"
    if kind.best:
        found[find_job] = {
            "Type": "Task",
            "Resource": task(_TRAINING.describe_integration),
            "Arguments": {_TRAINING.name: f"{{% {made_by}.{kind.best}.{_TRAINING.name} %}}"},
            "Retry": PATIENCE,
            "Catch": catch,
            "Assign": {"registration": "{% $merge([$registration, {'made_by': $states.result}]) %}"},
            "Output": INPUT,
            "Next": prepare,
        }
        kind, made_by = _TRAINING, "$registration.made_by"
    return found | {
        prepare: {
            "Type": "Pass",
            "Assign": {"registration": f"{{% $merge([$registration, {_model(kind, made_by)}]) %}}"},
            "Next": find_group,
        },
        # Asked before it is created: a create of what is there fails after its retries.
        find_group: {
            "Type": "Task",
            "Resource": task("aws-sdk:sagemaker:describeModelPackageGroup"),
            "Arguments": {"ModelPackageGroupName": "{% $registration.group %}"},
            "Catch": [{"ErrorEquals": ["States.ALL"], "Output": INPUT, "Next": group}],
            "Output": INPUT,
            "Next": measured,
        },
        group: {
            "Type": "Task",
            "Resource": task("aws-sdk:sagemaker:createModelPackageGroup"),
            "Arguments": {"ModelPackageGroupName": "{% $registration.group %}"},
            "Retry": _RETRY,
            "Catch": [{"ErrorEquals": ["States.ALL"], "Assign": {"cause": CAUSE}, "Output": INPUT, "Next": taken}],
            "Output": INPUT,
            "Next": measured,
        },
        # Another run may have created it meanwhile, or this one did, and the answer was lost.
        taken: {
            "Type": "Choice",
            "Choices": [{"Condition": "{% $contains($cause, /already exists/i) %}", "Next": measured}],
            "Default": refused,
        },
        measured: {
            "Type": "Choice",
            "Choices": [{"Condition": "{% $exists($registration.statistics) %}", "Next": statistics}],
            "Default": version,
        },
        statistics: {
            "Type": "Task",
            "Resource": task("aws-sdk:s3:putObject"),
            "Arguments": _OBJECT,
            "Retry": PATIENCE,
            "Catch": catch,
            "Output": INPUT,
            "Next": version,
        },
        version: {
            "Type": "Task",
            "Resource": task("aws-sdk:sagemaker:createModelPackage"),
            "Arguments": _VERSION,
            "Retry": _RETRY,
            "Catch": catch,
            "Assign": {"job": "{% $merge([$job, {'registered': $states.result.ModelPackageArn}]) %}"},
            "Output": INPUT,
            "Next": then,
        },
        # The job has done its work: what failed is said.
        refused: {
            "Type": "Pass",
            "Assign": {
                "job": "{% $merge([$job, {'error': 'RegistrationFailed', 'label':"
                " 'Registration in the model package group ' & $registration.group & ' of ' & $job.label}]) %}"
            },
            "Next": "Explain",
        },
    }


# Throttling and failures of the service have this one name, and so has a refused request: few attempts.
_RETRY = [
    {
        "ErrorEquals": ["SageMaker.SageMakerException", "SageMaker.ConflictException", "SageMaker.SdkClientException"],
        "IntervalSeconds": 2,
        "BackoffRate": 2,
        "MaxAttempts": 2,
        "JitterStrategy": "FULL",
    }
]

# With the request's key where it has one, else with the bucket's.
_OBJECT = (
    "{% {"
    "'Bucket': $registration.bucket, 'Key': $registration.key_of_statistics, 'Body': $registration.statistics,"
    " 'ContentType': 'application/json',"
    " 'ServerSideEncryption': $registration.key != '' ? 'aws:kms',"
    " 'SsekmsKeyId': $registration.key != '' ? $registration.key"
    "} %}"
)

# No lists of instance types: a version without them is deployed to any.
_VERSION = f"""{{% {{
  'ModelPackageGroupName': $registration.group,
  'ModelPackageDescription': $job.label & ' ' & $job.name,
  'ModelApprovalStatus': $registration.approval,
  'ClientToken': $registration.token,
  'InferenceSpecification': {{
    'Containers': $registration.containers[],
    'SupportedContentTypes': [$registration.type],
    'SupportedResponseMIMETypes': [{", ".join(f"'{one}'" for one in _RESPONSES)}]
  }},
  'ModelMetrics': $exists($registration.statistics) ? {{'ModelQuality': {{'Statistics': {{
    'ContentType': 'application/json',
    'S3Uri': 's3://' & $registration.bucket & '/' & $registration.key_of_statistics
  }}}}}},
  'MetadataProperties': {{'GeneratedBy': $registration.generated_by}},
  'CustomerMetadataProperties': $registration.metadata
}} %}}"""


def _model(kind: JobKind, made_by: str) -> str:
    """JSONata: an object with the model's containers, and the metrics of the job, made of the job's description."""
    containers = (
        f"[{made_by}.{kind.containers}.{{'Image': Image, 'ModelDataUrl': ModelDataUrl, 'Environment': Environment}}]"
        if kind.containers
        else f"[{{'Image': $registration.image, 'ModelDataUrl': {made_by}.{kind.artifact}, 'Environment': $serving}}]"
    )
    sections = " : ".join(f"$has(/^({pattern})$/) ? '{section}'" for section, pattern in _SECTIONS)
    # A metric of a candidate has its data set beside it; that of a training job has it in its name, as XGBoost does.
    # A script that trains serves, too: the SDK's estimators register its model with the same environment.
    return f"""(
    $plain := function($text) {{ $replace($text, /^"|"$/, '') }};
    $script := {made_by}.HyperParameters;
    $serving := $exists($script.sagemaker_program) ? {{
      'SAGEMAKER_PROGRAM': $plain($script.sagemaker_program),
      'SAGEMAKER_SUBMIT_DIRECTORY': $plain($script.sagemaker_submit_directory)
    }};
    $containers := {containers};
    $artifact := $substringAfter($containers[0].ModelDataUrl, 's3://');
    $metrics := [{made_by}.{kind.model_metrics or kind.metrics}.{{
      'name': $exists(Set) ? $lowercase(Set & ':' & MetricName) : MetricName,
      'value': Value
    }}];
    $measured := [$metrics[$contains(name, /^(validation|test):/)].{{
      'name': $lowercase($replace(name, /^[a-z]+:/, '')),
      'value': value
    }}];
    $has := function($pattern) {{ $count($measured[$contains(name, $pattern)]) > 0 }};
    $section := {sections} : '';
    $long := $lookup({{'csv': 'text/csv', 'libsvm': 'text/libsvm'}}, $registration.content_type);
    $merge([
      {{
        'containers': $containers,
        'type': $exists($long) ? $long : $split($registration.content_type, /\\s*;/)[0],
        'bucket': $substringBefore($artifact, '/'),
        'key_of_statistics': $replace($substringAfter($artifact, '/'), /[^\\/]+$/, 'statistics.json'),
        'generated_by': {made_by}.{kind.key}Arn,
        'metadata': $merge([{{'job': $job.name}}, $metrics[[0..39]].{{
          $replace(name, /[^A-Za-z0-9_.:\\/=+@-]/, '_'): $string(value)
        }}])
      }},
      $count($metrics) > 0 ? {{
        'statistics': $section != ''
          ? {{$section: $merge($measured.{{name: {{'value': value, 'standard_deviation': 'NaN'}}}})}}
          : {{'metrics': $merge($metrics.{{name: {{'value': value}}}})}}
      }} : {{}}
    ])
  )"""
