use std::net::SocketAddr;

use bide_env::SystemClock;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::message::tests::message;

const OK: &str = "HTTP/1.1 204 No Content\r\n\r\n";

/// What a test sends at most before it looks.
const REQUESTS_MAX: usize = 64;
/// How often a test moves its clock on at most.
const ADVANCES_MAX: usize = 100_000;

/// An endpoint that gives these answers, one per request, and shows the requests.
struct Endpoint {
    address: SocketAddr,
    requests: tokio::sync::mpsc::Receiver<String>,
}

impl Endpoint {
    /// With `close`, every connection ends after its first answer, which the answer does not say.
    async fn start(answers: Vec<String>, close: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (seen, requests) = tokio::sync::mpsc::channel(REQUESTS_MAX);
        tokio::spawn(async move {
            let mut answers = answers.into_iter();
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = seen.send("connected".to_owned()).await;
                while let Some(request) = read_request(&mut stream).await {
                    let _ = seen.send(request).await;
                    let Some(answer) = answers.next() else { return };
                    let _ = stream.write_all(answer.as_bytes()).await;
                    if close {
                        break;
                    }
                }
            }
        });
        Self { address, requests }
    }

    fn seen(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.requests.try_recv().ok()).collect()
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut text = Vec::new();
    loop {
        let mut piece = [0; 4096];
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => text.extend_from_slice(&piece[..count]),
        }
        let so_far = String::from_utf8(text.clone()).expect("text");
        if let Some((head, body)) = so_far.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() == length.map_or(0, |length| length.parse().expect("a number")) {
                return Some(so_far);
            }
        }
    }
}

fn http(url: &str, rest: &str) -> Http {
    let entry = toml::from_str(&format!("url = \"{url}\"\n{rest}")).expect("valid");
    Http::new(entry, Arc::new(SystemClock::new())).expect("valid")
}

async fn send(http: &Http) -> Result<(), String> {
    http.send(Arc::new(message("orders"))).await.map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_message_is_posted_and_signed() {
    let secret = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(secret.path(), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("written");
    let mut endpoint = Endpoint::start(vec![OK.to_owned()], false).await;
    let rest = format!("allow_private = true\nsecret = {{ file = \"{}\" }}", secret.path().display());
    let http = http(&format!("http://{}/hooks/{{name}}?a=1", endpoint.address), &rest);
    send(&http).await.expect("delivered");
    let request = endpoint.seen().remove(1);
    let (head, body) = request.split_once("\r\n\r\n").expect("a body");
    assert!(head.starts_with("POST /hooks/orders?a=1 HTTP/1.1\r\n"), "{head}");
    let header = |name: &str| {
        let line = head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.unwrap_or_else(|| panic!("no {name} in {head}")).to_owned()
    };
    assert_eq!(header("content-type"), "application/json");
    assert_eq!(header("host"), endpoint.address.to_string());
    assert_eq!(body.as_bytes(), &message("orders").record[..]);
    let seconds = header("webhook-timestamp").parse().expect("seconds");
    let signature =
        http.signer.as_ref().expect("signed").sign(&header("webhook-id"), seconds, body.as_bytes());
    assert_eq!((header("webhook-id"), header("webhook-signature")), ("7-r1".to_owned(), signature));
}

#[tokio::test]
async fn only_success_confirms_and_no_redirect_is_followed() {
    let mut elsewhere = Endpoint::start(vec![OK.to_owned()], false).await;
    let redirect = format!(
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://{}/\r\ncontent-length: 0\r\n\r\n",
        elsewhere.address
    );
    let answers = vec![
        redirect,
        "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 2\r\n\r\nno".to_owned(),
        "HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n".to_owned(),
        OK.to_owned(),
    ];
    let mut endpoint = Endpoint::start(answers, false).await;
    let http = http(&format!("http://{}", endpoint.address), "allow_private = true");
    for status in ["307", "500", "410"] {
        let refused = send(&http).await.expect_err("refused");
        assert!(refused.contains(status), "{refused}");
    }
    send(&http).await.expect("delivered");
    assert_eq!(elsewhere.seen(), Vec::<String>::new());
    let connections = endpoint.seen().iter().filter(|seen| *seen == "connected").count();
    assert_eq!(connections, 1, "the connection is used again");
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_is_replaced() {
    let mut endpoint = Endpoint::start(vec![OK.to_owned(); 3], true).await;
    let http = http(&format!("http://{}", endpoint.address), "allow_private = true");
    for _ in 0..3 {
        send(&http).await.expect("delivered");
    }
    let requests = endpoint.seen().iter().filter(|seen| seen.starts_with("POST")).count();
    assert_eq!(requests, 3);
}

#[tokio::test]
async fn an_answer_without_end_is_not_read_to_its_end() {
    let long =
        format!("HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n{}", "x".repeat(ANSWER_BYTES_MAX + 1));
    let endpoint = Endpoint::start(vec![long], false).await;
    let http = http(&format!("http://{}", endpoint.address), "allow_private = true");
    send(&http).await.expect("delivered");
    assert!(http.kept().is_none(), "its connection is not used again");
}

#[tokio::test]
async fn a_confirmation_counts_even_if_the_rest_of_the_answer_never_comes() {
    let unfinished = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf".to_owned();
    let mut endpoint = Endpoint::start(vec![unfinished], false).await;
    let clock = bide_env::ManualClock::at(bide_types::Timestamp::from_secs(1));
    let entry = format!("url = \"http://{}\"\nallow_private = true", endpoint.address);
    let http = Http::new(toml::from_str(&entry).expect("valid"), Arc::new(clock.clone())).expect("valid");
    let sending = send(&http);
    let time = async {
        while !endpoint.seen().iter().any(|seen| seen.starts_with("POST")) {
            tokio::task::yield_now().await;
        }
        for _ in 0..ADVANCES_MAX {
            clock.advance(ANSWER_READ_MAX);
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        sent = sending => sent.expect("delivered"),
        () = time => panic!("it waits for the rest"),
    }
    assert!(http.kept().is_none(), "its connection is not used again");
}

#[test]
fn a_host_is_not_left_open() {
    for url in ["http://{name}/", "http://{name}.example.com/", "http://example.com:{name}/"] {
        let entry = toml::from_str(&format!("url = \"{url}\"")).expect("valid");
        assert!(Http::new(entry, Arc::new(SystemClock::new())).is_err(), "{url}");
    }
}

#[tokio::test]
async fn a_name_with_a_private_address_is_not_connected_to() {
    let mut endpoint = Endpoint::start(vec![OK.to_owned()], false).await;
    let http = http(&format!("http://localhost:{}/", endpoint.address.port()), "");
    let refused = send(&http).await.expect_err("refused");
    assert!(refused.contains("allow_private"), "{refused}");
    assert_eq!(endpoint.seen(), Vec::<String>::new());
}

#[tokio::test]
async fn what_does_not_listen_or_speak_is_told() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    let refused =
        send(&http(&format!("http://{nobody}"), "allow_private = true")).await.expect_err("refused");
    assert!(refused.contains("cannot connect"), "{refused}");
    let endpoint = Endpoint::start(vec!["hello\r\n\r\n".to_owned()], false).await;
    let refused = send(&http(&format!("http://{}", endpoint.address), "allow_private = true"))
        .await
        .expect_err("refused");
    assert!(refused.contains("no answer"), "{refused}");
}
