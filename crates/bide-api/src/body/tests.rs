use std::pin::Pin;
use std::task::Context;

use bide_env::ManualClock;
use bide_types::Timestamp;
use hyper::body::{Frame, SizeHint};

use super::*;

/// A body that arrives in the given pieces, with or without an announced length, and then perhaps never ends.
struct Pieces {
    pieces: std::vec::IntoIter<&'static [u8]>,
    announced: Option<u64>,
    stalls: bool,
}

impl Pieces {
    fn chunked(pieces: &[&'static [u8]]) -> Self {
        Self { pieces: Vec::from(pieces).into_iter(), announced: None, stalls: false }
    }
}

impl hyper::body::Body for Pieces {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        match self.pieces.next() {
            Some(b"broken") => Poll::Ready(Some(Err(std::io::Error::other("reset")))),
            Some(piece) => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(piece))))),
            None if self.stalls => Poll::Pending,
            None => Poll::Ready(None),
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.announced.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

fn clock() -> ManualClock {
    ManualClock::at(Timestamp::from_millis(1_000))
}

async fn read_pieces(pieces: Pieces, limit: usize) -> Result<Bytes, ErrorCode> {
    read(&mut Body::new(pieces), limit, &clock()).await.map_err(|error| error.code)
}

async fn read(body: &mut Body, limit: usize, clock: &ManualClock) -> Result<Bytes, ApiError> {
    Room::new().read(body, limit, clock).await.map(|received| received.bytes)
}

#[tokio::test]
async fn a_body_up_to_the_limit_is_read_whatever_its_pieces() {
    assert_eq!(read_pieces(Pieces::chunked(&[]), 0).await, Ok(Bytes::new()));
    assert_eq!(read_pieces(Pieces::chunked(&[b"12345"]), 5).await, Ok(Bytes::from_static(b"12345")));
    assert_eq!(
        read_pieces(Pieces::chunked(&[b"12", b"", b"345"]), 5).await,
        Ok(Bytes::from_static(b"12345"))
    );
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_before_it_is_gathered() {
    let announced = Pieces { announced: Some(6), ..Pieces::chunked(&[b"broken"]) };
    assert_eq!(read_pieces(announced, 5).await, Err(ErrorCode::EntityTooLarge));
    assert_eq!(read_pieces(Pieces::chunked(&[b"123456"]), 5).await, Err(ErrorCode::EntityTooLarge));
    assert_eq!(
        read_pieces(Pieces::chunked(&[b"123", b"456", b"broken"]), 5).await,
        Err(ErrorCode::EntityTooLarge)
    );
}

#[tokio::test]
async fn a_body_that_breaks_off_is_refused() {
    assert_eq!(read_pieces(Pieces::chunked(&[b"123", b"broken"]), 5).await, Err(ErrorCode::InvalidArgument));
}

#[tokio::test]
async fn a_body_that_stalls_is_given_up() {
    let clock = clock();
    let mut body = Body::new(Pieces { stalls: true, ..Pieces::chunked(&[b"1"]) });
    let reading = read(&mut body, 5, &clock);
    let advance = async { clock.advance(STALL_MAX) };
    let (outcome, ()) = tokio::join!(reading, advance);
    assert_eq!(outcome.map_err(|error| error.code), Err(ErrorCode::InvalidArgument));
}

#[tokio::test]
async fn draining_takes_what_was_sent_but_asks_for_nothing() {
    let mut body = Body::new(Pieces::chunked(&[b"1", b"2"]));
    drain(&mut body, &HeaderMap::new(), &clock()).await;
    assert_eq!(read(&mut body, 5, &clock()).await, Ok(Bytes::new()));

    let mut headers = HeaderMap::new();
    headers.insert(header::EXPECT, header::HeaderValue::from_static("100-continue"));
    let mut body = Body::new(Pieces::chunked(&[b"1"]));
    drain(&mut body, &headers, &clock()).await;
    assert_eq!(read(&mut body, 5, &clock()).await, Ok(Bytes::from_static(b"1")));
}

#[tokio::test]
async fn large_bodies_share_bounded_room_and_give_it_back() {
    static MEBIBYTE: [u8; 1024 * 1024] = [0; 1024 * 1024];
    let room = Room { free_kib: Arc::new(Semaphore::new(3 * 1024)) };
    let receive = async || {
        let mut body = Body::new(Pieces::chunked(&[&MEBIBYTE, &MEBIBYTE]));
        room.read(&mut body, 2 * MEBIBYTE.len(), &clock()).await
    };
    let first = receive().await.expect("there is room");
    assert_eq!(receive().await.expect_err("no room").code, ErrorCode::ResourceExhausted);
    drop(first);
    assert_eq!(receive().await.expect("room again").bytes.len(), 2 * MEBIBYTE.len());
}
