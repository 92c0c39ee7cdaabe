# SPDX-License-Identifier: Apache-2.0
"""The process: one port of 127.0.0.1, and the account put together behind it.

server.py          the process: claims a directory, listens, serves until a signal comes
account.py         puts the account together, and reads its state again
request_filter.py  refuses by headers alone: pages of a browser, other host names, ministack's own controls
page.py            what a browser is shown
connections.py     closes a connection when its client has
running.py         the accounts of this user that run, and how to sign for them
"""
