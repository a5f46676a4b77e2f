//! What a reader holds who does as it is told, against what the query says of the
//! documents as they stand.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::json::{equal, merge, samples};
use crate::limits::DOCUMENT_BYTES;
use crate::query::ListQuery;
use crate::tag::{Epoch, Revision};

fn version(number: usize) -> Version {
    Version {
        epoch: Epoch::from_bits(7),
        revision: Revision::new(number as u64).unwrap(),
    }
}

fn path(id: usize) -> DocumentPath {
    DocumentPath::parse(&format!("/c/{id}")).unwrap()
}

fn query(raw: &str) -> Query {
    ListQuery::parse(Some(raw)).unwrap().query
}

/// A document as it is stored.
#[derive(Clone, Debug)]
enum Body {
    Json(String),
    Bytes(usize),
}

impl Body {
    fn content(&self) -> Content<'_> {
        match self {
            Self::Json(text) => Content::Json(Cow::Borrowed(text)),
            Self::Bytes(length_bytes) => Content::Other {
                content_type: "image/png",
                length_bytes: *length_bytes,
            },
        }
    }
}

/// A document as it stands.
type Stored = BTreeMap<usize, (Version, Body)>;

/// An entry of the log, with the document that it took the place of.
#[derive(Clone, Debug)]
struct Logged {
    id: usize,
    version: Version,
    previous: Option<(Version, Body)>,
    body: Option<Body>,
    patch: Option<String>,
}

impl Logged {
    /// What the reader of a query is told, by one who loads the document before only
    /// where that is asked for.
    fn tell<T>(&self, query: &Query, hear: impl FnOnce(Option<Change<'_>>) -> T) -> T {
        let path = path(self.id);
        let write = Write {
            path: &path,
            version: self.version,
            previous: self.previous.as_ref().map(|(version, _)| *version),
            modified: Timestamp::MAX,
            effect: match &self.body {
                Some(body) => Effect::Put {
                    content: body.content(),
                    patch: self.patch.as_deref(),
                },
                None => Effect::Delete,
            },
        };
        let before = self.previous.as_ref().map(|(_, body)| body.content());
        let before = before.filter(|_| write.needs_before(Lens::of(query)));
        hear(write.seen_by(Lens::of(query), before.as_ref()))
    }
}

/// What a client asks for.
#[derive(Clone, Debug)]
enum Asked {
    Put(Body),
    /// A merge patch; nothing where there is no JSON.
    Merge(String),
    Delete,
}

fn asked() -> impl Strategy<Value = (usize, Asked)> {
    let number = prop::sample::select(vec!["0", "1", "1.0", "10e-1", "2", "\"1\"", "[1]", "null"]);
    let member = prop_oneof![
        number.prop_map(|number| format!("\"a\":{number}")),
        samples::value().prop_map(|value| format!("\"b\": {value}")),
        (0..3_u8).prop_map(|n| format!("\"long\" :\n\"{}{n}\"", "x".repeat(60))),
        (0..3_u8, 0..3_u8)
            .prop_map(|(m, n)| format!("\"list\":[{m},{{\"k\":{n}}}, \"{}\"]", "y".repeat(40))),
    ];
    let object = prop::collection::vec(member, 0..4).prop_map(|mut members| {
        members.sort_by(|x, y| x[..3].cmp(&y[..3]));
        members.dedup_by(|x, y| x[..3] == y[..3]);
        format!(" {{{}}}\n", members.join(" ,"))
    });
    let json = prop_oneof![3 => object.clone(), 1 => samples::document()];
    let asked = prop_oneof![
        4 => json.prop_map(|json| Asked::Put(Body::Json(json))),
        1 => (0..9_usize).prop_map(|length| Asked::Put(Body::Bytes(length))),
        5 => object.prop_map(Asked::Merge),
        2 => Just(Asked::Delete),
    ];
    (0..3_usize, asked)
}

/// The log that a store makes of it, and the documents after each entry.
fn log(asked: &[(usize, Asked)]) -> (Vec<Logged>, Vec<Stored>) {
    let mut log: Vec<Logged> = Vec::new();
    let mut states = vec![Stored::new()];
    for (id, asked) in asked {
        let mut state = states.last().unwrap().clone();
        let version = version(log.len() + 1);
        let previous = state.get(id).cloned();
        let (body, patch) = match (asked, &previous) {
            (Asked::Put(body), _) => (Some(body.clone()), None),
            (Asked::Merge(patch), Some((_, Body::Json(before)))) => {
                let after = merge(before, patch, DOCUMENT_BYTES).unwrap();
                let patch = diff(before, &after);
                let patch = (patch.len() < after.len()).then_some(patch);
                (Some(Body::Json(after)), patch)
            }
            (Asked::Delete, Some(_)) => (None, None),
            (Asked::Merge(_) | Asked::Delete, _) => continue,
        };
        match &body {
            Some(body) => state.insert(*id, (version, body.clone())),
            None => state.remove(id),
        };
        log.push(Logged {
            id: *id,
            version,
            previous,
            body,
            patch,
        });
        states.push(state);
    }
    (log, states)
}

/// What a reader holds.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Held {
    Json(String),
    Other(String, usize),
}

fn held(content: &Content<'_>) -> Held {
    match content {
        Content::Json(text) => Held::Json(text.clone().into_owned()),
        Content::Other {
            content_type,
            length_bytes,
        } => Held::Other((*content_type).to_owned(), *length_bytes),
    }
}

#[derive(Clone, Debug, Default)]
struct Reader {
    holds: BTreeMap<DocumentPath, (Version, Held)>,
}

impl Reader {
    /// Reads the document in a snapshot.
    fn find(&mut self, query: &Query, id: usize, stored: Option<&(Version, Body)>) {
        if let Some((version, body)) = stored
            && query.matches(body.content().json())
        {
            let content = body.content();
            let shown = content.shown(query.fields.as_ref());
            self.holds.insert(path(id), (*version, held(&shown)));
        }
    }

    /// Does as it is told. What is older than what it found in its snapshot is skipped;
    /// so is a patch of what it did not find there.
    fn hear(&mut self, change: &Change<'_>) {
        let found = self.holds.get(change.path).cloned();
        let found_later = |than: &Version| {
            let found = found.as_ref();
            found.is_some_and(|(version, _)| version.revision > than.revision)
        };
        match &change.kind {
            ChangeKind::Found { .. } => panic!("not after a write"),
            ChangeKind::Put {
                version, content, ..
            } => {
                if !found_later(version) {
                    self.holds
                        .insert(change.path.clone(), (*version, held(content)));
                }
            }
            ChangeKind::Patch {
                version,
                previous,
                patch,
                ..
            } => match found {
                Some((at, Held::Json(json))) if at == *previous => {
                    let patch = Patch::parse(patch).unwrap();
                    let after = patch.apply(&json, DOCUMENT_BYTES).unwrap();
                    self.holds
                        .insert(change.path.clone(), (*version, Held::Json(after)));
                }
                Some((at, _)) => assert!(at.revision >= version.revision, "{change:?}"),
                None => {}
            },
            ChangeKind::Delete { previous, .. } | ChangeKind::Leave { previous } => {
                if !found_later(previous) {
                    self.holds.remove(change.path);
                }
            }
        }
    }

    /// Compares with what the query says of the documents as they stand.
    fn check(&self, query: &Query, state: &Stored) {
        let mut right = Self::default();
        for (id, stored) in state {
            right.find(query, *id, Some(stored));
        }
        assert!(
            self.holds.keys().eq(right.holds.keys()),
            "{self:?} {right:?}"
        );
        for ((at, held), (version, right)) in self.holds.values().zip(right.holds.values()) {
            assert_eq!(at, version);
            match (held, right) {
                (Held::Json(held), Held::Json(right)) => {
                    assert!(equal(held, right), "{held} {right}")
                }
                (held, right) => assert_eq!(held, right),
            }
        }
    }
}

fn raw_query() -> impl Strategy<Value = String> {
    let filters = vec![
        "",
        "a=1",
        "a:ne=1",
        "a:in=0,2",
        "a:exists=true",
        "b:exists=false",
        "a:gte=1",
        "a=1&long:exists=true",
        "_where.:contains=1",
        "b:contains=a",
        "list.1.k:lt=2",
    ];
    let fields = vec![
        "",
        "a",
        "a,b",
        "long,list",
        "list.1.k,list.2",
        "b.a,b.0,b.b",
    ];
    (prop::sample::select(filters), prop::sample::select(fields)).prop_map(|(filters, fields)| {
        match fields {
            "" => filters.to_owned(),
            fields => format!("{filters}&_fields={fields}"),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(384))]

    #[test]
    fn section_7_2_a_reader_holds_what_the_query_says_after_each_write(
        asked in prop::collection::vec(asked(), 0..24),
        raw in raw_query(),
    ) {
        let query = query(&raw);
        let (log, states) = log(&asked);
        let mut reader = Reader::default();
        for (entry, state) in log.iter().zip(states.iter().skip(1)) {
            entry.tell(&query, |told| told.iter().for_each(|change| reader.hear(change)));
            reader.check(&query, state);
        }
    }

    #[test]
    fn section_7_2_what_is_told_is_what_the_table_says(
        asked in prop::collection::vec(asked(), 0..12),
        raw in raw_query(),
    ) {
        let query = query(&raw);
        for entry in log(&asked).0 {
            let matches = |body: &Body| query.matches(body.content().json());
            let was = entry.previous.as_ref().is_some_and(|(_, body)| matches(body));
            let is = entry.body.as_ref().is_some_and(matches);
            let told = entry.tell(&query, |told| told.map(|change| match change.kind {
                ChangeKind::Put { entered: true, .. } => "entered",
                kind => kind.event(),
            }));
            let is_json = |body: &Body| body.content().json().is_some();
            let patches = entry.previous.as_ref().is_some_and(|(_, body)| is_json(body))
                && entry.body.as_ref().is_some_and(is_json);
            let expected: &[Option<&str>] = match (was, is, entry.body.is_some()) {
                (false, true, _) if query.filter.is_empty() => &[Some("put")],
                (false, true, _) => &[Some("entered")],
                (true, true, _) if patches => &[Some("put"), Some("patch")],
                (true, true, _) => &[Some("put")],
                (true, false, true) => &[Some("leave")],
                (true, false, false) => &[Some("delete")],
                (false, false, _) => &[None],
            };
            prop_assert!(expected.contains(&told), "{:?} {:?}", entry, told);
        }
    }

    /// Each document of the snapshot is read at some time after it began.
    #[test]
    fn section_7_3_a_snapshot_and_the_changes_since_it_began_make_one_state(
        asked in prop::collection::vec(asked(), 0..24),
        raw in raw_query(),
        begin in any::<prop::sample::Index>(),
        reads in prop::array::uniform3(any::<prop::sample::Index>()),
    ) {
        let query = query(&raw);
        let (log, states) = log(&asked);
        let begin = begin.index(states.len());
        let mut reader = Reader::default();
        for (id, read) in reads.iter().enumerate() {
            let at = begin + read.index(states.len() - begin);
            reader.find(&query, id, states[at].get(&id));
        }
        for entry in log.iter().skip(begin) {
            entry.tell(&query, |told| told.iter().for_each(|change| reader.hear(change)));
        }
        reader.check(&query, states.last().unwrap());
    }
}

/// What the reader of a query is told of a write.
fn told(raw: &str, before: Option<&str>, after: Option<&str>, patch: Option<&str>) -> String {
    let body = |text: &str| Body::Json(text.to_owned());
    let entry = Logged {
        id: 1,
        version: version(17),
        previous: before.map(|text| (version(3), body(text))),
        body: after.map(body),
        patch: patch.map(str::to_owned),
    };
    entry.tell(&query(raw), |told| match told.map(|change| change.kind) {
        None => "nothing".to_owned(),
        Some(ChangeKind::Put {
            content,
            entered,
            previous,
            ..
        }) => {
            let created = if previous.is_none() { " created" } else { "" };
            let entered = if entered { " entered" } else { "" };
            format!(
                "put{created}{entered} {}",
                content.json().unwrap_or_default()
            )
        }
        Some(ChangeKind::Patch { patch, .. }) => format!("patch {patch}"),
        Some(kind) => kind.event().to_owned(),
    })
}

#[test]
fn section_7_2_a_patch_where_it_is_smaller() {
    let long = format!("{{\"t\":\"{}\",\"n\":2.0}}", "x".repeat(50));
    let longer = long.replace('}', ",\"m\":[1,\n2]}");
    let patch = r#"[{"op":"replace","path":"/n","value":2}]"#;
    let add = r#"patch [{"op":"add","path":"/m","value":[1,2]}]"#;
    let cases = [
        (
            "",
            Some(&*long),
            Some(&*long),
            Some(patch),
            format!("patch {patch}"),
        ),
        (
            "",
            Some("{}"),
            Some("{\"n\":2}"),
            Some(patch),
            "put {\"n\":2}".into(),
        ),
        (
            "",
            Some(&long),
            Some(&longer),
            None,
            format!("put {longer}"),
        ),
        ("", None, Some("{ }"), None, "put created { }".into()),
        (
            "n=2",
            None,
            Some("{\"n\":2}"),
            None,
            "put created entered {\"n\":2}".into(),
        ),
        (
            "n=2",
            Some("{}"),
            Some(&long),
            Some(patch),
            format!("put entered {long}"),
        ),
        (
            "n=2",
            Some(&long),
            Some(&long),
            Some(patch),
            format!("patch {patch}"),
        ),
        ("n=2", Some(&long), Some("{}"), Some(patch), "leave".into()),
        ("n=2", Some(&long), None, None, "delete".into()),
        ("n=2", Some("{}"), None, None, "nothing".into()),
        ("n=2", Some("{}"), Some("[]"), None, "nothing".into()),
        ("", Some("{}"), None, None, "delete".into()),
        ("", None, None, None, "nothing".into()),
        (
            "_fields=z",
            Some(&long),
            Some(&longer),
            Some(patch),
            "patch []".into(),
        ),
        (
            "_fields=m",
            Some(&long),
            Some(&longer),
            None,
            "put {\"m\":[1,2]}".into(),
        ),
        ("_fields=m,t", Some(&long), Some(&longer), None, add.into()),
        (
            "_fields=m,t",
            None,
            Some(&longer),
            None,
            format!("put created {}", compact(&longer).replace("\"n\":2.0,", "")),
        ),
        (
            "n=2&_fields=z",
            Some(&long),
            Some("{}"),
            None,
            "leave".into(),
        ),
    ];
    for (raw, before, after, patch, expected) in cases {
        assert_eq!(
            told(raw, before, after, patch),
            expected,
            "{raw} {before:?} {after:?}"
        );
    }
}

#[test]
fn a_patch_of_more_operations_than_a_client_may_send_is_not_sent() {
    let document = |count: usize, value: &str| {
        let members: Vec<_> = (0..count)
            .map(|n| format!("\"{n}\":{value},\"{n}.\":\"{}\"", "x".repeat(60)))
            .collect();
        format!("{{{}}}", members.join(","))
    };
    for (count, expected) in [(PATCH_OPERATIONS, "patch"), (PATCH_OPERATIONS + 1, "put")] {
        let (before, after) = (document(count, "1"), document(count, "2"));
        let patch = diff(&before, &after);
        assert!(patch.len() < after.len());
        let told = told("", Some(&before), Some(&after), Some(&patch));
        assert!(told.starts_with(expected), "{count}");
    }
}
