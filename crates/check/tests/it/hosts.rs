//! Whom the server believes to be (contract §3, line 1).

use crate::harness::Server;

fn get(host_lines: &str) -> String {
    format!("GET /a HTTP/1.1\r\n{host_lines}\r\n")
}

#[test]
fn section_3_line_1_exactly_one_good_host() {
    let server = Server::start();
    let host = server.host();
    let bad = [
        String::new(),
        format!("Host: {host}\r\nHost: {host}\r\n"),
        "Host:\r\n".to_owned(),
        "Host: a b\r\n".to_owned(),
        "Host: localhost:x\r\n".to_owned(),
        "Host: localhost:99999\r\n".to_owned(),
        "Host: user@localhost\r\n".to_owned(),
        "Host: http://localhost/\r\n".to_owned(),
        "Host: localhost, localhost\r\n".to_owned(),
    ];
    for lines in bad {
        let refused = server.raw(get(&lines));
        assert_eq!(refused.code, 400, "{lines}: {refused}");
        refused.problem("bad-framing");
    }
}

#[test]
fn section_3_line_1_open_mode_answers_to_loopback_names_only() {
    let server = Server::start();
    let good = [
        "localhost",
        "LOCALHOST:80",
        "127.0.0.1",
        "127.9.9.9:1",
        "[::1]:2040",
        "a.localhost",
    ];
    for host in good {
        server.raw(get(&format!("Host: {host}\r\n"))).status(200);
    }
    let foreign = [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "192.168.0.1",
        "[2001:db8::1]",
        "0.0.0.0",
        "localhostx",
    ];
    for host in foreign {
        let refused = server.raw(get(&format!("Host: {host}\r\n")));
        assert_eq!(refused.code, 421, "{host}: {refused}");
        refused.problem("misdirected");
    }
}

#[test]
fn section_3_line_1_a_foreign_host_writes_nothing() {
    let server = Server::start();
    let refused = server
        .put("/a/1", "1")
        .without("host")
        .field("Host", "evil.example")
        .send();
    refused.status(421);
    server.get("/a/1").send().status(404);
}

#[test]
fn section_3_line_1_the_target_in_absolute_form_overrides_host() {
    let server = Server::start();
    let host = server.host();
    let good = format!("GET http://{host}/a HTTP/1.1\r\nHost: {host}\r\n\r\n");
    server.raw(good).status(200);
    let foreign = format!("GET http://evil.example/a HTTP/1.1\r\nHost: {host}\r\n\r\n");
    server.raw(foreign).status(421);
}

#[test]
fn section_3_line_1_a_listed_host_is_answered() {
    let server = Server::with(&["--host", "files.local"]);
    server.raw(get("Host: Files.Local:80\r\n")).status(200);
    server.raw(get("Host: other.local\r\n")).status(421);
}

#[test]
fn section_3_line_1_a_foreign_host_is_not_even_moved() {
    let server = Server::start();
    let refused = server
        .get("/a/")
        .without("host")
        .field("Host", "evil.example");
    refused.send().status(421).no_field("location");
}
