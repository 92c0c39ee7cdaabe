# SPDX-License-Identifier: Apache-2.0
"""Model cards as a client of the SDK writes, changes, reads and exports them.

In:  {"name": ..., "content": a content with every key that the SDK's types have, "bucket": ...}
Out: {"content": the content as the SDK's types write it, "described": the same read back, "latest": the version after
      a change, "status": ..., "versions": [...], "exported": URI, "names": all cards}
"""

import json
import sys
import time

from sagemaker.core.resources import ModelCard, ModelCardExportJob
from sagemaker.core.shapes import ModelCardExportOutputConfig
from sagemaker.core.shapes.model_card_shapes import ModelCardContent

given = json.load(sys.stdin)
name = given["name"]
content = ModelCardContent.model_validate(given["content"]).model_dump_json(exclude_none=True)

card = ModelCard.create(model_card_name=name, content=content, model_card_status="Draft")
described = json.loads(card.content)
card.update(model_card_status="Approved")
card.update(content=json.dumps({**described, "business_details": {"line_of_business": "another"}}))
latest = ModelCard.get(model_card_name=name)

job = ModelCardExportJob.create(
    model_card_name=name,
    model_card_export_job_name="export",
    output_config=ModelCardExportOutputConfig(s3_output_path=f"s3://{given['bucket']}/exports"),
)
for _ in range(200):
    job.refresh()
    if job.status != "InProgress":
        break
    time.sleep(0.1)

answer = {
    "content": json.loads(content),
    "described": described,
    "latest": latest.model_card_version,
    "status": latest.model_card_status,
    "versions": sorted(one.model_card_version for one in card.get_all_versions()),
    "exported": job.export_artifacts.s3_export_artifacts,
    "names": [one.model_card_name for one in ModelCard.get_all(name_contains=name)],
}
card.delete()
json.dump(answer, sys.stdout)
