# SPDX-License-Identifier: Apache-2.0
"""How requests arrive: bytes in, a response out.

http.py        the API's routes, without Chalice
"""
