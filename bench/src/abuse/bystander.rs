//! Who has done nothing: one client that saves a document a hundred times a second, while
//! others abuse the server. What it has to wait is what abuse costs.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde::Serialize;

use crate::client::Client;
use crate::document::Templates;
use crate::interrupt;
use crate::latency::Latency;
use crate::work::{content, field, head};

/// The time from one save to the next.
const EVERY: Duration = Duration::from_millis(10);

/// The document that it saves.
const NUMBER: u64 = 1;

/// What it waited for durable saves with `If-Match`.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Waits {
    pub(crate) saves: u64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
    /// Saves without the right answer, by what came instead.
    pub(crate) faults: BTreeMap<String, u64>,
}

pub(super) struct Bystander {
    address: SocketAddr,
    client: Client,
    templates: Templates,
    tag: Vec<u8>,
    edit: u64,
}

impl Bystander {
    /// Connects and makes the document.
    ///
    /// # Errors
    /// There is no connection, or no right answer.
    pub(super) fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let mut bystander = Self {
            address,
            client: Client::connect(address)?,
            templates: Templates::new(),
            tag: Vec::new(),
            edit: 0,
        };
        bystander.save()?;
        Ok(bystander)
    }

    /// Saves for `time`. One that is late is made at once.
    ///
    /// # Errors
    /// Interrupted, or the connection failed and there is no other one.
    pub(super) fn save_for(&mut self, time: Duration) -> anyhow::Result<Waits> {
        let mut latency = Latency::new()?;
        let mut faults: BTreeMap<String, u64> = BTreeMap::new();
        let mut due = Instant::now();
        let deadline = due + time;
        while due < deadline {
            interrupt::check()?;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let asked = Instant::now();
            if let Err(error) = self.save() {
                *faults.entry(format!("{error:#}")).or_default() += 1;
                self.client = Client::connect(self.address)?;
                // Whatever stands there now.
                self.tag = b"*".to_vec();
            } else {
                latency.record(asked.elapsed());
            }
            due = (due + EVERY).max(Instant::now());
        }
        Ok(Waits {
            saves: latency.count(),
            p50_ms: latency.ms(0.5),
            p99_ms: latency.ms(0.99),
            max_ms: latency.ms(1.0),
            faults,
        })
    }

    fn save(&mut self) -> anyhow::Result<()> {
        let Client { request, host, .. } = &mut self.client;
        request.clear();
        head(request, "PUT", NUMBER, host);
        let expected = if self.tag.is_empty() {
            field(request, b"If-None-Match", b"*");
            201
        } else {
            field(request, b"If-Match", &self.tag);
            204
        };
        let document = self.templates.document(NUMBER, self.edit);
        content(request, "application/json", document);
        self.edit += 1;
        let answer = self.client.exchange()?;
        if answer.status != expected {
            bail!("{} instead of {expected} to a save", answer.status);
        }
        let tag = answer.etag.context("a save without a tag")?;
        self.tag = tag.to_vec();
        Ok(())
    }
}
