//! Batches are whole or not there (contract §7.5): a line that is lost within one
//! repeats it from its beginning, so that nobody may have seen its half.

use super::parser::Event;

/// Most bytes of a batch that are held back. What is larger is handed on in parts:
/// each change in it is right by itself, and the id is still that before the batch.
const BATCH_BYTES: usize = 64 * 1_024 * 1_024;

/// Holds events back until their batch is complete.
pub(super) struct Batches {
    events: Vec<Event>,
    bytes: usize,
    max_bytes: usize,
}

impl Batches {
    pub(super) fn new() -> Self {
        Self {
            events: Vec::new(),
            bytes: 0,
            max_bytes: BATCH_BYTES,
        }
    }

    /// Takes an event; appends what is complete to `whole`.
    pub(super) fn push(&mut self, event: Event, whole: &mut Vec<Event>) {
        let has_more = event.has_more();
        self.bytes += event.data.len();
        self.events.push(event);
        if !has_more || self.bytes > self.max_bytes {
            whole.append(&mut self.events);
            self.bytes = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(data: &str) -> Event {
        Event {
            name: "put".to_owned(),
            id: "a".into(),
            data: data.to_owned(),
        }
    }

    #[test]
    fn section_7_5_a_batch_comes_whole() {
        let more = r#"{"more":true}"#;
        let cases: [(&[&str], usize, usize); 5] = [
            (&["{}", "{}"], 1_000, 2),
            (&["{}", more, more], 1_000, 1),
            (&["{}", more, more, "{}"], 1_000, 4),
            (&[more, "{}", more], 1_000, 2),
            (&[more, more, more], 20, 2),
        ];
        for (data, max_bytes, expected) in cases {
            let mut batches = Batches::new();
            batches.max_bytes = max_bytes;
            let mut whole = Vec::new();
            for data in data {
                batches.push(event(data), &mut whole);
            }
            assert_eq!(whole.len(), expected, "{data:?}");
        }
    }
}
