//! Imports into a server in memory.

use clap::Parser as _;

use super::super::exit::{Exit, Outcome};
use super::super::fake::Fake;
use super::super::{Cli, Command};

/// Runs `matchbook import` with a file of this text.
async fn import(fake: &Fake, text: &[u8], flags: &[&str]) -> Outcome {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let path = file.path().to_str().unwrap();
    let words = ["matchbook", "import", "/n", path, "--server", &fake.url];
    match Cli::try_parse_from(words.iter().chain(flags))
        .unwrap()
        .command
    {
        Command::Import(args) => args.run().await,
        other => panic!("{other:?}"),
    }
}

fn stored(fake: &Fake) -> Vec<(String, String)> {
    let state = fake.state.lock().unwrap();
    let paths = state.documents.keys();
    let stored = paths.map(|path| (path.clone(), state.text(path).unwrap().to_owned()));
    stored.collect()
}

#[tokio::test]
async fn documents_arrive_exactly_and_again_change_nothing() {
    let fake = Fake::start().await;
    let array = br#"[ {"id":1, "x": 1.0} , {"id":"a b","x":[1e400]} ]"#;
    let lines = b"{\"id\":1, \"x\": 1.0}\n\n{\"id\":\"a b\",\"x\":[1e400]}\r\n";
    for text in [array.as_slice(), lines.as_slice(), array.as_slice()] {
        assert_eq!(
            import(&fake, text, &["--id", "/id"]).await.unwrap(),
            Exit::Done
        );
        assert_eq!(
            stored(&fake),
            [
                ("/n/1".to_owned(), r#"{"id":1, "x": 1.0}"#.to_owned()),
                (
                    "/n/a%20b".to_owned(),
                    r#"{"id":"a b","x":[1e400]}"#.to_owned()
                ),
            ]
        );
    }
}

#[tokio::test]
async fn a_bad_line_is_an_error_and_the_rest_goes_on() {
    let fake = Fake::start().await;
    let text = b"{\"id\":1}\n{\"id\":\n{\"id\":null}\n{\"id\":\"a/b\"}\n{\"id\":5}\n";
    assert_eq!(
        import(&fake, text, &["--id", "/id"]).await.unwrap(),
        Exit::Refused
    );
    let paths: Vec<_> = stored(&fake).into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths, ["/n/1", "/n/5"]);
}

#[tokio::test]
async fn what_differs_is_refused_or_replaced_and_the_last_of_one_id_wins() {
    let fake = Fake::start().await;
    fake.state
        .lock()
        .unwrap()
        .put("/n/1", r#"{"id":1,"old":true}"#);
    let text = b"{\"id\":1}\n{\"id\":2}\n{\"id\":2,\"last\":1}";
    assert_eq!(
        import(&fake, text, &["--id", "/id"]).await.unwrap(),
        Exit::Refused
    );
    let texts = |fake: &Fake| {
        stored(fake)
            .into_iter()
            .map(|(_, text)| text)
            .collect::<Vec<_>>()
    };
    assert_eq!(texts(&fake), [r#"{"id":1,"old":true}"#, r#"{"id":2}"#]);
    let flags = ["--id", "/id", "--replace"];
    assert_eq!(import(&fake, text, &flags).await.unwrap(), Exit::Done);
    assert_eq!(texts(&fake), [r#"{"id":1}"#, r#"{"id":2,"last":1}"#]);
}

#[tokio::test]
async fn without_a_pointer_the_server_makes_ids() {
    let fake = Fake::start().await;
    let flags = ["--from", "2"];
    assert_eq!(
        import(&fake, b"1\n2\n3\n", &flags).await.unwrap(),
        Exit::Done
    );
    let texts: Vec<_> = stored(&fake).into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts.len(), 2);
    assert!(texts.contains(&"2".to_owned()) && texts.contains(&"3".to_owned()));
}

#[tokio::test]
async fn section_5_2_a_lost_answer_is_repaired_where_that_is_safe() {
    let fake = Fake::start().await;
    let text: String = (0..50).map(|id| format!("{{\"id\":{id}}}\n")).collect();
    fake.state.lock().unwrap().lose_answer_in = Some(20);
    let flags = ["--id", "/id", "--connections", "3"];
    assert_eq!(
        import(&fake, text.as_bytes(), &flags).await.unwrap(),
        Exit::Done
    );
    assert_eq!(stored(&fake).len(), 50);
    // Without ids a repeat could save twice: it is reported instead.
    fake.state.lock().unwrap().lose_answer_in = Some(2);
    assert_eq!(
        import(&fake, b"1\n2\n3\n4\n", &[]).await.unwrap(),
        Exit::Refused
    );
    assert_eq!(stored(&fake).len(), 54);
}

#[tokio::test]
async fn no_server_is_known_before_the_file_is_read() {
    let fake = Fake {
        // The discard port: nothing listens there.
        url: "http://127.0.0.1:9".to_owned(),
        ..Fake::start().await
    };
    let failure = import(&fake, b"1", &[]).await.unwrap_err();
    assert_eq!(failure.exit, Exit::Unreachable);
}
