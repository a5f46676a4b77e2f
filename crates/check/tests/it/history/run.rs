//! What all who take part in a run share: where the server is, and one clock.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Condvar, Mutex, mpsc};

use super::record::Tick;

pub(super) struct Run {
    clock: AtomicU64,
    /// The server's address, and how often it was started.
    server: Mutex<(SocketAddr, usize)>,
    changed: Condvar,
    is_over: AtomicBool,
}

impl Run {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self {
            clock: AtomicU64::new(0),
            server: Mutex::new((address, 1)),
            changed: Condvar::new(),
            is_over: AtomicBool::new(false),
        }
    }

    /// Later than all moments before.
    pub(super) fn now(&self) -> Tick {
        self.clock.fetch_add(1, SeqCst)
    }

    /// Where the server is once it was started more often than this; `None` if it is not
    /// started again.
    pub(super) fn server(&self, starts: usize) -> Option<(SocketAddr, usize)> {
        let mut server = self.server.lock().unwrap();
        while server.1 <= starts && !self.is_over() {
            server = self.changed.wait(server).unwrap();
        }
        (server.1 > starts).then_some(*server)
    }

    /// The server was started again.
    pub(super) fn started(&self, address: SocketAddr) {
        let mut server = self.server.lock().unwrap();
        *server = (address, server.1 + 1);
        self.changed.notify_all();
    }

    /// Nothing more is to be asked for.
    pub(super) fn end(&self) {
        let _server = self.server.lock().unwrap();
        self.is_over.store(true, SeqCst);
        self.changed.notify_all();
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(SeqCst)
    }
}

/// Tells that one more request has ended.
pub(super) type Count = mpsc::Sender<()>;
