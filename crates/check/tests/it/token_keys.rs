//! Keys that their issuer publishes and changes (contract §11).

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL;
use rcgen::{KeyPair, PKCS_ED25519};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::Server;
use crate::harness::token::{flags_for, minted};

/// How long a renewal may take before the test gives up on it.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often the server may fetch for the sake of unknown keys.
const SHORTEST_PAUSE: Duration = Duration::from_secs(5);

/// Whoever makes tokens, and publishes the keys.
struct Issuer {
    address: SocketAddr,
    /// What is published; `None`: it fails.
    document: Arc<Mutex<Option<Value>>>,
    fetched: mpsc::Receiver<()>,
    directory: TempDir,
}

impl Issuer {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let document: Arc<Mutex<Option<Value>>> = Arc::default();
        let published = Arc::clone(&document);
        let (sender, fetched) = mpsc::channel();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    stream.read_exact(&mut byte).unwrap();
                    request.extend(byte);
                }
                assert!(request.starts_with(b"GET /jwks.json HTTP/1.1\r\n"));
                let answer = match &*published.lock().unwrap() {
                    Some(document) => {
                        let body = document.to_string();
                        let length = body.len();
                        format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}")
                    }
                    None => "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n".to_owned(),
                };
                stream.write_all(answer.as_bytes()).unwrap();
                if sender.send(()).is_err() {
                    return;
                }
            }
        });
        Self {
            address,
            document,
            fetched,
            directory: TempDir::new().unwrap(),
        }
    }

    fn url(&self) -> String {
        format!("http://{}/jwks.json", self.address)
    }

    fn publish(&self, keys: &[&Value]) {
        *self.document.lock().unwrap() = Some(json!({"keys": keys}));
    }

    fn fail(&self) {
        *self.document.lock().unwrap() = None;
    }

    /// A new key with this name, and a token by it, ready to be sent.
    fn key(&self, id: &str) -> (Value, String) {
        let pair = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let file = self.directory.path().join(id);
        std::fs::write(&file, pair.serialize_pem()).unwrap();
        let x = BASE64URL.encode(pair.public_key_raw());
        let key = json!({"kty": "OKP", "crv": "Ed25519", "kid": id, "use": "sig", "x": x});
        (key, format!("Bearer {}", minted(&file, &["--kid", id])))
    }

    fn fetches(&self) -> u32 {
        u32::try_from(self.fetched.try_iter().count()).unwrap()
    }

    /// Asks until this holds; in between, until keys are fetched or some time is over.
    #[track_caller]
    fn until(&self, mut holds: impl FnMut() -> bool) -> u32 {
        let begun = Instant::now();
        let mut fetches = 0;
        while !holds() {
            assert!(begun.elapsed() < PATIENCE, "it does not come to hold");
            let fetched = self.fetched.recv_timeout(Duration::from_millis(100));
            fetches += u32::from(fetched.is_ok());
        }
        fetches + self.fetches()
    }
}

#[test]
fn section_11_keys_by_url_are_fetched_and_rotate() {
    let issuer = Issuer::start();
    let (first, by_first) = issuer.key("first");
    let (second, by_second) = issuer.key("second");
    let (_, by_unknown) = issuer.key("unknown");
    let secret = json!({"kty": "oct", "kid": "secret", "k": BASE64URL.encode([1; 32])});
    issuer.publish(&[&first, &secret]);
    let begun = Instant::now();
    let server = Server::with(&flags_for(&issuer.url()));
    let status = |token: &str| {
        let answer = server.get("/notes").field("Authorization", token).send();
        answer.code
    };
    // The request waits for the keys, if they are not here yet.
    assert_eq!(status(&by_first), 200);
    assert_eq!(status(&by_second), 401);
    for _ in 0..50 {
        assert_eq!(status(&by_unknown), 401);
    }
    let mut fetches = issuer.fetches();
    issuer.publish(&[&second]);
    fetches += issuer.until(|| status(&by_second) == 200);
    assert_eq!(status(&by_first), 401, "its key was taken back");
    issuer.fail();
    fetches += issuer.until(|| {
        assert_eq!(status(&by_unknown), 401);
        server.log().contains("old ones stay in force")
    });
    assert_eq!(status(&by_second), 200, "while the URL does not answer");
    let may = begun.elapsed().as_secs() / SHORTEST_PAUSE.as_secs() + 2;
    assert!(
        u64::from(fetches) <= may,
        "{fetches} fetches, {may} are fair"
    );
}
