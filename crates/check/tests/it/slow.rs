//! Clients that take their time: they lose the connection, and hold up nobody.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use crate::harness::Server;

/// Far more seconds than a header section may take, and fewer than a connection may be
/// idle.
const BYTES: usize = 40;

/// Sends `begin`, then a byte a second until the server closes. It has given so many
/// answers by then.
fn drip(address: SocketAddr, begin: &str, answers: usize) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(begin.as_bytes()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(1)))
        .unwrap();
    let mut received = Vec::new();
    let mut buffer = [0; 4_096];
    for _ in 0..BYTES {
        match stream.read(&mut buffer) {
            Ok(0) => {
                let heads = received.windows(8).filter(|bytes| bytes == b"HTTP/1.1");
                assert_eq!(heads.count(), answers);
                return;
            }
            Ok(count) => received.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return,
            Err(error) => assert!(
                matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
                "{error}"
            ),
        }
        let _ = stream.write_all(b"x");
    }
    panic!("the server still waits after {BYTES} bytes, one a second");
}

#[test]
fn a_header_section_that_comes_byte_by_byte_is_given_up() {
    let server = Server::start();
    let tag = server.create("/a/1", "1");
    let get = format!("GET /a/1 HTTP/1.1\r\nHost: {}\r\n", server.host());
    let begins = [
        (String::new(), 0),
        ("P".to_owned(), 0),
        (get.clone(), 0),
        (format!("{get}X: "), 0),
        (format!("{get}\r\n"), 1),
        (format!("{get}\r\nG"), 1),
        (format!("{get}\r\n{get}\r\n{get}"), 2),
        ("PRI".to_owned(), 0),
    ];
    let address = server.address();
    let clients =
        begins.map(|(begin, answers)| thread::spawn(move || drip(address, &begin, answers)));
    let mut silent = server.connect();
    while !clients.iter().all(thread::JoinHandle::is_finished) {
        server.holds("/a/1", "1", &tag);
    }
    for client in clients {
        client.join().unwrap();
    }
    assert!(silent.is_closed());
}
