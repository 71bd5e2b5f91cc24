//! A custom runtime in Rust without any crate: an HTTP/1.1 server that counts words.
//!
//! The platform calls it on the port in `FC_SERVER_PORT` and says by `x-fc-control-path` what it wants: `/initialize` once
//! per instance, `/invoke` for an event, `/http-invoke` for a caller's HTTP request, `/pre-stop` before the instance ends.
//! A real function would use a web framework; this one shows that nothing else is needed. After a crash the platform
//! starts the program anew.
//!
//!     rustc -O -o package/bootstrap main.rs

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

struct Request {
    target: String,
    /// By lower-case name.
    headers: HashMap<String, String>,
    body: Vec<u8>,
}

impl Request {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

fn main() -> io::Result<()> {
    let port = std::env::var("FC_SERVER_PORT").unwrap_or_else(|_| "9000".to_owned());
    let listener = TcpListener::bind(format!("0.0.0.0:{port}"))?;
    for stream in listener.incoming() {
        let stream = stream?;
        std::thread::spawn(move || {
            if let Err(error) = serve(stream) {
                eprintln!("a connection broke: {error}");
            }
        });
    }
    Ok(())
}

/// Serves the requests of one connection, which is kept open between them.
fn serve(mut stream: TcpStream) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    while let Some(request) = read(&mut reader)? {
        let (status, body) = respond(&request);
        // Says to the platform that the event has failed, which a status alone does not.
        let failed = if status == "404 Not Found" { "x-fc-status: 404\r\n" } else { "" };
        let length = body.len();
        write!(
            stream,
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{failed}content-length: {length}\r\n\r\n{body}"
        )?;
    }
    Ok(())
}

fn read(reader: &mut impl BufRead) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let target = line.split(' ').nth(1).unwrap_or("/").to_owned();
    let mut headers = HashMap::new();
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let mut request = Request { target, headers, body: Vec::new() };
    let length = request.header("content-length").parse().unwrap_or(0);
    reader.take(length).read_to_end(&mut request.body)?;
    Ok(Some(request))
}

fn respond(request: &Request) -> (&'static str, String) {
    let control_path = request.header("x-fc-control-path");
    match control_path {
        "/initialize" | "/pre-stop" | "/pre-freeze" => {
            println!("{control_path}");
            ("200 OK", String::new())
        }
        "/http-invoke" => match query_text(&request.target) {
            Some(text) => ("200 OK", count(request, &text)),
            None => ("400 Bad Request", r#"{"error": "say ?text=some+words"}"#.to_owned()),
        },
        _ if request.body.is_empty() => (
            "404 Not Found",
            r#"{"errorMessage": "the event is empty", "errorType": "EmptyEvent"}"#.to_owned(),
        ),
        _ => ("200 OK", count(request, &String::from_utf8_lossy(&request.body))),
    }
}

/// The parameter `text`; `+` stands for a space.
fn query_text(target: &str) -> Option<String> {
    let (_, query) = target.split_once('?')?;
    let value = query.split('&').find_map(|pair| pair.strip_prefix("text="))?;
    Some(value.replace('+', " "))
}

fn count(request: &Request, text: &str) -> String {
    format!(
        r#"{{"words": {}, "requestId": "{}", "attempt": "{}"}}"#,
        text.split_whitespace().count(),
        request.header("x-fc-request-id"),
        request.header("x-fc-retry-count"),
    )
}
