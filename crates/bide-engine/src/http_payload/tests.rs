use super::*;

fn request() -> HttpRequest {
    let mut headers = HeaderMap::new();
    headers.append("x-many", HeaderValue::from_static("a"));
    headers.append("x-many", HeaderValue::from_static("b"));
    headers.insert("x-bytes", HeaderValue::from_bytes(b"caf\xe9").expect("a value"));
    HttpRequest {
        method: Method::PATCH,
        path: "/a%20b/c".to_owned(),
        query: Some(String::new()),
        headers,
        base_path: "/2016-08-15/proxy/s/f".to_owned(),
        host: "localhost:8700".to_owned(),
        client_ip: Some(IpAddr::from([192, 0, 2, 7])),
        format: HttpFormat::Event,
    }
}

#[test]
fn what_was_encoded_is_decoded() {
    let plain = HttpRequest {
        query: None,
        headers: HeaderMap::new(),
        base_path: String::new(),
        client_ip: None,
        format: HttpFormat::Handler,
        ..request()
    };
    for request in [request(), plain] {
        for content in [&b""[..], b"\x00\xff body"] {
            let payload = encode(&request, content);
            assert_eq!(decode(&payload), Ok((request.clone(), Bytes::copy_from_slice(content))));
            assert_eq!(body(&payload), Ok(Bytes::copy_from_slice(content)));
        }
    }
}

/// A difference means that calls which an earlier build accepted can no longer be run: make a new version.
#[test]
fn the_bytes_stay_as_they_are() {
    let payload = encode(&request(), b"body");
    let hex: String = payload.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, include_str!("../../testdata/http_payload_v1.txt").trim());
}

#[test]
fn damage_is_an_error_wherever_it_is() {
    let whole = encode(&request(), b"");
    for end in 0..whole.len() {
        assert!(decode(&whole.slice(..end)).is_err(), "cut at {end}");
    }
    let mut newer = whole.to_vec();
    newer[0] = VERSION + 1;
    let error = decode(&Bytes::from(newer)).expect_err("unknown").to_string();
    assert!(error.contains("version 2, known is 1"), "{error}");
}
