//! What lists and feeds are asked for with, beside filters: the parameters that begin
//! with `_` (contract §6, §7).

use super::condition::{Condition, dotted};
use super::fault::{QueryFault, shown};
use super::form;
use super::projection::Projection;
use super::sort::SortKey;
use crate::limits::QUERY_TERMS;

/// The controls, each of which may occur once, as they were sent. Lists and feeds know
/// those of the other, to say why they do not take them.
#[derive(Default)]
pub(super) struct Controls {
    pub(super) sort: Option<String>,
    pub(super) limit: Option<String>,
    pub(super) after: Option<String>,
    pub(super) fields: Option<String>,
    pub(super) count: Option<String>,
    pub(super) since: Option<String>,
    pub(super) snapshot: Option<String>,
}

/// A control, its name, and why it is refused if it is there.
pub(super) type Refused<'a> = (&'a Option<String>, &'static str, &'static str);

impl Controls {
    /// Reads the query component of a request target, still percent-encoded: filters and
    /// controls. `known` is what is told to who sends another control.
    pub(super) fn read(
        raw_query: Option<&str>,
        known: &'static str,
    ) -> Result<(Vec<Condition>, Self), QueryFault> {
        let mut filter = Vec::new();
        let mut controls = Self::default();
        for parameter in form::parameters(raw_query.unwrap_or_default()) {
            let (name, value) = parameter?;
            if name.starts_with('_') && !name.starts_with("_where.") {
                controls.take(&name, value, known)?;
            } else {
                filter.push(Condition::parse(&name, &value)?);
                at_most_terms(filter.len(), "filters")?;
            }
        }
        Ok((filter, controls))
    }

    fn take(&mut self, name: &str, value: String, known: &'static str) -> Result<(), QueryFault> {
        let (place, name) = match name {
            "_sort" => (&mut self.sort, "_sort"),
            "_limit" => (&mut self.limit, "_limit"),
            "_after" => (&mut self.after, "_after"),
            "_fields" => (&mut self.fields, "_fields"),
            "_count" => (&mut self.count, "_count"),
            "_since" => (&mut self.since, "_since"),
            "_snapshot" => (&mut self.snapshot, "_snapshot"),
            _ => {
                let name = shown(name);
                return Err(QueryFault::UnknownControl { name, known });
            }
        };
        match place.replace(value) {
            Some(_) => Err(QueryFault::Repeated { name }),
            None => Ok(()),
        }
    }

    /// Refuses what has no meaning here.
    pub(super) fn refuse<const N: usize>(refused: [Refused<'_>; N]) -> Result<(), QueryFault> {
        let mut refused = refused.into_iter();
        match refused.find(|(value, ..)| value.is_some()) {
            Some((_, name, reason)) => Err(QueryFault::Misplaced { name, reason }),
            None => Ok(()),
        }
    }

    pub(super) fn limit(&self, default: usize, max: usize) -> Result<usize, QueryFault> {
        let Some(value) = &self.limit else {
            return Ok(default);
        };
        let digits = value.bytes().all(|byte| byte.is_ascii_digit());
        let limit = value.parse().ok().filter(|_| digits);
        limit
            .filter(|limit| (1..=max).contains(limit))
            .ok_or(QueryFault::Limit { max })
    }

    pub(super) fn sort(&self) -> Result<Vec<SortKey>, QueryFault> {
        let Some(value) = &self.sort else {
            return Ok(Vec::new());
        };
        at_most_terms(value.split(',').count(), "fields in '_sort'")?;
        value.split(',').map(SortKey::parse).collect()
    }

    pub(super) fn fields(&self) -> Result<Option<Projection>, QueryFault> {
        let Some(value) = &self.fields else {
            return Ok(None);
        };
        at_most_terms(value.split(',').count(), "fields in '_fields'")?;
        let fields = value.split(',').map(|field| dotted(field, "_fields"));
        let fields = fields.collect::<Result<Vec<_>, _>>()?;
        Ok(Some(Projection::new(&fields)))
    }
}

/// Reads a control that is a yes or a no; no if it is not there.
pub(super) fn boolean(name: &str, value: Option<&str>) -> Result<bool, QueryFault> {
    let read = value.map_or(Ok(false), str::parse);
    read.map_err(|_| QueryFault::Value {
        parameter: name.to_owned(),
        expected: "true or false",
    })
}

fn at_most_terms(count: usize, terms: &'static str) -> Result<(), QueryFault> {
    if count > QUERY_TERMS {
        return Err(QueryFault::TooMany { terms });
    }
    Ok(())
}
