# Does what its event says, {"do": ...}, and notes in the journal what happens to it.
import json
import logging
import os
import sys
import threading
import time

from journal import begun, note


def handler(event, context):
    order = json.loads(event or b"{}")
    note(id="ran")
    return ORDERS[order.get("do", "nothing")](order, context)


def initialize(context):
    note(id="initialize", request=context.request_id)
    if "fail" in os.environ.get("INITIALIZER", "") and begun("initialize") == 1:
        raise RuntimeError("not the first time")
    if "hang" in os.environ.get("INITIALIZER", "") and begun("initialize") == 1:
        time.sleep(1000)


def freeze(context):
    note(id="freeze", request=context.request_id)


def stop(context):
    note(id="stop", request=context.request_id)


def describe(order, context):
    if order.get("fails_first") and context.retry_count == 0:
        raise RuntimeError("not the first time")
    return {
        "requestId": context.request_id, "retryCount": context.retry_count, "taskId": context.task_id,
        "function": [context.function.name, context.function.handler, context.function.memory, context.function.timeout],
        "service": [context.service.name, context.service.qualifier, context.service.version_id],
        "logs": [context.service.log_project, context.service.log_store],
        "region": context.region, "accountId": context.account_id,
        "credentials": [context.credentials.access_key_id, context.credentials.access_key_secret,
                        context.credentials.security_token],
        "tracing": [context.tracing.span_context, context.tracing.span_baggages, context.tracing.jaeger_endpoint],
    }


def log(order, context):
    print("printed")
    sys.stderr.write("on stderr\n")
    logging.getLogger().debug("not shown")
    logging.getLogger("a.module").info("info %d", 1)
    context.logger.warning("warning")
    thread = threading.Thread(target=lambda: context.logger.error("of a thread"))
    thread.start()
    thread.join()


def fill(order, context):
    memory = bytearray(400 << 20)
    memory[::4096] = b"1" * len(memory[::4096])
    time.sleep(1000)


ORDERS = {
    "nothing": lambda order, context: "done",
    "describe": describe,
    "environment": lambda order, context: dict(os.environ),
    "log": log,
    "hang": lambda order, context: time.sleep(1000),
    "exit": lambda order, context: os._exit(3),
    "kill": lambda order, context: os.kill(os.getpid(), 9),
    "fill": fill,
    "layer": lambda order, context: __import__("shared").WORD + open("/opt/data").read(),
}
