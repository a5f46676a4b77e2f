//! What the content of a write makes of the document that stands, evaluated where it holds
//! up nobody.

use std::sync::Arc;

use bytes::Bytes;
use matchbook_core::edit::{Before, Edit, Outcome};
use matchbook_core::field::media_type::MediaType;
use matchbook_core::problem::{Kind, Problem};
use matchbook_core::request::{Method, PatchForm, Request};
use matchbook_store::Document;

use crate::content::OFFLOAD_BYTES;

/// An [`Edit`] that can go to another thread.
pub(crate) enum OwnedEdit {
    Replace {
        content_type: Arc<str>,
        is_json: bool,
        is_checked: bool,
        followed: bool,
    },
    Patch(PatchForm),
}

impl OwnedEdit {
    /// What the request asks for; `None` for DELETE.
    pub(crate) fn of(facts: &Request<'_>) -> Option<Self> {
        if facts.method == Method::Patch {
            return facts.patch_form().map(Self::Patch);
        }
        let content_type = facts.content_type.as_ref()?;
        (facts.method != Method::Delete).then(|| Self::Replace {
            content_type: shared(content_type),
            is_json: content_type.is_json(),
            is_checked: false,
            followed: false,
        })
    }

    /// Notes whether the content was found to parse already.
    pub(crate) const fn checked(mut self, is_known: bool) -> Self {
        if let Self::Replace { is_checked, .. } = &mut self {
            *is_checked = is_known;
        }
        self
    }

    /// Notes whether somebody follows the document.
    pub(crate) fn followed_if(mut self, is_followed: impl FnOnce() -> bool) -> Self {
        if let Self::Replace { followed, .. } = &mut self {
            *followed = is_followed();
        }
        self
    }

    pub(crate) fn content_type(&self, current: Option<&Arc<Document>>) -> Option<Arc<str>> {
        match self {
            Self::Replace { content_type, .. } => Some(content_type.clone()),
            Self::Patch(_) => current.map(|document| document.content_type.clone()),
        }
    }

    fn apply(
        &self,
        before: Option<&Document>,
        content: &Bytes,
        max_bytes: usize,
    ) -> Result<Outcome, Problem> {
        let edit = match self {
            Self::Replace {
                content_type,
                is_json,
                is_checked,
                followed,
            } => Edit::Replace {
                content_type,
                is_json: *is_json,
                is_checked: *is_checked,
                followed: *followed,
            },
            Self::Patch(form) => Edit::Patch(*form),
        };
        let before = before.map(|document| Before {
            content_type: &document.content_type,
            body: &document.body,
        });
        edit.apply(before, content, max_bytes)
    }
}

/// Nearly all documents share one media type.
fn shared(content_type: &MediaType<'_>) -> Arc<str> {
    thread_local! {
        static JSON: Arc<str> = Arc::from(MediaType::JSON.as_str());
    }
    if content_type.as_str() == MediaType::JSON.as_str() {
        JSON.with(Arc::clone)
    } else {
        content_type.as_str().into()
    }
}

/// Evaluates where that does not hold up other requests.
pub(crate) async fn evaluate(
    edit: OwnedEdit,
    before: Option<Arc<Document>>,
    content: Bytes,
    max_bytes: usize,
) -> Result<Outcome, Problem> {
    let size = content.len() + before.as_ref().map_or(0, |before| before.body.len());
    if size < OFFLOAD_BYTES {
        return edit.apply(before.as_deref(), &content, max_bytes);
    }
    tokio::task::spawn_blocking(move || edit.apply(before.as_deref(), &content, max_bytes))
        .await
        .unwrap_or_else(|_| Err(Kind::Internal.because("the evaluation failed")))
}
