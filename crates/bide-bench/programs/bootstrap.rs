//! A custom runtime as small as can be: one static binary, an HTTP server of the standard library only.
//!
//! The body of a request is a time in milliseconds since 1970, before which it is not answered; the answer is when the
//! request was read, in nanoseconds since 1970. Serves on the port in `FC_SERVER_PORT`; without one it prints a port
//! of its own; with the argument `--stdin` it answers on the socket that is its standard input instead.

use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const REQUEST_BYTES_MAX: usize = 64 * 1024;

fn main() -> io::Result<()> {
    if std::env::args().any(|argument| argument == "--stdin") {
        use std::os::fd::{AsFd, OwnedFd};
        let socket: OwnedFd = io::stdin().as_fd().try_clone_to_owned()?;
        return serve(std::os::unix::net::UnixStream::from(socket));
    }
    let port = std::env::var("FC_SERVER_PORT").ok().and_then(|port| port.parse().ok()).unwrap_or(0_u16);
    let listener = TcpListener::bind(("0.0.0.0", port))?;
    if port == 0 {
        println!("{}", listener.local_addr()?.port());
    }
    for connection in listener.incoming() {
        let connection = connection?;
        connection.set_nodelay(true)?;
        std::thread::spawn(move || serve(connection));
    }
    Ok(())
}

/// Answers requests until the other side closes.
fn serve(mut connection: impl Read + Write) -> io::Result<()> {
    let mut data = Vec::with_capacity(REQUEST_BYTES_MAX);
    let mut part = [0; 4096];
    loop {
        let Some((start, end)) = request(&data) else {
            let read = connection.read(&mut part)?;
            if read == 0 || data.len() + read > REQUEST_BYTES_MAX {
                return Ok(());
            }
            data.extend_from_slice(&part[..read]);
            continue;
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let until = std::str::from_utf8(&data[start..end]).ok().and_then(|text| text.trim().parse().ok());
        std::thread::sleep(Duration::from_millis(until.unwrap_or(0)).saturating_sub(now));
        let entered = now.as_nanos().to_string();
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{entered}", entered.len());
        connection.write_all(answer.as_bytes())?;
        data.drain(..end);
    }
}

/// Where the body of the first request in `data` begins and ends, once it is whole.
fn request(data: &[u8]) -> Option<(usize, usize)> {
    let start = data.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&data[..start]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let end = start + length.and_then(|length| length.trim().parse().ok()).unwrap_or(0_usize);
    (data.len() >= end).then_some((start, end))
}
