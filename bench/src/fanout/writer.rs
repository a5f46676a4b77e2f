//! The writer: one connection that saves at a steady rate. With Matchbook a save is a
//! merge patch of one member with `If-Match`; the others are given the event that
//! Matchbook makes of it, so that all subscribers get the same bytes.

use std::io::Write;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::contender::Broadcaster;
use super::sent::SentTimes;
use crate::client::Client;
use crate::document::{NUMBER_BASE, Templates};
use crate::interrupt;
use crate::latency::Latency;
use crate::work::{content, field, head};

/// How many documents there are; each is written in its turn.
const DOCUMENTS: u64 = 100;

/// Saves the documents of one server.
pub(crate) struct Writer {
    who: Broadcaster,
    client: Client,
    templates: Templates,
    /// By document, its current tag.
    tags: Vec<Vec<u8>>,
    /// The last edit.
    edit: u64,
}

impl Writer {
    /// Connects, and makes the documents where they are kept.
    ///
    /// # Errors
    /// There is no connection, or an answer is not the expected one.
    pub(crate) fn open(who: Broadcaster, address: SocketAddr) -> anyhow::Result<Self> {
        let mut writer = Self {
            who,
            client: Client::connect(address)?,
            templates: Templates::new(),
            tags: Vec::new(),
            edit: 0,
        };
        if who == Broadcaster::Matchbook {
            writer.create()?;
        }
        Ok(writer)
    }

    /// The number of the last edit.
    pub(crate) fn last_edit(&self) -> u64 {
        self.edit
    }

    fn create(&mut self) -> anyhow::Result<()> {
        for number in 0..DOCUMENTS {
            let Client { request, host, .. } = &mut self.client;
            head(request, "PUT", number, host);
            field(request, b"If-None-Match", b"*");
            let document = self.templates.document(number, 0);
            content(request, "application/json", document);
            let answer = self.client.exchange()?;
            if answer.status != 201 {
                bail!("{} instead of 201 to a new document", answer.status);
            }
            self.tags.push(answer.etag.unwrap_or_default().to_vec());
        }
        Ok(())
    }

    /// Makes `count` edits, one every `interval`, and gives the times that their answers
    /// took. One that is late is made at once.
    ///
    /// # Errors
    /// An answer is not the expected one or does not come.
    pub(crate) fn write(
        &mut self,
        count: u64,
        interval: Duration,
        sent: &SentTimes,
    ) -> anyhow::Result<Latency> {
        let mut latency = Latency::new()?;
        let mut due = Instant::now();
        for _ in 0..count {
            interrupt::check()?;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            due += interval;
            let took = self.write_one(sent)?;
            latency.record(took);
        }
        Ok(latency)
    }

    fn write_one(&mut self, sent: &SentTimes) -> anyhow::Result<Duration> {
        self.edit += 1;
        let number = self.edit % DOCUMENTS;
        let index = usize::try_from(number)?;
        match self.who {
            Broadcaster::Matchbook => {
                let tag = self.tags.get(index).context("a document without a tag")?;
                let Client { request, host, .. } = &mut self.client;
                head(request, "PATCH", number, host);
                field(request, b"If-Match", tag);
                let patch = self.templates.patch(self.edit);
                content(request, "application/merge-patch+json", patch);
            }
            Broadcaster::BareBroadcast => {
                let event = format!(
                    "event: patch\nid: {}\ndata: {}\n\n",
                    tag(self.edit + DOCUMENTS),
                    data(self.edit)
                );
                self.publish(&event);
            }
            // nchan writes the lines of the event itself.
            Broadcaster::Nchan => self.publish(&data(self.edit)),
        }
        let before = Instant::now();
        sent.note(self.edit, before);
        let answer = self.client.exchange()?;
        let took = before.elapsed();
        if !self.who.accepts_with(answer.status) {
            bail!("{} to edit {} of {}", answer.status, self.edit, self.who);
        }
        if let Some(current) = self.tags.get_mut(index) {
            *current = answer.etag.unwrap_or_default().to_vec();
        }
        Ok(took)
    }

    fn publish(&mut self, body: &str) {
        let Client { request, host, .. } = &mut self.client;
        // Writing to a vector cannot fail.
        let _ = write!(request, "POST /publish HTTP/1.1\r\nHost: {host}\r\n");
        field(request, b"X-EventSource-Event", b"patch");
        content(request, "text/plain", body.as_bytes());
    }
}

/// A tag without its quotes, as long as one of Matchbook's.
fn tag(revision: u64) -> String {
    format!("k3v9x2ab-{revision}")
}

/// What Matchbook tells about edit `edit`.
fn data(edit: u64) -> String {
    let number = edit % DOCUMENTS;
    // Each document was written one round before; the first revisions made them.
    let (current, previous) = (tag(edit + DOCUMENTS), tag(edit));
    format!(
        concat!(
            r#"{{"path":"/bench/{number}","etag":"\"{current}\"","previous":"\"{previous}\"","#,
            r#""modified":"2026-01-02T03:04:05.678Z","#,
            r#""patch":[{{"op":"replace","path":"/edits","value":{value}}}]}}"#
        ),
        number = number,
        current = current,
        previous = previous,
        value = NUMBER_BASE + edit,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_up_event_tells_of_its_edit() {
        let data: serde_json::Value = serde_json::from_str(&data(142)).unwrap();
        assert_eq!(data["path"], "/bench/42");
        assert_eq!(data["etag"], "\"k3v9x2ab-242\"");
        assert_eq!(data["previous"], "\"k3v9x2ab-142\"");
        assert_eq!(data["patch"][0]["value"], NUMBER_BASE + 142);
    }
}
