"""Synchronous invocations: results, errors, logs, and what the function sees."""

import base64
import json

import fc2
from harness import check, equal, fail
from setting import ACCOUNT, FUNCTION, SERVICE

REPLY_HEADERS = (
    "x-fc-request-id", "x-fc-invocation-duration", "x-fc-max-memory-usage", "x-fc-instance-id",
    "x-fc-code-checksum",
)


def run(client):
    echo(client)
    context(client)
    logs(client)
    failures(client)
    new_code(client)


def order(client, headers=None, **fields):
    return client.invoke_function(SERVICE, FUNCTION, payload=json.dumps(fields), headers=headers or {})


def echo(client):
    answer = client.invoke_function(SERVICE, FUNCTION, payload=b'{"n":1}')
    equal("invoke: returns the result", answer.data, b'{"n":1}')
    for name in REPLY_HEADERS:
        check("invoke: answers with " + name, answer.headers.get(name), dict(answer.headers))
    equal("invoke: names the version that ran", answer.headers["x-fc-invocation-service-version"], "LATEST")
    check("invoke: no log unless asked for", "x-fc-log-result" not in answer.headers, dict(answer.headers))
    every_byte = bytes(range(256))
    equal("invoke: any bytes pass unchanged",
          client.invoke_function(SERVICE, FUNCTION, payload=every_byte).data, every_byte)
    equal("invoke: no event at all", client.invoke_function(SERVICE, FUNCTION).data, b"")
    large = b"x" * (4 << 20)
    equal("invoke: an event of 4 MiB", client.invoke_function(SERVICE, FUNCTION, payload=large).data, large)
    equal("invoke: with a qualifier",
          client.invoke_function(SERVICE, FUNCTION, payload=b"a", qualifier="LATEST").data, b"a")


def context(client):
    answer = order(client, do="describe")
    wanted = {
        "requestId": answer.headers["x-fc-request-id"], "accountId": ACCOUNT, "service": SERVICE,
        "qualifier": "LATEST", "function": FUNCTION, "handler": "index.handler", "memory": 256, "timeout": 50,
        "retryCount": 0,
    }
    equal("context: says who runs what", json.loads(answer.data), wanted)
    equal("environment: has the function's variables", order(client, do="environment", name="GREETING").data,
          b"hello")


def logs(client):
    answer = order(client, {"x-fc-log-type": "Tail"}, do="log", line="a line of the log")
    tail = base64.b64decode(answer.headers["x-fc-log-result"]).decode()
    check("log tail: has what was printed", "a line of the log" in tail, tail)
    check("log tail: names the request", answer.headers["x-fc-request-id"] in tail, tail)
    answer = order(client, {"x-fc-log-type": "Tail"}, do="log", line="y" * 10000 + " end")
    tail = base64.b64decode(answer.headers["x-fc-log-result"])
    check("log tail: is at most 4 KB", len(tail) <= 4096, len(tail))


def function_error(what, call, *arguments, **fields):
    """A failed run has status 200; the library raises all the same, with the function's error as message."""
    try:
        answer = call(*arguments, **fields)
    except fc2.FcError as error:
        equal(what + ": status 200, no platform code", (error.status_code, error.err_code), (200, ""))
        return json.loads(error.message)
    return fail(what + ": must raise", answer.data)


def failures(client):
    error = function_error("a function that raises", order, client, do="fail")
    equal("a function that raises: its message", error["errorMessage"], "told to fail, retry 0")
    equal("a function that raises: its type", error["errorType"], "ValueError")
    check("a function that raises: its stack", isinstance(error["stackTrace"], list) and error["stackTrace"], error)
    error = function_error("a function whose process ends", order, client, do="exit")
    check("a function whose process ends: says so", "process exited unexpectedly" in error["errorMessage"].lower(),
          error)
    client.update_function(SERVICE, FUNCTION, timeout=1)
    error = function_error("a function that takes too long", order, client, do="sleep", seconds=30)
    check("a function that takes too long: says so", "timed out after 1 second" in error["errorMessage"].lower(), error)
    client.update_function(SERVICE, FUNCTION, timeout=50, handler="index.missing")
    error = function_error("a handler that does not exist", order, client, do="fail")
    check("a handler that does not exist: is named", "missing" in error["errorMessage"], error)
    client.update_function(SERVICE, FUNCTION, handler="index.handler")
    equal("after all that, the function still answers", order(client, do="other").data, b'{"do": "other"}')


def new_code(client):
    client.update_function(SERVICE, FUNCTION, environmentVariables={"GREETING": "hello again"})
    equal("update function: the next call sees the new environment",
          order(client, do="environment", name="GREETING").data, b"hello again")
