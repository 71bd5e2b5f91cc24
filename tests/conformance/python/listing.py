"""Lists of tasks: filters, order, pages, payloads."""

import json

from harness import check, equal
from setting import Tasks
from tasks import submit, wait_final

COUNT = 5
PREFIX = "list-"


def run(client):
    tasks = Tasks(client)
    ids = ["%s%d" % (PREFIX, number) for number in range(COUNT)]
    for number, task_id in enumerate(ids):
        order = {"do": "fail"} if number == 2 else {"n": number}
        submit(client, json.dumps(order), task_id)
    for task_id in ids:
        wait_final(tasks, task_id)
    filters(tasks, ids)
    pages(tasks, ids)
    payloads(tasks)
    times(tasks, ids)


def found(tasks, **params):
    return [task["invocationId"] for task in tasks.list_all(invocationIdPrefix=PREFIX, **params)]


def filters(tasks, ids):
    equal("list: by prefix", sorted(found(tasks)), ids)
    succeeded = [task_id for task_id in ids if task_id != ids[2]]
    equal("list: by prefix and status", sorted(found(tasks, status="Succeeded")), succeeded)
    equal("list: the one that failed", found(tasks, status="Failed"), [ids[2]])
    equal("list: none of a status", found(tasks, status="Running"), [])
    equal("list: none of a prefix", tasks.list_all(invocationIdPrefix="no-such-"), [])
    everything = [task["invocationId"] for task in tasks.list_all(limit=100)]
    check("list: without filters has all tasks", set(ids) | {"deferred-1", "stopped-early"} <= set(everything),
          everything)
    equal("list: no task twice", len(everything), len(set(everything)))


def pages(tasks, ids):
    equal("list: oldest first", found(tasks, sortOrderByTime="asc"), ids)
    equal("list: newest first", found(tasks, sortOrderByTime="desc"), ids[::-1])
    for order, wanted in (("asc", ids), ("desc", ids[::-1])):
        equal("list: pages of 2, %s" % order, found(tasks, sortOrderByTime=order, limit=2), wanted)
    page = tasks.list(invocationIdPrefix=PREFIX, limit=2)
    equal("list: a page has its limit", len(page["invocations"]), 2)
    check("list: a page that is not the last has a token", page.get("nextToken"), page)
    last = tasks.list(invocationIdPrefix=PREFIX, limit=100)
    check("list: the last page has no token", not last.get("nextToken"), last)


def payloads(tasks):
    bare = tasks.list(invocationIdPrefix=PREFIX)["invocations"]
    check("list: no payloads unless asked for", not any(task.get("invocationPayload") for task in bare), bare)
    full = tasks.list(invocationIdPrefix=PREFIX, includePayload="true", sortOrderByTime="asc")["invocations"]
    equal("list: payloads when asked for", full[0]["invocationPayload"], '{"n": 0}')


def times(tasks, ids):
    started = {task["invocationId"]: task["startedTime"] for task in tasks.list_all(invocationIdPrefix=PREFIX)}
    edge = started[ids[2]]
    after = found(tasks, startedTimeBegin=edge)
    check("list: from a start time on", all(started[task_id] >= edge for task_id in after) and ids[2] in after, after)
    check("list: from a start time on, all of them",
          {task_id for task_id in ids if started[task_id] > edge} <= set(after), after)
    before = found(tasks, startedTimeEnd=edge)
    check("list: up to a start time", all(started[task_id] <= edge for task_id in before), before)
    check("list: up to a start time, all of them",
          {task_id for task_id in ids if started[task_id] < edge} <= set(before), before)
