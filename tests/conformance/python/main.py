"""bide driven by the official Python client, aliyun-fc2, unmodified.

Needs BIDE_ENDPOINT, BIDE_ACCOUNT_ID, BIDE_ACCESS_KEY_ID and BIDE_ACCESS_KEY_SECRET, and a server without our service.
Run it with `cargo xtask conformance python`.
"""

import logging

import catalog
import config
import events
import invoke
import listing
import refusals
import scaling
import setting
import tasks
import timers
import versions
import web


def main():
    # The library logs every refusal as an error; here refusals are wanted.
    logging.disable(logging.CRITICAL)
    client = setting.new_client()
    catalog.create(client)
    refusals.catalog(client)
    invoke.run(client)
    timers.run(client)
    events.run(client)
    config.put_and_read(client)
    tasks.run(client)
    listing.run(client)
    refusals.run(client)
    web.run(client)
    scaling.run(client)
    versions.run(client)
    config.delete(client)
    tasks.without_task_mode(client)
    catalog.delete(client)


main()
