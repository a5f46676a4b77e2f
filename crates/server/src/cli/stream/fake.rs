//! A server that says what a test tells it to, connection by connection.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// What one connection does after its request was read.
#[derive(Clone, Debug)]
pub(crate) enum Script {
    /// An event stream of these chunks, which then ends.
    Ends(Vec<String>),
    /// One that stays open, silent.
    Stays(Vec<String>),
    /// These bytes, as they are.
    Raw(String),
}

/// A running fake: the heads of the requests that came.
#[derive(Clone)]
pub(crate) struct FakeFeed {
    pub(crate) url: String,
    pub(crate) requests: Arc<Mutex<Vec<String>>>,
}

const HEAD: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";

impl FakeFeed {
    /// Answers as many connections as there are scripts; further ones are closed.
    pub(crate) async fn start(scripts: impl IntoIterator<Item = Script>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fake = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            requests: Arc::default(),
        };
        let requests = Arc::clone(&fake.requests);
        let mut scripts: Vec<_> = scripts.into_iter().collect();
        scripts.reverse();
        tokio::spawn(async move {
            let mut open = Vec::new();
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let Ok(byte) = stream.read_u8().await else {
                        break;
                    };
                    head.push(byte);
                }
                let head = String::from_utf8(head).unwrap();
                requests.lock().unwrap().push(head);
                let (bytes, stays) = match scripts.pop() {
                    None => continue,
                    Some(Script::Ends(chunks)) => (HEAD.to_owned() + &chunks.concat(), false),
                    Some(Script::Stays(chunks)) => (HEAD.to_owned() + &chunks.concat(), true),
                    Some(Script::Raw(bytes)) => (bytes, false),
                };
                // A client may have heard enough.
                let _ = stream.write_all(bytes.as_bytes()).await;
                if stays {
                    open.push(stream);
                }
            }
        });
        fake
    }

    /// The values of this field in all requests, in order; empty where there is none.
    pub(crate) fn sent(&self, field: &str) -> Vec<String> {
        let requests = self.requests.lock().unwrap();
        let value = |head: &String| {
            let line = head
                .lines()
                .find(|line| line.to_ascii_lowercase().starts_with(&format!("{field}:")));
            line.and_then(|line| line.split_once(": "))
                .map_or(String::new(), |(_, value)| value.to_owned())
        };
        requests.iter().map(value).collect()
    }
}
