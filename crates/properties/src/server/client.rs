//! One HTTP/1.1 connection that is kept, and answers that announce their length.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::fault::{Distortion, Fault};

/// A request.
#[derive(Clone, Debug, Default)]
pub(super) struct Ask {
    pub(super) method: &'static str,
    pub(super) target: String,
    pub(super) fields: Vec<(&'static str, String)>,
    pub(super) body: Option<String>,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) fields: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        let mut found = self.fields.iter().filter(|(known, _)| known == name);
        found.next().map(|(_, value)| value.as_str())
    }

    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the answer is text")
    }

    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("the answer is JSON")
    }
}

pub(super) struct Client {
    stream: BufReader<TcpStream>,
    host: SocketAddr,
    distortion: Distortion,
}

impl Client {
    /// A client of a server with such a fault.
    pub(super) fn new(host: SocketAddr, fault: Option<Fault>) -> Self {
        Self {
            stream: connected(host),
            host,
            distortion: Distortion::of(fault),
        }
    }

    pub(super) fn ask(&mut self, ask: &Ask) -> Answer {
        let answer = self.exchange(&self.distortion.ask(ask));
        self.distortion.answer(ask, answer)
    }

    fn exchange(&mut self, ask: &Ask) -> Answer {
        let mut text = format!(
            "{} {} HTTP/1.1\r\nHost: {}\r\n",
            ask.method, ask.target, self.host
        );
        for (name, value) in &ask.fields {
            text += &format!("{name}: {value}\r\n");
        }
        if let Some(body) = &ask.body {
            text += &format!("Content-Length: {}\r\n", body.len());
        }
        text += "\r\n";
        text += ask.body.as_deref().unwrap_or_default();
        self.stream.get_mut().write_all(text.as_bytes()).unwrap();
        let answer = self.answer(ask.method == "HEAD");
        // Where framing is in doubt the server closes.
        if answer.field("connection") == Some("close") {
            self.stream = connected(self.host);
        }
        answer
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("a line comes");
        let line = line.strip_suffix("\r\n").expect("the line is whole");
        line.to_owned()
    }

    fn answer(&mut self, is_head: bool) -> Answer {
        let first = self.line();
        let status = first.strip_prefix("HTTP/1.1 ").expect("it is HTTP/1.1");
        let mut answer = Answer {
            status: status[..3].parse().unwrap(),
            fields: Vec::new(),
            body: Vec::new(),
        };
        loop {
            let line = self.line();
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(": ").expect("it is a field");
            answer
                .fields
                .push((name.to_ascii_lowercase(), value.to_owned()));
        }
        assert_eq!(answer.field("transfer-encoding"), None);
        let has_none = is_head || matches!(answer.status, 204 | 304);
        if !has_none {
            let length = answer.field("content-length").expect("it has a length");
            answer.body = vec![0; length.parse().unwrap()];
            self.stream.read_exact(&mut answer.body).unwrap();
        }
        answer
    }
}

fn connected(host: SocketAddr) -> BufReader<TcpStream> {
    let stream = TcpStream::connect(host).expect("the server listens");
    stream.set_nodelay(true).unwrap();
    BufReader::new(stream)
}
