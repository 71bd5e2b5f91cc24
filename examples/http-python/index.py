"""An HTTP function in Python: a WSGI application (PEP 3333), as Flask, Django or Bottle make one.

`handler` could as well be `app = Flask(__name__)`, with `index.app` as the function's handler.
"""
import json
from urllib.parse import parse_qs


def handler(environ, start_response):
    query = parse_qs(environ["QUERY_STRING"])
    if environ["PATH_INFO"] == "/count":
        text = query.get("text", [""])[0] or environ["wsgi.input"].read().decode()
        body = {"words": len(text.split()), "requestId": environ["fc.context"].request_id}
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(body).encode()]
    if environ["PATH_INFO"] == "/countdown":
        start_response("200 OK", [("Content-Type", "text/event-stream")])
        return countdown(int(query.get("from", ["3"])[0]))
    start_response("404 Not Found", [("Content-Type", "text/plain")])
    return [b"try /count?text=some+words or /countdown?from=3\n"]


def countdown(number):
    """Each piece reaches the caller when it is made."""
    while number >= 0:
        yield b"data: %d\n\n" % number
        number -= 1
