# SPDX-License-Identifier: Apache-2.0
"""Container images: a generated table, and the questions it answers.

uris.py        framework, version, region and instance type -> the image's URI
"""
