//! `mirror`: a directory of files that stays equal to a collection.

mod decide;
mod directory;
mod journal;
mod keeper;
mod name;
mod origin;

use std::path::PathBuf;

use clap::Args;
use matchbook_core::name::CollectionPath;

use self::directory::Directory;
use self::keeper::Keeper;
use self::origin::Origin;
use super::ClientArgs;
use super::exit::{Exit, Failure, Outcome, say};
use super::progress::Progress;
use super::stream::{Event, Follower, News, Patience};
use super::target::Target;

const EXAMPLES: &str = "\
Each document is a file that is named after its id. DIR/.matchbook is the mirror's own: it says how
far the mirror has come, so that it goes on there when it is started again. A file that somebody
has changed is then made good. Other files in DIR are never touched.

A file holds what the feed tells: the document value for value, with numbers and strings as they
are spelled. White space between them and the order of members may differ; --exact gets each
document that changes, byte for byte.

Examples:
  matchbook mirror /notes ./notes
  matchbook mirror https://example.com/notes ./notes --once";

/// Keep a directory of files equal to a collection
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct MirrorArgs {
    /// A collection such as /notes, or a full URL
    collection: String,

    /// The directory; it is made if it is not there
    dir: PathBuf,

    /// End when the directory is equal to the collection
    #[arg(long)]
    once: bool,

    /// Get each document that changes, for its exact bytes
    #[arg(long)]
    exact: bool,

    /// Use a directory that holds other files, or that was a mirror of something else
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    client: ClientArgs,
}

type Mirror = Keeper<Directory, Origin>;

/// What is to be known of the present line.
struct Line {
    progress: Progress,
    /// Nothing was heard on it.
    is_new: bool,
    /// It has not caught up.
    is_settling: bool,
}

impl Line {
    fn new() -> Self {
        Self {
            progress: Progress::new(None),
            is_new: true,
            is_settling: true,
        }
    }

    fn lose(&mut self, why: impl std::fmt::Display) {
        self.progress.say(why);
        (self.is_new, self.is_settling) = (true, true);
    }

    async fn hear(&mut self, mirror: &mut Mirror, events: &[Event]) -> Result<bool, Failure> {
        if self.is_new {
            mirror.come_back().await?;
            self.is_new = false;
        }
        let begun = mirror.done;
        let heard = mirror.hear(events).await;
        self.progress.count(mirror.done - begun);
        if self.is_settling {
            self.progress.show();
        }
        heard
    }
}

impl MirrorArgs {
    pub(crate) async fn run(self) -> Outcome {
        let target = self.target()?;
        let (directory, journal) = Directory::open(&self.dir, self.force)?;
        let origin = Origin::new(target.clone(), &self.client)?;
        let of = url_of(&target);
        let (exact, is_moved) = (self.exact, self.force);
        let mut mirror = Keeper::new(directory, origin, &journal, &of, exact, is_moved)?;
        let outcome = tokio::select! {
            outcome = self.follow(target, &mut mirror) => outcome,
            _ = tokio::signal::ctrl_c() => Ok(Exit::Interrupted),
        };
        mirror.flush()?;
        outcome
    }

    async fn follow(&self, mut target: Target, mirror: &mut Mirror) -> Outcome {
        let patience = if self.once {
            Patience::Bounded
        } else {
            Patience::Endless
        };
        let repaired = mirror.repair().await?;
        if repaired > 0 {
            say(format_args!(
                "files that were not as they should be, and are now: {repaired}"
            ));
        }
        target.push_query("_snapshot", "true");
        let mut follower = Follower::new(target, &self.client, mirror.cursor(), patience)?;
        let mut line = Line::new();
        loop {
            let mut news = follower.next().await?;
            if let News::Events(events) = &news {
                match line.hear(mirror, events).await {
                    Ok(is_equal) => {
                        if is_equal && std::mem::take(&mut line.is_settling) {
                            line.progress.finish();
                            self.tell(mirror);
                        }
                        if is_equal && self.once {
                            return Ok(Exit::Done);
                        }
                    }
                    Err(failure) if failure.exit == Exit::Unreachable => {
                        news = follower.go_back(mirror.cursor(), failure)?;
                    }
                    Err(failure) => return Err(failure),
                }
            }
            if let News::Lost { why, wait } = news {
                let seconds = wait.as_secs_f64();
                line.lose(format_args!("{why}; trying again in {seconds:.1} s"));
            }
        }
    }

    fn tell(&self, mirror: &Mirror) {
        say(format_args!(
            "{} documents in {}, up to date at {}",
            mirror.len(),
            self.dir.display(),
            mirror.cursor()
        ));
    }

    fn target(&self) -> Result<Target, Failure> {
        let mut target = Target::join(&self.client.server, &self.collection)?;
        let fault = || Failure::usage(format!("{} is no collection", self.collection));
        // The last segment as the server spells it: names that are told end with it.
        let (before, last) = target.path.rsplit_once('/').ok_or_else(fault)?;
        let last = CollectionPath::parse(&format!("/c/1/{last}")).map_err(|_| fault())?;
        let last = last.as_str().rsplit('/').next().unwrap_or_default();
        target.path = format!("{before}/{last}");
        Ok(target)
    }
}

fn url_of(target: &Target) -> String {
    let scheme = if target.is_tls { "https" } else { "http" };
    format!("{scheme}://{}{}", target.authority, target.path)
}

#[cfg(test)]
mod tests;
