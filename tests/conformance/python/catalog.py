"""Services and functions: create, get, update, list, code, delete."""

import re
import urllib.request

from harness import check, equal, refused
from setting import CODE, FUNCTION, SERVICE, SINK, package

RFC3339 = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")


def create(client):
    create_service(client)
    path = package()
    create_functions(client, path)
    read_code(client, path)
    list_functions(client)


def create_service(client):
    made = client.create_service(SERVICE, description="made by aliyun-fc2")
    equal("create service: answers with the service", made.data["serviceName"], SERVICE)
    check("create service: has an ID", made.data.get("serviceId"), made.data)
    check("create service: times are RFC 3339", RFC3339.match(made.data["createdTime"]), made.data)
    equal("get service", client.get_service(SERVICE).data["serviceId"], made.data["serviceId"])
    refused("create service twice", 409, "ServiceAlreadyExists", client.create_service, SERVICE)
    changed = client.update_service(SERVICE, description="changed")
    equal("update service", changed.data["description"], "changed")
    equal("get service: sees the update", client.get_service(SERVICE).data["description"], "changed")
    listed = client.list_services(prefix=SERVICE).data["services"]
    equal("list services: by prefix", [service["serviceName"] for service in listed], [SERVICE])


def create_functions(client, path):
    made = client.create_function(
        SERVICE, FUNCTION, "python3", "index.handler", codeZipFile=path, timeout=60, memorySize=256,
        environmentVariables={"GREETING": "hello"})
    wanted = {
        "functionName": FUNCTION, "runtime": "python3", "handler": "index.handler", "timeout": 60, "memorySize": 256,
        "environmentVariables": {"GREETING": "hello"},
    }
    equal("create function: answers with its settings", {key: made.data.get(key) for key in wanted}, wanted)
    check("create function: has an ID", made.data.get("functionId"), made.data)
    with open(path, "rb") as file:
        content = file.read()
    equal("create function: knows the size of the code", made.data["codeSize"], len(content))
    equal("create function: CRC-64 of the code", made.data["codeChecksum"], str(crc64(content)))
    read = client.get_function(SERVICE, FUNCTION)
    equal("get function", read.data["functionId"], made.data["functionId"])
    equal("get function: with a qualifier",
          client.get_function(SERVICE, FUNCTION, qualifier="LATEST").data["functionId"], made.data["functionId"])
    refused("create function twice", 409, "FunctionAlreadyExists", client.create_function,
            SERVICE, FUNCTION, "python3", "index.handler", codeZipFile=path)
    refused("update function with an old ETag", 412, "PreconditionFailed", client.update_function,
            SERVICE, FUNCTION, description="never", headers={"if-match": "another"})
    changed = client.update_function(SERVICE, FUNCTION, description="changed", timeout=50,
                                     headers={"if-match": read.headers["etag"]})
    equal("update function: changes what it names", (changed.data["description"], changed.data["timeout"]),
          ("changed", 50))
    equal("update function: keeps the rest", changed.data["memorySize"], 256)
    client.create_function(SERVICE, SINK, "python3", "index.handler", codeDir=str(CODE))


def read_code(client, path):
    code = client.get_function_code(SERVICE, FUNCTION).data
    equal("get code: checksum", code["checksum"], client.get_function(SERVICE, FUNCTION).data["codeChecksum"])
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(code["url"]) as answer, open(path, "rb") as file:
        equal("get code: the URL gives the package", answer.read(), file.read())


def list_functions(client):
    def names(page):
        return [function["functionName"] for function in page["functions"]]

    equal("list functions", names(client.list_functions(SERVICE).data), [SINK, FUNCTION])
    equal("list functions: by prefix", names(client.list_functions(SERVICE, prefix="wor").data), [FUNCTION])
    first = client.list_functions(SERVICE, limit=1).data
    equal("list functions: a page", names(first), [SINK])
    second = client.list_functions(SERVICE, limit=1, nextToken=first["nextToken"]).data
    equal("list functions: the next page", names(second), [FUNCTION])
    check("list functions: no token at the end", not second.get("nextToken"), second)


def delete(client):
    refused("delete a service that has functions", 409, "ServiceNotEmpty", client.delete_service, SERVICE)
    for function in (FUNCTION, SINK):
        client.delete_function(SERVICE, function)
        refused("get a deleted function", 404, "FunctionNotFound", client.get_function, SERVICE, function)
    refused("delete a deleted function", 404, "FunctionNotFound", client.delete_function, SERVICE, FUNCTION)
    client.delete_service(SERVICE)
    refused("get a deleted service", 404, "ServiceNotFound", client.get_service, SERVICE)


def crc64(content):
    """CRC-64 of ECMA-182, reflected, as deployment tools compute it."""
    polynomial, ones = 0xC96C5795D7870F42, 0xFFFFFFFFFFFFFFFF
    remainder = ones
    for byte in content:
        remainder ^= byte
        for _ in range(8):
            remainder = (remainder >> 1) ^ (polynomial if remainder & 1 else 0)
    return remainder ^ ones
