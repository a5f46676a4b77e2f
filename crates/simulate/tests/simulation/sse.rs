//! Event streams, as the specification of `EventSource` reads them (HTML §9.2.6), and not as
//! the server writes them.

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) data: String,
    /// The last id up to here.
    pub(crate) id: String,
}

/// Takes a stream in pieces, wherever they are cut.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    line: Vec<u8>,
    event: Event,
    id: String,
}

impl Parser {
    /// The events that end in this piece.
    pub(crate) fn take(&mut self, piece: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        for byte in piece {
            if *byte != b'\n' {
                self.line.push(*byte);
                continue;
            }
            let line = String::from_utf8(std::mem::take(&mut self.line)).expect("UTF-8");
            events.extend(self.line(&line));
        }
        events
    }

    fn line(&mut self, line: &str) -> Option<Event> {
        if line.is_empty() {
            let mut event = std::mem::take(&mut self.event);
            event.id.clone_from(&self.id);
            event.data.pop();
            return (!event.data.is_empty()).then_some(event);
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event.name),
            "data" => {
                self.event.data.push_str(value);
                self.event.data.push('\n');
            }
            "id" => value.clone_into(&mut self.id),
            _ => {}
        }
        None
    }
}

#[test]
fn a_stream_is_read_wherever_it_is_cut() {
    let text = "retry: 5\nevent: put\nid: a-1\ndata: {\"é\":1}\n\n: ping\n\ndata: x\ndata: y\n\n";
    let expected = [("put", "{\"é\":1}", "a-1"), ("", "x\ny", "a-1")];
    for piece in 1..text.len() {
        let mut parser = Parser::default();
        let pieces = text.as_bytes().chunks(piece);
        let events: Vec<_> = pieces.flat_map(|piece| parser.take(piece)).collect();
        let events: Vec<_> = events
            .iter()
            .map(|event| (&*event.name, &*event.data, &*event.id))
            .collect();
        assert_eq!(events, expected);
    }
}
