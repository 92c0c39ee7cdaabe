# SPDX-License-Identifier: Apache-2.0
"""A training job's configuration files -> what its script gets: variables SM_*, and arguments.

Pure. As sagemaker-training-toolkit's environment.py and mapping.py say it: hyperparameters are decoded from JSON where
they are JSON; those that begin with sagemaker_ are the toolkit's own, all others are the script's.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mlops.local.containers.scripts.home import Home

_TOOLKITS_OWN = (  # others that begin with sagemaker_ are parameters of the framework
    "sagemaker_program",
    "sagemaker_submit_directory",
    "sagemaker_enable_cloudwatch_metrics",
    "sagemaker_region",
    "sagemaker_container_log_level",
    "sagemaker_job_name",
    "sagemaker_s3_output",
    "default_user_module_name",
    "_tuning_objective_metric",
)
_PREFIX = "sagemaker_"


@dataclass(frozen=True)
class Training:
    """A training job, as its container finds it described."""

    home: Home
    hyperparameters: Mapping[str, str]  # input/config/hyperparameters.json
    resources: Mapping[str, Any]  # input/config/resourceconfig.json
    inputs: Mapping[str, Any]  # input/config/inputdataconfig.json
    framework_module: str
    cpus: int
    given: Mapping[str, str]  # the container's environment

    @cached_property
    def _decoded(self) -> dict[str, Any]:
        return {name: decoded(value) for name, value in self.hyperparameters.items()}

    @property
    def program(self) -> str:
        """The script: a file's name in the code folder."""
        return str(self.given.get("SAGEMAKER_PROGRAM") or self._decoded["sagemaker_program"])

    @property
    def submit_directory(self) -> str:
        """Where the code comes from: an archive in S3, or a path."""
        return str(self._decoded.get("sagemaker_submit_directory") or self.home.path("code"))

    @property
    def own(self) -> dict[str, Any]:
        """The script's hyperparameters."""
        return {
            name: value
            for name, value in self._decoded.items()
            if name not in _TOOLKITS_OWN and not name.startswith(_PREFIX)
        }

    @property
    def arguments(self) -> list[str]:
        """`--name value` of each hyperparameter, in the order of their names."""
        pairs = [
            (f"--{name}" if len(name) > 1 else f"-{name}", _as_argument(self.own[name])) for name in sorted(self.own)
        ]
        return self.home.arguments([part for pair in pairs for part in pair])

    def variables(self) -> dict[str, str]:
        """SM_* and the few others that the toolkit sets."""
        described = self._described()
        values = {
            **described,
            "hps": self.own,
            "user_args": self.arguments,
            "channels": sorted(self.inputs),
            "framework_params": described["additional_framework_parameters"],
            "training_env": described,
            **{f"channel_{name}": self.home.path("input", "data", name) for name in self.inputs},
            **{f"hp_{name}": value for name, value in self.own.items()},
        }
        for inside in ("hyperparameters", "channel_input_dirs", "additional_framework_parameters", "job_name"):
            del values[inside]
        variables = {f"SM_{name.upper()}": _as_variable(value) for name, value in values.items()}
        return {
            **self.home.environment(variables),
            "SAGEMAKER_JOB_NAME": str(self._decoded.get("sagemaker_job_name", "")),
            "SAGEMAKER_REGION": str(self._decoded.get("sagemaker_region", self.given.get("AWS_REGION", ""))),
            "CURRENT_HOST": self.resources["current_host"],
        }

    def _described(self) -> dict[str, Any]:
        """What SM_TRAINING_ENV holds."""
        path, decoded_ones = self.home.path, self._decoded
        host, groups = self.resources["current_host"], self.resources["instance_groups"]
        return {
            "hosts": self.resources["hosts"],
            "current_host": host,
            "master_hostname": self.resources["hosts"][0],
            "is_master": host == self.resources["hosts"][0],
            "network_interface_name": self.resources["network_interface_name"],
            "current_instance_type": self.resources["current_instance_type"],
            "current_instance_group": self.resources["current_group_name"],
            "current_instance_group_hosts": self.resources["hosts"],
            "instance_groups": [group["instance_group_name"] for group in groups],
            "instance_groups_dict": {group["instance_group_name"]: group for group in groups},
            "distribution_instance_groups": [],
            "distribution_hosts": [],
            "is_hetero": False,
            "is_modelparallel_enabled": None,
            "hyperparameters": self.own,
            "additional_framework_parameters": {
                name: value
                for name, value in decoded_ones.items()
                if name.startswith(_PREFIX) and name not in _TOOLKITS_OWN
            },
            "resource_config": self.resources,
            "input_data_config": self.inputs,
            "channel_input_dirs": {name: path("input", "data", name) for name in self.inputs},
            "user_entry_point": self.program,
            "module_name": self.program.removesuffix(".py"),
            "module_dir": self.submit_directory,
            "framework_module": self.framework_module,
            "log_level": decoded_ones.get("sagemaker_container_log_level", logging.INFO),
            "input_dir": path("input"),
            "input_config_dir": path("input", "config"),
            "model_dir": path("model"),
            "output_dir": path("output"),
            "output_data_dir": path("output", "data"),
            "output_intermediate_dir": path("output", "intermediate"),
            "num_cpus": self.cpus,
            "num_gpus": 0,
            "job_name": self.given.get("TRAINING_JOB_NAME", ""),
        }


def decoded(value: str) -> Any:
    """A hyperparameter, decoded if it is JSON: the SDK sends "0.5" as 0.5 and "\\"text\\"" as text."""
    try:
        return json.loads(value)
    except ValueError:
        return value


def _as_argument(value: Any) -> str:
    if isinstance(value, dict):
        return ",".join(f"{name}={item}" for name, item in sorted(value.items()))
    return "" if value is None else str(value)


def _as_variable(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, sort_keys=True, separators=(",", ":"))
