# Says what it saw of an HTTP call; at /file the body itself.
import base64
import json


def handler(environ, start_response):
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"] or 0))
    answer = [("X-Method", environ["REQUEST_METHOD"]), ("X-Request", environ["fc.context"].request_id)]
    if environ["PATH_INFO"] == "/file":
        start_response("200 OK", answer)
        return [body[at:at + 65536] for at in range(0, len(body), 65536)]
    headers = {name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name.startswith("HTTP_")}
    headers["content-type"] = environ["CONTENT_TYPE"]
    seen = {
        "method": environ["REQUEST_METHOD"],
        "target": environ["fc.request_uri"][len(environ["SCRIPT_NAME"]):],
        "headers": headers,
        "body": base64.b64encode(body).decode(),
    }
    start_response("201 Created", answer + [("Content-Type", "application/json")])
    return [json.dumps(seen).encode()]
