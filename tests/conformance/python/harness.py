"""What every section uses: checks that print, refusals, bounded waits.

The first wrong thing ends the program. Waits look at a condition until it holds, and never longer than their deadline.
"""

import sys
import threading
import time

import fc2

LOOK_INTERVAL_SECONDS = 0.02
WAIT_SECONDS_MAX = 30


def fail(what, seen):
    print("not ok - %s\n  saw: %r" % (what, seen))
    sys.exit(1)


def check(what, holds, seen=None):
    if not holds:
        fail(what, seen)
    print("ok - " + what)


def equal(what, seen, wanted):
    if seen != wanted:
        fail("%s\n  wanted: %r" % (what, wanted), seen)
    print("ok - " + what)


def refused(what, status, code, call, *arguments, mentions="", **options):
    """Checks that the call raises FcError with this status and code, and a message that names what is wrong."""
    try:
        answer = call(*arguments, **options)
    except fc2.FcError as error:
        equal("%s: %d %s" % (what, status, code), (error.status_code, error.err_code), (status, code))
        if not error.request_id or error.request_id == "unknown":
            fail(what + ": the refusal has a request ID", error.request_id)
        if mentions.lower() not in error.message.lower():
            fail("%s: the message mentions %s" % (what, mentions), error.message)
        return
    fail("%s: must be refused with %d %s" % (what, status, code), answer)


def wait_for(what, look):
    """Calls `look` until it returns something other than None, and returns that."""
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    pause = threading.Event()
    while True:
        seen = look()
        if seen is not None:
            return seen
        if time.monotonic() > deadline:
            fail("%s within %d s" % (what, WAIT_SECONDS_MAX), None)
        pause.wait(LOOK_INTERVAL_SECONDS)
