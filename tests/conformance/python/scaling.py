"""How a function is run: its settings, a custom runtime, instances that are kept ready, the cap of the others."""

import zipfile

from harness import check, equal, refused, wait_for
from setting import FUNCTION, SERVICE, zip_of

RESOURCE = "services/%s.LATEST/functions/%s" % (SERVICE, FUNCTION)
SERVER = """#!/usr/bin/env python3
import http.server, os
class Server(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = b"served on " + os.environ["FC_SERVER_PORT"].encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.HTTPServer(("0.0.0.0", 8099), Server).serve_forever()
"""


def run(client):
    settings(client)
    custom_runtime(client)
    provision(client)
    on_demand(client)


def settings(client):
    path = zip_of({"index.py": "ready = []\ndef initialize(context):\n    ready.append('ready')\n"
                               "def handler(event, context):\n    return ready[0]\n"})
    wanted = {"initializer": "index.initialize", "initializationTimeout": 20, "instanceConcurrency": 5}
    made = client.create_function(SERVICE, "settings", "python3", "index.handler", codeZipFile=path, instanceType="e1",
                                  **wanted).data
    equal("create function: initializer and concurrency", {key: made.get(key) for key in wanted}, wanted)
    equal("the initializer ran", client.invoke_function(SERVICE, "settings").data, b"ready")
    changed = client.update_function(SERVICE, "settings", instanceConcurrency=1).data
    equal("update function: its concurrency", (changed["instanceConcurrency"], changed["initializer"]),
          (1, "index.initialize"))
    refused("update function: a concurrency of 201", 400, "InvalidArgument", client.update_function, SERVICE,
            "settings", instanceConcurrency=201, mentions="instanceConcurrency")
    client.delete_function(SERVICE, "settings")


def custom_runtime(client):
    bootstrap = zipfile.ZipInfo("bootstrap")
    bootstrap.external_attr = 0o755 << 16
    path = zip_of({bootstrap: SERVER})
    made = client.create_function(SERVICE, "server", "custom", "of.no.meaning", codeZipFile=path, caPort=8099).data
    equal("create function: a custom runtime on its port", (made["runtime"], made["caPort"]), ("custom", 8099))
    equal("a custom runtime answers", client.invoke_function(SERVICE, "server").data, b"served on 8099")
    client.delete_function(SERVICE, "server")


def provision(client):
    refused("get a provision config that was never put", 404, "ProvisionConfigNotFound", client.get_provision_config,
            SERVICE, "LATEST", FUNCTION)
    put = client.put_provision_config(SERVICE, "LATEST", FUNCTION, 1).data
    check("put provision config: answers with it", put["target"] == 1 and FUNCTION in put["resource"], put)

    def current():
        config = client.get_provision_config(SERVICE, "LATEST", FUNCTION).data
        return config if config["current"] == 1 else None

    equal("get provision config: the instance is ready", wait_for("an instance", current)["target"], 1)
    listed = client.list_provision_configs(SERVICE, "LATEST").data["provisionConfigs"]
    equal("list provision configs", [(config["target"], config["current"]) for config in listed], [(1, 1)])
    listed = client.list_instances(SERVICE, "LATEST", FUNCTION).data["instances"]
    check("list instances", listed and all(instance["instanceId"] for instance in listed), listed)
    refused("delete a function with provisioned instances", 409, "ProvisionConfigExist", client.delete_function,
            SERVICE, FUNCTION)
    client.put_provision_config(SERVICE, "LATEST", FUNCTION, 0)
    refused("put provision config: target 0 takes it away", 404, "ProvisionConfigNotFound",
            client.get_provision_config, SERVICE, "LATEST", FUNCTION)


def on_demand(client):
    refused("get an on-demand config that was never put", 404, "OnDemandConfigNotFound", client.get_on_demand_config,
            SERVICE, "LATEST", FUNCTION)
    put = client.put_on_demand_config(SERVICE, "LATEST", FUNCTION, 0).data
    equal("put on-demand config: answers with it", (put["resource"], put["maximumInstanceCount"]), (RESOURCE, 0))
    refused("no instance is allowed", 429, "ResourceExhausted", client.invoke_function, SERVICE, FUNCTION)
    client.put_on_demand_config(SERVICE, "LATEST", FUNCTION, 3)
    equal("get on-demand config",
          client.get_on_demand_config(SERVICE, "LATEST", FUNCTION).data["maximumInstanceCount"], 3)
    listed = client.list_on_demand_config(prefix="services/" + SERVICE).data["configs"]
    equal("list on-demand configs", [config["resource"] for config in listed], [RESOURCE])
    equal("one instance is allowed", client.invoke_function(SERVICE, FUNCTION, b"a").data, b"a")
    client.delete_on_demand_config(SERVICE, "LATEST", FUNCTION)
    refused("get a deleted on-demand config", 404, "OnDemandConfigNotFound", client.get_on_demand_config, SERVICE,
            "LATEST", FUNCTION)
