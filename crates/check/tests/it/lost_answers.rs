//! Lost acknowledgements (contract §5.2): a proxy cuts connections at random, before or
//! after a request took effect, and clients send again with the same key.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

use crate::harness::client::Connection;
use crate::harness::random::Random;
use crate::harness::request::Request;
use crate::harness::{Answer, Server};

/// Requests of one run, of all clients together.
const REQUESTS: usize = 1_000;
const CLIENTS: usize = 4;

/// What the proxy does to one exchange.
#[derive(Clone, Copy)]
enum Fate {
    /// The request never arrives.
    CutBefore,
    /// The answer never arrives.
    CutAfter,
    /// A part of the answer arrives.
    CutWithin,
    Pass,
}

/// What the proxy does, as often as it stands here.
const FATES: [Fate; 6] = [
    Fate::CutBefore,
    Fate::CutAfter,
    Fate::CutAfter,
    Fate::CutWithin,
    Fate::Pass,
    Fate::Pass,
];

/// What of an answer must not change from the first to the last.
fn essence(answer: &Answer) -> String {
    let fields = ["etag", "last-modified", "location", "content-type"];
    let fields = fields.map(|name| answer.maybe(name).map(str::to_owned));
    format!(
        "{} {fields:?} {}",
        answer.code,
        String::from_utf8_lossy(&answer.body)
    )
}

/// What the server answered.
#[derive(Default)]
struct Told {
    /// To each key, first.
    first: HashMap<String, String>,
    /// Later, where that was something else.
    others: Vec<String>,
}

type First = Arc<Mutex<Told>>;

/// Passes each request on, on a connection of its own, or does not.
fn proxy(server: SocketAddr, first: First) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let mut random = Random::new(2_040);
        for client in listener.incoming() {
            let (fate, first) = (*random.pick(&FATES), Arc::clone(&first));
            thread::spawn(move || exchange(client.unwrap(), server, fate, &first));
        }
    });
    address
}

fn exchange(mut client: TcpStream, server: SocketAddr, fate: Fate, first: &First) {
    let mut request = Vec::new();
    let mut piece = [0; 4_096];
    let text = loop {
        let read = client.read(&mut piece).unwrap_or(0);
        if read == 0 {
            return;
        }
        request.extend_from_slice(&piece[..read]);
        let text = String::from_utf8(request.clone()).unwrap();
        if is_whole(&text) {
            break text;
        }
    };
    if matches!(fate, Fate::CutBefore) {
        return;
    }
    let field = |name: &str| {
        let mut lines = text.lines();
        let line = lines.find(|line| line.to_ascii_lowercase().starts_with(name));
        line.map(|line| line.split_once(": ").unwrap().1.to_owned())
    };
    let method = text.split(' ').next().unwrap().to_owned();
    let mut connection = Connection::open(server);
    connection.send(&request);
    let answer = connection.read(&method);
    let key = field("idempotency-key").unwrap();
    let told = essence(&answer);
    let mut all = first.lock().unwrap();
    let before = all.first.entry(key).or_insert_with(|| told.clone());
    if told != *before {
        let other = format!("{before}\n{told}");
        all.others.push(other);
    }
    drop(all);
    let whole = written(&answer);
    let part = match fate {
        Fate::CutWithin => &whole[..whole.len() / 2],
        Fate::Pass => &whole[..],
        Fate::CutBefore | Fate::CutAfter => return,
    };
    let _ = client.write_all(part);
}

fn is_whole(request: &str) -> bool {
    let Some((head, body)) = request.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length").then_some(value)
    });
    body.len() >= length.map_or(0, |length| length.parse().unwrap())
}

fn written(answer: &Answer) -> Vec<u8> {
    let mut bytes = format!("{}\r\n", answer.status_line).into_bytes();
    for (name, value) in &answer.fields {
        bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(&answer.body);
    bytes
}

/// Sends until a whole answer comes.
fn insist(proxy: SocketAddr, request: &dyn Fn() -> Request<'static>, method: &str) -> Answer {
    let bytes = request().bytes();
    loop {
        let mut connection = Connection::open(proxy);
        connection.send(&bytes);
        if let Ok(answer) = connection.try_read(method) {
            return answer;
        }
    }
}

struct Client {
    server: SocketAddr,
    proxy: SocketAddr,
    number: usize,
    /// What was added to the client's document, in order.
    log: Vec<usize>,
    posted: Vec<(String, usize)>,
}

impl Client {
    fn send(
        &self,
        step: usize,
        method: &str,
        target: &str,
        fill: impl Fn(Request<'static>) -> Request<'static>,
    ) -> Answer {
        let key = format!("client-{}-{step}", self.number);
        let request = || {
            let request = Request::alone(self.server, method, target);
            fill(request).field("Idempotency-Key", &key)
        };
        insist(self.proxy, &request, method)
    }

    fn step(&mut self, step: usize) {
        let own = format!("/logs/{}", self.number);
        let value = self.number * REQUESTS + step;
        let add = json!([{"op": "add", "path": "/log/-", "value": value}]).to_string();
        let patch = "application/json-patch+json";
        match step % 5 {
            0 => {
                let answer = self.send(step, "PATCH", &own, |request| {
                    request.content(patch, &add).if_match("*")
                });
                answer.status(204);
                self.log.push(value);
            }
            1 => {
                let answer = self.send(step, "POST", "/posted", |request| {
                    request.json(value.to_string())
                });
                let location = answer.status(201).field("location").to_owned();
                self.posted.push((location, value));
            }
            2 => {
                // Without the key a repeat would find its own save, and be told 412.
                let tag = Request::alone(self.server, "GET", &own).send().tag();
                let log = json!({"log": self.log}).to_string();
                let answer = self.send(step, "PUT", &own, |request| {
                    request.json(&log).if_match(&tag)
                });
                answer.status(204);
            }
            3 => {
                let answer = self.send(step, "PUT", &format!("/once/{value}"), |request| {
                    request.json("1").if_none_match("*")
                });
                let tag = answer.status(201).tag();
                // And here 404.
                let answer = self.send(
                    step + REQUESTS,
                    "DELETE",
                    &format!("/once/{value}"),
                    |request| request.if_match(&tag),
                );
                answer.status(204);
            }
            _ => {
                let item = |path: &str| {
                    json!({"method": "PATCH", "path": path, "body": [{"op": "add", "path": "/log/-", "value": value}],
                        "headers": {"Content-Type": patch, "If-Match": "*"}})
                };
                let all = json!({"requests": [item(&own), item("/logs/all")]}).to_string();
                let answer = self.send(step, "POST", "/_/batch", |request| request.json(&all));
                answer.status(200);
                self.log.push(value);
            }
        }
    }
}

#[test]
fn section_5_2_a_lost_acknowledgement_is_repaired_by_the_key() {
    let server = Server::start();
    let first = First::default();
    let proxy = proxy(server.address(), Arc::clone(&first));
    server.create("/logs/all", r#"{"log":[]}"#);
    let clients = (0..CLIENTS).map(|number| {
        server.create(&format!("/logs/{number}"), r#"{"log":[]}"#);
        let mut client = Client {
            server: server.address(),
            proxy,
            number,
            log: Vec::new(),
            posted: Vec::new(),
        };
        thread::spawn(move || {
            (0..REQUESTS / CLIENTS).for_each(|step| client.step(step));
            client
        })
    });
    let clients: Vec<_> = clients.collect();
    let clients: Vec<_> = clients
        .into_iter()
        .map(|client| client.join().unwrap())
        .collect();
    let log = |path: &str| -> Vec<Value> {
        server.get(path).send().json()["log"]
            .as_array()
            .unwrap()
            .clone()
    };
    let mut batched = Vec::new();
    let mut posted = Vec::new();
    for client in &clients {
        let own = log(&format!("/logs/{}", client.number));
        assert_eq!(json!(own), json!(client.log), "each once, in order");
        batched.extend(client.log.iter().filter(|value| **value % 5 == 4).copied());
        posted.extend(client.posted.iter().cloned());
    }
    let mut all: Vec<_> = log("/logs/all")
        .iter()
        .map(|value| value.as_u64().unwrap())
        .collect();
    all.sort_unstable();
    batched.sort_unstable();
    assert_eq!(json!(all), json!(batched));
    let items = server.get("/posted?_limit=1000").send().json();
    let mut found: Vec<_> = items["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| {
            (
                item["path"].as_str().unwrap().to_owned(),
                item["document"].as_u64().unwrap() as usize,
            )
        })
        .collect();
    found.sort_unstable();
    posted.sort_unstable();
    assert_eq!(found, posted);
    assert!(
        server.get("/once").send().json()["items"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    let told = first.lock().unwrap();
    assert_eq!(told.others, [""; 0], "another answer than the first");
    assert!(told.first.len() >= REQUESTS, "each had its answer");
}
