//! What the requests of a batch come to, one after the other.

use std::collections::HashMap;
use std::sync::Arc;

use http::Response;
use matchbook_core::clock::Timestamp;
use matchbook_core::decide::{Answer, Circumstances, Decision, Progress, Resource};
use matchbook_core::name::{CollectionPath, DocumentPath, Target};
use matchbook_core::problem::{Kind, Problem};
use matchbook_core::request::{Head, Method, Request};
use matchbook_core::tag::{Revision, Version};
use matchbook_store::{
    Batch, CommitError, Derived, Document, Effect, Expected, OperationId, Quota, Store, Write,
};
use uuid::Uuid;

use super::parse::Item;
use crate::answer::{self, Made};
use crate::app::{App, Call};
use crate::body::Body;
use crate::content::Content;
use crate::document::unreadable;
use crate::list::has_members;
use crate::operations;
use crate::pages;
use crate::rebase;
use crate::receipts::{Kept, Named};
use crate::representation::Representation;
use crate::setup::Setup;
use crate::write::{Planned, failed, plan, succeeded};

/// Documents that were read before their turn has come.
pub(super) type Read = HashMap<DocumentPath, Option<Arc<Document>>>;

pub(super) struct Work<'a, S> {
    app: &'a App<S>,
    outer: &'a Call<'a>,
    setup: Arc<Setup>,
    at: Timestamp,
    writes: Vec<Write>,
    answers: Vec<Kept>,
    requests: Vec<usize>,
    quotas: Vec<Quota>,
    /// What stood when it was looked for, of each document that was.
    found: Vec<(DocumentPath, Expected)>,
    /// What the batch makes of the documents that it touches: the last write of each, and
    /// the document after it.
    made: HashMap<DocumentPath, (usize, Option<Arc<Document>>)>,
    read: Read,
}

/// What all requests of a batch come to.
pub(super) struct Done {
    /// What is to be written.
    pub(super) batch: Batch,
    /// The answers to all requests.
    pub(super) answers: Vec<Kept>,
    /// Of each write, the request that asks for it.
    pub(super) requests: Vec<usize>,
}

/// A document as a request of a batch finds it.
struct Standing {
    document: Option<Arc<Document>>,
    /// The write of this batch that made it so.
    by: Option<usize>,
}

impl Standing {
    const fn named(&self, version: Version) -> Named {
        match self.by {
            Some(index) => Named::Made(index),
            None => Named::Known(version),
        }
    }
}

impl<'a, S: Store> Work<'a, S> {
    pub(super) fn new(app: &'a App<S>, outer: &'a Call<'a>, at: Timestamp) -> Self {
        Self {
            app,
            outer,
            setup: app.in_force.current(),
            at,
            writes: Vec::new(),
            answers: Vec::new(),
            requests: Vec::new(),
            quotas: Vec::new(),
            found: Vec::new(),
            made: HashMap::new(),
            read: Read::new(),
        }
    }

    /// What is to be written, and the answers. What an atomic batch only looked at has to
    /// stand when it is applied, like what it changes.
    pub(super) fn end(self, atomic: bool) -> Done {
        let mut untouched = self.found;
        untouched.retain(|(path, _)| atomic && !self.made.contains_key(path));
        let batch = Batch {
            at: self.at,
            principal: self.outer.caller.name(),
            writes: self.writes,
            quotas: self.quotas,
            untouched,
            receipt: None,
        };
        Done {
            batch,
            answers: self.answers,
            requests: self.requests,
        }
    }

    /// The request that the batch came with.
    pub(super) const fn outer(&self) -> &'a Call<'a> {
        self.outer
    }

    /// Documents that the next requests are about.
    pub(super) fn read(&mut self, read: Read) {
        self.read = read;
    }

    /// The answer to a request that failed.
    pub(super) fn failed(&self, problem: Problem) -> Response<Body> {
        failed(self.app, self.outer, problem)
    }

    /// Whether the documents that were found never stood so at one moment, as far as is
    /// known. Then what refuses a request may be the half of another batch.
    pub(super) async fn is_overtaken(&self) -> bool {
        if self.found.len() < 2 {
            return false;
        }
        let batch = Batch {
            at: self.at,
            principal: None,
            writes: Vec::new(),
            quotas: Vec::new(),
            untouched: self.found.clone(),
            receipt: None,
        };
        let operation = OperationId(self.outer.id.as_u128());
        let committed = self.app.store.commit(operation, batch).await;
        matches!(committed, Err(CommitError::Rejected(_)))
    }

    /// Notes a refusal.
    pub(super) fn refuse(&mut self, answer: Kept) {
        self.answers.push(answer);
    }

    /// Decides and evaluates a request; the answer, if it is refused.
    pub(super) async fn take(&mut self, item: &Item) -> Option<Response<Body>> {
        let Item { parts, content, .. } = item;
        let (facts, target) = Request::read(Head {
            method: &parts.method,
            uri: &parts.uri,
            version: parts.version,
            headers: &parts.headers,
            framing_fault: None,
            secure: self.outer.facts.secure,
        });
        let method = facts.method;
        // Forms come from browsers, one at a time.
        let is_form = matches!((method, &target), (Method::Post, Target::Document(_)));
        let is_write = method.is_unsafe() && !is_form;
        let rules = is_write.then(|| self.setup.rules(&target));
        let call = Call {
            facts,
            target: target.clone(),
            circumstances: self.outer.circumstances,
            caller: self.outer.caller.clone(),
            asker: self.outer.asker.clone(),
            changes: self.outer.changes,
            parts,
            rules: rules.flatten(),
            // Where there is any, it was a part of the JSON of the batch.
            is_checked: !content.is_empty(),
            charge: None,
            id: self.outer.id,
        };
        if call.facts.fault.is_some() || call.facts.moved.is_some() {
            return Some(pages::refusal(self.app, &call));
        }
        let content = &mut Content::of(content.clone());
        let result = match (&target, call.facts.method) {
            (target, method) if operations::answers(target, method) => {
                Err(Kind::Malformed.because("a batch starts and ends no operations"))
            }
            (Target::Collection(collection), Method::Post) => {
                self.create(&call, collection, content).await
            }
            (Target::Document(path), _) => self.write(&call, path, content).await,
            (Target::Collection(_), _) => {
                let resource = Resource::Collection {
                    opaque: "",
                    has_members: false,
                };
                return Some(self.refused(&call, &resource));
            }
            (Target::Root, _) => return Some(self.refused(&call, &Resource::Page)),
            _ => return Some(self.refused(&call, &Resource::NoPage)),
        };
        match result {
            Ok(refused) => refused,
            Err(problem) => Some(failed(self.app, &call, problem)),
        }
    }

    /// The answer to what no write is.
    fn refused(&self, call: &Call<'_>, resource: &Resource<'_>) -> Response<Body> {
        match call.decide(self.app, resource, &Progress::Asked) {
            Decision::Answer(answer) => answer::simple(call, &answer),
            Decision::Proceed => answer::refuse(call, &Kind::Internal.because("undecided")),
        }
    }

    async fn standing(
        &mut self,
        call: &Call<'_>,
        path: &DocumentPath,
    ) -> Result<Standing, Problem> {
        if let Some((index, document)) = self.made.get(path) {
            return Ok(Standing {
                document: document.clone(),
                by: Some(*index),
            });
        }
        let document = match self.read.get(path) {
            Some(document) => document.clone(),
            None => {
                let loaded = self.app.store.load(path, Revision::ZERO).await;
                loaded.map_err(|error| unreadable(call, &error))?
            }
        };
        let revision = document.as_ref().map(|document| document.version.revision);
        self.found.push((path.clone(), revision.into()));
        Ok(Standing { document, by: None })
    }

    async fn write(
        &mut self,
        call: &Call<'_>,
        path: &DocumentPath,
        content: &mut Content,
    ) -> Result<Option<Response<Body>>, Problem> {
        let standing = self.standing(call, path).await?;
        let representation = standing.document.as_deref().map(Representation::of);
        let present = representation.as_ref().map(Representation::present);
        let resource = Resource::Document(present);
        let caller = call.at_document(path, standing.document.as_ref());
        match call.decide_in(self.app, &caller, &resource, &Progress::Asked) {
            // What this batch itself has made has no tag that could be told.
            Decision::Answer(Answer::Stale(_)) if standing.by.is_some() => {
                let detail = "a request before this one in the batch has changed the document";
                return Ok(Some(answer::refuse(call, &Kind::Stale.because(detail))));
            }
            Decision::Answer(Answer::Stale(problem)) => {
                let current = standing.document.clone();
                let stale = rebase::stale(self.app, call, path, current, content, &problem);
                return Ok(Some(stale.await));
            }
            Decision::Answer(answer) => return Ok(Some(answer::simple(call, &answer))),
            Decision::Proceed => {}
        }
        let bytes = content
            .read(call, call.policy(self.app).max_document_bytes)
            .await?;
        let before = standing.document.as_ref();
        let planned = plan(self.app, call, &caller, path, before, &bytes, self.at).await?;
        match (planned, &standing.document) {
            (Some(planned), _) => self.plan(call, path, &standing, planned),
            (None, Some(document)) => {
                let kept = self.kept(
                    call,
                    &caller,
                    path,
                    Some(document),
                    standing.named(document.version),
                    &Progress::Unchanged,
                );
                self.answers.push(kept);
            }
            (None, None) => return Err(Kind::Internal.because("nothing changes nothing")),
        }
        Ok(None)
    }

    async fn create(
        &mut self,
        call: &Call<'_>,
        collection: &CollectionPath,
        content: &mut Content,
    ) -> Result<Option<Response<Body>>, Problem> {
        let made = self.made.iter();
        let mut made = made.filter(|(_, (_, document))| document.is_some());
        let has_members = made.any(|(path, _)| path.collection() == collection.as_str())
            || has_members(self.app, call, collection).await?;
        let resource = Resource::Collection {
            opaque: "",
            has_members,
        };
        let path = collection
            .member(&Uuid::now_v7().to_string())
            .map_err(|fault| Kind::TargetTooLong.because(fault.detail()))?;
        let caller = call.at_document(&path, None);
        if let Decision::Answer(answer) =
            call.decide_in(self.app, &caller, &resource, &Progress::Asked)
        {
            return Ok(Some(answer::simple(call, &answer)));
        }
        let bytes = content
            .read(call, call.policy(self.app).max_document_bytes)
            .await?;
        let planned = plan(self.app, call, &caller, &path, None, &bytes, self.at).await?;
        let planned =
            planned.ok_or_else(|| Kind::Internal.because("a new document changes nothing"))?;
        let standing = Standing {
            document: None,
            by: None,
        };
        self.plan(call, &path, &standing, planned);
        Ok(None)
    }

    /// Adds a write, and the answer to it.
    fn plan(
        &mut self,
        call: &Call<'_>,
        path: &DocumentPath,
        standing: &Standing,
        planned: Planned,
    ) {
        let index = self.writes.len();
        let Planned {
            effect,
            rewritten,
            caller,
            ..
        } = planned;
        let document = match &effect {
            Effect::Delete => None,
            Effect::Put {
                content_type, body, ..
            } => Some(Arc::new(Document {
                version: self.unknown(),
                modified: self.at,
                content_type: Arc::clone(content_type),
                body: body.clone(),
                derived: Derived::default(),
            })),
        };
        let progress = Progress::Committed {
            created: standing.document.is_none(),
            rewritten,
        };
        let named = Named::Made(index);
        let kept = self.kept(call, &caller, path, document.as_ref(), named, &progress);
        self.requests.push(self.answers.len());
        self.answers.push(kept);
        let mut quotas = self.quotas.iter();
        if !quotas.any(|quota| *quota.collection == *path.collection()) {
            self.quotas.extend(call.quota(path));
        }
        let revision = standing
            .document
            .as_ref()
            .map(|document| document.version.revision);
        self.writes.push(Write {
            path: path.clone(),
            expected: standing.by.map_or_else(|| revision.into(), Expected::After),
            effect,
        });
        self.made.insert(path.clone(), (index, document));
    }

    fn kept(
        &self,
        call: &Call<'_>,
        caller: &Circumstances,
        path: &DocumentPath,
        document: Option<&Arc<Document>>,
        named: Named,
        progress: &Progress,
    ) -> Kept {
        let made = document.map(|document| Made {
            path,
            version: document.version,
            modified: document.modified,
            content_type: &document.content_type,
            body: &document.body,
        });
        let response = succeeded(self.app, call, caller, made.as_ref(), progress);
        match document {
            Some(_) => Kept::with(response, named),
            None => Kept::of(response),
        }
    }

    /// Stands for a version that is not known yet: no document ever gets that far.
    fn unknown(&self) -> Version {
        Version {
            revision: Revision::MAX,
            ..self.app.store.status().applied
        }
    }
}
