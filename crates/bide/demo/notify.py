"""The demo's destination: gets a record of each order that was printed."""
import json


def handler(event, context):
    record = json.loads(event)
    print("order of request", record["requestContext"]["requestId"], "is done")
    return record["responsePayload"]
