//! Lines that are lost in every way, and what is heard all the same.

use super::super::fake::{FakeFeed, Script};
use super::*;

fn args(url: &str) -> ClientArgs {
    ClientArgs {
        server: url.to_owned(),
        cacert: None,
        headers: Vec::new(),
    }
}

fn follower(fake: &FakeFeed, cursor: &str, patience: Patience) -> Follower {
    let target = Target::join(&fake.url, "/c").unwrap();
    Follower::new(target, &args(&fake.url), cursor, patience).unwrap()
}

fn block(name: &str, id: &str, data: &str) -> String {
    format!("retry: 0\nevent: {name}\nid: {id}\ndata: {data}\n\n")
}

/// What is heard until patience ends: ids of events, `!` for a lost line.
async fn heard(follower: &mut Follower) -> (Vec<String>, Failure) {
    let mut heard = Vec::new();
    loop {
        match follower.next().await {
            Ok(News::Events(events)) => {
                heard.extend(events.iter().map(|event| event.id.to_string()));
            }
            Ok(News::Lost { .. }) => heard.push("!".to_owned()),
            Err(failure) => return (heard, failure),
        }
    }
}

#[tokio::test]
async fn section_7_4_a_lost_line_is_resumed_where_it_broke() {
    let heartbeat = block("heartbeat", "a-2", "{}");
    let fake = FakeFeed::start([
        Script::Ends(vec![
            block("synced", "a-1", "{}"),
            block("put", "a-2", "{}"),
        ]),
        Script::Ends(vec![heartbeat]),
        Script::Ends(vec![
            block("put", "a-3", "{}"),
            "id: a-4\ndata: x\n".to_owned(),
        ]),
        Script::Raw("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n".to_owned()),
        Script::Ends(vec![
            block("end", "a-3", r#"{"reason":"draining"}"#),
            block("put", "a-9", "{}"),
        ]),
        Script::Raw("HTTP/1.1 200 OK\r\nContent-Ty".to_owned()),
        Script::Raw("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n".to_owned()),
    ])
    .await;
    let mut follower = follower(&fake, "", Patience::Endless);
    let (heard, failure) = heard(&mut follower).await;
    assert_eq!(heard, ["a-1", "a-2", "!", "!", "a-3", "!", "!", "!", "!"]);
    assert_eq!(failure.exit, Exit::Refused);
    assert_eq!(
        fake.sent("last-event-id"),
        ["", "a-2", "a-2", "a-3", "a-3", "a-3", "a-3"]
    );
    assert!(
        fake.sent("accept")
            .iter()
            .all(|accept| accept == EVENT_STREAM)
    );
}

#[tokio::test]
async fn section_7_5_half_a_batch_is_not_heard() {
    let more = r#"{"more":true}"#;
    let fake = FakeFeed::start([
        Script::Ends(vec![block("put", "a-1", "{}"), block("put", "a-1", more)]),
        Script::Ends(vec![block("put", "a-1", more), block("put", "a-3", "{}")]),
    ])
    .await;
    let mut follower = follower(&fake, "a-0", Patience::Bounded);
    let (heard, failure) = heard(&mut follower).await;
    assert_eq!(heard[..5], ["a-1", "!", "a-1", "a-3", "!"]);
    assert_eq!(failure.exit, Exit::Unreachable);
    assert_eq!(fake.sent("last-event-id")[..3], ["a-0", "a-1", "a-3"]);
}

#[tokio::test]
async fn an_event_that_is_too_large_loses_nothing_before_it() {
    let huge = "data: xxxxxxxxxxxxxxxx\n".repeat(9);
    let fake = FakeFeed::start([
        Script::Ends(vec![
            block("put", "a-1", "{}"),
            "id: a-2\n".to_owned(),
            huge,
        ]),
        Script::Raw("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned()),
    ])
    .await;
    let mut follower = follower(&fake, "", Patience::Endless);
    follower.event_bytes = 100;
    let (heard, _) = heard(&mut follower).await;
    assert_eq!(heard, ["a-1", "!"]);
    assert_eq!(fake.sent("last-event-id"), ["", "a-1"]);
}

#[tokio::test]
async fn a_line_without_a_sound_is_dead() {
    let fake = FakeFeed::start([Script::Stays(vec![block("put", "a-1", "{}")])]).await;
    let mut follower = follower(&fake, "", Patience::Endless);
    let News::Events(_) = follower.next().await.unwrap() else {
        panic!("no event");
    };
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    let News::Lost { why, .. } = follower.next().await.unwrap() else {
        panic!("an event");
    };
    assert!(began.elapsed() >= DEAD_AFTER);
    assert_eq!(why, "nothing was heard for 25 seconds");
}

#[tokio::test]
async fn what_will_not_change_is_not_asked_again() {
    let problem = r#"{"title":"No","detail":"because"}"#;
    let length = problem.len();
    let cases = [
        (
            format!(
                "HTTP/1.1 404 Not Found\r\nContent-Type: application/problem+json\r\nContent-Length: {length}\r\n\r\n{problem}"
            ),
            Exit::Refused,
            "404 Not Found: No: because",
        ),
        (
            "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n".to_owned(),
            Exit::Refused,
            "401 Unauthorized",
        ),
        (
            "HTTP/1.1 308 Permanent Redirect\r\nLocation: /d\r\nContent-Length: 0\r\n\r\n"
                .to_owned(),
            Exit::Refused,
            "308 Permanent Redirect",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
                .to_owned(),
            Exit::Refused,
            "no event stream",
        ),
        (
            "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
            Exit::Refused,
            "204 No Content",
        ),
        // At the first attempt, the URL is as likely to be wrong.
        (
            "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n".to_owned(),
            Exit::Unreachable,
            "502 Bad Gateway",
        ),
        (String::new(), Exit::Unreachable, "broke off"),
    ];
    for (answer, exit, expected) in cases {
        let fake = FakeFeed::start([Script::Raw(answer)]).await;
        let failure = follower(&fake, "", Patience::Endless)
            .next()
            .await
            .unwrap_err();
        assert_eq!(failure.exit, exit, "{expected}");
        let message = failure.message.unwrap();
        assert!(message.contains(expected), "{message}");
        assert_eq!(fake.requests.lock().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_command_that_is_to_end_gives_up_some_time() {
    let fake = FakeFeed::start([Script::Ends(vec![block("put", "a-1", "{}")])]).await;
    let mut follower = follower(&fake, "", Patience::Bounded);
    let (heard, failure) = heard(&mut follower).await;
    let mut expected = vec!["a-1"];
    expected.extend(["!"; FAILURES as usize]);
    assert_eq!(heard, expected);
    assert_eq!(failure.exit, Exit::Unreachable);
}

#[test]
fn a_cursor_that_no_field_can_hold_is_wrong_usage() {
    let target = Target::join("http://h", "/c").unwrap();
    assert!(ask(&target, "a-1~/c/x*C3").is_ok());
    assert_eq!(ask(&target, "a\nb").unwrap_err().exit, Exit::Usage);
}
