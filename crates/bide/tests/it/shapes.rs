//! Every shape of event handler through the server, synchronously and as a task: what comes back must be the same.

use serde_json::{Value, json};

use crate::support::{Function, World, status, text};

/// What an invocation of a handler gives.
enum Result {
    /// These bytes.
    Returns(&'static str),
    /// An error that the handler passed to its callback.
    Handled(Error),
    /// Any other.
    Unhandled(Error),
}
use Result::{Handled, Returns, Unhandled};

/// A part of `errorMessage`, and `errorType`.
struct Error(&'static str, &'static str);

/// A handler, by its code or by its name, and what it gives for the event `héllo`.
type Shape = (&'static str, Result);

const PYTHON: &[Shape] = &[
    ("lambda event, context: event", Returns("héllo")),
    ("lambda event, context: type(event).__name__", Returns("bytes")),
    ("lambda event, context: 'text ' + event.decode()", Returns("text héllo")),
    ("lambda event, context: bytearray(b'bytes')", Returns("bytes")),
    ("lambda event, context: {'a': [1, None, True, 'é']}", Returns(r#"{"a": [1, null, true, "\u00e9"]}"#)),
    ("lambda event, context: None", Returns("null")),
    ("lambda event, context: 7", Returns("7")),
    ("Callable()", Returns("called")),
    ("Callable().method", Returns("method")),
    ("decorated", Returns("HÉLLO")),
    ("lambda event, context: {1, 2}", Unhandled(Error("not JSON serializable", "TypeError"))),
    ("coroutine", Unhandled(Error("coroutine", "TypeError"))),
    ("lambda event, context: 1 / 0", Unhandled(Error("division by zero", "ZeroDivisionError"))),
    ("raises", Unhandled(Error("of its own", "OwnError"))),
    ("interrupts", Unhandled(Error("", "KeyboardInterrupt"))),
    ("'no function'", Unhandled(Error("Handler 'handler' is missing on module 'index'", "HandlerNotFound"))),
];

const PYTHON_PRELUDE: &str = r#"
import functools

class Callable:
    def __call__(self, event, context):
        return "called"
    def method(self, event, context):
        return "method"

def shouting(function):
    @functools.wraps(function)
    def wrapper(event, context):
        return function(event, context).upper()
    return wrapper

@shouting
def decorated(event, context):
    return event.decode()

async def coroutine(event, context):
    return "never"

class OwnError(Exception):
    pass

def raises(event, context):
    raise OwnError("of its own")

def interrupts(event, context):
    raise KeyboardInterrupt
"#;

const NODE: &[Shape] = &[
    ("(event, context, callback) => callback(null, event)", Returns("héllo")),
    ("(event, context, callback) => callback(null, Buffer.isBuffer(event))", Returns("true")),
    ("(event, context, callback) => callback(null, 'text')", Returns("text")),
    ("(event, context, callback) => callback(null, new Uint8Array([104, 105]))", Returns("hi")),
    (
        "(event, context, callback) => callback(undefined, { a: [1, null, 'é'] })",
        Returns(r#"{"a":[1,null,"é"]}"#),
    ),
    ("(event, context, callback) => callback(null, null)", Returns("null")),
    ("(event, context, callback) => callback()", Returns("")),
    ("(event, context, callback) => { setTimeout(callback, 1, null, 'later'); }", Returns("later")),
    ("(e, c, callback) => { callback(null, 'first'); callback(null, 'second'); }", Returns("first")),
    ("function (event, context, callback) { callback(null, typeof context.requestId); }", Returns("string")),
    ("async (event) => event", Returns("héllo")),
    ("async (event) => `text ${event}`", Returns("text héllo")),
    ("async () => ({ b: [1, null] })", Returns(r#"{"b":[1,null]}"#)),
    ("async () => undefined", Returns("")),
    ("(event) => new Promise((resolve) => setTimeout(resolve, 1, 'promised'))", Returns("promised")),
    ("(event) => ({ then: (resolve) => resolve('thenable') })", Returns("thenable")),
    ("(event, c, callback) => callback(new RangeError('boom'))", Handled(Error("boom", "RangeError"))),
    ("(event, c, callback) => callback('words')", Handled(Error("words", "Error"))),
    ("(event, c, callback) => callback({ code: 7 })", Handled(Error(r#"{"code":7}"#, "Error"))),
    ("() => { throw new TypeError('boom'); }", Unhandled(Error("boom", "TypeError"))),
    ("() => { throw 'words'; }", Unhandled(Error("words", "Error"))),
    ("async () => { throw new TypeError('boom'); }", Unhandled(Error("boom", "TypeError"))),
    ("() => Promise.reject('words')", Unhandled(Error("words", "Error"))),
    (
        "() => { setTimeout(() => { throw new TypeError('boom'); }, 1); }",
        Unhandled(Error("boom", "TypeError")),
    ),
    ("() => { Promise.reject(new TypeError('boom')); }", Unhandled(Error("boom", "TypeError"))),
    ("(e, c, callback) => callback(null, 1n)", Returns("1")),
    ("async () => ({ big: 1n })", Unhandled(Error("BigInt", "TypeError"))),
    ("'no function'", Unhandled(Error("Handler 'handler' is missing on module 'index'", "HandlerNotFound"))),
];

#[tokio::test]
async fn every_python_shape() {
    let world = World::start().await;
    let make = |code: &str| Function::python(&format!("{PYTHON_PRELUDE}\nhandler = {code}\n"));
    let is_frame = |frame: &Value| {
        let parts: Vec<_> = frame.as_array().unwrap().iter().map(|part| part.as_str().unwrap()).collect();
        parts.len() == 4 && parts[0].starts_with("File \"/") && parts[1].starts_with("line ")
    };
    check_all(&world, PYTHON, make, is_frame).await;
}

#[tokio::test]
async fn every_node_shape() {
    let world = World::start().await;
    let make = |code: &str| Function::node(&format!("exports.handler = {code};\n"));
    let is_frame = |frame: &Value| frame.as_str().unwrap().starts_with("at ");
    check_all(&world, NODE, make, is_frame).await;
}

/// Where a handler may lie: `handler`, the file, and its code, which returns `found`.
const PLACES: &[(&str, &str, &str, &str)] = &[
    ("python3", "pkg/sub/mod.run", "pkg/sub/mod.py", "run = lambda event, context: 'found'"),
    ("python3.12", "pkg.sub.mod.run", "pkg/sub/mod.py", "run = lambda event, context: 'found'"),
    ("python3.10", "main.handler", "main/__init__.py", "handler = lambda event, context: 'found'"),
    ("nodejs18", "lib/deep/mod.run", "lib/deep/mod.js", "exports.run = async () => 'found';"),
    ("nodejs20", "lib.deep.mod.run", "lib/deep/mod.js", "exports.run = async () => 'found';"),
    ("nodejs20", "main.run", "main/index.js", "exports.run = async () => 'found';"),
    ("nodejs20", "index.run", "index.mjs", "export const run = async () => 'found';"),
    ("nodejs20", "index.run", "index.cjs", "exports.run = async () => 'found';"),
    ("nodejs20", "index.run", "index.mjs", "export default { run: async () => 'found' };"),
];

#[tokio::test]
async fn every_place_of_a_handler() {
    let world = World::start().await;
    for (number, (runtime, handler, file, code)) in PLACES.iter().enumerate() {
        let function = Function::of(runtime).with("handler", *handler).file(file, code);
        let name = format!("place{number}");
        world.api.deploy(&name, function).await;
        assert_eq!(text(&world.api.invoke(&name, "").await), "found", "{handler} in {file}");
        world.api.submit_task(&name, "job", "").await;
        assert_eq!(world.api.settled(&name, "job").await["returnPayload"], "found", "{handler} in {file}");
    }
}

async fn check_all(
    world: &World,
    shapes: &[Shape],
    make: impl Fn(&str) -> Function,
    is_frame: impl Fn(&Value) -> bool,
) {
    for (number, (code, _)) in shapes.iter().enumerate() {
        let name = format!("shape{number}");
        world.api.deploy(&name, make(code)).await;
        world.api.configure(&name, json!({ "maxAsyncRetryAttempts": 0 })).await;
        world.api.submit_task(&name, "job", "héllo").await;
    }
    for (number, (code, result)) in shapes.iter().enumerate() {
        let name = format!("shape{number}");
        let answer = world.api.invoke(&name, "héllo").await;
        let task = world.api.settled(&name, "job").await;
        let later = task["returnPayload"].as_str().unwrap();
        let (error_type, error) = match result {
            Returns(expected) => {
                assert_eq!((text(&answer), answer.header("x-fc-error-type")), (*expected, ""), "{code}");
                assert_eq!((status(&task), later), ("Succeeded", *expected), "{code}");
                continue;
            }
            Handled(error) => ("HandledInvocationError", error),
            Unhandled(error) => ("UnhandledInvocationError", error),
        };
        assert_eq!((answer.status, answer.header("x-fc-error-type")), (200, error_type), "{code}");
        assert_eq!(
            (status(&task), &task["invocationErrorMessage"]),
            ("Failed", &json!(error_type)),
            "{code}"
        );
        for body in [text(&answer), later] {
            check_error(code, body, error, &is_frame);
        }
    }
}

fn check_error(
    code: &str,
    body: &str,
    Error(message, error_type): &Error,
    is_frame: &impl Fn(&Value) -> bool,
) {
    let error: Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("{code}: {body} is no JSON"));
    assert!(error["errorMessage"].as_str().unwrap().contains(message), "{code}: {error}");
    assert_eq!(error["errorType"], *error_type, "{code}: {error}");
    let stack = error["stackTrace"].as_array().unwrap();
    assert!(stack.iter().all(is_frame), "{code}: {error}");
}
