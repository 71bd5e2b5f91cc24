"""The demo's work: its first attempt fails, so that a retry can be seen."""
import json


def handler(event, context):
    order = json.loads(event)
    if context.retry_count == 0:
        raise RuntimeError("the printer is out of paper")
    print("printing order", order["order"])
    return {"printed": order["order"], "attempt": context.retry_count + 1}
