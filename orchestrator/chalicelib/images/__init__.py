# SPDX-License-Identifier: Apache-2.0
"""Generated tables of what SageMaker has, and the questions they answer.

uris.py        container images: framework, version, region and instance type -> the image's URI
instances.py   families of instance types: instance type -> processor, accelerator, storage
"""
