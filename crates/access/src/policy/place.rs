//! What is asked for: an action, and the place where it happens.

use std::fmt;

/// What somebody wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// See a document, at once or as it changes.
    Read,
    /// See which documents a collection has.
    List,
    /// Make a document where there is none.
    Create,
    /// Change a document.
    Update,
    /// Delete a document.
    Delete,
    /// All that concerns the server itself: settings, keys, policies, operations.
    Admin,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Read,
        Self::List,
        Self::Create,
        Self::Update,
        Self::Delete,
        Self::Admin,
    ];

    /// Its name in policies and in problems.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::List => "list",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Admin => "admin",
        }
    }

    /// Its place in [`Self::ALL`].
    pub(super) const fn index(self) -> usize {
        self as usize
    }

    /// What it can be done to.
    pub(super) const fn kinds(self) -> &'static [Kind] {
        match self {
            Self::Read | Self::Create | Self::Update | Self::Delete => &[Kind::Document],
            Self::List => &[Kind::Collection],
            Self::Admin => &[Kind::Document, Kind::Collection],
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Where something is to happen: a canonical path, beginning with `/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place<'a> {
    /// A document's path, whether it is there or not.
    Document(&'a str),
    /// A collection's path.
    Collection(&'a str),
}

/// What kind of place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Document,
    Collection,
}

impl Kind {
    /// The name of the Cedar type.
    pub(super) const fn type_name(self) -> &'static str {
        match self {
            Self::Document => "Document",
            Self::Collection => "Collection",
        }
    }
}

impl<'a> Place<'a> {
    /// The path itself.
    #[must_use]
    pub const fn path(self) -> &'a str {
        match self {
            Self::Document(path) | Self::Collection(path) => path,
        }
    }

    /// The path of the collection that a document is in; a collection's own path.
    #[must_use]
    pub fn collection(self) -> &'a str {
        match self {
            Self::Document(path) => path.rsplit_once('/').map_or("", |(above, _)| above),
            Self::Collection(path) => path,
        }
    }

    /// The last segment.
    #[must_use]
    pub fn id(self) -> &'a str {
        let path = self.path();
        path.rsplit_once('/').map_or(path, |(_, id)| id)
    }

    pub(super) const fn kind(self) -> Kind {
        match self {
            Self::Document(_) => Kind::Document,
            Self::Collection(_) => Kind::Collection,
        }
    }

    /// What it lies in, from the nearest: a document in its collection, a collection in
    /// the document whose path it continues.
    pub(super) fn above(self) -> impl Iterator<Item = Place<'a>> {
        let mut place = self;
        std::iter::from_fn(move || {
            let (above, _) = place.path().rsplit_once('/')?;
            if above.is_empty() {
                return None;
            }
            place = match place {
                Self::Document(_) => Self::Collection(above),
                Self::Collection(_) => Self::Document(above),
            };
            Some(place)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_knows_its_parts() {
        let place = Place::Document("/projects/7/tasks/3");
        assert_eq!(place.collection(), "/projects/7/tasks");
        assert_eq!(place.id(), "3");
        let above: Vec<_> = place.above().collect();
        let expected = [
            Place::Collection("/projects/7/tasks"),
            Place::Document("/projects/7"),
            Place::Collection("/projects"),
        ];
        assert_eq!(above, expected);
        let collection = Place::Collection("/projects");
        assert_eq!(
            (collection.collection(), collection.id()),
            ("/projects", "projects")
        );
        assert_eq!(collection.above().count(), 0);
    }

    #[test]
    fn actions_are_in_their_places() {
        for (at, action) in Action::ALL.into_iter().enumerate() {
            assert_eq!(action.index(), at);
        }
    }
}
