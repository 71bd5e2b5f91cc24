use axum::http::HeaderMap;
use hmac::KeyInit as _;

use super::*;

fn senders() -> EventSenders {
    let account = |name: &str| AccountId::new(name).expect("valid");
    let token = SenderProof::Token(TokenDigest::new(&Secret::new("a-token-of-some-length")));
    let key = Hmac::new_from_slice(b"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a key");
    EventSenders::new(vec![
        EventSender { account: account("1"), proof: token },
        EventSender { account: account("2"), proof: SenderProof::Webhook(vec![key]) },
    ])
}

#[test]
fn a_token_is_told_from_all_others() {
    let senders = senders();
    assert_eq!(senders.by_token(b"a-token-of-some-length").map(AccountId::as_str), Some("1"));
    assert_eq!(senders.by_token(b"a-token-of-some-lengt"), None);
    assert_eq!(senders.by_token(b""), None);
    assert_eq!(token(b"Bearer abc"), Some(b"abc".to_vec()));
    assert_eq!(token(b"bearer  abc "), Some(b"abc".to_vec()));
    assert_eq!(token(b"Basic dXNlcjphOmI="), Some(b"a:b".to_vec()));
    assert_eq!(token(b"Basic dXNlcg=="), None);
    assert_eq!(token(b"Digest abc"), None);
    assert!(!format!("{senders:?}").contains("token-of"));
}

#[test]
fn a_signature_is_of_id_time_and_body() {
    let senders = senders();
    let now = Timestamp::from_millis(1_700_000_000_000);
    let signed = |id: &str, seconds: u64, body: &[u8]| {
        let mut mac = Hmac::<Sha256>::new_from_slice(b"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a key");
        mac.update(format!("{id}.{seconds}.").as_bytes());
        mac.update(body);
        format!("v1,{}", BASE64.encode(mac.finalize().into_bytes()))
    };
    let read = |id: &str, seconds: u64, signature: &str| {
        let mut headers = HeaderMap::new();
        let value = |text: &str| HeaderValue::from_str(text).expect("ASCII");
        headers.insert(WEBHOOK_ID, value(id));
        headers.insert(WEBHOOK_TIMESTAMP, value(&seconds.to_string()));
        headers.insert(WEBHOOK_SIGNATURE, value(signature));
        Signed::read(&headers, now)
    };
    let seconds = now.as_secs();
    let good = format!("v1,AAAA v2,x {}", signed("m", seconds, b"body"));
    let head = read("m", seconds, &good).expect("in time");
    assert_eq!(senders.by_signature(&head, b"body").map(AccountId::as_str), Some("2"));
    assert_eq!(senders.by_signature(&head, b"bodY"), None);
    let other = read("n", seconds, &good).expect("in time");
    assert_eq!(senders.by_signature(&other, b"body"), None);
    for late in [seconds - 301, seconds + 301] {
        let refused = read("m", late, &signed("m", late, b"body")).err().expect("out of tolerance");
        assert_eq!(refused.code, ErrorCode::AccessDenied);
    }
    assert!(read("m", u64::MAX, &good).is_err());
}
