use axum::http::Request;
use bide_types::{AccountId, ErrorCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::super::{Secret, authenticate, authenticate_http};
use super::*;

/// What stays as it is in a path of a test request.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_');
const NOW: &str = "Mon, 01 Jan 2024 00:00:00 GMT";

#[derive(Deserialize)]
struct Vector {
    name: String,
    method: String,
    path: String,
    query: Option<Vec<(String, Option<String>)>>,
    headers: Vec<(String, String)>,
    string_to_sign: String,
    authorization: String,
}

impl Vector {
    fn target(&self) -> String {
        let encode = |text: &str| utf8_percent_encode(text, PATH).to_string();
        let mut target = encode(&self.path);
        for (index, (key, value)) in self.query.iter().flatten().enumerate() {
            target.push(if index == 0 { '?' } else { '&' });
            target.push_str(&encode(key));
            if let Some(value) = value {
                target.push('=');
                target.push_str(&encode(value));
            }
        }
        target
    }
}

#[derive(Deserialize)]
struct Captured {
    client: String,
    method: String,
    target: String,
    headers: Vec<(String, String)>,
}

fn vectors() -> Vec<Vector> {
    serde_json::from_str(include_str!("../fixtures/vectors.json")).expect("the fixture is valid")
}

fn credential() -> Credential {
    Credential::new(
        "AKIDEXAMPLE",
        &Secret::new("SECRETEXAMPLE"),
        AccountId::new("123456789012").expect("valid"),
    )
}

fn credentials() -> Credentials {
    [credential()].into_iter().collect()
}

fn header_map(headers: &[(String, String)]) -> HeaderMap {
    headers
        .iter()
        .map(|(name, value)| {
            (
                HeaderName::try_from(name.as_str()).expect("a name"),
                HeaderValue::from_str(value).expect("a value"),
            )
        })
        .collect()
}

fn parts(method: &str, target: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).expect("a request").into_parts().0
}

fn time(text: &str) -> Timestamp {
    parse_date(&HeaderValue::from_str(text).expect("ASCII")).expect("a date")
}

/// A correctly signed request with `headers`, for tests that then spoil one thing.
fn signed(headers: &[(&str, &str)]) -> Parts {
    let mut parts = parts("POST", "/2016-08-15/services/s/functions/f/invocations", headers);
    let value = sign(&credential(), &parts.method, parts.uri.path(), &parts.headers);
    parts.headers.insert("authorization", value);
    parts
}

fn refusal(parts: &Parts, now: Timestamp) -> ErrorCode {
    authenticate(&credentials(), parts, now).expect_err("refused").code
}

#[test]
fn every_published_vector_is_reproduced() {
    for vector in vectors() {
        let (method, target) = (vector.method.parse().expect("a method"), vector.target());
        let headers = header_map(&vector.headers);
        let mut text = Vec::new();
        let http = Resource::Http(ItemOrder::Sorted);
        let resource = if vector.query.is_some() { http } else { Resource::Api(PathForm::Decoded) };
        string_to_sign(&method, &target, &headers, resource, &mut |bytes| text.extend_from_slice(bytes));
        assert_eq!(String::from_utf8_lossy(&text), vector.string_to_sign, "{}", vector.name);
        assert_eq!(sign(&credential(), &method, &target, &headers), vector.authorization, "{}", vector.name);
    }
}

#[test]
fn every_captured_request_of_the_official_clients_is_accepted() {
    let captured: Vec<Captured> =
        serde_json::from_str(include_str!("../fixtures/captured.json")).expect("the fixture is valid");
    assert!(captured.len() > 30);
    let credentials = credentials();
    for request in captured {
        let mut parts = parts(&request.method, &request.target, &[]);
        parts.headers = header_map(&request.headers);
        let now = parse_date(&parts.headers["date"]).expect("a date");
        let http = request.target.starts_with(HTTP_TRIGGER_PATH);
        let authenticate = if http { authenticate_http } else { authenticate };
        let outcome = authenticate(&credentials, &parts, now);
        assert!(outcome.is_ok(), "{} {} {}: {outcome:?}", request.client, request.method, request.target);
    }
}

#[test]
fn the_date_may_be_off_by_fifteen_minutes_and_no_more() {
    let parts = signed(&[("date", NOW)]);
    let now = time(NOW);
    let edge = Duration::from_secs(15 * 60);
    for good in [now, now.plus(edge), now.minus(edge)] {
        assert!(authenticate(&credentials(), &parts, good).is_ok());
    }
    for bad in [now.plus(edge + Duration::from_millis(1)), now.minus(edge + Duration::from_millis(1))] {
        assert_eq!(refusal(&parts, bad), ErrorCode::AccessDenied);
    }
}

#[test]
fn x_fc_date_stands_in_for_date() {
    let parts = signed(&[("x-fc-date", NOW), ("date", "Mon, 01 Jan 2001 00:00:00 GMT")]);
    assert!(authenticate(&credentials(), &parts, time(NOW)).is_ok());
}

#[test]
fn an_empty_account_hint_is_signed_and_says_nothing() {
    let parts = signed(&[("date", NOW), ("x-fc-account-id", "")]);
    assert!(authenticate(&credentials(), &parts, time(NOW)).is_ok());
    let parts = signed(&[("date", NOW), ("x-fc-account-id", "someone-else")]);
    assert_eq!(refusal(&parts, time(NOW)), ErrorCode::AccessDenied);
}

#[test]
fn each_fault_has_its_code() {
    let now = time(NOW);
    assert_eq!(refusal(&parts("GET", "/", &[("date", NOW)]), now), ErrorCode::MissingRequiredHeader);
    let undated = parts("GET", "/", &[("authorization", "FC AKIDEXAMPLE:x")]);
    assert_eq!(refusal(&undated, now), ErrorCode::MissingRequiredHeader);
    for (authorization, code) in [
        ("FC nobody:AAAA", ErrorCode::InvalidAccessKeyID),
        ("FC AKIDEXAMPLE:", ErrorCode::SignatureNotMatch),
        ("FC AKIDEXAMPLE:!!!", ErrorCode::SignatureNotMatch),
        ("FC AKIDEXAMPLE:AAAA", ErrorCode::SignatureNotMatch),
        ("FC AKIDEXAMPLE", ErrorCode::InvalidArgument),
        ("Bearer abc", ErrorCode::InvalidArgument),
    ] {
        let request = parts("GET", "/", &[("date", NOW), ("authorization", authorization)]);
        assert_eq!(refusal(&request, now), code, "{authorization}");
    }
    let undatable = parts("GET", "/", &[("date", "yesterday"), ("authorization", "FC AKIDEXAMPLE:x")]);
    assert_eq!(refusal(&undatable, now), ErrorCode::InvalidArgument);
}

#[test]
fn a_change_of_anything_signed_is_noticed() {
    let now = time(NOW);
    let headers = [("date", NOW), ("content-type", "a/b"), ("x-fc-async-delay", "5")];
    let good = signed(&headers);
    assert!(authenticate(&credentials(), &good, now).is_ok());
    for (name, value) in
        [("content-type", "a/c"), ("x-fc-async-delay", "6"), ("content-md5", "x"), ("x-fc-new", "")]
    {
        let mut bad = good.clone();
        bad.headers.insert(name, HeaderValue::from_static(value));
        assert_eq!(refusal(&bad, now), ErrorCode::SignatureNotMatch, "{name}");
    }
    let mut bad = good.clone();
    bad.method = Method::PUT;
    assert_eq!(refusal(&bad, now), ErrorCode::SignatureNotMatch);
    let mut bad = good;
    bad.uri = "/2016-08-15/services/s/functions/g/invocations".parse().expect("a path");
    assert_eq!(refusal(&bad, now), ErrorCode::SignatureNotMatch);
}

#[test]
fn an_http_call_is_signed_with_its_query_in_either_order() {
    let now = time(NOW);
    let target = "/any/path?x=1&a=2";
    for (signed_target, accepted) in
        [(target, true), ("/any/path?a=2&x=1", true), ("/any/path", false), ("/any/path?x=2&a=1", false)]
    {
        for order in [ItemOrder::Sorted, ItemOrder::AsReceived] {
            let mut parts = parts("GET", target, &[("date", NOW)]);
            let resource = Resource::Http(order);
            let value = authorization(&credential(), &parts.method, signed_target, &parts.headers, resource);
            parts.headers.insert("authorization", value);
            let credentials = credentials();
            let outcome = authenticate_http(&credentials, &parts, now);
            assert_eq!(outcome.is_ok(), accepted, "{signed_target} {order:?}");
            assert!(authenticate(&credentials, &parts, now).is_err(), "no call of the API");
        }
    }
}

#[test]
fn a_path_of_the_api_is_signed_escaped_or_not() {
    let now = time(NOW);
    for (signed_target, accepted) in [
        ("/2016-08-15/layerarn/acs%3Afc%3A1", true),
        ("/2016-08-15/layerarn/acs:fc:1", true),
        ("/2016-08-15/layerarn/acs%3Afc%3A2", false),
    ] {
        for form in [PathForm::Decoded, PathForm::AsSent] {
            let mut parts = parts("GET", "/2016-08-15/layerarn/acs%3Afc%3A1", &[("date", NOW)]);
            let resource = Resource::Api(form);
            let value = authorization(&credential(), &parts.method, signed_target, &parts.headers, resource);
            parts.headers.insert("authorization", value);
            let outcome = authenticate(&credentials(), &parts, now).is_ok();
            assert_eq!(outcome, accepted, "{signed_target} {form:?}");
        }
    }
}

#[test]
fn nothing_that_is_printed_shows_the_secret() {
    let shown = format!("{:?} {:?} {:?}", Secret::new("SECRETEXAMPLE"), credential(), credentials());
    assert!(!shown.contains("SECRETEXAMPLE"), "{shown}");
    let error = authenticate(&credentials(), &signed(&[]), Timestamp::ZERO).expect_err("undated");
    assert!(!error.to_string().contains("SECRET"));
}
