//! GET and HEAD of a collection, and of the list of collections (contract §6).

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Response, StatusCode};
use matchbook_core::decide::{Answer, Decision, Progress, Resource};
use matchbook_core::field::coding::Coding;
use matchbook_core::json::compact;
use matchbook_core::json::text::quote_into;
use matchbook_core::limits::PAGE_MAX;
use matchbook_core::name::{CollectionPath, DocumentPath};
use matchbook_core::problem::{Kind, Problem};
use matchbook_core::query::{ListQuery, Place, Query, next_query};
use matchbook_core::request::ListForm;
use matchbook_store::{Document, Page, ReadError, Scan, Scope, Store};
use tokio::sync::mpsc;

use crate::answer;
use crate::app::{App, Call};
use crate::body::Body;
use crate::document::unreadable;
use crate::representation::{Representation, compress, value};
use crate::rights::Sight;

/// Bodies on one page of a list: a page of the largest documents must not fill the
/// memory. The page then ends early, with `next`.
const PAGE_BYTES: usize = 8 * 1_024 * 1_024;

/// Items that a stream reads at a time: few enough to hold no transaction long.
const PIECE: usize = 256;

/// Bodies that a stream reads at a time.
const PIECE_BYTES: usize = 1_024 * 1_024;

/// Items that a stream reads at a time where it has an order of its own: each piece
/// sorts the whole collection anew.
pub(crate) const SORTED_PIECE: usize = 16_384;

/// Bodies that such a stream reads at a time.
pub(crate) const SORTED_PIECE_BYTES: usize = 16 * 1_024 * 1_024;

/// Pieces that wait for a slow reader.
const PIECES_AHEAD: usize = 1;

/// How often collections are looked up for one page of their list.
const PIECES_OF_COLLECTIONS: usize = 8;

/// Pages from this size on are compressed for those who accept it.
const COMPRESS_FROM_BYTES: usize = 1_024;

/// GET and HEAD of a collection.
pub(crate) async fn list<S: Store>(
    app: &Arc<App<S>>,
    call: &Call<'_>,
    collection: CollectionPath,
) -> Response<Body> {
    let form = call.facts.list_form().unwrap_or(ListForm::Json);
    let extension = match form {
        ListForm::Json => "json",
        ListForm::NdJson => "ndjson",
    };
    let sight = Sight::of(call.asker.as_ref(), &Scope::Collection(collection.clone()));
    // Read before the members, so that it can only be older than they are.
    let mut opaque = format!("{}.{extension}", app.store.touched(&collection));
    if let Some(view) = sight.view() {
        opaque.push_str(&format!(".{view}"));
    }
    let resource = Resource::Collection {
        opaque: &opaque,
        has_members: true,
    };
    let caller = call.at_collection(&collection);
    let decision = call.decide_in(app, &caller, &resource, &Progress::Asked);
    let mut response = match decision {
        Decision::Answer(Answer::Representation(_)) => {
            let Some(list) = call.facts.list.clone() else {
                return answer::refuse(call, &Kind::Internal.because("a list without a query"));
            };
            let found = match form {
                ListForm::Json => page(app, call, collection, list, &sight).await,
                ListForm::NdJson => Ok(stream(app.clone(), collection, list.query, sight)),
            };
            match found {
                Ok(response) => response,
                Err(problem) => return answer::refuse(call, &problem),
            }
        }
        Decision::Answer(Answer::NotModified(_)) => answer::empty(StatusCode::NOT_MODIFIED),
        Decision::Answer(answer) => return answer::simple(call, &answer),
        Decision::Proceed => return answer::refuse(call, &Kind::Internal.because("undecided")),
    };
    answer::revalidates(&mut response, &opaque);
    response
}

/// Whether a collection has members. Asked only where `If-Match: *` does.
pub(crate) async fn has_members<S: Store>(
    app: &App<S>,
    call: &Call<'_>,
    collection: &CollectionPath,
) -> Result<bool, Problem> {
    if call.facts.preconditions.if_match.is_none()
        && call.facts.preconditions.if_none_match.is_none()
    {
        return Ok(false);
    }
    let scan = Scan::members(collection.clone(), None, 1, 1);
    match app.store.scan(scan).await {
        Ok(page) => Ok(!page.items.is_empty()),
        Err(error) => Err(unreadable(call, &error)),
    }
}

/// One page as a JSON object.
async fn page<S: Store>(
    app: &App<S>,
    call: &Call<'_>,
    collection: CollectionPath,
    list: ListQuery,
    sight: &Sight,
) -> Result<Response<Body>, Problem> {
    let reader = call.caller.space();
    let after = resolve(&list, &reader)?;
    let fingerprint = list.query.fingerprint(Some(&reader));
    let query = Arc::new(list.query);
    let scan = Scan {
        query: query.clone(),
        only: sight.only(),
        count: list.count,
        ..Scan::members(collection.clone(), after, list.limit, PAGE_BYTES)
    };
    let page = app.store.scan(scan).await;
    let page = page.map_err(|error| unreadable(call, &error))?;
    let next = page.next.as_ref().map(|place| place.token(fingerprint));
    let text = page_json(&page, &query, sight, next.as_deref());
    let mut response = coded(call, text).await?;
    if let Some(next) = next {
        let link = format!(
            "<{collection}?{}>; rel=\"next\"",
            next_query(call.facts.query, &next)
        );
        response.headers_mut().insert(header::LINK, value(link));
    }
    if let Some(field) = &page.index {
        answer::uses_index(&mut response, field);
    }
    Ok(response)
}

/// Where a page begins: a token goes on for the reader who got it.
fn resolve(list: &ListQuery, reader: &str) -> Result<Option<Place>, Problem> {
    list.resolve_after(Some(reader))
        .map_err(|fault| Kind::BadQuery.because(fault.to_string()))
}

fn page_json(page: &Page, query: &Query, sight: &Sight, next: Option<&str>) -> String {
    let mut text = String::from("{\"items\":[");
    for (index, (path, document)) in page.items.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        item_into(&mut text, path, document, query, false);
    }
    text.push_str("],\"cursor\":");
    quote_into(&mut text, &sight.cursor(page.position).to_string());
    if let Some(count) = page.count {
        text.push_str(",\"count\":");
        text.push_str(&count.to_string());
    }
    if let Some(next) = next {
        text.push_str(",\"next\":");
        quote_into(&mut text, next);
    }
    text.push_str("}\n");
    text
}

/// The page in the coding that the client prefers. Its tag is weak, so one tag serves
/// all codings.
async fn coded(call: &Call<'_>, text: String) -> Result<Response<Body>, Problem> {
    const OFFERED: [Coding; 4] = [Coding::Zstd, Coding::Brotli, Coding::Gzip, Coding::Identity];
    let offered = if text.len() < COMPRESS_FROM_BYTES {
        &[Coding::Identity][..]
    } else {
        &OFFERED[..]
    };
    // What accepts no coding at all gets identity: RFC 9110 §12.5.3 allows it.
    let coding = call.facts.choose_coding(offered).unwrap_or_default();
    if coding == Coding::Identity {
        return Ok(answer::page(ListForm::Json.media_type(), Bytes::from(text)));
    }
    let body = tokio::task::spawn_blocking(move || compress(coding, text.as_bytes()))
        .await
        .ok()
        .flatten()
        .ok_or_else(|| Kind::Internal.because("the coding failed"))?;
    let mut response = answer::page(ListForm::Json.media_type(), body);
    response.headers_mut().insert(
        header::CONTENT_ENCODING,
        HeaderValue::from_static(coding.token()),
    );
    Ok(response)
}

/// One item of a list; whether it holds the document. `one_line` takes the line ends out of
/// a document that has any.
pub(crate) fn item_into(
    text: &mut String,
    path: &DocumentPath,
    document: &Document,
    query: &Query,
    one_line: bool,
) -> bool {
    text.push_str("{\"path\":");
    quote_into(text, path.as_str());
    text.push_str(",\"etag\":");
    quote_into(text, &document.version.etag());
    text.push_str(",\"modified\":\"");
    text.push_str(&document.modified.to_string());
    text.push('"');
    let end = text.len();
    text.push_str(",\"document\":");
    let is_json = document_into(text, document, query, one_line);
    if !is_json {
        text.truncate(end);
        text.push_str(",\"contentType\":");
        quote_into(text, &document.content_type);
        text.push_str(",\"length\":");
        text.push_str(&document.body.len().to_string());
    }
    text.push('}');
    is_json
}

/// The document, if it is JSON; otherwise nothing.
pub(crate) fn document_into(
    text: &mut String,
    document: &Document,
    query: &Query,
    one_line: bool,
) -> bool {
    let is_json = Representation::of(document).is_json;
    let json = std::str::from_utf8(&document.body).ok();
    let Some(json) = json.filter(|_| is_json) else {
        return false;
    };
    let json = json.trim_ascii();
    match &query.fields {
        Some(fields) => text.push_str(&compact(&fields.apply(json))),
        None if one_line && json.contains(['\n', '\r']) => text.push_str(&compact(json)),
        None => text.push_str(json),
    }
    true
}

/// The whole collection, one item a line, read in pieces while the client takes them.
fn stream<S: Store>(
    app: Arc<App<S>>,
    collection: CollectionPath,
    query: Query,
    sight: Sight,
) -> Response<Body> {
    let (pieces, body) = mpsc::channel(PIECES_AHEAD);
    tokio::spawn(async move {
        if let Err(error) = send_all(&app, collection, Arc::new(query), sight, &pieces).await {
            tracing::error!(%error, "a list broke off");
            // The client is gone if this fails.
            let _ = pieces.send(Err(io::Error::other(error))).await;
        }
    });
    answer::page(ListForm::NdJson.media_type(), Body::Stream(body))
}

async fn send_all<S: Store>(
    app: &App<S>,
    collection: CollectionPath,
    query: Arc<Query>,
    sight: Sight,
    pieces: &mpsc::Sender<io::Result<Bytes>>,
) -> Result<(), ReadError> {
    let mut after = None;
    let mut cursor = None;
    let (limit, max_bytes) = if query.sort.is_empty() {
        (PIECE, PIECE_BYTES)
    } else {
        (SORTED_PIECE, SORTED_PIECE_BYTES)
    };
    loop {
        let scan = Scan {
            query: query.clone(),
            only: sight.only(),
            ..Scan::members(collection.clone(), after, limit, max_bytes)
        };
        let page = app.store.scan(scan).await?;
        // The changes since the first piece bring all pieces to one state.
        let cursor = *cursor.get_or_insert(page.position);
        let mut text = String::new();
        for (path, document) in &page.items {
            item_into(&mut text, path, document, &query, true);
            text.push('\n');
        }
        after = page.next;
        if after.is_none() {
            text.push_str("{\"cursor\":");
            quote_into(&mut text, &sight.cursor(cursor).to_string());
            text.push_str("}\n");
        }
        let sent = pieces.send(Ok(Bytes::from(text))).await;
        if sent.is_err() || after.is_none() {
            return Ok(());
        }
    }
}

/// The list of collections: of those that the caller may list.
pub(crate) async fn collections<S: Store>(app: &App<S>, call: &Call<'_>) -> Response<Body> {
    let resource = Resource::Page;
    let caller = call.at_parts();
    match call.decide_in(app, &caller, &resource, &Progress::Asked) {
        Decision::Answer(Answer::Representation(_)) => {}
        Decision::Answer(answer) => return answer::simple(call, &answer),
        Decision::Proceed => return answer::refuse(call, &Kind::Internal.because("undecided")),
    }
    match collections_page(app, call).await {
        Ok(response) => response,
        Err(problem) => answer::refuse(call, &problem),
    }
}

async fn collections_page<S: Store>(
    app: &App<S>,
    call: &Call<'_>,
) -> Result<Response<Body>, Problem> {
    let reader = call.caller.space();
    let (limit, after) = match &call.facts.list {
        Some(list) => (list.limit, resolve(list, &reader)?),
        None => (PAGE_MAX, None),
    };
    let after = after
        .map(|place| CollectionPath::parse(&place.id))
        .transpose()
        .map_err(|fault| Kind::BadQuery.because(fault.detail()))?;
    let (found, last) = listable(app, call, limit, after).await?;
    let mut text = String::from("{\"items\":[");
    for (index, collection) in found.iter().enumerate() {
        text.push_str(if index > 0 {
            ",{\"path\":"
        } else {
            "{\"path\":"
        });
        quote_into(&mut text, collection.as_str());
        text.push('}');
    }
    text.push(']');
    let query = Query::default();
    let next = last.map(|last| {
        query
            .place(None, last.as_str())
            .token(query.fingerprint(Some(&reader)))
    });
    if let Some(next) = &next {
        text.push_str(",\"next\":");
        quote_into(&mut text, next);
    }
    text.push_str("}\n");
    let mut response = answer::page(ListForm::Json.media_type(), Bytes::from(text));
    if let Some(next) = next {
        let link = format!("</?{}>; rel=\"next\"", next_query(call.facts.query, &next));
        response.headers_mut().insert(header::LINK, value(link));
    }
    Ok(response)
}

/// Collections that may be listed, and the last one that was looked at, if there are more.
pub(crate) async fn listable<S: Store>(
    app: &App<S>,
    call: &Call<'_>,
    limit: usize,
    mut after: Option<CollectionPath>,
) -> Result<(Vec<CollectionPath>, Option<CollectionPath>), Problem> {
    let may_list = |path: &CollectionPath| {
        let asker = call.asker.as_ref();
        asker.is_none_or(|asker| asker.may_list(path))
    };
    let mut listable = Vec::new();
    // Whoever may list few of many gets a page that is not full, and goes on.
    for _ in 0..PIECES_OF_COLLECTIONS {
        let left = limit - listable.len();
        let found = app.store.collections(after, left + 1).await;
        let mut found = found.map_err(|error| unreadable(call, &error))?;
        let more = found.len() > left;
        found.truncate(left);
        after = found.last().cloned().filter(|_| more);
        listable.extend(found.into_iter().filter(may_list));
        if after.is_none() || listable.len() >= limit {
            break;
        }
    }
    Ok((listable, after))
}
