# SPDX-License-Identifier: Apache-2.0
"""What AWS checks of a tuning job before it takes it, beyond the shapes of the request's members."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from chalicelib.intake import ranges
from chalicelib.intake.ranges import CATEGORICAL, CONTINUOUS, INTEGER, Range, combinations
from chalicelib.intake.tuning import EPOCHS, MOST_JOBS, MOST_RANDOM_JOBS
from chalicelib.job_kinds import JOB_KINDS, RUNNING

from mlops.local.kit.errors import Caller
from mlops.local.services.sagemaker import jobs
from mlops.local.services.sagemaker.service import invalid, store
from mlops.local.state.store import Record

_NOT_HERE = ("Autotune", "TrainingJobDefinitions")
_NOT_IN_DEFINITION = ("TuningObjective", "HyperParameterRanges")
_MOST_RANGES = 30
OF_A_TRIAL = (
    "RoleArn",
    "InputDataConfig",
    "VpcConfig",
    "OutputDataConfig",
    "ResourceConfig",
    "StoppingCondition",
    "EnableNetworkIsolation",
    "EnableInterContainerTrafficEncryption",
    "EnableManagedSpotTraining",
    "CheckpointConfig",
    "RetryStrategy",
    "Environment",
    "AlgorithmSpecification",
)  # fmt: skip  members of a definition that a training job takes as they are
OBJECTIVE = "_tuning_objective_metric"  # the hyperparameter that tells a container what it is tuned by


def check(request: dict[str, Any], caller: Caller) -> None:
    """Refuse, with an ApiError, a tuning job that AWS would refuse, or that this account cannot run."""
    _check_supported(request)
    config, definition = request["HyperParameterTuningJobConfig"], request["TrainingJobDefinition"]
    if "HyperParameterTuningJobObjective" not in config:
        raise invalid("HyperParameterTuningJobConfig must have a HyperParameterTuningJobObjective.")
    searched = space(config)
    static = definition.get("StaticHyperParameters", {})
    if both := sorted(searched.keys() & static.keys()):
        raise invalid(f"The hyperparameter [{both[0]}] is in both ParameterRanges and StaticHyperParameters.")
    _check_strategy(config, searched, static)
    _check_jobs(config, searched)
    sample = trial_request("sample", definition, {name: one.values[0] for name, one in searched.items()}, "")
    jobs.check(JOB_KINDS["TrainingJob"], sample, caller)
    _check_warm_start(request, {*searched, *static})


def space(config: Mapping[str, Any]) -> dict[str, Range]:
    """The ranges of a tuning job by hyperparameter; an ApiError says what is wrong with one."""
    found: dict[str, Range] = {}
    for name, given in _written(config.get("ParameterRanges", {})):
        searched, problems = ranges.read(name, given, "")
        if searched is None:
            raise invalid(f"The range of the hyperparameter [{name}] is invalid: {problems[0].problem}.")
        if name in found:
            raise invalid(f"The hyperparameter [{name}] has two ranges.")
        found[name] = searched
    if not 1 <= len(found) <= _MOST_RANGES:
        raise invalid(f"ParameterRanges must have between 1 and {_MOST_RANGES} hyperparameters, not {len(found)}.")
    return found


def _written(given: Mapping[str, Any]) -> Iterator[tuple[str, list[Any]]]:
    """The ranges of a request in the form that a pipeline's request has them in."""
    if given.get("AutoParameters"):
        raise invalid("The laptop account does not support AutoParameters.")
    for kind, member in ((INTEGER, "IntegerParameterRanges"), (CONTINUOUS, "ContinuousParameterRanges")):
        for one in given.get(member, ()):
            scaling = [one["ScalingType"]] if "ScalingType" in one else []
            yield one["Name"], [kind, [one["MinValue"], one["MaxValue"]], *scaling]
    for one in given.get("CategoricalParameterRanges", ()):
        yield one["Name"], [CATEGORICAL, list(one["Values"])]


def trial_request(
    name: str, definition: Mapping[str, Any], hyperparameters: Mapping[str, str], metric: str
) -> dict[str, Any]:
    """The CreateTrainingJob request of one trial."""
    static = definition.get("StaticHyperParameters", {})
    return {
        "TrainingJobName": name,
        **{member: definition[member] for member in OF_A_TRIAL if member in definition},
        **_resources(definition),
        "HyperParameters": {**static, **hyperparameters, **({OBJECTIVE: metric} if metric else {})},
    }


def _resources(definition: Mapping[str, Any]) -> dict[str, Any]:
    """The instances of a trial where the definition lists those that it may have: the first ones."""
    listed = definition.get("HyperParameterTuningResourceConfig")
    if not listed:
        return {}
    instances = {**listed, **(listed.get("InstanceConfigs") or [{}])[0]}
    members = ("InstanceType", "InstanceCount", "VolumeSizeInGB", "VolumeKmsKeyId")
    return {"ResourceConfig": {member: instances[member] for member in members if member in instances}}


def _check_supported(request: Mapping[str, Any]) -> None:
    for member in _NOT_HERE:
        if member in request:
            raise invalid(f"The laptop account does not support {member}.")
    if "TrainingJobDefinition" not in request:
        raise invalid("You must specify a TrainingJobDefinition.")
    if {"ResourceConfig", "HyperParameterTuningResourceConfig"} <= request["TrainingJobDefinition"].keys():
        raise invalid("A TrainingJobDefinition has a ResourceConfig or a HyperParameterTuningResourceConfig, not both.")
    for member in _NOT_IN_DEFINITION:
        if member in request["TrainingJobDefinition"]:
            raise invalid(f"The laptop account does not support {member} in a TrainingJobDefinition.")


def _check_strategy(config: Mapping[str, Any], searched: Mapping[str, Range], static: Mapping[str, str]) -> None:
    strategy = config["Strategy"]
    if strategy == "Grid" and (others := [name for name, one in searched.items() if one.kind != CATEGORICAL]):
        raise invalid(f"The Grid strategy takes categorical ranges only; [{others[0]}] has another one.")
    if strategy != "Hyperband":
        if "StrategyConfig" in config:
            raise invalid(f"StrategyConfig cannot be used with the strategy {strategy}.")
        return
    if config.get("TrainingJobEarlyStoppingType", "Off") != "Off":
        raise invalid("TrainingJobEarlyStoppingType must be Off for the strategy Hyperband.")
    fewest, most = resources(config, static)
    if most is None:
        raise invalid(f"MaxResource of Hyperband is missing, and none of {', '.join(EPOCHS)} is a static value.")
    if fewest > most:
        raise invalid(f"MinResource [{fewest}] must not be greater than MaxResource [{most}].")


def resources(config: Mapping[str, Any], static: Mapping[str, str]) -> tuple[int, int | None]:
    """The fewest and the most steps that Hyperband gives a trial."""
    given = config.get("StrategyConfig", {}).get("HyperbandStrategyConfig", {})
    epochs = next((int(static[name]) for name in EPOCHS if static.get(name, "").isdecimal()), None)
    return given.get("MinResource", 1), given.get("MaxResource", epochs)


def _check_jobs(config: Mapping[str, Any], searched: Mapping[str, Range]) -> None:
    limits, strategy = config["ResourceLimits"], config["Strategy"]
    wanted = limits.get("MaxNumberOfTrainingJobs")
    possible = combinations(searched)
    if strategy == "Grid":
        if wanted not in (None, possible):
            raise invalid(
                f"MaxNumberOfTrainingJobs [{wanted}] must be the number of combinations of the Grid strategy, "
                f"[{possible}], or absent."
            )
        wanted = possible
    if wanted is None:
        raise invalid(f"MaxNumberOfTrainingJobs is required for the strategy {strategy}.")
    if possible is not None and possible < wanted:
        raise invalid(
            "You don't have enough combinations of hyperparameter ranges. The total number of hyperparameter "
            f"combinations for the provided ranges [{possible}] must be equal or greater than the value of "
            f"MaxNumberOfTrainingJobs, [{wanted}]. Provide additional ranges."
        )
    most = MOST_RANDOM_JOBS if strategy == "Random" else MOST_JOBS
    if wanted > most:
        raise invalid(
            f"The number of training jobs [{wanted}] exceeds the limit of {most} for the strategy {strategy}."
        )
    if limits["MaxParallelTrainingJobs"] > wanted:
        raise invalid(
            f"MaxParallelTrainingJobs [{limits['MaxParallelTrainingJobs']}] must not be greater than "
            f"MaxNumberOfTrainingJobs [{wanted}]."
        )


# --- warm start --------------------------------------------------------------------------------------------


def parents(request: Mapping[str, Any]) -> list[str]:
    """The names of the tuning jobs that a tuning job starts from."""
    given = request.get("WarmStartConfig", {}).get("ParentHyperParameterTuningJobs", ())
    return [one["HyperParameterTuningJobName"] for one in given]


def _check_warm_start(request: Mapping[str, Any], names: set[str]) -> None:
    known = store.table("HyperParameterTuningJob")
    metric = request["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"]
    for name in parents(request):
        parent = known.get(name)
        if parent is None:
            raise invalid(f"Could not find the parent hyperparameter tuning job [{name}].")
        if parent["HyperParameterTuningJobStatus"] in RUNNING:
            raise invalid(f"The parent hyperparameter tuning job [{name}] has not ended.")
        if request["WarmStartConfig"]["WarmStartType"] == "IdenticalDataAndAlgorithm":
            _check_identical(name, parent, request["TrainingJobDefinition"], metric, names)


def _check_identical(
    name: str, parent: Record, definition: Mapping[str, Any], metric: Mapping[str, Any], names: set[str]
) -> None:
    """What the type IdenticalDataAndAlgorithm asks of a parent: the same data, image and objective, as many names."""
    config, theirs = parent["HyperParameterTuningJobConfig"], parent["TrainingJobDefinition"]
    if config["HyperParameterTuningJobObjective"] != metric:
        raise invalid(f"The objective metric must be that of the parent hyperparameter tuning job [{name}].")
    for member in ("InputDataConfig", "AlgorithmSpecification"):
        if theirs.get(member) != definition.get(member):
            raise invalid(f"{member} must be that of the parent hyperparameter tuning job [{name}].")
    count = len({*space(config), *theirs.get("StaticHyperParameters", {})} - {OBJECTIVE})
    if count != len(names - {OBJECTIVE}):
        raise invalid(
            f"The number of static and tuned hyperparameters [{len(names - {OBJECTIVE})}] must be that of the parent "
            f"hyperparameter tuning job [{name}], [{count}]."
        )
