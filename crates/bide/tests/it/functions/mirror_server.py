#!/usr/bin/env python3
# A custom runtime that says what it saw of an HTTP call; at /file the body itself.
import base64
import http.server
import json


class Mirror(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def mirror(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = headers["x-fc-request-id"]
        if headers["x-fc-control-path"] != "/http-invoke":
            self.answer(500, request, b"this is no HTTP call")
            return
        if self.path == "/file":
            self.answer(200, request, body)
            return
        own = {name: value for name, value in headers.items() if not name.startswith("x-fc-") and name != "content-length"}
        seen = {"method": self.command, "target": self.path, "headers": own, "body": base64.b64encode(body).decode()}
        self.answer(201, request, json.dumps(seen).encode())

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = mirror

    def answer(self, status, request, body):
        self.send_response(status)
        self.send_header("X-Method", self.command)
        self.send_header("X-Request", request)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *arguments):
        pass


http.server.ThreadingHTTPServer(("0.0.0.0", 9000), Mirror).serve_forever()
