//! What a path names, and what it does not.

use super::*;

#[test]
fn section_1_a_path_is_what_its_segments_say() {
    let long = "x".repeat(255);
    let deep = format!("/{}", vec!["x".repeat(127); 8].join("/"));
    let kind = |path: &str| match Target::parse(path) {
        Ok(Target::Root) => "root".to_owned(),
        Ok(Target::Collection(c)) => format!("collection {c}"),
        Ok(Target::Document(d)) => format!("document {} {}", d.collection(), d.id()),
        Ok(Target::Reserved(rest)) => format!("reserved {rest}"),
        Ok(Target::Moved(to)) => format!("moved {to}"),
        Err(fault) => format!("{fault:?}"),
    };
    let cases = [
        ("/", "root"),
        ("/documents", "collection /documents"),
        ("/documents/42", "document /documents 42"),
        ("/a/b/c/d", "document /a/b/c d"),
        ("/a/b/", "moved /a/b"),
        ("/a/b//", "Empty"),
        ("//a", "Empty"),
        ("//", "Empty"),
        ("/a//b", "Empty"),
        ("a/b", "NoSlash"),
        ("", "NoSlash"),
        ("*", "NoSlash"),
        ("/a/%2f", "Forbidden"),
        ("/a/%00", "Forbidden"),
        ("/a/%0A", "Forbidden"),
        ("/a/%7f", "Forbidden"),
        ("/a/%C2%85", "Forbidden"),
        ("/a/%", "Escape"),
        ("/a/%4", "Escape"),
        ("/a/%4g", "Escape"),
        ("/a/%ff", "Utf8"),
        ("/a/%ed%a0%80", "Utf8"),
        ("/a/.", "Dots"),
        ("/a/%2e%2E", "Dots"),
        ("/a/...", "document /a ..."),
        ("/a/b c", "Character"),
        ("/a/b\"c", "Character"),
        ("/a/é", "Character"),
        ("/a/%41%7e", "document /a A~"),
        ("/a/b|c", "document /a b%7Cc"),
        ("/a/x:y@z", "document /a x%3Ay%40z"),
        ("/_/health", "reserved health"),
        ("/_/collections", "collection /_/collections"),
        ("/_/collections/", "moved /_/collections"),
        ("/_/collections/a.%2A.b", "document /_/collections a.%2A.b"),
        ("/_/collections/a/", "moved /_/collections/a"),
        ("/_/collections/a%2fb", "Forbidden"),
        ("/_/collections//", "Empty"),
        ("/_/collections/a/b", "reserved collections/a/b"),
        ("/_/collectionsx", "reserved collectionsx"),
        ("/_/receipts/a", "reserved receipts/a"),
        ("/_/marks/a", "reserved marks/a"),
        ("/_/operations", "collection /_/operations"),
        ("/_/operations/a", "document /_/operations a"),
        ("/_/operations/a/result", "reserved operations/a/result"),
        ("/_/", "reserved "),
        ("/_", "reserved "),
        ("/_x/1", "Reserved"),
        ("/%5Fx/1", "Reserved"),
        ("/a/_b", "document /a _b"),
    ];
    for (path, expected) in cases {
        assert_eq!(kind(path), expected, "{path}");
    }
    assert_eq!(
        kind(&format!("/{long}/{long}")),
        format!("document /{long} {long}")
    );
    assert_eq!(kind(&format!("/a/{long}x")), "SegmentTooLong");
    assert!(kind(&deep).starts_with("document"));
    assert_eq!(deep.len(), 1_024);
    assert_eq!(kind(&format!("{deep}x")), "PathTooLong");
}

#[test]
fn what_is_stored_can_be_read_that_no_request_can_name() {
    let receipt = DocumentPath::receipt("a b").unwrap();
    assert_eq!(receipt.as_str(), "/_/receipts/a%20b");
    assert_eq!(DocumentPath::parse(receipt.as_str()), Ok(receipt.clone()));
    assert_eq!(receipt.parent(), CollectionPath::receipts());
    assert!(receipt.is_own() && receipt.parent().is_own());
    assert!(!DocumentPath::parse("/a/_").unwrap().is_own());
    let mark = CollectionPath::marks().member("a").unwrap();
    assert_eq!(mark.as_str(), "/_/marks/a");
    assert_eq!(DocumentPath::parse(mark.as_str()), Ok(mark.clone()));
    assert_eq!(mark.parent(), CollectionPath::marks());
    let operation = CollectionPath::operations().member("a").unwrap();
    assert_eq!(operation.as_str(), "/_/operations/a");
    assert_eq!(operation.parent(), CollectionPath::operations());
    assert_eq!(DocumentPath::parse("/_/health"), Err(NameFault::Reserved));
}

proptest::proptest! {
    #[test]
    fn a_segment_survives_encoding(id in "\\PC{1,40}") {
        let collection = CollectionPath::parse("/c").unwrap();
        if let Ok(path) = collection.member(&id) {
            proptest::prop_assert_eq!(DocumentPath::parse(path.as_str()).unwrap(), path);
        }
    }
}
