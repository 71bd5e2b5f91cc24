use axum::http::Request;
use bide_types::{AccountId, ErrorCode};
use serde::Deserialize;

use super::super::{Secret, authenticate_http, claimed_account};
use super::*;

#[derive(Deserialize)]
struct Vector {
    name: String,
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    expires: u64,
}

fn vectors() -> Vec<Vector> {
    serde_json::from_str(include_str!("../fixtures/presigned.json")).expect("the fixture is valid")
}

fn credentials() -> Credentials {
    let account = AccountId::new("123456789012").expect("valid");
    [Credential::new("AKIDEXAMPLE", &Secret::new("SECRETEXAMPLE"), account)].into_iter().collect()
}

fn parts(method: &str, target: &str, headers: &[(String, String)]) -> Parts {
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    request.body(()).expect("a request").into_parts().0
}

fn refusal(target: &str, now: Timestamp) -> ErrorCode {
    authenticate_http(&credentials(), &parts("GET", target, &[]), now).expect_err("refused").code
}

#[test]
fn every_published_vector_is_accepted_until_it_expires() {
    for vector in vectors() {
        let request = parts(&vector.method, &vector.target, &vector.headers);
        let at = |seconds: u64| Timestamp::from_millis(seconds * 1000);
        for (now, accepted) in [(0, true), (vector.expires, true), (vector.expires + 1, false)] {
            let credentials = credentials();
            let outcome = authenticate_http(&credentials, &request, at(now));
            assert_eq!(outcome.is_ok(), accepted, "{} at {now}: {outcome:?}", vector.name);
        }
        assert!(claimed_account(&credentials(), &request).expect("known").is_some());
    }
}

#[test]
fn a_change_of_anything_signed_is_noticed() {
    let target = &vectors()[0].target;
    let now = Timestamp::ZERO;
    for (old, new) in [("a=2", "a=3"), ("a=2", "a=2&b=1"), ("demo-fn", "other"), ("1704067200", "1704067300")]
    {
        assert_eq!(refusal(&target.replacen(old, new, 1), now), ErrorCode::SignatureNotMatch, "{new}");
    }
    let named = [("content-type".to_owned(), "a/b".to_owned())];
    assert!(authenticate_http(&credentials(), &parts("GET", target, &named), now).is_err());
    assert!(authenticate_http(&credentials(), &parts("POST", target, &[]), now).is_err());
}

#[test]
fn each_fault_has_its_code() {
    let now = Timestamp::ZERO;
    for (target, code) in [
        ("/?x-fc-signature=AAAA", ErrorCode::InvalidArgument),
        ("/?x-fc-signature=AAAA&x-fc-access-key-id=AKIDEXAMPLE", ErrorCode::InvalidArgument),
        (
            "/?x-fc-signature=AAAA&x-fc-access-key-id=AKIDEXAMPLE&x-fc-expires=soon",
            ErrorCode::InvalidArgument,
        ),
        ("/?x-fc-signature=AAAA&x-fc-access-key-id=nobody&x-fc-expires=9", ErrorCode::InvalidAccessKeyID),
        ("/?x-fc-signature=AAAA&x-fc-access-key-id=AKIDEXAMPLE&x-fc-expires=9", ErrorCode::SignatureNotMatch),
        ("/?x-fc-signature-else=1", ErrorCode::MissingRequiredHeader),
    ] {
        assert_eq!(refusal(target, now), code, "{target}");
    }
}
