//! Runs a program without the platform and speaks to it, with blocking calls: the least a client can cost.
//!
//! Owns the process; it is killed and reaped when it is dropped.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;

use crate::subject::{Bare, Talk};

const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// A running program and the way to speak to it.
pub(crate) struct BareProgram {
    process: Child,
    line: Line,
}

enum Line {
    Messages(UnixStream),
    Http(UnixStream),
    HttpPort { port: u16, stream: TcpStream },
}

impl BareProgram {
    /// Starts it; returns as soon as a request can be sent, which is before the program is ready where it inherits the
    /// socket.
    pub(crate) fn start(bare: &Bare) -> anyhow::Result<Self> {
        let (program, arguments) = bare.argv.split_first().context("no program")?;
        let mut command = Command::new(program);
        command.args(arguments);
        if matches!(bare.talk, Talk::HttpPort) {
            let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
            let mut line = String::new();
            BufReader::new(process.stdout.take().context("piped")?).read_line(&mut line)?;
            let port = line.trim().parse().context("the program printed no port")?;
            let stream = TcpStream::connect(("127.0.0.1", port))?;
            stream.set_nodelay(true)?;
            return Ok(Self { process, line: Line::HttpPort { port, stream } });
        }
        let (ours, theirs) = UnixStream::pair()?;
        let process = command.stdin(OwnedFd::from(theirs)).stdout(Stdio::null()).spawn()?;
        let line = if matches!(bare.talk, Talk::Messages) { Line::Messages(ours) } else { Line::Http(ours) };
        Ok(Self { process, line })
    }

    /// One request and its answer.
    pub(crate) fn ask(&mut self) -> anyhow::Result<()> {
        match &mut self.line {
            Line::Messages(stream) => message(stream),
            Line::Http(stream) => http(stream),
            Line::HttpPort { stream, .. } => http(stream),
        }
    }

    /// Host and port of a program that listens.
    pub(crate) fn authority(&self) -> Option<String> {
        match self.line {
            Line::HttpPort { port, .. } => Some(format!("127.0.0.1:{port}")),
            Line::Messages(_) | Line::Http(_) => None,
        }
    }
}

impl Drop for BareProgram {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing left to do then.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn message(stream: &mut UnixStream) -> anyhow::Result<()> {
    /// As long as the body that the functions get.
    const REQUEST: &[u8] = b"\x01\0\0\x000";
    stream.write_all(REQUEST)?;
    let mut answer = [0; REQUEST.len()];
    stream.read_exact(&mut answer)?;
    anyhow::ensure!(answer == REQUEST, "the program does not repeat the request");
    Ok(())
}

fn http(stream: &mut (impl Read + Write)) -> anyhow::Result<()> {
    stream.write_all(b"GET / HTTP/1.1\r\nhost: bare\r\n\r\n")?;
    let (mut answer, mut part) = (Vec::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut part)?;
        anyhow::ensure!(
            read > 0 && answer.len() < ANSWER_BYTES_MAX,
            "the program's answer is cut or too long"
        );
        answer.extend_from_slice(&part[..read]);
        let text = String::from_utf8_lossy(&answer);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
            let length: Option<usize> = length.and_then(|length| length.trim().parse().ok());
            // Without a length the answer is in chunks, of which the last is empty.
            if length.map_or_else(|| body.ends_with("0\r\n\r\n"), |length| body.len() >= length) {
                anyhow::ensure!(
                    head.starts_with("http/1.1 200") || head.starts_with("http/1.0 200"),
                    "{head}"
                );
                return Ok(());
            }
        }
    }
}
