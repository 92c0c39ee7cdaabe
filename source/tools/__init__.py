# SPDX-License-Identifier: Apache-2.0
"""For developers, not installed: `make bench`, `make docs`, `make image-uris`, `make hyperparameters`.

bench/              measures what docs/performance.md promises
docs/               renews what the documentation repeats from the code
image_uris.py       the table of container images, from the SageMaker SDK's data
hyperparameters.py  the table of what the built-in algorithms take, from the SageMaker SDK's data
"""
