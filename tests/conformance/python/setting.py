"""The client, the names and the package that the sections share.

`aliyun-fc2` has no calls for tasks; `Tasks` makes them with the library's own signing and sending.
"""

import os
import pathlib
import tempfile
import zipfile

import fc2

ENDPOINT = os.environ["BIDE_ENDPOINT"]
ACCOUNT = os.environ["BIDE_ACCOUNT_ID"]
KEY_ID = os.environ["BIDE_ACCESS_KEY_ID"]
KEY_SECRET = os.environ["BIDE_ACCESS_KEY_SECRET"]

SERVICE = "conformance-python"
FUNCTION = "worker"
SINK = "sink"
CODE = pathlib.Path(__file__).resolve().parent.parent / "functions" / "python"

FINAL = ("Succeeded", "Failed", "Stopped", "Expired", "Invalid")


def new_client(key_id=KEY_ID, key_secret=KEY_SECRET):
    return fc2.Client(endpoint=ENDPOINT, accessKeyID=key_id, accessKeySecret=key_secret)


def function_arn(function):
    return "acs:fc:local:%s:services/%s.LATEST/functions/%s" % (ACCOUNT, SERVICE, function)


def zip_of(entries):
    """The path of a new zip file with these names and contents."""
    handle, path = tempfile.mkstemp(suffix=".zip")
    with os.fdopen(handle, "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def package():
    return zip_of({"index.py": (CODE / "index.py").read_bytes()})


class Tasks:
    """The task calls of one function (fc-api 4.1: stateful-async-invocations)."""

    def __init__(self, client, function=FUNCTION):
        self._client = client
        self._path = "/%s/services/%s/functions/%s/stateful-async-invocations" % (
            client.api_version, SERVICE, function)

    def _call(self, method, path, params=None):
        headers = self._client._build_common_headers(method, path)
        return self._client._do_request(method, path, headers, params=params)

    def get(self, task_id):
        return self._call("GET", "%s/%s" % (self._path, task_id)).json()

    def list(self, **params):
        return self._call("GET", self._path, params).json()

    def list_all(self, **params):
        """All pages, one after the other."""
        found, token = [], None
        while True:
            page = self.list(**params, **({"nextToken": token} if token else {}))
            found += page["invocations"]
            token = page.get("nextToken")
            if not token:
                return found

    def stop(self, task_id):
        return self._call("PUT", "%s/%s" % (self._path, task_id))
