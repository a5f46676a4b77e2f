//! What is counted of collections with a quota (invariant 9 of the schema).

use std::collections::HashMap;

use matchbook_core::tag::{Revision, Version};
use proptest::prelude::*;

use super::{database, open, path, put, wait};
use crate::contract::operation;
use crate::{Batch, CommitError, Effect, Expected, Quota, Store, Write};

/// One write: which document, how long it becomes (or that it goes), and whether its batch
/// names the quota of its collection.
#[derive(Clone, Debug)]
struct Step {
    document: usize,
    length: Option<usize>,
    is_counted: bool,
    /// Whether it is in one batch with the step before.
    joins: bool,
}

const DOCUMENTS: [&str; 5] = ["/a/1", "/a/2", "/a/3", "/b/1", "/a/1/b/1"];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let length = prop::option::weighted(0.7, 0..12_usize);
    let step = (0..DOCUMENTS.len(), length, any::<bool>(), any::<bool>());
    let step = step.prop_map(|(document, length, is_counted, joins)| Step {
        document,
        length,
        is_counted,
        joins,
    });
    prop::collection::vec(step, 1..30)
}

fn quota(collection: &str) -> Quota {
    Quota {
        collection: collection.into(),
        max_documents: Some(2),
        max_bytes: Some(20),
    }
}

/// The steps up to the next that joins none, as a batch on what stands; none of them about a
/// document twice.
fn batch(steps: &[&Step], standing: &HashMap<&str, Revision>) -> Batch {
    let mut batch = Batch {
        writes: Vec::new(),
        ..put("/a/1", None, "")
    };
    for step in steps {
        let path = path(DOCUMENTS[step.document]);
        if batch.writes.iter().any(|write| write.path == path) {
            continue;
        }
        let expected = standing.get(path.as_str()).copied();
        if step.is_counted {
            batch.quotas.push(quota(path.collection()));
        }
        batch.writes.push(Write {
            expected: expected.map_or(Expected::Absent, Expected::At),
            effect: match step.length {
                None => Effect::Delete,
                Some(length) => Effect::Put {
                    content_type: "application/json".into(),
                    body: vec![b'7'; length].into(),
                    patch: None,
                },
            },
            path,
        });
    }
    batch
}

fn note(standing: &mut HashMap<&'static str, Revision>, batch: &Batch, versions: &[Version]) {
    for (write, version) in batch.writes.iter().zip(versions) {
        let name = DOCUMENTS.iter().find(|name| **name == write.path.as_str());
        let name = name.copied().unwrap();
        match write.effect {
            Effect::Put { .. } => drop(standing.insert(name, version.revision)),
            Effect::Delete => drop(standing.remove(name)),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn the_count_is_what_is_there(steps in steps()) {
        let place = tempfile::tempdir().unwrap();
        let store = open(place.path()).unwrap();
        let mut standing = HashMap::new();
        let mut steps = steps.iter().peekable();
        while let Some(first) = steps.next() {
            let mut joined = vec![first];
            while let Some(next) = steps.next_if(|step| step.joins) {
                joined.push(next);
            }
            let batch = batch(&joined, &standing);
            match wait(store.commit(operation(), batch.clone())) {
                Ok(versions) => note(&mut standing, &batch, &versions),
                Err(CommitError::Exceeded(_)) => prop_assert!(!batch.quotas.is_empty()),
                Err(other) => prop_assert!(false, "{other}"),
            }
        }
        drop(store);
        let file = database(place.path());
        let wrong: i64 = file.query_row(
            "SELECT count(*) FROM usage u WHERE (u.documents, u.bytes) <> ( \
             SELECT count(*), coalesce(sum(length(l.body)), 0) \
             FROM documents d JOIN log l ON l.revision = d.revision \
             WHERE d.collection = u.collection)",
            [],
            |row| row.get(0),
        ).unwrap();
        prop_assert_eq!(wrong, 0);
    }
}
