use bide_types::{Qualifier, RequestId};

use super::*;
use crate::executor::Tracing;

fn frame(kind: u8, body: &[u8]) -> BytesMut {
    let mut frame = BytesMut::new();
    put_header(&mut frame, body.len(), kind);
    frame.put_slice(body);
    frame
}

#[test]
fn a_request_carries_its_list_and_the_length_of_its_event() {
    let request = InvokeRequest {
        request_id: RequestId::new("r-1").unwrap(),
        payload: Bytes::from_static(b"event"),
        retry_count: 2,
        task_id: None,
        alias: Some(Qualifier::new("prod").unwrap()),
        tracing: Tracing { span_context: Some("a\0b".to_owned()), span_baggages: None },
        http: None,
        responder: None,
    };
    let frame = ask(Ask::Invoke, 7, &request, 5);
    let list = b"r-1\x002\0\0prod\0ab\0";
    assert_eq!(frame[..4], u32::try_from(6 + list.len() + 5).unwrap().to_le_bytes());
    assert_eq!(frame[4], 3);
    assert_eq!(frame[5..9], 7_u32.to_le_bytes());
    assert_eq!(&frame[11..], list);
}

#[test]
fn messages_are_taken_one_by_one_wherever_the_stream_is_cut() {
    let mut stream = frame(16, b"");
    stream.extend_from_slice(&frame(18, b"\x01\0\0\0value"));
    stream.extend_from_slice(&frame(19, b"\x02\0\0\0\x03{}"));
    for step in 1..stream.len() {
        let mut buffer = BytesMut::new();
        let mut messages = Vec::new();
        for part in stream.chunks(step) {
            buffer.extend_from_slice(part);
            while let Some(message) = decode(&mut buffer).unwrap() {
                messages.push(message);
            }
        }
        let failed =
            Message::Failed { tag: 2, handled: true, replace: true, error: Bytes::from_static(b"{}") };
        let returned = Message::Returned { tag: 1, value: Bytes::from_static(b"value") };
        assert_eq!(messages, [Message::Ready, returned, failed]);
    }
}

#[test]
fn lies_are_refused_before_they_cost_memory() {
    let mut long = BytesMut::new();
    put_header(&mut long, BODY_BYTES_MAX + 1, 18);
    assert_eq!(decode(&mut long), Err(Malformed::TooLong(BODY_BYTES_MAX + 1)));
    assert_eq!(decode(&mut frame(3, b"")), Err(Malformed::UnknownType(3)));
    assert_eq!(decode(&mut frame(18, b"abc")), Err(Malformed::TooShort));
    assert_eq!(decode(&mut frame(19, b"abcd")), Err(Malformed::TooShort));
    assert_eq!(decode(&mut frame(16, b"x")), Err(Malformed::TooLong(1)));
    assert_eq!(decode(&mut frame(20, b"\0\0\0\0\xc8")), Err(Malformed::TooShort));
    assert_eq!(decode(&mut frame(20, b"\0\0\0\0\xc8\0name")), Err(Malformed::NoValue));
}

fn head_of(body: &[u8]) -> Result<ResponseHead, BadHead> {
    let body = [b"\x07\0\0\0", body].concat();
    match decode(&mut frame(20, &body)) {
        Ok(Some(Message::Head { tag: 7, head })) => head,
        other => panic!("no head: {other:?}"),
    }
}

#[test]
fn a_head_has_a_status_and_headers_in_order() {
    let head = head_of(b"\x19\x01set-cookie\0a=1\0set-cookie\0b=2").unwrap();
    assert_eq!(head.status, 281);
    let cookies: Vec<_> = head.headers.get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1", "b=2"]);
    assert!(head_of(b"\xc8\0").unwrap().headers.is_empty());
}

#[test]
fn heads_that_http_cannot_carry_are_mistakes_of_the_handler() {
    assert_eq!(head_of(b"\x10\x27"), Err(BadHead::Status(10_000)));
    assert_eq!(head_of(b"\xc8\0a b\0x"), Err(BadHead::Name("a b".to_owned())));
    assert_eq!(head_of(b"\xc8\0\0x"), Err(BadHead::Name(String::new())));
    assert_eq!(head_of(b"\xc8\0a\0x\r\ny: z"), Err(BadHead::Value(HeaderName::from_static("a"))));
}

#[test]
fn an_http_call_carries_its_fields_before_the_body() {
    let mut headers = HeaderMap::new();
    headers.append("x-many", HeaderValue::from_static("a"));
    headers.append("x-many", HeaderValue::from_bytes(b"\xff").unwrap());
    let http = HttpRequest {
        method: http::Method::PUT,
        path: "/a%20b".to_owned(),
        query: Some(String::new()),
        headers,
        base_path: "/base".to_owned(),
        host: "h:1".to_owned(),
        client_ip: Some(std::net::Ipv4Addr::LOCALHOST.into()),
        format: crate::HttpFormat::Handler,
    };
    let fields = http_fields(&http);
    let expected = b"PUT\0/a%20b\0?\0/base\0h:1\x00127.0.0.1\0x-many\0a\0x-many\0\xff";
    assert_eq!(fields[..4], u32::try_from(expected.len()).unwrap().to_le_bytes());
    assert_eq!(&fields[4..], expected);
}

proptest::proptest! {
    /// Whatever an agent sends, in whatever cuts: messages within their bounds or an error, and never more held than
    /// the frame that is being read.
    #[test]
    fn any_bytes_are_messages_or_an_error(
        frames in proptest::collection::vec((0_u8..30, proptest::collection::vec(proptest::num::u8::ANY, 0..80)), 0..8),
        noise in proptest::collection::vec(proptest::num::u8::ANY, 0..20),
        cut in 1_usize..40,
    ) {
        let mut stream = Vec::new();
        for (kind, body) in &frames {
            stream.extend_from_slice(&frame(*kind, body));
        }
        stream.extend_from_slice(&noise);
        let (mut buffer, mut whole) = (BytesMut::new(), BytesMut::from(&stream[..]));
        let mut in_cuts = Vec::new();
        'reading: for part in stream.chunks(cut) {
            buffer.extend_from_slice(part);
            loop {
                match decode(&mut buffer) {
                    Ok(Some(message)) => in_cuts.push(Ok(message)),
                    Ok(None) => break,
                    Err(error) => {
                        in_cuts.push(Err(error));
                        break 'reading;
                    }
                }
            }
        }
        let mut at_once = Vec::new();
        loop {
            match decode(&mut whole) {
                Ok(Some(message)) => at_once.push(Ok(message)),
                Ok(None) => break,
                Err(error) => {
                    at_once.push(Err(error));
                    break;
                }
            }
        }
        proptest::prop_assert_eq!(in_cuts, at_once);
        proptest::prop_assert!(buffer.capacity() <= 2 * (BODY_BYTES_MAX + HEADER_BYTES));
    }
}
