"""The HTTP function that the Python and Go programs deploy: it says what it saw of the request."""

import json


def handler(environ, start_response):
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"] or 0))
    if environ["PATH_INFO"] == "/teapot":
        start_response("418 I am a teapot", [("Content-Type", "text/plain")])
        return [b"short and stout"]
    if environ["PATH_INFO"] == "/fail":
        raise ValueError("told to fail")
    seen = {
        "method": environ["REQUEST_METHOD"], "path": environ["PATH_INFO"], "query": environ["QUERY_STRING"],
        "own": environ.get("HTTP_X_OWN", ""), "body": body.decode(), "signed": "HTTP_AUTHORIZATION" in environ,
        "requestId": environ["fc.context"].request_id,
    }
    start_response("200 OK", [("Content-Type", "application/json"), ("X-Answer", "yes")])
    return [json.dumps(seen).encode()]
