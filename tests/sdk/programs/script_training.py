# SPDX-License-Identifier: Apache-2.0
"""A script trains as a client of the SDK starts it, with ModelTrainer.

In:  {"image": ..., "role": ..., "bucket": ..., "data": URI, "source": a folder with train.py, "hyperparameters": {...}}
Out: the name of the training job
"""

import json
import sys

from sagemaker.core.helper.session_helper import Session
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, InputData, SourceCode

given = json.load(sys.stdin)
trainer = ModelTrainer(
    training_image=given["image"],
    source_code=SourceCode(source_dir=given["source"], entry_script="train.py"),
    compute=Compute(instance_type="ml.m5.large", instance_count=1),
    role=given["role"],
    hyperparameters=given["hyperparameters"],
    base_job_name="sdk",
    sagemaker_session=Session(default_bucket=given["bucket"]),  # its default's name is asked of AWS itself
)
trainer.train(input_data_config=[InputData(channel_name="train", data_source=given["data"])], wait=False, logs=False)
print(json.dumps(trainer._latest_training_job.training_job_name))
