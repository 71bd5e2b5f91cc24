"""Asynchronous invocation configurations: put, get, list, delete."""

from harness import check, equal, refused
from setting import FUNCTION, SERVICE, SINK, function_arn

RETRIES = 2
# What stands for them is in the settings of the server under test.
RESOURCES = (
    "acs:mns:::/queues/results/messages",
    "acs:mns:::/topics/results/messages",
    "acs:eventbridge:::eventbus/results",
    "acs:mq:::/instances/MQ_INST_1/topics/results",
)


def put_and_read(client):
    refused("get a configuration that was never put", 404, "AsyncConfigNotExists",
            client.get_function_async_invoke_config, SERVICE, "LATEST", FUNCTION)
    put(client)
    # Fields that are left out keep their value.
    changed = client.put_function_async_invoke_config(
        SERVICE, "LATEST", FUNCTION, {"maxAsyncEventAgeInSeconds": 7200}).data
    equal("put configuration again: changes only what it names",
          (changed["maxAsyncEventAgeInSeconds"], changed["maxAsyncRetryAttempts"], changed["statefulInvocation"]),
          (7200, RETRIES, True))
    client.put_function_async_invoke_config(SERVICE, "LATEST", SINK, {"statefulInvocation": True})
    put_resources(client)
    listed = client.list_function_async_invoke_configs(SERVICE, FUNCTION).data
    equal("list configurations", [found["qualifier"] for found in listed["configs"]], ["LATEST"])
    for field, value in (("maxAsyncRetryAttempts", 9), ("maxAsyncRetryAttempts", -1),
                         ("maxAsyncEventAgeInSeconds", 0), ("statefulInvocation", "yes")):
        refused("put configuration with %s %r" % (field, value), 400, "InvalidArgument",
                client.put_function_async_invoke_config, SERVICE, "LATEST", FUNCTION, {field: value},
                mentions=field)


def put(client):
    destinations = {
        "onSuccess": {"destination": function_arn(SINK)},
        "onFailure": {"destination": function_arn(SINK)},
    }
    made = client.put_function_async_invoke_config(SERVICE, "LATEST", FUNCTION, {
        "maxAsyncRetryAttempts": RETRIES, "maxAsyncEventAgeInSeconds": 3700, "statefulInvocation": True,
        "destinationConfig": destinations,
    }).data
    wanted = {
        "service": SERVICE, "function": FUNCTION, "qualifier": "LATEST", "maxAsyncRetryAttempts": RETRIES,
        "maxAsyncEventAgeInSeconds": 3700, "statefulInvocation": True, "destinationConfig": destinations,
    }
    equal("put configuration: answers with it", {key: made.get(key) for key in wanted}, wanted)
    check("put configuration: has its times", made.get("createdTime") and made.get("lastModifiedTime"), made)
    read = client.get_function_async_invoke_config(SERVICE, "LATEST", FUNCTION).data
    equal("get configuration", {key: read.get(key) for key in wanted}, wanted)


def put_resources(client):
    def put_failure(resource):
        config = {"destinationConfig": {"onFailure": {"destination": resource}}}
        return client.put_function_async_invoke_config(SERVICE, "LATEST", SINK, config).data

    for resource in RESOURCES:
        put_failure(resource)
        read = client.get_function_async_invoke_config(SERVICE, "LATEST", SINK).data
        equal("put configuration with " + resource, read["destinationConfig"]["onFailure"]["destination"], resource)
    refused("put configuration with a queue that nothing stands for", 400, "InvalidArgument", put_failure,
            "acs:mns:::/queues/elsewhere/messages", mentions="[[destinations]]")
    equal("put configuration without a destination again", put_failure("")["destinationConfig"], {})


def delete(client):
    client.delete_function_async_invoke_config(SERVICE, "LATEST", FUNCTION)
    refused("get a deleted configuration", 404, "AsyncConfigNotExists",
            client.get_function_async_invoke_config, SERVICE, "LATEST", FUNCTION)
    listed = client.list_function_async_invoke_configs(SERVICE, FUNCTION).data
    equal("list configurations: it is gone", listed["configs"], [])
