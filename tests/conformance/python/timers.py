"""Triggers of type timer: create, get, update, list, delete."""

from harness import check, equal, refused
from setting import FUNCTION, SERVICE

TRIGGER = "nightly"
CONFIG = {"cronExpression": "CRON_TZ=Asia/Shanghai 0 30 2 * * MON-FRI", "payload": "any text", "enable": True}


def run(client):
    made = client.create_trigger(SERVICE, FUNCTION, TRIGGER, "timer", CONFIG, None, None, description="made").data
    wanted = {
        "triggerName": TRIGGER, "triggerType": "timer", "triggerConfig": CONFIG, "qualifier": "LATEST",
        "description": "made",
    }
    equal("create timer: answers with it", {key: made.get(key) for key in wanted}, wanted)
    check("create timer: has an ID and its times", made.get("triggerId") and made.get("createdTime"), made)
    equal("get timer", client.get_trigger(SERVICE, FUNCTION, TRIGGER).data, made)
    refused("create timer twice", 409, "TriggerAlreadyExists", client.create_trigger,
            SERVICE, FUNCTION, TRIGGER, "timer", CONFIG, None, None)
    refused("create timer that fires every second", 400, "InvalidArgument", client.create_trigger,
            SERVICE, FUNCTION, "other", "timer", dict(CONFIG, cronExpression="* * * * * *"), None, None,
            mentions="cronExpression")
    changed = client.update_trigger(
        SERVICE, FUNCTION, TRIGGER, triggerConfig={"cronExpression": "@every 4m", "enable": False}).data
    equal("update timer: changes what it names", changed["triggerConfig"],
          {"cronExpression": "@every 4m", "enable": False, "payload": "any text"})
    listed = client.list_triggers(SERVICE, FUNCTION, prefix="night").data["triggers"]
    equal("list timers: sees the update", [found["triggerConfig"] for found in listed], [changed["triggerConfig"]])
    client.delete_trigger(SERVICE, FUNCTION, TRIGGER)
    refused("get a deleted timer", 404, "TriggerNotFound", client.get_trigger, SERVICE, FUNCTION, TRIGGER)
