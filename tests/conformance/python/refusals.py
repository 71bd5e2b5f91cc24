"""Bad input: each a clear error with the documented code, and the server goes on."""

import email.utils
import os
import time

from harness import equal, refused
from setting import FUNCTION, SERVICE, Tasks, new_client, zip_of
from tasks import submit, wait_final

ASYNC_BYTES_MAX = 131072


def catalog(client):
    refused("get an unknown service", 404, "ServiceNotFound", client.get_service, "no-such-service")
    refused("get an unknown function", 404, "FunctionNotFound", client.get_function, SERVICE, "no-such-function")
    refused("a service name with a blank", 400, "InvalidArgument", client.create_service, "not a name")
    not_zip = zip_of({})
    with open(not_zip, "wb") as file:
        file.write(b"this is no zip file")
    for what, path in (
        ("a package that is no zip", not_zip),
        ("a package with a path that leaves it", zip_of({"../outside.py": "x = 1"})),
        ("a package with an absolute path", zip_of({"/outside.py": "x = 1"})),
    ):
        refused(what, 400, "InvalidArgument", client.create_function,
                SERVICE, "broken", "python3", "index.handler", codeZipFile=path)
    refused("a function that was refused is not there", 404, "FunctionNotFound", client.get_function, SERVICE, "broken")


def run(client):
    targets(client)
    delays(client)
    task_ids(client)
    sizes(client)
    credentials(client)
    equal("after all that, the server goes on", client.invoke_function(SERVICE, FUNCTION, payload=b"a").data, b"a")


def targets(client):
    for headers in ({}, {"x-fc-invocation-type": "Async"}):
        kind = "async" if headers else "sync"
        refused("invoke a function of an unknown service, " + kind, 404, "ServiceNotFound", client.invoke_function,
                "no-such-service", FUNCTION, headers=headers)
        refused("invoke an unknown function, " + kind, 404, "FunctionNotFound", client.invoke_function,
                SERVICE, "no-such-function", headers=headers)
        refused("invoke an unknown version, " + kind, 404, "VersionNotFound", client.invoke_function,
                SERVICE, FUNCTION, headers=headers, qualifier="7")
        refused("invoke an unknown alias, " + kind, 404, "AliasNotFound", client.invoke_function,
                SERVICE, FUNCTION, headers=headers, qualifier="nobody")
    refused("an unknown invocation type", 400, "InvalidArgument", client.invoke_function,
            SERVICE, FUNCTION, headers={"x-fc-invocation-type": "Later"}, mentions="x-fc-invocation-type")
    tasks = Tasks(client)
    refused("get an unknown task", 404, "StatefulAsyncInvocationNotFound", tasks.get, "no-such-task")
    refused("stop an unknown task", 404, "StatefulAsyncInvocationNotFound", tasks.stop, "no-such-task")


def delays(client):
    tasks = Tasks(client)
    for number, delay in enumerate(("-1", "3601", "1.5", "x")):
        task_id = "bad-delay-%d" % number
        refused("a delay of " + delay, 400, "InvalidArgument", submit, client, b"", task_id, delay,
                mentions="x-fc-async-delay")
        refused("a refused submission leaves no task", 404, "StatefulAsyncInvocationNotFound", tasks.get, task_id)
    submit(client, b"", "longest-delay", 3600)
    equal("a delay of 3600 is accepted", tasks.get("longest-delay")["status"], "Enqueued")
    tasks.stop("longest-delay")


def task_ids(client):
    for task_id in ("1digit", "-hyphen", "dot.ted", "sla/sh", "a" * 129):
        refused("the task ID %.12s" % task_id, 400, "InvalidArgument", submit, client, b"", task_id,
                mentions="x-fc-stateful-async-invocation-id")
    longest = "_" + "a" * 127
    submit(client, b"", longest)
    equal("a task ID of 128 characters", wait_final(Tasks(client), longest)["status"], "Succeeded")


def sizes(client):
    submit(client, b"x" * ASYNC_BYTES_MAX, "largest-event")
    task = wait_final(Tasks(client), "largest-event")
    equal("an async event of 131072 bytes runs", (task["status"], len(task["invocationPayload"])),
          ("Succeeded", ASYNC_BYTES_MAX))
    refused("an async event of 131073 bytes", 400, "EntityTooLarge", submit, client,
            b"x" * (ASYNC_BYTES_MAX + 1), "too-large-event", mentions=str(ASYNC_BYTES_MAX))


def credentials(client):
    key_id = os.environ["BIDE_ACCESS_KEY_ID"]
    refused("a wrong secret", 403, "SignatureNotMatch", new_client(key_id, "wrong").get_service, SERVICE)
    refused("an unknown key", 403, "InvalidAccessKeyID", new_client("nobody", "wrong").get_service, SERVICE)
    stale = email.utils.formatdate(time.time() - 16 * 60, usegmt=True)
    refused("a date of 16 minutes ago", 403, "AccessDenied", client.get_service, SERVICE, headers={"date": stale})
    fresh = email.utils.formatdate(time.time() - 14 * 60, usegmt=True)
    equal("a date of 14 minutes ago is accepted",
          client.get_service(SERVICE, headers={"date": fresh}).data["serviceName"], SERVICE)
