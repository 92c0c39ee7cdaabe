# SPDX-License-Identifier: Apache-2.0
"""The container images that the SDK gives, and the instance types whose volumes it lets a key encrypt.

In:  {"images": [{argument of `retrieve`: value}, ...], "instance_types": [...]}
Out: {"images": [URI, or null where the SDK refuses, ...], "takes_key": [true or false, ...]}
"""

import json
import logging
import sys
from functools import cache

from sagemaker.core import image_uris

logging.getLogger("sagemaker").setLevel(logging.ERROR)
# The SDK reads its files anew for every question; here it remembers them.
image_uris.config_for_framework = cache(image_uris.config_for_framework)
image_uris.utils._botocore_resolver = cache(image_uris.utils._botocore_resolver)


def image(question):
    try:
        return image_uris.retrieve(**question)
    except (ValueError, KeyError, AttributeError):
        return None


given = json.load(sys.stdin)
answer = {
    "images": [image(question) for question in given["images"]],
    "takes_key": [image_uris.utils.instance_supports_kms(one) for one in given["instance_types"]],
}
json.dump(answer, sys.stdout)
