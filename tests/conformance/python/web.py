"""Functions over HTTP: triggers, signed and unsigned calls, asynchronous ones, custom domains."""

import http.client
import json
import urllib.parse

from harness import check, equal, refused
from setting import CODE, ENDPOINT, SERVICE, Tasks, new_client, zip_of
from tasks import wait_final

WEB = "web"
TRIGGER = "http"
DOMAIN = "python.example.com"


def run(client):
    path = zip_of({"web.py": (CODE / "web.py").read_bytes()})
    client.create_function(SERVICE, WEB, "python3", "web.handler", codeZipFile=path)
    create_trigger(client)
    signed_calls(client)
    refused_calls(client)
    asynchronous_call(client)
    update_trigger(client)
    custom_domain(client)
    delete(client)


def create_trigger(client):
    config = {"authType": "function", "methods": ["GET", "POST"]}

    def create(name):
        return client.create_trigger(SERVICE, WEB, name, "http", config, None, None, description="of the client")

    made = create(TRIGGER)
    wanted = {"triggerName": TRIGGER, "triggerType": "http", "description": "of the client"}
    equal("create trigger: answers with it", {key: made.data.get(key) for key in wanted}, wanted)
    equal("create trigger: and with its rules", rules(made), config)
    check("create trigger: has its ID, times and address",
          all(made.data.get(key) for key in ("triggerId", "createdTime", "lastModifiedTime", "urlInternet")), made.data)
    refused("create a trigger twice", 409, "TriggerAlreadyExists", create, TRIGGER)
    refused("create a second HTTP trigger", 409, "TriggerAlreadyExists", create, "another")
    read = client.get_trigger(SERVICE, WEB, TRIGGER)
    equal("get trigger", read.data["triggerId"], made.data["triggerId"])
    equal("list triggers", names(client.list_triggers(SERVICE, WEB)), [TRIGGER])
    equal("list triggers: by prefix", names(client.list_triggers(SERVICE, WEB, prefix="no")), [])
    refused("get an unknown trigger", 404, "TriggerNotFound", client.get_trigger, SERVICE, WEB, "nobody")
    refused("create a trigger without methods", 400, "InvalidArgument", client.create_trigger, SERVICE, WEB, "bad",
            "http", {"authType": "function", "methods": []}, None, None, mentions="methods")


def rules(trigger):
    """What was sent; the server adds what was not said."""
    return {key: trigger.data["triggerConfig"][key] for key in ("authType", "methods")}


def names(listed):
    return [trigger["triggerName"] for trigger in listed.data["triggers"]]


def signed_calls(client):
    answer = client.do_http_request("GET", SERVICE, WEB, "/a%20b/c", params={"z": "1 2", "a": "ü"},
                                    headers={"x-own": "yes"})
    seen = answer.json()
    equal("signed call: status and headers", (answer.status_code, answer.headers["x-answer"]), (200, "yes"))
    equal("signed call: the request ID", seen.pop("requestId"), answer.headers["x-fc-request-id"])
    equal("signed call: what the function sees", seen, {
        "method": "GET", "path": "/a b/c", "query": "z=1+2&a=%C3%BC", "own": "yes", "body": "", "signed": False,
    })
    answer = client.do_http_request("POST", SERVICE, WEB, "", body=b"a body")
    equal("signed call: with a body", (answer.json()["body"], answer.json()["path"]), ("a body", "/"))
    answer = client.do_http_request("POST", SERVICE + ".LATEST", WEB, "/", body=b"")
    equal("signed call: with a qualifier", answer.status_code, 200)
    answer = client.do_http_request("GET", SERVICE, WEB, "/teapot")
    equal("signed call: the function's own status", (answer.status_code, answer.text), (418, "short and stout"))
    # As a GET the library would repeat it.
    answer = client.do_http_request("POST", SERVICE, WEB, "/fail")
    equal("a function that raises: 502, its type of error and its message",
          (answer.status_code, answer.headers["x-fc-error-type"], answer.json()["errorMessage"]),
          (502, "UnhandledInvocationError", "told to fail"))


def refused_calls(client):
    for what, status, code, call in (
            ("a method that is not listed", 403, "AccessDenied",
             lambda: client.do_http_request("PUT", SERVICE, WEB, "/")),
            ("a wrong secret", 403, "SignatureNotMatch",
             lambda: new_client(key_secret="wrong").do_http_request("GET", SERVICE, WEB, "/")),
            ("an unknown key", 403, "InvalidAccessKeyID",
             lambda: new_client(key_id="nobody").do_http_request("GET", SERVICE, WEB, "/")),
            ("an unknown function", 404, "FunctionNotFound",
             lambda: client.do_http_request("GET", SERVICE, "nobody", "/"))):
        answer = call()
        equal("signed call, %s: %d %s" % (what, status, code), (answer.status_code, answer.json()["ErrorCode"]),
              (status, code))
        check("signed call, %s: marked as the platform's" % what,
              answer.headers["x-fc-error-type"] == "FcCommonError", answer.headers)
    status, body = unsigned("/")
    equal("unsigned call: refused", (status, json.loads(body)["ErrorCode"]), (400, "MissingRequiredHeader"))


def unsigned(path, host=None):
    """Status and body of a call without signature, by path or to a host of its own."""
    address = urllib.parse.urlsplit(ENDPOINT).netloc
    connection = http.client.HTTPConnection(address, timeout=30)
    target = path if host else "/2016-08-15/proxy/%s/%s%s" % (SERVICE, WEB, path)
    connection.request("GET", target, headers={"host": host or address})
    answer = connection.getresponse()
    return answer.status, answer.read()


def asynchronous_call(client):
    headers = {"x-fc-invocation-type": "Async", "x-fc-async-task-id": "web-1", "x-own": "later",
               "x-fc-stateful-async-invocation-enable": "true"}
    answer = client.do_http_request("POST", SERVICE, WEB, "/later", headers=headers, params={"q": "1"}, body=b"later")
    equal("asynchronous call: 202 and an empty body", (answer.status_code, answer.content), (202, b""))
    task = wait_final(Tasks(client, WEB), "web-1")
    seen = json.loads(task["returnPayload"])
    equal("asynchronous call: the request ID", seen.pop("requestId"), answer.headers["x-fc-request-id"])
    equal("asynchronous call: what the function sees", seen, {
        "method": "POST", "path": "/later", "query": "q=1", "own": "later", "body": "later", "signed": False,
    })


def update_trigger(client):
    old = client.get_trigger(SERVICE, WEB, TRIGGER).headers["etag"]
    config = {"authType": "anonymous", "methods": ["GET"]}
    changed = client.update_trigger(SERVICE, WEB, TRIGGER, triggerConfig=config)
    equal("update trigger", rules(changed), config)
    equal("get trigger: sees the update", rules(client.get_trigger(SERVICE, WEB, TRIGGER)), config)
    refused("update trigger with an old ETag", 412, "PreconditionFailed", client.update_trigger, SERVICE, WEB, TRIGGER,
            triggerConfig=config, headers={"if-match": old})
    status, body = unsigned("/open?q=1")
    equal("unsigned call: an anonymous trigger answers", (status, json.loads(body)["path"]), (200, "/open"))
    answer = client.do_http_request("POST", SERVICE, WEB, "/")
    equal("a method that is listed no more", answer.status_code, 403)


def custom_domain(client):
    refused("get an unknown custom domain", 404, "DomainNameNotFound", client.get_custom_domain, DOMAIN)
    routes = {"routes": [{"path": "/api/*", "serviceName": SERVICE, "functionName": WEB, "qualifier": "LATEST"}]}
    made = client.create_custom_domain(DOMAIN, protocol="HTTP", routeConfig=routes)
    equal("create custom domain: answers with it", (made.data["domainName"], made.data["protocol"]), (DOMAIN, "HTTP"))
    equal("create custom domain: its route", made.data["routeConfig"]["routes"][0]["path"], "/api/*")
    refused("create a custom domain twice", 409, "DomainNameAlreadyExists", client.create_custom_domain, DOMAIN,
            protocol="HTTP", routeConfig=routes)
    status, body = unsigned("/api/x?q=1", DOMAIN)
    equal("custom domain: leads to the function", (status, json.loads(body)["path"]), (200, "/api/x"))
    status, body = unsigned("/other", DOMAIN)
    equal("custom domain: no route", (status, json.loads(body)["ErrorCode"]), (404, "DomainRouteNotFound"))
    routes["routes"][0]["path"] = "/*"
    client.update_custom_domain(DOMAIN, routeConfig=routes)
    equal("update custom domain", unsigned("/other", DOMAIN)[0], 200)
    listed = client.list_custom_domains(prefix="python.").data["customDomains"]
    equal("list custom domains", [domain["domainName"] for domain in listed], [DOMAIN])
    client.delete_custom_domain(DOMAIN)
    refused("get a deleted custom domain", 404, "DomainNameNotFound", client.get_custom_domain, DOMAIN)


def delete(client):
    client.delete_trigger(SERVICE, WEB, TRIGGER)
    refused("get a deleted trigger", 404, "TriggerNotFound", client.get_trigger, SERVICE, WEB, TRIGGER)
    equal("delete trigger: the address is gone", unsigned("/")[0], 404)
    client.delete_function(SERVICE, WEB)
