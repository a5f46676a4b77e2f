//! What the server is told by documents of its own, below `/_/`: settings of collections
//! (contract §12), policies and API keys (§11).
//!
//! All of it together is one value, which is never changed: whatever is written makes
//! another one. What cannot hold is refused before it is committed, so that what was
//! committed always can.

mod documents;
mod keys;
mod policies;

use std::sync::{Arc, PoisonError, RwLock};

use matchbook_access::Principal;
use matchbook_access::identity::KeyRing;
use matchbook_core::decide::Policy;
use matchbook_core::name::{DocumentPath, Target};
use matchbook_core::problem::Problem;
use matchbook_core::tag::Revision;
use matchbook_store::{ReadError, Store, Write};

use crate::collections::{Collections, Rules};
use crate::rights::Rights;
pub(crate) use documents::{Documents, is_setup};
pub use policies::PolicyFiles;

/// Where the settings of collections are.
pub(crate) const COLLECTIONS: &str = "/_/collections";

/// Where the policies are.
const POLICIES: &str = "/_/policies";

/// Where the API keys are.
const KEYS: &str = "/_/keys";

/// What the operator says, and no document can.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Given<'a> {
    pub(crate) policy: &'a Policy,
    pub(crate) policies: &'a PolicyFiles,
    /// Whether anybody can show who they are: without that there is nothing to decide.
    pub(crate) authenticates: bool,
}

/// What holds.
#[derive(Debug, Default)]
pub(crate) struct Setup {
    pub(crate) collections: Collections,
    /// `None`: good credentials are enough.
    pub(crate) rights: Option<Arc<Rights>>,
    pub(crate) keys: KeyRing,
    /// How often it has changed what somebody may see.
    pub(crate) changes: u64,
}

/// What is wrong with what is written.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// With documents, each by itself.
    documents: Vec<(DocumentPath, Problem)>,
    /// With the policies.
    policies: Option<Problem>,
}

impl Setup {
    /// What holds for what is written to.
    pub(crate) fn rules(&self, target: &Target) -> Option<Arc<Rules>> {
        match target {
            Target::Document(path) => self.collections.rules(path.collection()),
            Target::Collection(path) => self.collections.rules(path.as_str()),
            Target::Root | Target::Reserved(_) | Target::Moved(_) => None,
        }
    }

    /// What documents come to, and what cannot hold.
    fn read(given: &Given<'_>, documents: &Documents) -> (Self, Faults) {
        let mut setup = Self::default();
        let mut faults = Faults::default();
        let mut texts = Vec::new();
        for (path, document) in documents.iter() {
            let (content_type, body) = (&*document.content_type, &document.body[..]);
            let read = match path.collection() {
                COLLECTIONS => setup
                    .collections
                    .add(given.policy, path.id(), content_type, body),
                KEYS => keys::add(&mut setup.keys, path.id(), content_type, body),
                _ => policies::text(content_type, body).map(|text| texts.push((path, text))),
            };
            if let Err(problem) = read {
                faults.documents.push((path.clone(), problem));
            }
        }
        match policies::read(given, &setup.collections, &texts) {
            Ok(rights) => setup.rights = rights.map(Arc::new),
            Err(problem) => faults.policies = Some(problem),
        }
        (setup, faults)
    }

    /// What was saved, and these writes after it, come to, if it can hold.
    ///
    /// # Errors
    /// What is wrong, of the first write after which something is.
    pub(crate) fn verify(
        given: &Given<'_>,
        mut documents: Documents,
        writes: &[Write],
        principal: &Arc<Principal>,
    ) -> Result<Self, Problem> {
        let mut last = Self::default();
        for write in writes.iter().filter(|write| is_setup(&write.path)) {
            documents.apply(write);
            let (setup, faults) = Self::read(given, &documents);
            let own = faults.documents.into_iter();
            let mut own = own.filter(|(path, _)| *path == write.path);
            if let Some(problem) = own.next().map(|(_, problem)| problem).or(faults.policies) {
                return Err(problem);
            }
            let locked_out = setup
                .rights
                .as_ref()
                .is_some_and(|rights| !rights.asker(principal).may_administer(&write.path));
            if locked_out {
                let detail = "you yourself could no longer change this: permit 'admin' to somebody \
                              whom you are";
                return Err(Problem::invalid(detail, Vec::new()));
            }
            last = setup;
        }
        Ok(last)
    }
}

/// What holds now.
#[derive(Debug, Default)]
pub(crate) struct InForce(RwLock<Held>);

#[derive(Debug, Default)]
struct Held {
    setup: Arc<Setup>,
    /// All that was written up to here is in it.
    position: Revision,
}

/// What has become of streams that are open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Their readers may see what they could.
    None,
    /// Perhaps not.
    Rights,
}

impl InForce {
    pub(crate) fn current(&self) -> Arc<Setup> {
        let held = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&held.setup)
    }

    /// Another number whenever it has changed what somebody may see.
    pub(crate) fn changes(&self) -> u64 {
        self.current().changes
    }

    /// Reads all documents, and puts in force what they come to.
    ///
    /// # Errors
    /// [`LoadError`]; what held before still does.
    pub(crate) async fn load<S: Store>(
        &self,
        store: &S,
        given: &Given<'_>,
    ) -> Result<Change, LoadError> {
        let documents = Documents::read(store).await?;
        let (mut setup, faults) = Setup::read(given, &documents);
        // Both were checked when they were saved; but what the operator says may have
        // changed since. Nobody guesses at policies.
        if let Some(problem) = faults.policies {
            return Err(LoadError::Policies(problem));
        }
        for (path, problem) in faults.documents {
            if path.collection() == POLICIES {
                return Err(LoadError::Policies(problem));
            }
            tracing::error!(%path, %problem, "what was saved cannot hold");
        }
        let mut held = self.0.write().unwrap_or_else(PoisonError::into_inner);
        // Two may read at a time, and the one that began later has all that the other has.
        if documents.position < held.position {
            return Ok(Change::None);
        }
        let before = &held.setup;
        let change = match (&before.rights, &mut setup.rights) {
            (None, None) => Change::None,
            (Some(old), Some(new)) if old.are_like(new) => {
                // What it remembers is still true.
                *new = Arc::clone(old);
                Change::None
            }
            _ => Change::Rights,
        };
        let change = if given.authenticates && !before.keys.is_within(&setup.keys) {
            Change::Rights
        } else {
            change
        };
        setup.changes = before.changes + u64::from(change == Change::Rights);
        *held = Held {
            setup: Arc::new(setup),
            position: documents.position,
        };
        Ok(change)
    }
}

/// Why it is not known what holds.
#[derive(Debug)]
pub enum LoadError {
    /// The store cannot be read.
    Read(ReadError),
    /// The policies are no good.
    Policies(Problem),
}

impl std::fmt::Display for LoadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Read(error) => error.fmt(f),
            Self::Policies(problem) => {
                write!(f, "{}", problem.detail)?;
                let errors = problem.errors.iter();
                errors
                    .map(|error| &error.detail)
                    .try_for_each(|error| write!(f, "\n  {error}"))
            }
        }
    }
}

impl std::error::Error for LoadError {}

impl From<ReadError> for LoadError {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}
