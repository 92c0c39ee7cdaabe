# SPDX-License-Identifier: Apache-2.0
"""`python -m mlops.local` starts the account on your laptop."""

import sys

from mlops.local.server import main

sys.exit(main())
