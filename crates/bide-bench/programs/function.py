"""The function under test: returns when it was entered, in nanoseconds since 1970, but not before a given time.

The event is that time, in milliseconds since 1970; 0 returns at once.
"""
import time


def handler(event, context):
    entered = time.time_ns()
    wait = int(event) / 1e3 - entered / 1e9
    if wait > 0:
        time.sleep(wait)
    return str(entered)
