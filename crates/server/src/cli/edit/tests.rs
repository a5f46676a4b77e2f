//! Edits against a server in memory, with a shell command as the editor.

use clap::Parser as _;

use super::desk::{Desk, Person};
use super::*;
use crate::cli::fake::Fake;

#[derive(clap::Parser)]
struct Words {
    #[command(flatten)]
    place: Place,
}

/// Edits `/n/1` with this command; the person gives these answers.
async fn edit(fake: &Fake, editor: &str, answers: &str) -> Outcome {
    let words = ["edit", "/n/1", "--server", &fake.url];
    let place = Words::try_parse_from(words).unwrap().place;
    let person = match answers {
        "" => Person::Absent,
        answers => Person::Scripted(answers.chars().rev().collect()),
    };
    let directory = tempfile::tempdir().unwrap();
    let desk = Desk::new(editor.to_owned(), person, directory.path().to_owned());
    run_at(&place, desk.unwrap()).await
}

async fn fake_with(text: &'static str) -> Fake {
    let fake = Fake::start().await;
    fake.state.lock().unwrap().put("/n/1", text);
    fake
}

fn stored(fake: &Fake) -> String {
    fake.state.lock().unwrap().text("/n/1").unwrap().to_owned()
}

const MILK: &str = r#"{"title":"Milk","n": 1.0,"done":false}"#;

#[tokio::test]
async fn what_is_changed_is_sent_and_the_rest_stays_as_it_was() {
    let fake = fake_with(MILK).await;
    let outcome = edit(&fake, "sed -i s/Milk/Bread/", "").await;
    assert_eq!(outcome.unwrap(), Exit::Done);
    assert_eq!(stored(&fake), MILK.replace("Milk", "Bread"));
}

#[tokio::test]
async fn nothing_changed_means_nothing_sent() {
    let fake = fake_with(MILK).await;
    assert_eq!(edit(&fake, "true", "").await.unwrap(), Exit::Done);
    assert_eq!(fake.state.lock().unwrap().requests, 1);
}

#[tokio::test]
async fn a_stale_edit_is_rebased_on_request() {
    let theirs = r#"{"title":"Milk","n": 1.0,"done":true}"#;
    for (answers, exit, expected) in [
        ("r", Exit::Done, theirs.replace("Milk", "Bread")),
        ("e", Exit::Done, theirs.replace("Milk", "Bread")),
        ("a", Exit::Stale, theirs.to_owned()),
        ("", Exit::Stale, theirs.to_owned()),
    ] {
        let fake = fake_with(MILK).await;
        fake.state.lock().unwrap().meanwhile = Some(("/n/1".to_owned(), theirs));
        let outcome = edit(&fake, "sed -i s/Milk/Bread/", answers).await;
        assert_eq!(outcome.unwrap(), exit, "{answers}");
        assert_eq!(stored(&fake), expected, "{answers}");
    }
}

#[tokio::test]
async fn invalid_json_is_not_sent_and_can_be_corrected() {
    let fake = fake_with(MILK).await;
    assert_eq!(
        edit(&fake, "sed -i s/1.0/1.,/", "").await.unwrap(),
        Exit::Usage
    );
    // The first edit breaks it, the second repairs it.
    let editor = "sed -i -e s/2,,/2,/ -e s/1.0,/2,,/";
    assert_eq!(edit(&fake, editor, "e").await.unwrap(), Exit::Done);
    assert_eq!(stored(&fake), MILK.replace("1.0", "2"));
}

#[tokio::test]
async fn a_failing_editor_sends_nothing() {
    let fake = fake_with(MILK).await;
    let failure = edit(&fake, "false", "").await.unwrap_err();
    assert_eq!(failure.exit, Exit::Usage);
    assert_eq!(stored(&fake), MILK);
}
