"""Asynchronous invocations in task mode: phases, deferral, duplicates, stop, retries, destinations."""

import json
import time

from config import RETRIES
from harness import check, equal, fail, refused, wait_for
from setting import FINAL, FUNCTION, SERVICE, SINK, Tasks

DELAY_SECONDS = 2
TASK_ID = "x-fc-stateful-async-invocation-id"


def submit(client, payload, task_id=None, delay=None):
    headers = {"x-fc-invocation-type": "Async"}
    if task_id is not None:
        headers[TASK_ID] = task_id
    if delay is not None:
        headers["x-fc-async-delay"] = str(delay)
    return client.invoke_function(SERVICE, FUNCTION, payload=payload, headers=headers)


def wait_final(tasks, task_id):
    def look():
        task = tasks.get(task_id)
        return task if task["status"] in FINAL else None

    return wait_for("task %s ends" % task_id, look)


def statuses(task):
    return [event["status"] for event in task["events"]]


def run(client):
    tasks = Tasks(client)
    deferred(client, tasks)
    immediate(client, tasks)
    duplicate(client, tasks)
    stop_deferred(client, tasks)
    stop_running(client, tasks)
    retries(client, tasks)


def deferred(client, tasks):
    before = time.monotonic()
    accepted = submit(client, b'{"n":1}', "deferred-1", DELAY_SECONDS)
    equal("submit: empty body", accepted.data, b"")
    equal("submit: repeats the task ID", accepted.headers[TASK_ID], "deferred-1")
    request_id = accepted.headers["x-fc-request-id"]
    looks = 0

    def look():
        nonlocal looks
        task = tasks.get("deferred-1")
        if time.monotonic() - before < DELAY_SECONDS:
            looks += 1
            if task["status"] != "Enqueued":
                fail("a deferred task is Enqueued until it is due", task)
        return task if task["status"] in FINAL else None

    task = wait_for("the deferred task ends", look)
    check("a deferred task is Enqueued until it is due", looks > 0, looks)
    equal("a deferred task succeeds", task["status"], "Succeeded")
    equal("events: one per phase", statuses(task), ["Enqueued", "Dequeued", "Running", "Succeeded"])
    equal("events: numbered from 1", [event["eventId"] for event in task["events"]], [1, 2, 3, 4])
    times = [event["timestamp"] for event in task["events"]]
    check("events: in order of time", times == sorted(times), times)
    check("never early: Running only after the delay", times[2] - times[0] >= DELAY_SECONDS * 1000, times)
    record(task, request_id)
    destination_record(client, request_id)


def record(task, request_id):
    wanted = {
        "serviceName": SERVICE, "functionName": FUNCTION, "qualifier": "LATEST", "invocationId": "deferred-1",
        "requestId": request_id, "alreadyRetriedTimes": 0, "invocationPayload": '{"n":1}',
        "invocationErrorMessage": "",
    }
    equal("task: its fields", {key: task.get(key) for key in wanted}, wanted)
    check("task: ends after it started", task["endTime"] >= task["startedTime"] > 0, task)
    check("task: knows its instance", task["instanceId"], task)
    check("task: duration without the delay", 0 <= task["durationMs"] < DELAY_SECONDS * 1000, task)


def received_by_sink(client, request_id):
    """The records about `request_id` that the destination function was invoked with."""
    found = Tasks(client, SINK).list_all(includePayload="true")
    records = [json.loads(task["invocationPayload"]) for task in found]
    return [record for record in records if record["requestContext"]["requestId"] == request_id]


def destination_record(client, request_id):
    records = wait_for("the success destination is invoked", lambda: received_by_sink(client, request_id) or None)
    equal("success destination: one record", len(records), 1)
    arrived = records[0]
    context = arrived["requestContext"]
    equal("success destination: what happened",
          (context["condition"], context["approximateInvokeCount"]), ("", 1))
    check("success destination: which function", "services/" + SERVICE in context["functionArn"], context)
    equal("success destination: payloads are text",
          (arrived["requestPayload"], arrived["responsePayload"]), ('{"n":1}', '{"n":1}'))
    equal("success destination: the answer", arrived["responseContext"], {"statusCode": 200, "functionError": ""})
    check("success destination: a time in milliseconds", isinstance(arrived["timestamp"], int), arrived)

    status = wait_for("the delivery is noted", lambda: Tasks(client).get("deferred-1")["destinationStatus"] or None)
    equal("task: says that the destination has it", status, "Succeeded")


def immediate(client, tasks):
    accepted = submit(client, b"now")
    task_id = accepted.headers[TASK_ID]
    equal("without a task ID the request ID is used", task_id, accepted.headers["x-fc-request-id"])
    equal("an immediate task succeeds", wait_final(tasks, task_id)["status"], "Succeeded")
    equal("a delay of 0 is no delay", submit(client, b"0", "zero-delay", 0).headers[TASK_ID], "zero-delay")
    equal("a task without delay succeeds", wait_final(tasks, "zero-delay")["status"], "Succeeded")


def duplicate(client, tasks):
    submit(client, b"first", "twice")
    refused("the same task ID again", 409, "StatefulAsyncInvocationAlreadyExists", submit, client, b"second", "twice")
    task = wait_final(tasks, "twice")
    equal("the first submission ran, once", (task["invocationPayload"], statuses(task).count("Running")), ("first", 1))
    refused("the same task ID after its end", 409, "StatefulAsyncInvocationAlreadyExists", submit, client, b"", "twice")


def stop_deferred(client, tasks):
    submit(client, b"never", "stopped-early", 3600)
    check("stop: answers with success", tasks.stop("stopped-early").status_code in (200, 204))
    task = wait_final(tasks, "stopped-early")
    equal("stop of a deferred task: Stopped", task["status"], "Stopped")
    check("stop of a deferred task: it never ran", "Running" not in statuses(task), task)
    check("stop of a deferred task: it has an end", task["endTime"] > 0, task)


def stop_running(client, tasks):
    submit(client, json.dumps({"do": "sleep", "seconds": 45}), "stopped-late")
    wait_for("the task runs", lambda: True if tasks.get("stopped-late")["status"] == "Running" else None)
    tasks.stop("stopped-late")
    status = tasks.get("stopped-late")["status"]
    check("stop of a running task: Stopping, then Stopped", status in ("Stopping", "Stopped"), status)
    task = wait_final(tasks, "stopped-late")
    equal("stop of a running task: ends as Stopped", task["status"], "Stopped")
    equal("stop of a running task: its events", statuses(task),
          ["Enqueued", "Dequeued", "Running", "Stopping", "Stopped"])
    equal("after a stop the function still answers",
          client.invoke_function(SERVICE, FUNCTION, payload=b"a").data, b"a")


def retries(client, tasks):
    accepted = submit(client, json.dumps({"do": "fail"}), "fails-always")
    task = wait_final(tasks, "fails-always")
    equal("a task that always fails: Failed", task["status"], "Failed")
    equal("a task that always fails: retries", task["alreadyRetriedTimes"], RETRIES)
    equal("a task that always fails: its events", statuses(task),
          ["Enqueued", "Dequeued"] + ["Running", "Retrying"] * RETRIES + ["Running", "Failed"])
    check("a task that always fails: names the error",
          "UnhandledInvocationError" in task["invocationErrorMessage"], task)
    request_id = accepted.headers["x-fc-request-id"]
    records = wait_for("the failure destination is invoked", lambda: received_by_sink(client, request_id) or None)
    equal("failure destination: one record", len(records), 1)
    context, answer = records[0]["requestContext"], records[0]["responseContext"]
    equal("failure destination: what happened",
          (context["condition"], context["approximateInvokeCount"], answer["functionError"]),
          ("UnhandledInvocationError", 1 + RETRIES, "UnhandledInvocationError"))
    equal("failure destination: the last run knew its number",
          json.loads(records[0]["responsePayload"])["errorMessage"], "told to fail, retry %d" % RETRIES)


def without_task_mode(client):
    accepted = submit(client, b"plain", "ignored")
    check("without task mode: no task ID", TASK_ID not in accepted.headers, dict(accepted.headers))
    tasks = Tasks(client)
    for task_id in ("ignored", accepted.headers["x-fc-request-id"]):
        refused("without task mode: no record", 404, "StatefulAsyncInvocationNotFound", tasks.get, task_id)
