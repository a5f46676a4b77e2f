//! The measurements under stress.

use std::time::Duration;

use clap::Args;

use super::{Places, seconds};
use crate::{abuse, soak};

/// In a tiny run a minute is this long, and an attack lasts so long.
const TINY: Duration = Duration::from_millis(500);

/// The soak.
#[derive(Debug, Args)]
pub(crate) struct SoakOptions {
    #[command(flatten)]
    pub(crate) places: Places,
    /// How many listen to what nobody writes to
    #[arg(long, default_value_t = 10_000)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=18_000))]
    subscribers: u16,
    /// How many write, each with one outstanding request
    #[arg(long, default_value_t = 64)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1_000))]
    writers: u16,
    /// How many documents they write to
    #[arg(long, default_value_t = 10_000)]
    documents: u64,
    /// How long
    #[arg(long, default_value_t = 10)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_440))]
    minutes: u32,
    /// A tiny run that shows that all of it works; its figures mean nothing
    #[arg(long, conflicts_with_all = ["subscribers", "writers", "documents", "minutes"])]
    smoke: bool,
}

/// Abuse.
#[derive(Debug, Args)]
pub(crate) struct AbuseOptions {
    #[command(flatten)]
    pub(crate) places: Places,
    /// Seconds that each kind of abuse lasts; the server gives a slow client half a minute
    #[arg(long, default_value = "45", value_parser = seconds)]
    seconds: Duration,
    /// A tiny run that shows that all of it works; its figures mean nothing
    #[arg(long, conflicts_with = "seconds")]
    smoke: bool,
}

impl SoakOptions {
    pub(crate) fn plan(&self) -> soak::Plan {
        if self.smoke {
            return soak::Plan {
                subscribers: 100,
                writers: 8,
                documents: 200,
                minutes: 2,
                minute: TINY,
            };
        }
        soak::Plan {
            subscribers: usize::from(self.subscribers),
            writers: usize::from(self.writers),
            documents: self.documents.max(u64::from(self.writers)),
            minutes: self.minutes,
            minute: Duration::from_secs(60),
        }
    }
}

impl AbuseOptions {
    pub(crate) fn plan(&self) -> abuse::Plan {
        if self.smoke {
            return abuse::Plan {
                attacked: TINY,
                calm: TINY,
                share: 100,
            };
        }
        abuse::Plan {
            attacked: self.seconds,
            calm: Duration::from_secs(5),
            share: 1,
        }
    }
}
