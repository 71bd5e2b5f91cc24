"""The destination: gets one record for each invocation of `report` that has ended, and could store or forward it."""
import json


def handler(event, context):
    record = json.loads(event)
    outcome = record["requestContext"]
    print("request", outcome["requestId"], "ended after", outcome["approximateInvokeCount"], "attempts")
    return record["responsePayload"]
