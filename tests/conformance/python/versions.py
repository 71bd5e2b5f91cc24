"""Versions and aliases: publish, list, delete, weights, and calls, configurations and tasks that name them."""

from harness import equal, refused
from setting import FUNCTION, SERVICE


def run(client):
    publish(client)
    aliases(client)
    calls(client)
    remove(client)


def publish(client):
    before = client.get_function(SERVICE, FUNCTION).data["description"]
    first = client.publish_version(SERVICE, description="first").data
    equal("publish: answers with the version", (first["versionId"], first["description"]), ("1", "first"))
    client.update_function(SERVICE, FUNCTION, description="after version 1")
    equal("publish again: the next number", client.publish_version(SERVICE).data["versionId"], "2")
    seen = [client.get_function(SERVICE, FUNCTION, qualifier=version).data["description"] for version in ("1", "2")]
    equal("get function: of a version, as it was published", seen, [before, "after version 1"])
    page = client.list_versions(SERVICE, limit=1).data
    equal("list versions: the newest first", [version["versionId"] for version in page["versions"]], ["2"])
    rest = client.list_versions(SERVICE, limit=1, nextToken=page["nextToken"]).data
    equal("list versions: the next page", [version["versionId"] for version in rest["versions"]], ["1"])
    forward = client.list_versions(SERVICE, direction="FORWARD").data["versions"]
    equal("list versions: forward", [version["versionId"] for version in forward], ["1", "2"])
    refused("call a version that does not exist", 404, "VersionNotFound", client.invoke_function,
            SERVICE, FUNCTION, qualifier="9")


def aliases(client):
    refused("an alias of a version that does not exist", 404, "VersionNotFound", client.create_alias,
            SERVICE, "prod", "9")
    made = client.create_alias(SERVICE, "prod", "1", description="main", additionalVersionWeight={"2": 0.25}).data
    wanted = {"aliasName": "prod", "versionId": "1", "description": "main", "additionalVersionWeight": {"2": 0.25}}
    equal("create alias: answers with it", {key: made[key] for key in wanted}, wanted)
    refused("create alias twice", 409, "AliasAlreadyExists", client.create_alias, SERVICE, "prod", "1")
    refused("an alias that names a version twice", 400, "AdditionalVersionContainsMajorVersion",
            client.update_alias, SERVICE, "prod", "1", additionalVersionWeight={"1": 0.5})
    read = client.get_alias(SERVICE, "prod")
    equal("get alias", {key: read.data[key] for key in wanted}, wanted)
    changed = client.update_alias(SERVICE, "prod", "2", additionalVersionWeight={},
                                  headers={"if-match": read.headers["etag"]}).data
    equal("update alias", (changed["versionId"], changed["additionalVersionWeight"]), ("2", {}))
    refused("update alias with an old ETag", 412, "PreconditionFailed", client.update_alias, SERVICE, "prod", "1",
            headers={"if-match": read.headers["etag"]})
    listed = client.list_aliases(SERVICE, prefix="pr").data["aliases"]
    equal("list aliases: by prefix", [alias["aliasName"] for alias in listed], ["prod"])
    refused("delete a version that an alias names", 409, "VersionInUse", client.delete_version, SERVICE, "2")


def calls(client):
    answer = client.invoke_function(SERVICE, FUNCTION, payload=b"x", qualifier="prod")
    equal("call an alias: the version that ran", answer.headers["x-fc-invocation-service-version"], "2")
    made = client.put_function_async_invoke_config(SERVICE, "prod", FUNCTION, {"maxAsyncRetryAttempts": 0}).data
    equal("put configuration of an alias", made["qualifier"], "prod")
    listed = client.list_function_async_invoke_configs(SERVICE, FUNCTION).data["configs"]
    equal("list configurations: of all qualifiers", [found["qualifier"] for found in listed], ["LATEST", "prod"])
    client.delete_function_async_invoke_config(SERVICE, "prod", FUNCTION)


def remove(client):
    refused("delete a service that has versions", 409, "ServiceNotEmpty", client.delete_service, SERVICE)
    client.delete_alias(SERVICE, "prod")
    refused("get a deleted alias", 404, "AliasNotFound", client.get_alias, SERVICE, "prod")
    for version in ("1", "2"):
        client.delete_version(SERVICE, version)
    equal("list versions: none is left", client.list_versions(SERVICE).data["versions"], [])
