"""The function that the Python and Go programs deploy: it does what its event says.

An event that is no order is returned as it is.
"""

import json
import os
import time


def handler(event, context):
    try:
        order = json.loads(event)
    except ValueError:
        return event
    action = order.get("do") if isinstance(order, dict) else None
    if action == "fail":
        raise ValueError("told to fail, retry %d" % context.retry_count)
    if action == "exit":
        os._exit(3)
    if action == "sleep":
        time.sleep(order["seconds"])
        return "slept"
    if action == "log":
        print(order["line"])
        return "logged"
    if action == "environment":
        return os.environ.get(order["name"], "")
    if action == "describe":
        return describe(context)
    return event


def describe(context):
    """The fields of the context that a caller knows too."""
    return {
        "requestId": context.request_id,
        "accountId": context.account_id,
        "service": context.service.name,
        "qualifier": context.service.qualifier,
        "function": context.function.name,
        "handler": context.function.handler,
        "memory": context.function.memory,
        "timeout": context.function.timeout,
        "retryCount": context.retry_count,
    }
