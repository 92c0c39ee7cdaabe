# SPDX-License-Identifier: Apache-2.0
"""Uploads a build: the main template to BUCKET, the files it refers to to BUCKET-<region>.

BUCKET is shared by all regions. It stays in the region where it was created; the template's URL is in that region.
"""

from __future__ import annotations

from pathlib import Path

import boto3

from mlops.deploy import archive, buckets
from mlops.deploy.buckets import Bucket
from mlops.deploy.errors import InstallError

MAIN_TEMPLATE = "mlops-orchestrator-single-account.template"
GLOBAL_ASSETS = "global-s3-assets"
REGIONAL_ASSETS = "regional-s3-assets"
_CONTENT_TYPES = {".zip": "application/zip", ".yaml": "application/yaml", ".json": "application/json"}


def upload(
    session: boto3.Session, assets_dir: Path, bucket: str, solution: str, version: str, *, create: bool = False
) -> str:
    """Upload a build and return the URL of its main template. Unchanged files are not uploaded.

    With `create`, the two distribution buckets are created if they are missing. A session is anything that has
    `client(service, **options)` and `region_name`.
    """
    if not (assets_dir / GLOBAL_ASSETS / MAIN_TEMPLATE).is_file():
        raise InstallError(f"No build found in {assets_dir}: run deployment/build-s3-dist.sh first")
    owner = session.client("sts").get_caller_identity()["Account"]
    # The template is uploaded last, after the files it refers to.
    regional = _bucket(session, f"{bucket}-{session.region_name}", owner, create)
    if regional.region != session.region_name:
        raise InstallError(
            f"The bucket {regional.name} is in {regional.region}, but Lambda requires a bucket in its own region. "
            f"Delete the bucket, or use another name than {bucket}"
        )
    main = _bucket(session, bucket, owner, create)
    for folder, target in ((REGIONAL_ASSETS, regional), (GLOBAL_ASSETS, main)):
        for name, data in archive.read_folder(assets_dir / folder).items():
            content_type = _CONTENT_TYPES.get(Path(name).suffix, "application/octet-stream")
            target.put(f"{solution}/{version}/{name}", data, content_type)
    return main.url(f"{solution}/{version}/{MAIN_TEMPLATE}")


def _bucket(session: boto3.Session, name: str, owner: str, create: bool) -> Bucket:
    found = buckets.find_or_create(session, name, owner) if create else buckets.find(session, name, owner)
    if found is None:
        raise InstallError(f"The bucket {name} does not exist")
    return found
