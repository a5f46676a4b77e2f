//! Operations: started, watched, and waited for.

use serde_json::Value;

use super::{Events, Server};

/// Starts one; where it is.
#[track_caller]
pub(crate) fn start(server: &Server, asked: &Value) -> String {
    let answer = server.post("/_/operations", asked.to_string()).send();
    let location = answer.status(202).is_body("").field("location").to_owned();
    assert!(location.starts_with("/_/operations/"), "{location}");
    location
}

/// How one stands.
#[track_caller]
pub(crate) fn state(server: &Server, location: &str) -> Value {
    server.get(location).send().status(200).json()
}

/// What is told of one, from now to its end.
pub(crate) struct Told(Events);

impl Told {
    /// Opens the stream.
    #[track_caller]
    pub(crate) fn of(server: &Server, location: &str) -> Self {
        Self::to(server, location, &[])
    }

    /// Opens the stream, with more fields.
    #[track_caller]
    pub(crate) fn to(server: &Server, location: &str, fields: &[(&str, &str)]) -> Self {
        let target = format!("{location}?_snapshot=true");
        Self(Events::open(server.address(), &target, fields))
    }

    /// The next state.
    #[track_caller]
    pub(crate) fn next(&mut self) -> Value {
        loop {
            let event = self.0.next();
            if event.name == "put" {
                return event.json()["document"].clone();
            }
            assert!(event.name != "delete" && event.name != "end", "{event:?}");
        }
    }

    /// The first state in which something is done, and not all.
    #[track_caller]
    pub(crate) fn middle(&mut self) -> Value {
        loop {
            let state = self.next();
            assert_eq!(state["status"], "running", "{state}");
            if state["done"] != 0 {
                return state;
            }
        }
    }

    /// All states up to the last.
    #[track_caller]
    pub(crate) fn rest(&mut self) -> Vec<Value> {
        let mut states = Vec::new();
        loop {
            let state = self.next();
            let is_last = state["status"] != "running";
            states.push(state);
            if is_last {
                return states;
            }
        }
    }
}

/// Waits until it has succeeded; how it stands then.
#[track_caller]
pub(crate) fn succeeded(server: &Server, location: &str) -> Value {
    let last = Told::of(server, location).rest().pop().unwrap();
    assert_eq!(last["status"], "succeeded", "{last}");
    last
}

/// Starts one, and waits until it has succeeded.
#[track_caller]
pub(crate) fn done(server: &Server, asked: &Value) -> Value {
    let location = start(server, asked);
    succeeded(server, &location)
}

/// Starts an import, and sends its content.
#[track_caller]
pub(crate) fn import(server: &Server, asked: &Value, lines: &str) -> String {
    let location = start(server, asked);
    let content = server
        .request("PUT", &format!("{location}/content"))
        .content("application/x-ndjson", lines);
    content.send().status(204).is_body("");
    location
}

/// How many members a collection has.
#[track_caller]
pub(crate) fn count(server: &Server, collection: &str) -> u64 {
    let list = server
        .get(&format!("{collection}?_count=true&_limit=1"))
        .send();
    list.status(200).json()["count"].as_u64().unwrap()
}
