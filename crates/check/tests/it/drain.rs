//! SIGTERM: what is under way is finished, what is new is turned away, and the data are
//! closed in order.

use std::os::unix::process::ExitStatusExt;

use rustix::process::Signal;

use crate::harness::Server;
use crate::harness::client::Connection;

/// A PUT whose body is half sent, on a server that holds `/a/1`.
fn half_sent(server: &Server) -> Connection {
    let mut connection = server.connect();
    connection.send(format!(
        "PUT /a/1 HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nIf-Match: *\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n",
        server.host()
    ));
    // The handler reads the content by now.
    connection.read_any("PUT").status(100);
    connection.send("\"a");
    connection
}

/// Reads until the server says that it drains: from then on it stays so.
fn wait_for_drain(server: &Server) -> crate::harness::Answer {
    loop {
        let answer = server.get("/a/1").send();
        if answer.code != 200 {
            return answer;
        }
    }
}

#[test]
fn section_3_line_2_what_is_under_way_is_finished_and_what_is_new_is_turned_away() {
    let mut server = Server::start();
    server.create("/a/1", "1");
    let mut idle = server.connect();
    idle.get("/a/1").send().status(200);
    let mut busy = half_sent(&server);
    server.signal(Signal::TERM);
    let refused = wait_for_drain(&server);
    refused
        .status(503)
        .has("retry-after", "2")
        .has("connection", "close")
        .problem("unavailable");
    idle.put("/a/1", "3").if_match("*").send().status(503);
    assert!(idle.is_closed());
    busy.send("b\"");
    let saved = busy.read("PUT");
    saved.status(204).has("connection", "close");
    assert!(busy.is_closed());
    assert_eq!(server.ended().code(), Some(0));
    server.start_again();
    server.holds("/a/1", "\"ab\"", &saved.tag());
}

#[test]
fn an_idle_server_ends_at_once() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = Server::start();
        let tag = server.create("/a/1", "1");
        let mut idle = server.connect();
        idle.get("/a/1").send().status(200);
        let mut silent = server.connect();
        server.signal(signal);
        assert!(idle.is_closed());
        assert!(silent.is_closed());
        assert_eq!(server.ended().code(), Some(0));
        server.start_again();
        server.holds("/a/1", "1", &tag);
    }
}

#[test]
fn a_second_signal_ends_at_once() {
    let mut server = Server::start();
    let tag = server.create("/a/1", "1");
    let mut busy = half_sent(&server);
    server.signal(Signal::TERM);
    wait_for_drain(&server);
    server.signal(Signal::INT);
    let status = server.ended();
    assert!(
        status.code() == Some(130) && status.signal().is_none(),
        "{status}"
    );
    assert!(busy.is_closed());
    server.start_again();
    server.holds("/a/1", "1", &tag);
}

#[test]
fn a_client_that_never_finishes_is_not_waited_for_longer_than_told() {
    let mut server = Server::with(&["--drain-seconds", "0"]);
    let tag = server.create("/a/1", "1");
    let mut busy = half_sent(&server);
    server.signal(Signal::TERM);
    assert_eq!(server.ended().code(), Some(0));
    assert!(busy.is_closed());
    server.start_again();
    server.holds("/a/1", "1", &tag);
}
