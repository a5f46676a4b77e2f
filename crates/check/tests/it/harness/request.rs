//! A request, built field by field.

use std::io::Write;
use std::net::SocketAddr;

use super::answer::Answer;
use super::client::Connection;

enum Way<'a> {
    Alone(SocketAddr),
    On(&'a mut Connection),
}

/// A request that is not sent yet. `Host` and `Content-Length` come by themselves.
pub(crate) struct Request<'a> {
    way: Way<'a>,
    method: String,
    target: String,
    fields: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

impl Request<'static> {
    /// On a connection of its own.
    pub(crate) fn alone(address: SocketAddr, method: &str, target: &str) -> Self {
        Self::new(Way::Alone(address), address, method, target)
    }
}

impl<'a> Request<'a> {
    /// On a connection that stays open.
    pub(crate) fn on(connection: &'a mut Connection, method: &str, target: &str) -> Self {
        let address = connection.address();
        Self::new(Way::On(connection), address, method, target)
    }

    fn new(way: Way<'a>, address: SocketAddr, method: &str, target: &str) -> Self {
        Self {
            way,
            method: method.to_owned(),
            target: target.to_owned(),
            fields: vec![("Host".to_owned(), address.to_string())],
            body: None,
        }
    }

    /// One more field line.
    pub(crate) fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Removes all lines of a field.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.fields
            .retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self
    }

    /// The content and its type.
    pub(crate) fn content(mut self, content_type: &str, body: impl AsRef<[u8]>) -> Self {
        self.body = Some(body.as_ref().to_vec());
        self.without("content-type")
            .field("Content-Type", content_type)
    }

    /// JSON content.
    pub(crate) fn json(self, body: impl AsRef<[u8]>) -> Self {
        self.content("application/json", body)
    }

    /// `If-Match`.
    pub(crate) fn if_match(self, tag: &str) -> Self {
        self.field("If-Match", tag)
    }

    /// `If-None-Match`.
    pub(crate) fn if_none_match(self, tag: &str) -> Self {
        self.field("If-None-Match", tag)
    }

    /// The message as it goes over the wire.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\n", self.method, self.target).into_bytes();
        for (name, value) in &self.fields {
            write!(bytes, "{name}: {value}\r\n").unwrap();
        }
        if let Some(body) = &self.body {
            write!(bytes, "Content-Length: {}\r\n", body.len()).unwrap();
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(self.body.as_deref().unwrap_or_default());
        bytes
    }

    /// Sends it and reads the answer.
    #[track_caller]
    pub(crate) fn send(self) -> Answer {
        let bytes = self.bytes();
        match self.way {
            Way::Alone(address) => exchange(&mut Connection::open(address), &bytes, &self.method),
            Way::On(connection) => exchange(connection, &bytes, &self.method),
        }
    }
}

#[track_caller]
fn exchange(connection: &mut Connection, bytes: &[u8], method: &str) -> Answer {
    connection.send(bytes);
    connection.read(method)
}
