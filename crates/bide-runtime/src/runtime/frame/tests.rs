use bide_types::RequestId;

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
        tracing: Tracing { span_context: Some("a\0b".to_owned()), span_baggages: None },
        http: None,
        responder: None,
    };
    let frame = ask(Ask::Invoke, 7, &request, 5);
    let list = b"r-1\x002\0\0ab\0";
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
}
