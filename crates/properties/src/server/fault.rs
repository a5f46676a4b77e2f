//! Faults that a server could have, put between it and the model: what the model must
//! notice.

use std::collections::BTreeMap;

use super::client::{Answer, Ask};

/// What a server does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Any tag in `If-Match` fits.
    IgnoresIfMatch,
    /// A document can be created where one is.
    IgnoresIfNoneMatch,
    /// A patch is acknowledged and forgotten.
    ForgetsPatches,
    /// A deletion is acknowledged and forgotten.
    ForgetsDeletions,
    /// What was read once is read for ever.
    ServesOldBodies,
    /// All versions have the first one's tag.
    RepeatsTags,
    /// Batches are not atomic.
    TearsBatches,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::IgnoresIfMatch,
        Self::IgnoresIfNoneMatch,
        Self::ForgetsPatches,
        Self::ForgetsDeletions,
        Self::ServesOldBodies,
        Self::RepeatsTags,
        Self::TearsBatches,
    ];
}

/// Stands between a client and a server that is right.
#[derive(Debug, Default)]
pub(super) struct Distortion {
    fault: Option<Fault>,
    bodies: BTreeMap<String, Vec<u8>>,
    tag: Option<String>,
}

impl Distortion {
    pub(super) fn of(fault: Option<Fault>) -> Self {
        Self {
            fault,
            ..Self::default()
        }
    }

    /// What the server gets.
    pub(super) fn ask(&self, ask: &Ask) -> Ask {
        let mut asked = ask.clone();
        match self.fault {
            Some(Fault::IgnoresIfMatch) => {
                for (name, value) in &mut asked.fields {
                    if *name == "If-Match" && value.starts_with('"') {
                        "*".clone_into(value);
                    }
                }
            }
            Some(Fault::IgnoresIfNoneMatch) => {
                for (name, value) in &mut asked.fields {
                    if (ask.method, *name, value.as_str()) == ("PUT", "If-None-Match", "*") {
                        *name = "If-Match";
                    }
                }
            }
            Some(Fault::ForgetsPatches) if ask.method == "PATCH" => {
                asked.body = asked.body.map(|body| {
                    let nothing = if body.starts_with('[') { "[]" } else { "{}" };
                    nothing.to_owned()
                });
            }
            Some(Fault::ForgetsDeletions) if ask.method == "DELETE" => {
                asked.method = "PATCH";
                asked.body = Some("{}".to_owned());
                let media = "application/merge-patch+json".to_owned();
                asked.fields.push(("Content-Type", media));
            }
            Some(Fault::TearsBatches) => {
                let torn = |body: String| body.replacen('{', r#"{"atomic":false,"#, 1);
                if ask.target == "/_/batch" {
                    asked.body = asked.body.map(torn);
                }
            }
            _ => {}
        }
        asked
    }

    /// What the client gets.
    pub(super) fn answer(&mut self, ask: &Ask, mut answer: Answer) -> Answer {
        let is_read = ask.method == "GET" && answer.status == 200 && !ask.target.contains('?');
        match self.fault {
            Some(Fault::ServesOldBodies) if is_read => {
                let first = self.bodies.entry(ask.target.clone());
                answer.body = first.or_insert(answer.body).clone();
            }
            Some(Fault::RepeatsTags) => {
                for (name, value) in &mut answer.fields {
                    if name == "etag" {
                        *value = self.tag.get_or_insert_with(|| value.clone()).clone();
                    }
                }
            }
            _ => {}
        }
        answer
    }
}
