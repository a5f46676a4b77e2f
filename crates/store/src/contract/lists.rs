//! Lists: what [`Store::scan`] reads, against the pure meaning of the same query.

use std::sync::Arc;

use matchbook_core::query::{ListQuery, Place, Query};
use matchbook_core::tag::Version;

use super::{Engine, batch, collection, delete, operation, put, write};
use crate::{Effect, Page, Scan, Store, Write};

/// Fields of several types, so that an order has ties, gaps and all types.
const VALUES: [&str; 12] = [
    "1", "1.0", "2", "-3e2", "1e400", "\"b\"", "\"a\"", "null", "true", "[1]", "{}", "0.5",
];

/// `/c/000` and so on, with members of other collections between and around them.
pub(super) fn documents(count: usize) -> Vec<Write> {
    let mut writes = vec![put("/b/0", None, "{}"), put("/c/000/sub/1", None, "{}")];
    for at in 0..count {
        let value = VALUES[at * 7 % VALUES.len()];
        let name = format!("/c/{at:03}");
        let body = match at % 5 {
            4 => format!(r#"{{"even":{}}}"#, at % 2 == 0),
            _ => format!(r#"{{"v":{value},"even":{}}}"#, at % 2 == 0),
        };
        let mut document = put(&name, None, body);
        if let Effect::Put { content_type, .. } = &mut document.effect {
            match at % 11 {
                3 => *content_type = "text/plain".into(),
                5 => *content_type = "application/geo+json".into(),
                _ => {}
            }
        }
        writes.push(document);
    }
    writes.push(put("/c0/0", None, "{}"));
    writes
}

pub(super) fn scan(query: &str, limit: usize) -> Scan {
    Scan {
        query: Arc::new(ListQuery::parse(Some(query)).unwrap().query),
        ..Scan::members(collection("/c"), None, limit, usize::MAX)
    }
}

/// The ids that a query selects, in its order, by its definition.
fn expected(writes: &[Write], query: &Query) -> Vec<String> {
    let members = writes.iter().filter(|w| w.path.collection() == "/c");
    let mut places: Vec<Place> = members
        .filter_map(|write| {
            let Effect::Put {
                content_type, body, ..
            } = &write.effect
            else {
                return None;
            };
            let text = std::str::from_utf8(body).unwrap();
            let json = content_type.contains("json").then_some(text);
            query
                .matches(json)
                .then(|| query.place(json, write.path.id()))
        })
        .collect();
    places.sort();
    places.into_iter().map(|place| place.id).collect()
}

fn ids(page: &Page) -> impl Iterator<Item = String> {
    page.items.iter().map(|(path, _)| path.id().to_owned())
}

/// Reads all pages.
pub(super) async fn all(store: &impl Store, mut scan: Scan) -> Vec<String> {
    let mut found = Vec::new();
    loop {
        let page = store.scan(scan.clone()).await.unwrap();
        assert!(page.items.len() <= scan.limit);
        found.extend(ids(&page));
        match page.next {
            Some(next) => scan.after = Some(next),
            None => return found,
        }
    }
}

/// Every query, in pages of every size, gives what its definition says.
pub async fn pages_join_to_the_whole_list<E: Engine>(engine: &E) {
    let place = engine.place();
    let store = engine.open(&place);
    let writes = documents(60);
    store
        .commit(operation(), batch(writes.clone()))
        .await
        .unwrap();
    let queries = [
        "",
        "even=true",
        "v:gte=1",
        "v:exists=false",
        "v=none",
        "_sort=v",
        "_sort=-v",
        "_sort=even,-v",
        "even=false&_sort=v",
    ];
    for query in queries {
        for limit in [1, 7, 59, 60, 1_000] {
            let scan = scan(query, limit);
            let expected = expected(&writes, &scan.query);
            assert_eq!(all(&store, scan).await, expected, "{query} by {limit}");
        }
    }
}

/// A page holds its documents as they stand, where it stands, and their number.
pub async fn a_page_tells_documents_position_and_count<E: Engine>(engine: &E) {
    let place = engine.place();
    let store = engine.open(&place);
    let unknown = store.scan(scan("_sort=v", 10)).await.unwrap();
    assert!(unknown.items.is_empty() && unknown.next.is_none() && unknown.count.is_none());
    assert_eq!(unknown.position, store.status().applied);
    let writes = documents(10);
    let versions = store
        .commit(operation(), batch(writes.clone()))
        .await
        .unwrap();
    let at = |name: &str| -> Version {
        let index = writes.iter().position(|write| write.path.as_str() == name);
        versions[index.unwrap()]
    };
    for query in ["", "_sort=-even"] {
        let mut scan = scan(query, 4);
        scan.count = true;
        let page = store.scan(scan.clone()).await.unwrap();
        assert_eq!((page.items.len(), page.count), (4, Some(10)));
        assert_eq!(page.position, store.status().applied);
        for (path, document) in &page.items {
            assert_eq!(document.version, at(path.as_str()));
        }
        scan.after = page.next;
        assert_eq!(store.scan(scan).await.unwrap().count, Some(10));
    }
    let mut matching = scan("even=true", 1);
    matching.count = true;
    let count = expected(&writes, &matching.query).len();
    assert_eq!(
        store.scan(matching).await.unwrap().count,
        Some(count as u64)
    );

    let changed = write(&store, put("/c/000", Some(at("/c/000")), "{}")).await;
    let gone = write(&store, delete("/c/001", at("/c/001"))).await;
    let mut fresh = scan("", 2);
    fresh.at_least = gone.revision;
    let page = store.scan(fresh).await.unwrap();
    assert_eq!(ids(&page).collect::<Vec<_>>(), ["000", "002"]);
    assert_eq!(page.items[0].1.version, changed);
    assert_eq!(page.position, gone);
}

/// A page ends before the bodies exceed the bound, but not before its first item.
pub async fn a_page_is_bounded_in_bytes<E: Engine>(engine: &E) {
    let place = engine.place();
    let store = engine.open(&place);
    let body = |text: &str| format!("\"{}\"", text.repeat(98));
    for name in ["/c/1", "/c/2", "/c/3"] {
        write(&store, put(name, None, body("x"))).await;
    }
    for query in ["", "_sort=v"] {
        for (max_bytes, items) in [(0, 1), (199, 1), (200, 2), (300, 3)] {
            let mut scan = scan(query, 10);
            scan.max_bytes = max_bytes;
            let page = store.scan(scan.clone()).await.unwrap();
            assert_eq!(page.items.len(), items, "{query} within {max_bytes}");
            assert_eq!(page.next.is_some(), items < 3);
            assert_eq!(all(&store, scan).await, ["1", "2", "3"]);
        }
    }
}
