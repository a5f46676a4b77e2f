//! Ready-made policies.

/// Everybody may do everything but `admin`.
pub const OPEN: &str = include_str!("sets/open.cedar");

/// A document belongs to whom its member `owner` names.
pub const OWNER: &str = include_str!("sets/owner.cedar");

/// Their names.
pub const NAMES: [&str; 2] = ["open", "owner"];

/// The text of a ready-made set.
#[must_use]
pub fn named(name: &str) -> Option<&'static str> {
    match name {
        "open" => Some(OPEN),
        "owner" => Some(OWNER),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::{Action, Needs, Place, Policies, Schema, View};
    use super::*;
    use crate::{Kind, Principal};

    fn policies(text: &str) -> Policies {
        let schema = Schema::new(&[], &[]).unwrap();
        Policies::parse(&[("set", text)], &schema).unwrap()
    }

    fn who(name: &str) -> Principal {
        let (kind, id, claims) = match name {
            "nobody" => return Principal::anonymous(),
            "admin" => (Kind::User, "root", json!({"admin": true})),
            "almost admin" => (Kind::User, "root", json!({"admin": "true"})),
            "robot" => (Kind::Key, "robot", json!({})),
            "admin robot" => (Kind::Key, "robot", json!({"admin": true})),
            other => (Kind::User, other, json!({})),
        };
        let claims = claims.as_object().cloned().unwrap_or_default();
        Principal {
            kind,
            id: id.into(),
            claims: claims.into(),
            expires_secs: None,
        }
    }

    /// `rcudla` for the actions that are permitted, `-` for the others.
    fn permitted(policies: &Policies, name: &str, document: Option<&Value>) -> String {
        let caller = policies.caller(&who(name));
        let document = document.map(Value::to_string);
        let document = document.as_deref().map(str::as_bytes);
        let order = ["read", "create", "update", "delete", "list", "admin"];
        let letters = order.map(|name| {
            let action = Action::ALL
                .into_iter()
                .find(|action| action.name() == name)
                .unwrap();
            let place = match action {
                Action::List => Place::Collection("/notes"),
                _ => Place::Document("/notes/1"),
            };
            let permitted = policies.permits(&caller, action, place, document);
            if permitted {
                name.chars().next().unwrap()
            } else {
                '-'
            }
        });
        letters.into_iter().collect()
    }

    #[test]
    fn open_is_open_to_all_but_for_the_server_itself() {
        let policies = policies(OPEN);
        for document in [None, Some(json!({"owner": "ann"})), Some(json!([]))] {
            for (name, expected) in [
                ("nobody", "rcudl-"),
                ("ann", "rcudl-"),
                ("robot", "rcudl-"),
                ("almost admin", "rcudl-"),
                ("admin", "rcudla"),
                ("admin robot", "rcudla"),
            ] {
                assert_eq!(
                    permitted(&policies, name, document.as_ref()),
                    expected,
                    "{name}"
                );
            }
        }
        for action in Action::ALL {
            assert_eq!(policies.needs(action), Needs::Nothing);
        }
    }

    #[test]
    fn owner_is_for_owners() {
        let policies = policies(OWNER);
        let of = |owner: Value| Some(json!({"title": "x", "owner": owner}));
        for (document, name, expected) in [
            (None, "nobody", "------"),
            (None, "ann", "-c--l-"),
            (None, "admin", "rcudla"),
            (of(json!("ann")), "nobody", "------"),
            (of(json!("ann")), "ann", "rcudl-"),
            (of(json!("ann")), "bob", "----l-"),
            (of(json!("ann")), "robot", "----l-"),
            (of(json!("ann")), "almost admin", "----l-"),
            (of(json!("ann")), "admin", "rcudla"),
            (of(json!("robot")), "robot", "rcudl-"),
            (of(json!("robot")), "admin robot", "rcudla"),
            (of(json!("anonymous")), "nobody", "------"),
            (of(json!("")), "nobody", "------"),
            (of(json!(["ann"])), "ann", "----l-"),
            (Some(json!({"document": {"owner": "ann"}})), "ann", "----l-"),
            (Some(json!("ann")), "ann", "----l-"),
            (Some(json!({})), "admin", "rcudla"),
        ] {
            let told = permitted(&policies, name, document.as_ref());
            assert_eq!(told, expected, "{name} {document:?}");
        }
    }

    #[test]
    fn what_owner_needs_depends_on_who_asks() {
        let policies = policies(OWNER);
        assert_eq!(policies.needs(Action::Read), Needs::Document);
        assert_eq!(policies.needs(Action::List), Needs::Nothing);
        for (name, action, view) in [
            ("nobody", Action::Read, View::None),
            ("nobody", Action::List, View::None),
            ("ann", Action::List, View::All),
            ("ann", Action::Read, View::Some(Needs::Document)),
            ("admin", Action::Read, View::All),
            ("admin", Action::Admin, View::All),
            ("ann", Action::Admin, View::None),
        ] {
            let caller = policies.caller(&who(name));
            assert_eq!(
                policies.view(&caller, action, "/notes"),
                view,
                "{name} {action}"
            );
        }
    }

    #[test]
    fn sets_have_names() {
        assert_eq!(named("open"), Some(OPEN));
        assert_eq!(named("owner"), Some(OWNER));
        assert_eq!(named("other"), None);
        assert!(NAMES.iter().all(|name| named(name).is_some()));
    }
}
