"""The agent of bide's Python runtimes: receives requests over a socket, runs the handler, answers.

The protocol is described in bide-runtime, src/runtime/frame.rs. Everything here may be changed by user code, which
shares the process; the server therefore trusts nothing that comes out of it. Imports are few and late, because
they are most of a cold start.
"""
import _thread
import os
import sys

CONFIGURE, INITIALIZE, INVOKE = 1, 2, 3
READY, START_FAILED, RETURNED, FAILED = 16, 17, 18, 19
FLAG_NONE = 0
READ_BYTES = 65536
LOG_BYTES_MAX = 128 * 1024
PAYLOAD_BYTES_MAX = 32 * 1024 * 1024
MESSAGE_CHARS_MAX = 16 * 1024
STACK_FRAMES_MAX = 50
STACK_LINE_CHARS_MAX = 500
SIGTERM = 15
AGENT_FILE = (lambda: None).__code__.co_filename

_code_dir = ""
_current_request = ""
_of_thread = _thread._local()
_send_lock = _thread.allocate_lock()
_socket = -1
_process = os.getpid()


class Credentials:
    def __init__(self):
        self.access_key_id = ""
        self.access_key_secret = ""
        self.security_token = ""
        # The spellings of older runtimes.
        self.accessKeyId = ""
        self.accessKeySecret = ""
        self.securityToken = ""


class Function:
    def __init__(self, config):
        self.name = config["function"]
        self.handler = config["handler"]
        self.memory = config["memory_mb"]
        self.timeout = config["timeout_seconds"]
        self.initializer = config["initializer"]
        self.initialization_timeout = config["initialization_timeout_seconds"]


class Service:
    def __init__(self, config):
        self.name = config["service"]
        self.log_project = ""
        self.log_store = ""
        self.qualifier = config["qualifier"]
        self.version_id = config["version_id"]


class Tracing:
    def __init__(self, span_context, span_baggages):
        self.span_context = span_context
        self._baggages = span_baggages
        self.jaeger_endpoint = ""

    @property
    def span_baggages(self):
        if not self._baggages:
            return {}
        import base64
        import json
        try:
            return json.loads(base64.b64decode(self._baggages))
        except ValueError:
            return {}


class Context:
    """What a handler gets beside the event."""

    def __init__(self, config, request_id, retry_count, task_id, span_context, span_baggages):
        self.request_id = request_id
        self.requestId = request_id
        self.credentials = Credentials()
        self.function = config.function
        self.service = config.service
        self.region = config.region
        self.account_id = config.account_id
        self.retry_count = retry_count
        self.task_id = task_id
        self.tracing = Tracing(span_context, span_baggages)

    @property
    def logger(self):
        import logging
        return logging.getLogger()


class Config:
    def __init__(self, values):
        self.function = Function(values)
        self.service = Service(values)
        self.region = values["region"]
        self.account_id = values["account_id"]
        self.handler = values["handler"]
        self.initializer = values["initializer"]
        self.concurrency = values["concurrency"]


class StartError(Exception):
    """The handler cannot be loaded; carries the error body."""

    def __init__(self, body):
        super().__init__(body["errorMessage"])
        self.body = body


# --- sending and receiving -------------------------------------------------------------------------------------------

def send(kind, body):
    frame = len(body).to_bytes(4, "little") + bytes((kind,)) + body
    with _send_lock:
        written = os.write(_socket, frame)
        while written < len(frame):
            written += os.write(_socket, memoryview(frame)[written:])


def frames():
    """Yields (kind, body); ends when the server closes the socket."""
    read = os.read
    data = b""
    while True:
        while len(data) < 5:
            more = read(_socket, READ_BYTES)
            if not more:
                return
            data = data + more if data else more
        end = 5 + int.from_bytes(data[:4], "little")
        if len(data) < end:
            parts, have = [data], len(data)
            while have < end:
                more = read(_socket, min(end - have, 1 << 20) if end - have > READ_BYTES else READ_BYTES)
                if not more:
                    return
                parts.append(more)
                have += len(more)
            data = b"".join(parts)
        kind, body = data[4], data[5:end]
        data = data[end:]
        yield kind, body


# --- errors ----------------------------------------------------------------------------------------------------------

def shown_path(path):
    """The path as it would be if the code lay at /code."""
    return "/code" + path[len(_code_dir):] if path.startswith(_code_dir + "/") else path


def stack_of(error):
    import traceback
    frames_ = [f for f in traceback.extract_tb(error.__traceback__)
               if f.filename != AGENT_FILE and not f.filename.startswith("<frozen importlib")]
    return [['File "%s"' % shown_path(f.filename), "line %s" % f.lineno, "in %s" % f.name, (f.line or "")[:STACK_LINE_CHARS_MAX]]
            for f in frames_[-STACK_FRAMES_MAX:]]


def error_body(error, error_type=None, message=None):
    try:
        text = str(error) if message is None else message
    except Exception:
        text = "the error cannot be shown"
    body = {"errorMessage": text[:MESSAGE_CHARS_MAX], "errorType": error_type or type(error).__name__}
    try:
        body["stackTrace"] = stack_of(error)
    except Exception:
        body["stackTrace"] = []
    return body


def to_json(value):
    import json
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace")


def encode(value):
    if type(value) is bytes:
        return value
    if isinstance(value, str):
        return value.encode("utf-8")
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    import json
    return json.dumps(value).encode()


# --- logs ------------------------------------------------------------------------------------------------------------

def current_request():
    return getattr(_of_thread, "request", None) or _current_request


class LoggingHook:
    """Sets up the root logger when, and only when, somebody imports `logging`."""

    def find_spec(self, name, path=None, target=None):
        if name != "logging":
            return None
        sys.meta_path.remove(self)
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                break
        else:
            return None
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            set_up_logging(module)

        spec.loader.exec_module = exec_module
        return spec


def set_up_logging(logging):
    import time

    class LineFormatter(logging.Formatter):
        converter = time.gmtime

        def format(self, record):
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            head = "%s.%03dZ %s [%s] " % (stamp, record.msecs, current_request(), record.levelname)
            return head + super().format(record)[:LOG_BYTES_MAX]

    class StdoutHandler(logging.StreamHandler):
        def __init__(self):
            super().__init__(sys.stdout)

    handler = StdoutHandler()
    handler.setFormatter(LineFormatter())
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)


def flush():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass


# --- user code -------------------------------------------------------------------------------------------------------

def load(name, what):
    """Finds `file.function`; directories are separated by slashes or dots."""
    path, _, attribute = name.rpartition(".")
    if not path or not attribute:
        raise StartError({"errorMessage": "Invalid %s '%s': it must be 'file.function'" % (what, name),
                          "errorType": "HandlerNotFound"})
    module_name = path.strip("/").replace("/", ".")
    try:
        __import__(module_name)
        module = sys.modules[module_name]
    except SyntaxError as error:
        text = "Syntax error in module '%s': %s (%s, line %s)" % (
            path, error.msg, os.path.basename(error.filename or "?"), error.lineno)
        body = error_body(error, "UserCodeSyntaxError", text)
        if error.filename:
            body["stackTrace"].append(['File "%s"' % shown_path(error.filename), "line %s" % error.lineno, "", (error.text or "").strip()])
        raise StartError(body)
    except ImportError as error:
        raise StartError(error_body(error, "ImportModuleError", "Unable to import module '%s': %s" % (path, error)))
    except Exception as error:
        raise StartError(error_body(error))
    function = getattr(module, attribute, None)
    if not callable(function):
        raise StartError({"errorMessage": "Handler '%s' is missing on module '%s'" % (attribute, path),
                          "errorType": "HandlerNotFound", "stackTrace": []})
    return function


def run(call, tag):
    """Runs one call and answers it."""
    try:
        result = encode(call())
        if len(result) > PAYLOAD_BYTES_MAX:
            raise ValueError("the return value has %d bytes, more than the %d allowed" % (len(result), PAYLOAD_BYTES_MAX))
        kind, body = RETURNED, tag + result
    except SystemExit as exit_:
        flush()
        code = exit_.code
        os._exit(code if isinstance(code, int) else 0 if code is None else 1)
    except BaseException as error:
        kind, body = FAILED, tag + bytes((FLAG_NONE,)) + to_json(error_body(error))
    flush()
    if os.getpid() != _process:
        os._exit(0)  # a child that the handler forked and let return; its parent answers
    send(kind, body)


class StackDump:
    """Makes a function that is ended while it runs say in its log where it was; an idle instance ends in silence."""

    def __init__(self):
        try:
            import faulthandler
            self.register = faulthandler.register
            self.unregister = faulthandler.unregister
        except ImportError:
            self.register = self.unregister = lambda *arguments, **options: None

    def __enter__(self):
        self.register(SIGTERM, chain=True)

    def __exit__(self, *error):
        self.unregister(SIGTERM)


class Agent:
    def __init__(self, config, handler, initializer):
        self.config = config
        self.handler = handler
        self.initializer = initializer
        self.threaded = config.concurrency > 1
        self.stack_dump = StackDump()
        if self.threaded:
            self.start_threads()

    def start_threads(self):
        from queue import SimpleQueue
        self.queue = SimpleQueue()
        self.idle = 0
        self.threads = 0

    def worker(self):
        while True:
            kind, body = self.queue.get()
            try:
                self.serve(kind, body)
            except OSError:
                os._exit(1)
            with _send_lock:
                self.idle += 1

    def accept(self, kind, body):
        if not self.threaded:
            self.serve(kind, body)
            return
        import threading
        with _send_lock:
            grow = self.idle <= 0 and self.threads < self.config.concurrency
            if grow:
                self.threads += 1
            else:
                self.idle -= 1
        if grow:
            threading.Thread(target=self.worker, daemon=True).start()
        self.queue.put((kind, body))

    def serve(self, kind, body):
        global _current_request
        tag = body[:4]
        size = int.from_bytes(body[4:6], "little")
        meta = body[6:6 + size].decode().split("\0")
        request_id, retry_count, task_id, span_context, span_baggages = meta
        if self.threaded:
            _of_thread.request = request_id
        else:
            _current_request = request_id
        context = Context(self.config, request_id, int(retry_count), task_id, span_context, span_baggages)
        if kind == INITIALIZE:
            call = lambda: self.initializer(context)
        else:
            event, handler = body[6 + size:], self.handler
            call = lambda: handler(event, context)
        if self.threaded:
            run(call, tag)
        else:
            with self.stack_dump:
                run(call, tag)


# --- start -----------------------------------------------------------------------------------------------------------

def prepare_process():
    """Makes the interpreter look as user code expects it."""
    import builtins
    builtins.exit = builtins.quit = sys.exit
    sys.dont_write_bytecode = True
    sys.argv = ["bootstrap"]
    sys.path[0:1] = [_code_dir]
    sys.meta_path.insert(0, LoggingHook())
    sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")


def main():
    global _socket, _code_dir
    _socket = int(os.environ.pop("BIDE_CONTROL_FD"))
    os.set_inheritable(_socket, False)
    _code_dir = os.environ["FC_FUNC_CODE_PATH"].rstrip("/")
    prepare_process()
    incoming = frames()
    for kind, body in incoming:
        break
    else:
        return
    values = dict(pair.split("=", 1) for pair in body.decode().split("\0"))
    for name in ("memory_mb", "timeout_seconds", "initialization_timeout_seconds", "concurrency"):
        values[name] = int(values[name])
    config = Config(values)
    try:
        handler = load(config.handler, "handler")
        initializer = load(config.initializer, "initializer") if config.initializer else None
    except StartError as error:
        flush()
        send(START_FAILED, to_json(error.body))
        return
    agent = Agent(config, handler, initializer)
    flush()
    send(READY, b"")
    for kind, body in incoming:
        agent.accept(kind, body)


if __name__ == "__main__":
    try:
        main()
    finally:
        flush()
        os._exit(0)
