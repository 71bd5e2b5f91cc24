"""The agent of bide's Python runtimes: receives requests over a socket, runs the handler, answers.

The protocol is described in bide-runtime, src/runtime/frame.rs. Everything here may be changed by user code, which
shares the process; the server therefore trusts nothing that comes out of it. Imports are few and late, because
they are most of a cold start; an agent that is up before anybody needs it uses the time.
"""
import _thread
import os
import sys

CONFIGURE, INITIALIZE, INVOKE, HTTP, PRE_STOP, PRE_FREEZE, CREDIT = 1, 2, 3, 4, 5, 6, 7
READY, START_FAILED, RETURNED, FAILED, HEAD, PIECE, WAITING, CONFIGURED = 16, 17, 18, 19, 20, 21, 22, 23
FLAG_NONE = 0
READ_BYTES = 65536
WINDOW_BYTES = 256 * 1024
PIECE_BYTES_MAX = 64 * 1024
PIECE_COST_MIN = 256
LOG_BYTES_MAX = 128 * 1024
PAYLOAD_BYTES_MAX = 32 * 1024 * 1024
MESSAGE_CHARS_MAX = 16 * 1024
STACK_FRAMES_MAX = 50
STACK_LINE_CHARS_MAX = 500
SIGTERM = 15
# What most functions import, by themselves or through others.
COMMON_MODULES = ("json", "logging", "traceback", "faulthandler", "datetime", "base64", "random", "queue", "urllib.parse")
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

    def addressed_as(self, alias):
        """As a call sees it that was addressed to an alias."""
        if not alias:
            return self
        service = Service.__new__(Service)
        service.__dict__.update(self.__dict__)
        service.qualifier = alias
        return service


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

    def __init__(self, config, request_id, retry_count, task_id, alias, span_context, span_baggages):
        self.request_id = request_id
        self.requestId = request_id
        self.credentials = Credentials()
        self.function = config.function
        self.service = config.service.addressed_as(alias)
        self.region = config.region
        self.account_id = config.account_id
        self.retry_count = retry_count
        self.task_id = task_id
        self.tracing = Tracing(span_context, span_baggages)
        self._logger = None

    @property
    def logger(self):
        """The root logger; its lines carry the id of this request whichever thread writes them."""
        if self._logger is None:
            self._logger = request_logger(self.request_id)
        return self._logger


class Config:
    def __init__(self, values):
        self.function = Function(values)
        self.service = Service(values)
        self.region = values["region"]
        self.account_id = values["account_id"]
        self.handler = values["handler"]
        self.initializer = values["initializer"]
        self.pre_stop = values["pre_stop"]
        self.pre_freeze = values["pre_freeze"]
        self.concurrency = values["concurrency"]


class StartError(Exception):
    """The handler cannot be loaded; carries the error body."""

    def __init__(self, body):
        super().__init__(body["errorMessage"])
        self.body = body


# --- sending and receiving -------------------------------------------------------------------------------------------

def send(kind, body):
    if os.getpid() != _process:
        os._exit(0)  # a child that the handler forked and let return; its parent answers
    frame = len(body).to_bytes(4, "little") + bytes((kind,)) + body
    with _send_lock:
        written = os.write(_socket, frame)
        while written < len(frame):
            written += os.write(_socket, memoryview(frame)[written:])


def frames(data):
    """Yields (kind, body), the first from `data` on; ends when the server closes the socket."""
    read = os.read
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
            request_id = getattr(record, "request_id", None) or current_request()
            head = "%s.%03dZ %s [%s] " % (stamp, record.msecs, request_id, record.levelname)
            return head + super().format(record)[:LOG_BYTES_MAX]

    class StdoutHandler(logging.StreamHandler):
        def __init__(self):
            super().__init__(sys.stdout)

    handler = StdoutHandler()
    handler.setFormatter(LineFormatter())
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)


def request_logger(request_id):
    import logging

    class RequestLogger(logging.LoggerAdapter):
        def process(self, message, options):
            options["extra"] = {**(options.get("extra") or {}), **self.extra}
            return message, options

        def __getattr__(self, name):
            return getattr(self.logger, name)

    return RequestLogger(logging.getLogger(), {"request_id": request_id})


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
        shown = error.body if isinstance(error, StartError) else error_body(error)
        kind, body = FAILED, tag + bytes((FLAG_NONE,)) + to_json(shown)
    flush()
    send(kind, body)


# --- HTTP calls ------------------------------------------------------------------------------------------------------

class HttpCall:
    """A caller's request, as it came; texts are Latin-1, as PEP 3333 asks."""

    def __init__(self, data):
        size = int.from_bytes(data[:4], "little")
        fields = data[4:4 + size].decode("latin-1").split("\0")
        self.body = data[4 + size:]
        self.method, self.path, self.query, self.base_path, self.host, self.client_ip = fields[:6]
        self.headers = list(zip(fields[6::2], fields[7::2]))

    def environ(self, context, threaded):
        from io import BytesIO
        name, _, port = self.host.rpartition(":") if self.host.rpartition(":")[2].isdigit() else (self.host, "", "80")
        environ = {
            "REQUEST_METHOD": self.method,
            "SCRIPT_NAME": unquoted(self.base_path),
            "PATH_INFO": unquoted(self.path),
            "QUERY_STRING": self.query[1:],
            "CONTENT_TYPE": "",
            "CONTENT_LENGTH": str(len(self.body)),
            "SERVER_NAME": name,
            "SERVER_PORT": port,
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": self.client_ip,
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": BytesIO(self.body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": threaded,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "fc.context": context,
            "fc.request_uri": self.base_path + self.path + self.query,
        }
        for name, value in self.headers:
            if name == "content-length":
                continue
            key = "CONTENT_TYPE" if name == "content-type" else "HTTP_" + name.upper().replace("-", "_")
            before = environ.get(key) if key != "CONTENT_TYPE" else None
            environ[key] = value if before is None else before + ("; " if name == "cookie" else ",") + value
        return environ


def unquoted(text):
    first, *rest = text.split("%")
    parts = [first]
    for part in rest:
        code = part[:2]
        try:
            parts.append(chr(int(code, 16)) + part[2:] if len(code) == 2 and code.isalnum() else "%" + part)
        except ValueError:
            parts.append("%" + part)
    return "".join(parts)


class Response:
    """The response of one HTTP call: the head goes out with the first bytes of the body, as PEP 3333 asks."""

    def __init__(self, tag, wait_for_credit):
        self.tag = tag
        self.wait_for_credit = wait_for_credit
        # Each is changed by one thread only: the one that reads, and the one that writes.
        self.granted_bytes = WINDOW_BYTES
        self.spent_bytes = 0
        self.head = None
        self.head_sent = False
        self.body_bytes = 0
        self.ended = False

    def start(self, status, headers, exc_info=None):
        if exc_info is not None:
            try:
                if self.head_sent:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None
        elif self.head is not None:
            raise AssertionError("start_response was called a second time, and without exc_info")
        try:
            code = int(status[:3])
            if not 100 <= code <= 999 or status[3:4] not in ("", " "):
                raise ValueError
        except (TypeError, ValueError):
            raise ValueError("start_response was given the status %r, not one like '200 OK'" % (status,)) from None
        texts = []
        for name, value in headers:
            if "\0" in name or "\0" in value:
                raise ValueError("the header %r has a NUL character" % name)
            texts += (name, value)
        self.head = code.to_bytes(2, "little") + "\0".join(texts).encode("latin-1")
        return self.write

    def write(self, data):
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError("a piece of the response's body is %s, not bytes" % type(data).__name__)
        if self.ended:
            raise ValueError("the call has ended, and its response with it")
        if not data:
            return
        self.send_head()
        view = memoryview(data).cast("B")
        self.body_bytes += len(view)
        if self.body_bytes > PAYLOAD_BYTES_MAX:
            raise ValueError("the response's body has more than the %d bytes that are allowed" % PAYLOAD_BYTES_MAX)
        while view:
            piece = view[:PIECE_BYTES_MAX]
            cost = max(len(piece), PIECE_COST_MIN)
            if self.credit() < cost:
                self.wait_for_credit(self, cost)
            self.spent_bytes += cost
            send(PIECE, self.tag + piece)
            view = view[len(piece):]

    def credit(self):
        return self.granted_bytes - self.spent_bytes

    def send_head(self):
        if self.head is None:
            raise AssertionError("the handler did not call start_response")
        if not self.head_sent:
            self.head_sent = True
            send(HEAD, self.tag + self.head)


def run_wsgi(handler, environ, response):
    pieces = handler(environ, response.start)
    try:
        for piece in pieces:
            response.write(piece)
        response.send_head()
    finally:
        try:
            close = getattr(pieces, "close", None)
            if close is not None:
                close()
        finally:
            response.ended = True
    return b""


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
    """Hands requests to threads: none but the main one if requests come one by one and no hook may come between."""

    def __init__(self, config, handler, initializer, incoming):
        self.config = config
        self.handler = handler
        self.initializer = initializer
        self.incoming = incoming
        self.overlapping = config.concurrency > 1
        self.stack_dump = StackDump()
        self.responses = {}

    def serve_all(self):
        if self.overlapping:
            self.serve_in_threads()
        elif self.config.pre_stop or self.config.pre_freeze:
            self.serve_beside_hooks()
        else:
            for kind, body in self.incoming:
                if kind != CREDIT:  # what a response did not need any more
                    self.serve(kind, body, self.read_credit)

    def read_credit(self, response, cost):
        """Nothing but credit comes while the only request runs."""
        for _, body in self.incoming:
            if body[:4] == response.tag:
                response.granted_bytes += int.from_bytes(body[4:8], "little")
                if response.credit() >= cost:
                    return
        os._exit(0)

    def serve_beside_hooks(self):
        """The handler keeps the main thread, which signals need; a hook must not wait for the handler."""
        from queue import SimpleQueue
        queue = SimpleQueue()

        def read():
            for kind, body in self.incoming:
                if kind == CREDIT:
                    self.give_credit(body)
                elif kind in (PRE_STOP, PRE_FREEZE):
                    threading.Thread(target=self.serve, args=(kind, body, None), daemon=True).start()
                else:
                    queue.put((kind, body))
            os._exit(0)

        import threading
        self.credit_came = threading.Condition()
        threading.Thread(target=read, daemon=True).start()
        while True:
            kind, body = queue.get()
            self.serve(kind, body, self.await_credit)

    def serve_in_threads(self):
        import threading
        from queue import SimpleQueue
        self.credit_came = threading.Condition()
        self.queue = SimpleQueue()
        self.idle = 0
        threads = 0
        for kind, body in self.incoming:
            if kind == CREDIT:
                self.give_credit(body)
                continue
            with _send_lock:
                # One more than requests: a hook must not wait for them.
                grow = self.idle <= 0 and threads <= self.config.concurrency
                if grow:
                    threads += 1
                else:
                    self.idle -= 1
            if grow:
                threading.Thread(target=self.worker, daemon=True).start()
            self.queue.put((kind, body))

    def worker(self):
        while True:
            kind, body = self.queue.get()
            try:
                self.serve(kind, body, self.await_credit)
            except OSError:
                os._exit(1)
            with _send_lock:
                self.idle += 1

    def give_credit(self, body):
        with self.credit_came:
            response = self.responses.get(body[:4])
            if response is not None:
                response.granted_bytes += int.from_bytes(body[4:8], "little")
                self.credit_came.notify_all()

    def await_credit(self, response, cost):
        with self.credit_came:
            while response.credit() < cost:
                self.credit_came.wait()

    def serve(self, kind, body, wait_for_credit):
        global _current_request
        tag = body[:4]
        size = int.from_bytes(body[4:6], "little")
        meta = body[6:6 + size].decode().split("\0")
        request_id, retry_count, task_id, alias, span_context, span_baggages = meta
        is_hook = kind in (PRE_STOP, PRE_FREEZE)
        if self.overlapping or is_hook:
            _of_thread.request = request_id
        else:
            _current_request = request_id
        context = Context(
            self.config, request_id, int(retry_count), task_id, alias, span_context, span_baggages)
        call = self.call_of(kind, tag, body[6 + size:], context, wait_for_credit)
        if self.overlapping or is_hook:
            run(call, tag)
        else:
            with self.stack_dump:
                run(call, tag)
        self.responses.pop(tag, None)

    def call_of(self, kind, tag, event, context, wait_for_credit):
        handler = self.handler
        if kind == INVOKE:
            return lambda: handler(event, context)
        if kind == INITIALIZE:
            return lambda: self.initializer(context)
        if kind == PRE_STOP:
            return lambda: load(self.config.pre_stop, "PreStop handler")(context)
        if kind == PRE_FREEZE:
            return lambda: load(self.config.pre_freeze, "PreFreeze handler")(context)
        response = self.responses[tag] = Response(tag, wait_for_credit)
        return lambda: run_wsgi(handler, HttpCall(event).environ(context, self.overlapping), response)


# --- start -----------------------------------------------------------------------------------------------------------

def prepare_process():
    """Makes the interpreter look as user code expects it."""
    import builtins
    builtins.exit = builtins.quit = sys.exit
    sys.dont_write_bytecode = True
    sys.argv = ["bootstrap"]
    sys.meta_path.insert(0, LoggingHook())
    sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")


def await_function():
    """What the server says first. While it says nothing, imports what is likely to be needed."""
    os.set_blocking(_socket, False)
    try:
        for name in COMMON_MODULES:
            try:
                return os.read(_socket, READ_BYTES)
            except BlockingIOError:
                pass
            try:
                __import__(name)
            except ImportError:
                pass  # an interpreter that was made smaller
    finally:
        os.set_blocking(_socket, True)
    send(WAITING, b"")
    return os.read(_socket, READ_BYTES)


def hides_common_modules(code_dir, modules):
    """Whether user code has modules of its own by the names of some that are loaded already."""
    return any(entry.partition(".")[0] in modules for entry in os.listdir(code_dir))


def put_on(values):
    """Turns a process of no function into one of this function."""
    global _code_dir
    # Compared first: a variable that counts when the interpreter starts has its value already.
    environment = {name[4:]: value for name, value in values.items() if name.startswith("env.")}
    for name in [name for name in os.environ if name not in environment]:
        del os.environ[name]
    for name, value in environment.items():
        if os.environ.get(name) != value:
            os.environ[name] = value
    _code_dir = os.environ["FC_FUNC_CODE_PATH"].rstrip("/")
    os.chdir(_code_dir)
    sys.path[0:1] = [_code_dir, *layer_paths(values["layers_dir"])]


def layer_paths(directory):
    """Where packages of the layers lie; the code directory comes before, the standard library behind."""
    if not directory:
        return []
    python = directory + "/python"
    return [python, "%s/lib/python%d.%d/site-packages" % (python, *sys.version_info[:2])]


def main():
    global _socket
    _socket = int(os.environ.pop("BIDE_CONTROL_FD"))
    os.set_inheritable(_socket, False)
    prepare_process()
    loaded = set(sys.modules)
    incoming = frames(await_function())
    for kind, body in incoming:
        break
    else:
        return
    values = dict(pair.split("=", 1) for pair in body.decode().split("\0"))
    for name in ("memory_mb", "timeout_seconds", "initialization_timeout_seconds", "concurrency"):
        values[name] = int(values[name])
    config = Config(values)
    put_on(values)
    if hides_common_modules(_code_dir, set(sys.modules) - loaded):
        return
    send(CONFIGURED, b"")
    try:
        handler = load(config.handler, "handler")
        initializer = load(config.initializer, "initializer") if config.initializer else None
    except StartError as error:
        flush()
        send(START_FAILED, to_json(error.body))
        return
    agent = Agent(config, handler, initializer, incoming)
    print("%s runtime inited." % values["runtime"])
    flush()
    send(READY, b"")
    agent.serve_all()


if __name__ == "__main__":
    try:
        main()
    finally:
        flush()
        os._exit(0)
