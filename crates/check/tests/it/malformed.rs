//! Requests that are no good HTTP, or whose fields do not parse: refused, and nothing
//! is changed (contract §3 line 1).

use crate::harness::Server;

/// Refused as a write as well as a read, and the document stays as it is.
#[test]
fn section_3_line_1_a_malformed_field_is_never_a_write() {
    let server = Server::start();
    let tag = server.create("/a/1", "1");
    let bare = tag.trim_matches('"');
    let fields = [
        ("If-Match", bare.to_owned()),
        ("If-Match", format!("\"{bare}")),
        ("If-Match", format!("{bare}\"")),
        ("If-Match", format!("'{bare}'")),
        ("If-Match", format!("{tag} {tag}")),
        ("If-Match", format!("{tag}{tag}")),
        ("If-Match", format!("{tag}, *")),
        ("If-Match", format!("*, {tag}")),
        ("If-Match", format!("{tag}; q=1")),
        ("If-Match", format!("w/{tag}")),
        ("If-Match", format!("{tag}x")),
        ("If-Match", format!("{tag}, \"b c\"")),
        ("If-Match", format!("{tag}, \"b")),
        ("If-Match", "*, *".to_owned()),
        ("If-Match", String::new()),
        ("If-Match", ",".to_owned()),
        ("If-None-Match", bare.to_owned()),
        ("If-None-Match", "*, \"x\"".to_owned()),
        ("If-Unmodified-Since", "tomorrow".to_owned()),
        ("If-Unmodified-Since", "2030-01-01T00:00:00Z".to_owned()),
        (
            "If-Modified-Since",
            "Tue, 99 Foo 2020 00:00:00 GMT".to_owned(),
        ),
        ("Range", "bytes=a-b".to_owned()),
        ("Range", "bytes=5-1".to_owned()),
        ("Range", "bytes=-".to_owned()),
        ("If-Range", "abc".to_owned()),
        ("Accept", "/".to_owned()),
        ("Accept", "*/json".to_owned()),
        ("Accept", "a/b;q=2".to_owned()),
        ("Accept-Encoding", "gzip;q=x".to_owned()),
        ("Content-Type", "json".to_owned()),
        ("Content-Type", "a/b/c".to_owned()),
        ("Content-Type", ";".to_owned()),
        ("Origin", "http://localhost evil".to_owned()),
    ];
    for (name, value) in fields {
        for method in ["PUT", "GET"] {
            let mut request = server.request(method, "/a/1");
            if method == "PUT" {
                request = request.json("2");
            }
            if name == "Content-Type" {
                request = request.without(name);
            }
            if name != "If-Match" {
                request = request.if_match(&tag);
            }
            let answer = request.field(name, &value).send();
            answer.status(400).problem("bad-field");
        }
    }
    server.holds("/a/1", "1", &tag);
}

#[test]
fn section_3_line_1_a_field_of_which_there_is_one_comes_once() {
    let server = Server::start();
    let tag = server.create("/a/1", "1");
    for (name, first, second) in [
        ("Content-Type", "application/json", "application/json"),
        ("Origin", "null", "null"),
        ("Range", "bytes=0-0", "bytes=0-0"),
        (
            "If-Unmodified-Since",
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 GMT",
        ),
        ("Sec-Fetch-Site", "same-origin", "cross-site"),
    ] {
        let request = server.put("/a/1", "2").without(name).if_match(&tag);
        let answer = request.field(name, first).field(name, second).send();
        answer.status(400).problem("bad-field");
    }
    server.holds("/a/1", "1", &tag);
}

/// The connection is closed, since nobody knows where such a message ends.
#[test]
fn section_3_line_1_what_is_not_http_is_refused() {
    let server = Server::start();
    let tag = server.create("/a/1", "1");
    let host = server.host();
    let messages: [&[u8]; 16] = [
        b"GET /a/1\r\n\r\n",
        b"GET /a/1 HTTP/9.9\r\n\r\n",
        b"GET /a/1 HTTP/2.0\r\n\r\n",
        b"GET /a/1 http/1.1\r\n\r\n",
        b"GET /a/1 HTTP/1.1 \r\n\r\n",
        b"GET  /a/1 HTTP/1.1\r\n\r\n",
        b"GET /a/1 x HTTP/1.1\r\n\r\n",
        b" GET /a/1 HTTP/1.1\r\n\r\n",
        b"GET\t/a/1 HTTP/1.1\r\n\r\n",
        b"G@T /a/1 HTTP/1.1\r\n\r\n",
        b"GET /a/\x01 HTTP/1.1\r\n\r\n",
        b"GET /a/\xff HTTP/1.1\r\n\r\n",
        b"GET a/1 HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"\0\0\0\0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
    ];
    for message in messages {
        let mut with_host = message.strip_suffix(b"\r\n").unwrap().to_vec();
        with_host.extend(format!("Host: {host}\r\n\r\n").bytes());
        with_host.extend(server.put("/a/2", "2").bytes());
        let message = String::from_utf8_lossy(message);
        let mut connection = server.connect();
        connection.send(with_host);
        let answer = connection.read("GET");
        assert!(answer.code == 400, "{answer} to {message:?}");
        assert!(connection.is_closed(), "open after {message:?}");
    }
    server.holds("/a/1", "1", &tag);
    server.get("/a/2").send().status(404);
}

#[test]
fn section_3_line_1_targets_that_name_nothing() {
    let server = Server::start();
    let tag = server.create("/a/1", "1");
    for target in [
        "/a/%",
        "/a/%4",
        "/a/%zz",
        "//a/1",
        "/a//1",
        "/a/1//",
        "/a/..",
        "/a/%2e%2E",
        "/a/../a/1",
        "/a/./1",
        "/a/1%2F2",
        "/a/%00",
        "/a/%0d%0a",
        "/a/%7f",
        "/a/%ff",
        "/a/\u{e9}",
        "/a/1#2",
        "/a/1?x#y",
        "/a/\\1",
        "/a/\"1\"",
        "/a/{1}",
        "*",
        "/_a/1",
        "/a/1?x=1",
        "/a/1?%zz",
        "http://user@127.0.0.1/a/1",
        "127.0.0.1:80",
        "localhost",
    ] {
        for request in [
            server.put(target, "2").if_match("*"),
            server.delete(target).if_match("*"),
            server.get(target),
        ] {
            let answer = request.send();
            assert!(answer.code == 400, "{answer} to {target}");
        }
    }
    server.holds("/a/1", "1", &tag);
}
