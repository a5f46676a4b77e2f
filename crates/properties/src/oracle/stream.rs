//! An event stream, read as the HTML standard says (§9.2.5 and §9.2.6).

/// What a reader is told.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) data: String,
    pub(crate) retry_ms: Option<u64>,
}

/// The events of a whole stream. What it does not end is none.
pub(crate) fn told(stream: &str) -> Vec<Told> {
    let lines = stream.replace("\r\n", "\n").replace('\r', "\n");
    let mut events = Vec::new();
    let mut next = Told::default();
    for line in lines.split('\n') {
        if line.is_empty() {
            let id = next.id.clone();
            let event = std::mem::take(&mut next);
            next.id = id;
            if let Some(data) = event.data.strip_suffix('\n') {
                let data = data.to_owned();
                events.push(Told { data, ..event });
            }
            continue;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut next.name),
            "data" => next.data += &format!("{value}\n"),
            "id" if !value.contains('\0') => value.clone_into(&mut next.id),
            "retry" if value.bytes().all(|byte| byte.is_ascii_digit()) => {
                next.retry_ms = value.parse().ok();
            }
            _ => panic!("the server writes no such line: {line:?}"),
        }
    }
    events
}
