use super::*;

fn reply() -> Reply {
    Reply::Returned(Bytes::new())
}

fn head(calls: &Calls, tag: u32) -> bool {
    calls.head(tag, Err(BadHead::TooMany))
}

#[test]
fn only_what_was_asked_is_taken_and_only_once() {
    let calls = Calls::default();
    let _answer = calls.expect_answer(1).unwrap();
    assert!(!head(&calls, 1), "no head was asked for");
    assert!(!calls.end(2, reply()));
    assert!(calls.end(1, reply()));
    assert!(!calls.end(1, reply()));
}

#[test]
fn a_response_is_one_head_then_pieces_then_an_end() {
    let calls = Calls::default();
    let _parts = calls.expect_response(1).unwrap();
    assert!(!calls.piece(1, Bytes::from_static(b"early")));
    assert!(head(&calls, 1));
    assert!(!head(&calls, 1));
    assert!(calls.piece(1, Bytes::from_static(b"x")));
    assert!(calls.end(1, reply()));
    assert!(!calls.piece(1, Bytes::from_static(b"late")));
}

#[tokio::test]
async fn pieces_beyond_the_window_break_the_protocol_until_credit_was_given() {
    let calls = Calls::default();
    let mut parts = calls.expect_response(1).unwrap();
    head(&calls, 1);
    let piece = Bytes::from(vec![0; WINDOW_BYTES / 4]);
    for _ in 0..4 {
        assert!(calls.piece(1, piece.clone()));
    }
    assert!(matches!(parts.next().await, Some(Part::Head(_))));
    assert_eq!(parts.taken(WINDOW_BYTES / 4), None);
    assert_eq!(parts.taken(WINDOW_BYTES / 4), Some(WINDOW_BYTES / 2));
    assert!(calls.piece(1, piece.clone()));
    assert!(calls.piece(1, piece));
    assert!(!calls.piece(1, Bytes::new()), "an empty piece has its cost");
}

#[tokio::test]
async fn who_waits_learns_that_the_agent_is_gone() {
    let calls = Calls::default();
    let answer = calls.expect_answer(1).unwrap();
    let mut parts = calls.expect_response(2).unwrap();
    calls.close();
    assert!(answer.await.is_err());
    assert!(parts.next().await.is_none());
    assert!(calls.expect_answer(3).is_none() && calls.expect_response(4).is_none());
}
