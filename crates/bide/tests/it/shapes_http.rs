//! Every shape of HTTP handler through the server: as a response to a caller, and as the result of a task.

use serde_json::{Value, json};

use crate::support::{Function, Reply, World, exchange, status};

/// The code of a handler, and status and body of its response. An error that the handler does not answer is a 502 whose
/// body has this text.
type Shape = (&'static str, u16, &'static str);

const PYTHON: &[Shape] = &[
    ("def handler(environ, start): return answer(start, '200 OK', b'list')", 200, "list"),
    (
        "def handler(environ, start):\n answer(start, '200 OK')\n yield b'gene'\n yield b'rator'",
        200,
        "generator",
    ),
    (
        "def handler(environ, start):\n write = answer_by_write(start)\n write(b'writ')\n return [b'ten']",
        200,
        "written",
    ),
    ("def handler(environ, start): return answer(start, '404 Not Found', b'gone')", 404, "gone"),
    ("def handler(environ, start): return answer(start, '204 No Content')", 204, ""),
    (
        "def handler(environ, start): return answer(start, '503 Busy', b'{\"errorMessage\": \"busy\"}')",
        503,
        "busy",
    ),
    (
        "class Application:\n def __call__(self, environ, start): return answer(start, '200 OK', b'object')\nhandler = Application()",
        200,
        "object",
    ),
    (
        "class handler:\n def __init__(self, environ, start): answer(start, '200 OK')\n def __iter__(self): return iter([b'class'])",
        200,
        "class",
    ),
    (
        "def handler(environ, start): return answer(start, '200 OK', environ['wsgi.input'].readline())",
        200,
        "one\n",
    ),
    (
        "def handler(environ, start): return answer(start, '200 OK', environ['fc.context'].function.name.encode())",
        200,
        "shape9",
    ),
    ("def handler(environ, start): raise ValueError('boom')", 502, "boom"),
    ("def handler(environ, start): return [b'no head']", 502, "did not call start_response"),
    ("def handler(environ, start): return answer(start, '200 OK', 'text')", 502, "not bytes"),
];

const PYTHON_PRELUDE: &str = r#"
def answer(start, status, *body):
    start(status, [("X-Shape", "yes"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
    return list(body)

def answer_by_write(start):
    return start("200 OK", [("X-Shape", "yes"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
"#;

const NODE: &[Shape] = &[
    ("resp.send('text')", 200, "text"),
    ("resp.send(Buffer.from([104, 105]))", 200, "hi"),
    ("resp.send({ a: 1 })", 200, r#"{"a":1}"#),
    ("resp.send(Readable.from(['str', Buffer.from('eam')]))", 200, "stream"),
    ("resp.send(req)", 200, "one\ntwo"),
    ("setTimeout(() => resp.send('later'), 1)", 200, "later"),
    (
        "return new Promise((resolve) => setTimeout(resolve, 1)).then(() => resp.send('awaited'))",
        200,
        "awaited",
    ),
    ("resp.setStatusCode(404); resp.send('gone')", 404, "gone"),
    ("resp.setStatusCode(204); resp.send('')", 204, ""),
    ("resp.setStatusCode(503); resp.send('{\"errorMessage\": \"busy\"}')", 503, "busy"),
    ("resp.send(context.function.name)", 200, "shape10"),
    (
        "resp.deleteHeader('x-gone'); resp.setHeader('X-Gone', 'x'); resp.deleteHeader('x-GONE'); resp.send('x')",
        200,
        "x",
    ),
    ("throw new TypeError('boom')", 502, "boom"),
    ("return Promise.reject(new TypeError('rejected'))", 502, "rejected"),
    ("resp.setStatusCode(99); resp.send('never')", 502, "none of 200 to 599"),
];

/// Handlers of events behind a trigger that asks for them (FC 3.0, "Use an HTTP trigger to invoke a function").
const PYTHON_EVENT: &[Shape] = &[
    ("{'statusCode': 201, 'headers': HEADERS, 'body': 'text'}", 201, "text"),
    ("{'statusCode': 404, 'headers': HEADERS}", 404, ""),
    ("{'statusCode': 200, 'headers': HEADERS, 'body': 'aGk=', 'isBase64Encoded': True}", 200, "hi"),
    ("{'statusCode': 200, 'headers': HEADERS, 'body': json.loads(event)['body']}", 200, "one\ntwo"),
    ("{'statusCode': 503, 'headers': HEADERS, 'body': '{\"errorMessage\": \"busy\"}'}", 503, "busy"),
    ("{'statusCode': 99}", 502, "statusCode"),
    ("1 / 0", 502, "division by zero"),
];
const NODE_EVENT: &[Shape] = &[
    ("({ statusCode: 201, headers: HEADERS, body: 'text' })", 201, "text"),
    ("({ statusCode: 404, headers: HEADERS })", 404, ""),
    ("({ statusCode: 200, headers: HEADERS, body: 'aGk=', isBase64Encoded: true })", 200, "hi"),
    ("({ statusCode: 200, headers: HEADERS, body: JSON.parse(event).body })", 200, "one\ntwo"),
    ("({ statusCode: 503, headers: HEADERS, body: '{\"errorMessage\": \"busy\"}' })", 503, "busy"),
    ("({ statusCode: 99 })", 502, "statusCode"),
    ("missing()", 502, "missing is not defined"),
];

#[tokio::test]
async fn every_wsgi_shape() {
    let world = World::start().await;
    check_all(&world, "handler", PYTHON, |code| Function::python(&format!("{PYTHON_PRELUDE}\n{code}\n")))
        .await;
}

#[tokio::test]
async fn every_node_http_shape() {
    let world = World::start().await;
    let make = |code: &str| {
        Function::node(&format!(
            "const {{ Readable }} = require('stream');\n\
             exports.handler = (req, resp, context) => {{\n\
               resp.setHeader('X-Shape', 'yes'); resp.setHeader('Set-Cookie', ['a=1', 'b=2']); {code};\n}};\n"
        ))
    };
    check_all(&world, "handler", NODE, make).await;
}

#[tokio::test]
async fn every_shape_of_a_response_to_an_http_event() {
    let world = World::start().await;
    let python = |code: &str| {
        Function::python(&format!(
            "import json\nHEADERS = {{'X-Shape': 'yes', 'Set-Cookie': ['a=1', 'b=2']}}\nhandler = lambda event, context: {code}\n"
        ))
    };
    check_all(&world, "event", PYTHON_EVENT, python).await;
    let world = World::start().await;
    let node = |code: &str| {
        Function::node(&format!(
            "const HEADERS = {{ 'X-Shape': 'yes', 'Set-Cookie': ['a=1', 'b=2'] }};\nexports.handler = async (event) => {code};\n"
        ))
    };
    check_all(&world, "event", NODE_EVENT, node).await;
}

async fn check_all(world: &World, format: &str, shapes: &[Shape], make: impl Fn(&str) -> Function) {
    for (number, (code, ..)) in shapes.iter().enumerate() {
        let name = format!("shape{number}");
        world.api.deploy(&name, make(code)).await;
        let config = json!({ "authType": "anonymous", "methods": ["POST"], "payloadFormat": format });
        world.api.open(&name, config).await;
        world.api.configure(&name, json!({ "maxAsyncRetryAttempts": 0, "statefulInvocation": true })).await;
        assert_eq!(post(world, &name, LATER).await.status, 202);
    }
    for (number, (code, wanted, body)) in shapes.iter().enumerate() {
        let name = format!("shape{number}");
        let reply = post(world, &name, "").await;
        assert_eq!(reply.status, *wanted, "{code}: {}", reply.text());
        let task = world.api.settled(&name, "job").await;
        let later = task["returnPayload"].as_str().unwrap();
        if *wanted < 500 {
            check_headers(code, &reply);
            assert_eq!(reply.text(), *body, "{code}");
            assert_eq!((status(&task), later), ("Succeeded", *body), "{code}");
            continue;
        }
        assert_eq!(status(&task), "Failed", "{code}: {task}");
        for error in [reply.text().as_str(), later] {
            let error: Value = serde_json::from_str(error).unwrap_or_else(|_| panic!("{code}: {error}"));
            assert!(error["errorMessage"].as_str().unwrap().contains(body), "{code}: {error}");
        }
        let error_type = if *wanted == 502 { "unhandledinvocationerror" } else { "" };
        assert_eq!(reply.header("x-fc-error-type"), error_type, "{code}");
    }
}

fn check_headers(code: &str, reply: &Reply) {
    assert_eq!(reply.header("x-shape"), "yes", "{code}");
    assert_eq!(reply.headers("set-cookie"), ["a=1", "b=2"], "{code}");
    assert!(!reply.header("x-fc-request-id").is_empty(), "{code}");
}

const LATER: &str = "\r\nx-fc-invocation-type: Async\r\nx-fc-async-task-id: job";

async fn post(world: &World, name: &str, headers: &str) -> Reply {
    let head = format!("POST /2016-08-15/proxy/it/{name}/ HTTP/1.1\r\nhost: x{headers}");
    exchange(&world.server, &head, b"one\ntwo").await
}

/// What a handler of events is given.
#[tokio::test]
async fn an_http_call_is_a_json_event_with_every_documented_field() {
    let world = World::start().await;
    let python = Function::python("handler = lambda event, context: event\n");
    let node = Function::node("exports.handler = async (event) => event;\n");
    for (name, function) in [("python", python), ("node", node)] {
        world.api.deploy(name, function).await;
        let config = json!({ "authType": "anonymous", "methods": ["POST"], "payloadFormat": "event" });
        world.api.open(name, config).await;
        let head = format!(
            "POST /2016-08-15/proxy/it/{name}/orders%20new?page=2&tag=x&tag=y%2F HTTP/1.1\r\nhost: fun.example\r\n\
             user-agent: test/1\r\nx-many: a\r\nx-many: b"
        );
        let reply = exchange(&world.server, &head, &[0xff, 0xfe]).await;
        let mut event = reply.json();
        let context = event["requestContext"].as_object_mut().unwrap();
        let (time, epoch) = (context.remove("time").unwrap(), context.remove("timeEpoch").unwrap());
        assert!(time.as_str().unwrap().ends_with('Z') && epoch.as_str().unwrap().parse::<u64>().is_ok());
        assert_eq!(context["requestId"].as_str().unwrap(), reply.header("x-fc-request-id"));
        context.remove("requestId");
        assert_eq!(
            event,
            json!({
                "version": "v1", "rawPath": "/orders%20new",
                "headers": { "Host": "fun.example", "User-Agent": "test/1", "X-Many": "a,b", "Content-Length": "2" },
                "queryParameters": { "page": "2", "tag": "x,y/" },
                "body": "//4=", "isBase64Encoded": true,
                "requestContext": {
                    "accountId": "123456789012", "domainName": "fun.example", "domainPrefix": "fun",
                    "http": { "method": "POST", "path": "/orders new", "protocol": "HTTP/1.1",
                              "sourceIp": "127.0.0.1", "userAgent": "test/1" },
                },
            }),
            "{name}"
        );
    }
}
