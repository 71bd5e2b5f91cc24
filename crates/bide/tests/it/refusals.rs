//! Bad input: each is refused with its documented code before anything is stored, and the server goes on.

use std::io::{Cursor, Write as _};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bide_api::auth::{Credential, Secret, fc};
use bide_client::Client;
use bide_env::{Clock as _, SystemClock};
use bide_types::AccountId;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use zip::write::SimpleFileOptions;

use crate::support::{ACCOUNT, Api, Function, KEY_ID, World, code_of, credential, text};

const ECHO: &str = "def handler(event, context):\n    return event\n";
const ASYNC_BYTES_MAX: usize = 128 * 1024;

async fn with_echo() -> World {
    let world = World::start().await;
    world.api.deploy("echo", Function::python(ECHO)).await;
    world
}

#[tokio::test]
async fn a_bad_submission_is_refused_and_leaves_no_record() {
    let world = with_echo().await;
    let delay = |value: &str| ("x-fc-async-delay", value.to_owned());
    let task = |id: &str| ("x-fc-stateful-async-invocation-id", id.to_owned());
    let mode = ("x-fc-stateful-async-invocation-enable", "true".to_owned());
    let fits = "j".repeat(128);
    let invalid = (400, "InvalidArgument".to_owned());
    for header in [
        delay("-1"),
        delay("3601"),
        delay("1.5"),
        delay("x"),
        delay("+1"),
        delay("99999999999999999999"),
        task(&"j".repeat(129)),
        task("1job"),
        task("-job"),
        task("a.job"),
        task("a job"),
        ("x-fc-stateful-async-invocation-enable", "maybe".to_owned()),
    ] {
        let shown = format!("{header:?}");
        let refused = world.api.submit("echo", "", &[mode.clone(), header.clone()]).await;
        let message = refused.as_ref().expect_err("refused").to_string().to_lowercase();
        assert!(message.contains(header.0), "the message names the header: {message}");
        assert_eq!(code_of(refused), invalid, "{shown}");
    }
    let odd = ("x-fc-invocation-type", "Later".to_owned());
    assert_eq!(code_of(world.api.try_invoke("echo", "", &[odd]).await), invalid);
    let large = world.api.submit("echo", vec![b'x'; ASYNC_BYTES_MAX + 1], &[]).await;
    assert_eq!(code_of(large), (400, "EntityTooLarge".to_owned()));
    assert_eq!(world.api.ledger("echo").await["accepted"], 0);

    for (header, event) in
        [(task(&fits), vec![b'x'; ASYNC_BYTES_MAX]), (delay("0"), vec![]), (delay("3600"), vec![])]
    {
        world.api.submit("echo", event, &[mode.clone(), header]).await.expect("accepted");
    }
    let task = world.api.settled("echo", &fits).await;
    assert_eq!(task["returnPayload"].as_str().unwrap().len(), ASYNC_BYTES_MAX);
    assert_eq!(world.api.ledger("echo").await["accepted"], 3);
}

#[tokio::test]
async fn what_does_not_exist_is_named() {
    let world = with_echo().await;
    let base = "/2016-08-15/services";
    for (method, path, expected) in [
        (Method::POST, format!("{base}/none/functions/echo/invocations"), (404, "ServiceNotFound")),
        (Method::POST, format!("{base}/it/functions/none/invocations"), (404, "FunctionNotFound")),
        (Method::POST, format!("{base}/it.7/functions/echo/invocations"), (404, "VersionNotFound")),
        (Method::POST, format!("{base}/it.prod/functions/echo/invocations"), (404, "AliasNotFound")),
        (Method::GET, format!("{base}/it/functions/none"), (404, "FunctionNotFound")),
        (Method::GET, format!("{base}/it/functions/echo/async-invoke-config"), (404, "AsyncConfigNotExists")),
        (
            Method::GET,
            format!("{base}/it/functions/echo/stateful-async-invocations/none"),
            (404, "StatefulAsyncInvocationNotFound"),
        ),
        (
            Method::PUT,
            format!("{base}/it/functions/echo/stateful-async-invocations/none"),
            (404, "StatefulAsyncInvocationNotFound"),
        ),
        (
            Method::GET,
            format!("{base}/it/functions/echo/stateful-async-invocations?status=Odd"),
            (400, "InvalidArgument"),
        ),
        (
            Method::GET,
            format!("{base}/it/functions/echo/stateful-async-invocations?nextToken=xyz"),
            (400, "InvalidArgument"),
        ),
        (Method::DELETE, format!("{base}/it"), (409, "ServiceNotEmpty")),
        (Method::GET, "/2016-08-15/nothing".to_owned(), (400, "PathNotSupported")),
        (Method::GET, "/nothing".to_owned(), (400, "PathNotSupported")),
    ] {
        let answer = world.api.client().call(method.clone(), &path, &[], Bytes::new()).await;
        assert_eq!(code_of(answer), (expected.0, expected.1.to_owned()), "{method} {path}");
    }
}

#[tokio::test]
async fn a_bad_function_or_configuration_is_refused() {
    let world = with_echo().await;
    let functions = "/2016-08-15/services/it/functions";
    let good = Function::python(ECHO).into_fields();
    let with = |field: &str, value: Value| {
        let mut fields = good.clone();
        fields["functionName"] = "other".into();
        fields[field] = value;
        fields
    };
    let package = |zip: &[u8]| with("code", json!({ "zipFile": STANDARD.encode(zip) }));
    for (what, fields) in [
        ("a name with a space", with("functionName", "a name".into())),
        ("an unknown runtime", with("runtime", "cobol85".into())),
        ("no handler", with("handler", "".into())),
        ("a timeout of 0", with("timeout", 0.into())),
        ("too much memory", with("memorySize", (64 * 1024).into())),
        ("odd memory", with("memorySize", 200.into())),
        ("too much concurrency", with("instanceConcurrency", 201.into())),
        ("a text as timeout", with("timeout", "soon".into())),
        ("a variable of the platform", with("environmentVariables", json!({ "FC_REGION": "x" }))),
        ("too many variables", with("environmentVariables", json!({ "A": "x".repeat(4096) }))),
        ("no base64", with("code", json!({ "zipFile": "%%%" }))),
        ("no code", with("code", json!({}))),
        ("no zip", package(b"this is no zip")),
        ("half a zip", package(&zip_of(|zip| start(zip, "index.py"))[..40])),
        ("a path upwards", package(&zip_of(|zip| start(zip, "../evil.py")))),
        ("a path upwards within", package(&zip_of(|zip| start(zip, "a/../../evil.py")))),
        ("an absolute path", package(&zip_of(|zip| start(zip, "/etc/evil.py")))),
        ("an absolute link", package(&zip_of(|zip| link(zip, "evil", "/etc/passwd")))),
        ("a link upwards", package(&zip_of(|zip| link(zip, "evil", "../../etc/passwd")))),
    ] {
        let answer = world.api.client().json(Method::POST, functions, Some(&fields)).await;
        assert_eq!(code_of(answer), (400, "InvalidArgument".to_owned()), "{what}");
    }
    let config = format!("{}/async-invoke-config", Api::path("echo"));
    let own = json!({ "onFailure": { "destination": world.api.arn("echo") } });
    for body in [
        json!({ "maxAsyncRetryAttempts": 9 }),
        json!({ "maxAsyncRetryAttempts": -1 }),
        json!({ "maxAsyncEventAgeInSeconds": 0 }),
        json!({ "maxAsyncEventAgeInSeconds": 2_592_001 }),
        json!({ "destinationConfig": own }),
        json!({ "destinationConfig": { "onSuccess": { "destination": "nowhere" } } }),
        json!([1, 2]),
    ] {
        let answer = world.api.client().json(Method::PUT, &config, Some(&body)).await;
        assert_eq!(code_of(answer), (400, "InvalidArgument".to_owned()), "{body}");
    }
    let words = Bytes::from_static(b"{\"maxAsyncRetryAttempts\": ");
    let answer = world.api.client().call(Method::PUT, &config, &[], words).await;
    assert_eq!(code_of(answer), (400, "InvalidArgument".to_owned()), "broken JSON");
    assert_eq!(text(&world.api.invoke("echo", "still here").await), "still here");
}

type Zip = zip::ZipWriter<Cursor<Vec<u8>>>;

fn zip_of(fill: impl FnOnce(&mut Zip)) -> Vec<u8> {
    let mut zip = Zip::new(Cursor::new(Vec::new()));
    fill(&mut zip);
    zip.finish().unwrap().into_inner()
}

fn start(zip: &mut Zip, name: &str) {
    zip.start_file(name, SimpleFileOptions::default()).unwrap();
    zip.write_all(ECHO.as_bytes()).unwrap();
}

fn link(zip: &mut Zip, name: &str, target: &str) {
    zip.add_symlink(name, target, SimpleFileOptions::default()).unwrap();
}

#[tokio::test]
async fn callers_that_cannot_be_believed_are_refused() {
    let world = with_echo().await;
    let account = || AccountId::new(ACCOUNT).unwrap();
    for (credential, code) in [
        (Credential::new(KEY_ID, &Secret::new("wrong"), account()), "SignatureNotMatch"),
        (Credential::new("nobody", &Secret::new("wrong"), account()), "InvalidAccessKeyID"),
    ] {
        let client = Client::new(world.server.endpoint(), credential).unwrap();
        let answer = client.call(Method::GET, "/2016-08-15/services", &[], Bytes::new()).await;
        assert_eq!(code_of(answer), (403, code.to_owned()));
    }
    let clock = SystemClock::new();
    let now = clock.now();
    let stale = now.minus(Duration::from_secs(16 * 60));
    let early = now.plus(Duration::from_secs(16 * 60));
    let signed = |date: HeaderValue| {
        let mut headers = HeaderMap::from_iter([(http::header::DATE, date)]);
        let value = fc::sign(&credential(), &Method::GET, "/2016-08-15/services", &headers);
        headers.insert(http::header::AUTHORIZATION, value);
        headers
    };
    let without = |name: http::HeaderName| {
        let mut headers = signed(fc::date(now));
        headers.remove(name);
        headers
    };
    let mut garbled = signed(fc::date(now));
    garbled.insert(http::header::AUTHORIZATION, HeaderValue::from_static("FC nonsense"));
    for (what, headers, status, code) in [
        ("a stale date", signed(fc::date(stale)), 403, "AccessDenied"),
        ("a date to come", signed(fc::date(early)), 403, "AccessDenied"),
        ("no date", without(http::header::DATE), 400, "MissingRequiredHeader"),
        ("no signature", without(http::header::AUTHORIZATION), 400, "MissingRequiredHeader"),
        ("a date that is none", signed(HeaderValue::from_static("today")), 400, "InvalidArgument"),
        ("a signature that is none", garbled, 400, "InvalidArgument"),
    ] {
        let (seen, body) = get(&world, "/2016-08-15/services", &headers).await;
        assert_eq!((seen, body["ErrorCode"].as_str()), (status, Some(code)), "{what}: {body}");
        assert!(body["ErrorMessage"].is_string() && body["RequestId"].is_string(), "{what}: {body}");
    }
    let (status, _) = get(&world, "/2016-08-15/services", &signed(fc::date(now))).await;
    assert_eq!(status, 200, "the same with nothing wrong");
}

/// A request with exactly these headers.
async fn get(world: &World, target: &str, headers: &HeaderMap) -> (u16, Value) {
    let address = world.server.endpoint().trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut request = format!("GET {target} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").expect("a whole answer");
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or_default())
}

#[tokio::test]
async fn a_connection_that_speaks_no_http_harms_nobody() {
    let world = with_echo().await;
    let address = world.server.endpoint().trim_start_matches("http://");
    for noise in
        [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], b"\r\n\r\n\r\n", b"GET", &[b'a'; 200_000]]
    {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // The server may hang up in the middle.
        let _ = stream.write_all(noise).await;
        drop(stream);
    }
    assert_eq!(text(&world.api.invoke("echo", "still here").await), "still here");
}
