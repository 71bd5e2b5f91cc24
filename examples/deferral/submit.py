"""Submits a deferred task and waits for its result at the destination, over nothing but HTTP.

The server is told by BIDE_ENDPOINT, BIDE_ACCOUNT_ID, BIDE_ACCESS_KEY_ID and BIDE_ACCESS_KEY_SECRET. The functions
demo/report and demo/results must be there (see examples/README.md). Any client of the 2016-08-15 API does the same; this
one shows what goes over the wire.
"""
import base64
import hashlib
import hmac
import json
import os
import time
import urllib.request
from email.utils import formatdate
from urllib.parse import unquote

ENDPOINT = os.environ.get("BIDE_ENDPOINT", "http://127.0.0.1:8700")
ACCOUNT = os.environ["BIDE_ACCOUNT_ID"]
FUNCTIONS = "/2016-08-15/services/demo/functions"
DELAY_SECONDS = 2
PATIENCE_SECONDS = 60


def call(method, path, body=None, **fc_headers):
    """Signs and sends a request: HMAC-SHA256 over method, date, x-fc headers and path."""
    date = formatdate(usegmt=True)
    headers = {name.replace("_", "-"): str(value) for name, value in fc_headers.items()}
    canonical = "".join("%s:%s\n" % pair for pair in sorted(headers.items()))
    text = "\n".join([method, "", "application/json", date, canonical + unquote(path.split("?")[0])])
    secret = os.environ["BIDE_ACCESS_KEY_SECRET"].encode()
    signature = base64.b64encode(hmac.digest(secret, text.encode(), hashlib.sha256)).decode()
    headers["Authorization"] = "FC %s:%s" % (os.environ["BIDE_ACCESS_KEY_ID"], signature)
    headers.update({"Date": date, "Content-Type": "application/json"})
    request = urllib.request.Request(ENDPOINT + path, body, headers, method=method)
    with urllib.request.urlopen(request) as response:
        return response.read()


def wait_for(what, look):
    """Asks until there is an answer."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        found = look()
        if found is not None:
            return found
        time.sleep(0.2)
    raise SystemExit("not within %d seconds: %s" % (PATIENCE_SECONDS, what))


def settled(function, task_id):
    """The record of a task, once it has ended."""
    task = json.loads(call("GET", "%s/%s/stateful-async-invocations/%s" % (FUNCTIONS, function, task_id)))
    return task if task["status"] in ("Succeeded", "Failed", "Stopped", "Expired", "Invalid") else None


def delivered(request_id):
    """The run of the destination that got the record of this request, once it has ended."""
    path = FUNCTIONS + "/results/stateful-async-invocations?includePayload=true&sortOrderByTime=desc&limit=100"
    for task in json.loads(call("GET", path))["invocations"]:
        if json.loads(task["invocationPayload"])["requestContext"]["requestId"] == request_id:
            return settled("results", task["invocationId"])
    return None


def main():
    target = "acs:fc::%s:services/demo.LATEST/functions/results" % ACCOUNT
    call("PUT", FUNCTIONS + "/results/async-invoke-config", json.dumps({"statefulInvocation": True}).encode())
    call("PUT", FUNCTIONS + "/report/async-invoke-config", json.dumps({
        "statefulInvocation": True,
        "maxAsyncRetryAttempts": 2,
        "destinationConfig": {"onSuccess": {"destination": target}, "onFailure": {"destination": target}},
    }).encode())

    task_id = "report-%d" % time.time_ns()
    call("POST", FUNCTIONS + "/report/invocations", b"three little words", x_fc_invocation_type="Async",
         x_fc_async_delay=DELAY_SECONDS, x_fc_stateful_async_invocation_id=task_id)
    print("accepted", task_id, "to run in", DELAY_SECONDS, "seconds")
    task = wait_for("the end of " + task_id, lambda: settled("report", task_id))
    print(task["status"], "after", task["alreadyRetriedTimes"] + 1, "attempts")
    record = wait_for("the record of " + task_id, lambda: delivered(task["requestId"]))
    print("the destination has", record["returnPayload"])


if __name__ == "__main__":
    main()
