//! Before anything is measured: whether a save with a stale tag is refused, as who saves
//! under a condition has to.

use anyhow::{Context, bail};

use crate::client::Client;
use crate::contender::Contender;
use crate::corpus::{Corpus, Tag};
use crate::dialect::{Ability, Ask};
use crate::server::Server;
use crate::work::Work;

/// Saves a document, and again with the tag from before.
///
/// # Errors
/// The first save fails, or the second one does not.
pub(crate) fn check(
    contender: Contender,
    server: &Server,
    corpus: &mut Corpus,
) -> anyhow::Result<()> {
    if !contender.stores() || contender.dialect().ability(Work::Put) != Ability::Whole {
        return Ok(());
    }
    let mut client = Client::connect(server.address())?;
    let stale = *corpus.tag(0);
    let Some(current) = save(contender, &mut client, corpus, &stale)? else {
        bail!("a save with the current tag is refused");
    };
    if !corpus.learn(0, Some(&current)) {
        bail!("a save without a usable tag");
    }
    if save(contender, &mut client, corpus, &stale)?.is_some() {
        bail!("a save with a stale tag overwrites what it should not");
    }
    Ok(())
}

/// The next tag of the first document; `None` if the server refused the save.
fn save(
    contender: Contender,
    client: &mut Client,
    corpus: &mut Corpus,
    tag: &Tag,
) -> anyhow::Result<Option<Vec<u8>>> {
    let dialect = contender.dialect();
    corpus.edits += 1;
    let (number, edit) = (corpus.number(0), corpus.edits);
    let ask = Ask {
        work: Work::Put,
        number,
        host: &corpus.host,
        tag: tag.as_bytes(),
        body: corpus.templates.document(number, edit),
    };
    dialect.request(&ask, &mut client.request);
    let response = client.exchange()?;
    if response.status != dialect.status(Work::Put) || !dialect.has_held(Work::Put, &response) {
        return Ok(None);
    }
    let tag = dialect.tag(Work::Put, &response);
    Ok(Some(tag.context("a save without a tag")?.to_vec()))
}
