#!/usr/bin/env python3
# A custom runtime that does what its event says, {"do": ...}, and notes in the journal what happens to it.
import http.server
import json
import os
import sys
import time

sys.path.insert(0, os.environ["FC_FUNC_CODE_PATH"])
from journal import begun, note


class Tells(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def turn(self):
        event = self.rfile.read(int(self.headers.get("content-length", 0)))
        control_path = self.headers["x-fc-control-path"]
        id = {"/initialize": "initialize", "/pre-freeze": "freeze", "/pre-stop": "stop", "/invoke": "ran"}[control_path]
        note(id=id, request=self.headers["x-fc-request-id"], how="%s %s" % (self.command, self.path))
        if id == "initialize" and begun("initialize") == 1:
            if os.environ.get("INITIALIZER") == "fail":
                return self.answer(404, {"errorMessage": "not the first time", "errorType": "RuntimeError"})
            if os.environ.get("INITIALIZER") == "hang":
                time.sleep(1000)
        self.answer(200, self.run(json.loads(event or b"{}")) if id == "ran" else "")

    do_GET = do_POST = turn

    def run(self, order):
        do = order.get("do")
        if do == "describe":
            headers = {name.lower(): value for name, value in self.headers.items()}
            if order.get("fails_first") and headers["x-fc-retry-count"] == "0":
                self.failed = True
            return headers
        if do == "environment":
            return dict(os.environ)
        if do == "log":
            request = self.headers["x-fc-request-id"]
            print("FC Invoke Start RequestId: " + request, flush=True)
            print("printed\nFC Invoke End RequestId: " + request, flush=True)
        if do == "hang":
            time.sleep(1000)
        if do == "exit":
            os._exit(3)
        if do == "kill":
            os.kill(os.getpid(), 9)
        if do == "fill":
            memory = bytearray(400 << 20)
            memory[::4096] = b"1" * len(memory[::4096])
            time.sleep(1000)
        if do == "layer":
            return open("/opt/data").read()
        return "done"

    failed = False

    def answer(self, status, value):
        body = value.encode() if isinstance(value, str) else json.dumps(value).encode()
        if self.failed:
            self.failed, status = False, 404
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


http.server.ThreadingHTTPServer(("0.0.0.0", int(os.environ["FC_SERVER_PORT"])), Tells).serve_forever()
