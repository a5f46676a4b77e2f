//! What the query of a request means: by its target, its method and what it accepts.

use super::{CHANGES, FeedForm, ListForm, Method, Request};
use crate::field::accept::Accept;
use crate::name::Target;
use crate::query::{FeedQuery, ListQuery, Query, is_feed};

impl Request<'_> {
    pub(super) fn read_query(&mut self, target: &Target) -> Result<(), String> {
        match self.method {
            Method::Get | Method::Head if self.is_feed(target) => self.read_feed(),
            Method::Get | Method::Head
                if matches!(target, Target::Collection(_) | Target::Root) =>
            {
                self.read_list(target)
            }
            // A browser asks about the very target of the request that it is to allow.
            Method::Options if FeedQuery::parse(self.query).is_ok() && self.is_feed(target) => {
                Ok(())
            }
            Method::Options if matches!(target, Target::Collection(_)) => {
                let list = ListQuery::parse(self.query);
                list.map(drop).map_err(|fault| fault.to_string())
            }
            // Whatever such a request asks for, it does not get it here (line 3).
            _ if self.has_no_place(target) => Ok(()),
            _ => self.no_query(target),
        }
    }

    /// Whether nothing of the target's kind has the method, so that no query is its own. A
    /// document takes none with any method.
    fn has_no_place(&self, target: &Target) -> bool {
        match (self.method, target) {
            (_, Target::Document(_)) => false,
            (Method::Other | Method::Unknown, _) => true,
            (method, Target::Root) => method.is_unsafe(),
            (method, Target::Reserved(name)) if name == CHANGES => method.is_unsafe(),
            (Method::Put | Method::Patch | Method::Delete, Target::Collection(_)) => true,
            _ => false,
        }
    }

    fn read_list(&mut self, target: &Target) -> Result<(), String> {
        let list = ListQuery::parse(self.query).map_err(|fault| fault.to_string())?;
        if *target == Target::Root && list.query != Query::default() {
            return Err("the list of collections takes only _limit and _after".to_owned());
        }
        if list.is_paged && self.list_form() == Some(ListForm::NdJson) {
            return Err(
                "application/x-ndjson is the whole collection: leave _limit and _after out, or ask for application/json"
                    .to_owned(),
            );
        }
        self.list = Some(list);
        Ok(())
    }

    fn no_query(&self, target: &Target) -> Result<(), String> {
        match self.query.filter(|query| !query.is_empty()) {
            Some(query) if !matches!(target, Target::Moved(_)) => {
                let name = query.split(['=', '&']).next().unwrap_or_default();
                Err(format!("the parameter '{name}' is not known here"))
            }
            _ => Ok(()),
        }
    }

    /// Whether changes are asked for (contract §7): by the media type, which has to be
    /// named, or by the query; of `/_/changes`, always.
    fn is_feed(&self, target: &Target) -> bool {
        match target {
            Target::Reserved(name) => name == CHANGES,
            Target::Document(_) | Target::Collection(_) => {
                is_feed(self.query) || self.asks_for_events()
            }
            Target::Root | Target::Moved(_) => false,
        }
    }

    /// Who takes any text wants the document.
    fn asks_for_events(&self) -> bool {
        let is_named = |accept: &Accept<'_>| accept.names(FeedForm::EventStream.media_type());
        self.accept.as_ref().is_some_and(is_named)
            && self.feed_form() == Some(FeedForm::EventStream)
    }

    fn read_feed(&mut self) -> Result<(), String> {
        let feed = FeedQuery::parse(self.query).map_err(|fault| fault.to_string())?;
        match self.feed_form() {
            Some(FeedForm::Json | FeedForm::NdJson) if feed.snapshot => {
                return Err(
                    "'_snapshot' is for Accept: text/event-stream: GET the collection, and then the changes since its cursor"
                        .to_owned(),
                );
            }
            Some(FeedForm::EventStream | FeedForm::NdJson) if feed.is_paged => {
                return Err(
                    "'_limit' is for pages: leave it out, or ask for application/json".to_owned(),
                );
            }
            _ => {}
        }
        self.feed = Some(Box::new(feed));
        Ok(())
    }
}
