"""Triggers of types eventbridge and oss: create, get, update, list, delete."""

from harness import equal, refused
from setting import FUNCTION, SERVICE

PATTERN = '{"source":["acs.shop"],"type":[{"prefix":"order."}]}'
BUS = {
    "triggerEnable": True, "asyncInvocationType": True, "eventRuleFilterPattern": PATTERN,
    "eventSourceConfig": {"eventSourceType": "Default"},
}
OSS = {"events": ["oss:ObjectCreated:*"], "filter": {"key": {"prefix": "in/", "suffix": ".png"}}}
BUCKET = "acs:oss:local::pictures"


def run(client):
    for kind, config, source, change, wanted in [
        ("eventbridge", BUS, "", {"triggerEnable": False}, dict(BUS, triggerEnable=False)),
        ("oss", OSS, BUCKET, {"filter": {"key": {"prefix": "out/"}}},
         dict(OSS, filter={"key": {"prefix": "out/", "suffix": ".png"}})),
    ]:
        made = client.create_trigger(SERVICE, FUNCTION, kind, kind, config, source, "").data
        equal(f"create {kind}: answers with it",
              [made["triggerType"], made["triggerConfig"], made["sourceArn"]], [kind, config, source])
        equal(f"get {kind}", client.get_trigger(SERVICE, FUNCTION, kind).data, made)
        changed = client.update_trigger(SERVICE, FUNCTION, kind, triggerConfig=change).data
        equal(f"update {kind}: changes what it names", changed["triggerConfig"], wanted)
        listed = client.list_triggers(SERVICE, FUNCTION, prefix=kind).data["triggers"]
        equal(f"list {kind}: sees the update", [found["triggerConfig"] for found in listed], [wanted])
        client.delete_trigger(SERVICE, FUNCTION, kind)
        refused(f"get a deleted {kind}", 404, "TriggerNotFound", client.get_trigger, SERVICE, FUNCTION, kind)
    refused("create oss for an event that never comes", 400, "InvalidArgument", client.create_trigger,
            SERVICE, FUNCTION, "other", "oss", dict(OSS, events=["oss:ObjectCreated:AppendObject"]), BUCKET, "",
            mentions="AppendObject")
