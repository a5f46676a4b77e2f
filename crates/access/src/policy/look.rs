//! What a policy looks at, found in its text before anybody asks.
//!
//! Where the text does not tell, the answer is the careful one: that it looks at all.

use std::collections::BTreeSet;

use cedar_policy::pst::{BinaryOp, EntityOrSlot, Expr, Literal, ResourceConstraint, UnaryOp, Var};

use super::needs::Needs;
use super::place::Kind;

/// What expressions look at.
#[derive(Clone, Debug, Default)]
pub(super) struct Look {
    /// `resource.path`
    pub(super) path: bool,
    /// `resource.id`
    pub(super) id: bool,
    /// `resource.collection`
    pub(super) collection: bool,
    /// `resource in …`
    pub(super) above: bool,
    /// Which document it is, by comparison.
    identity: bool,
    /// `resource.owner`
    pub(super) owner: bool,
    /// `resource.document`, or whether there is one.
    pub(super) document: bool,
    /// `resource.document` as a whole.
    pub(super) all_members: bool,
    /// `resource.document.a.b`: these names.
    pub(super) members: BTreeSet<Vec<String>>,
    /// `principal.claims.a.b`: these names.
    pub(super) claims: BTreeSet<Vec<String>>,
    /// `principal.a`, `resource.a`: attributes that there are not.
    pub(super) strange: BTreeSet<String>,
    /// Something that can fail although the types are right.
    pub(super) may_err: bool,
    /// Attributes of somebody or something that the policy names itself.
    pub(super) elsewhere: bool,
}

impl Look {
    /// What must be known before such expressions can be evaluated.
    pub(super) fn needs(&self) -> Needs {
        if self.owner || self.document {
            Needs::Document
        } else if self.needs_path() {
            Needs::Path
        } else {
            Needs::Nothing
        }
    }

    /// Whether the collection is not enough to know of the path.
    pub(super) fn needs_path(&self) -> bool {
        self.path || self.id || self.identity
    }

    /// Looks at what the other looks at, too.
    pub(super) fn add(&mut self, other: &Self) {
        self.path |= other.path;
        self.id |= other.id;
        self.collection |= other.collection;
        self.above |= other.above;
        self.identity |= other.identity;
        self.owner |= other.owner;
        self.document |= other.document;
        self.all_members |= other.all_members;
        self.members.extend(other.members.iter().cloned());
        self.claims.extend(other.claims.iter().cloned());
        self.strange.extend(other.strange.iter().cloned());
        self.may_err |= other.may_err;
        self.elsewhere |= other.elsewhere;
    }

    /// `resource == …` and the like between the first parentheses.
    pub(super) fn scope(&mut self, resource: &ResourceConstraint) {
        match resource {
            ResourceConstraint::Any | ResourceConstraint::Is(_) => {}
            ResourceConstraint::Eq(_) => self.identity = true,
            ResourceConstraint::In(above) | ResourceConstraint::IsIn(_, above) => {
                let in_collection = match above {
                    EntityOrSlot::Entity(above) => is_collection(above),
                    EntityOrSlot::Slot(_) => false,
                };
                self.resource_in(in_collection);
            }
        }
    }

    /// A condition, or a part of one.
    pub(super) fn expression(&mut self, expression: &Expr) {
        match expression {
            Expr::Literal(_) => {}
            Expr::Var(variable) => {
                if *variable == Var::Resource {
                    self.everything();
                } else if *variable == Var::Context {
                    self.strange.insert("context".to_owned());
                }
            }
            Expr::GetAttr { .. } => match chain(expression) {
                Some((variable, names)) => self.attribute(variable, &names, true),
                None => self.far_attribute(expression),
            },
            Expr::HasAttr { expr, attrs } => match chain(expr) {
                Some((variable, mut names)) => {
                    names.extend(attrs.iter().map(|name| name.as_str()));
                    self.attribute(variable, &names, false);
                }
                None => self.far_attribute(expr),
            },
            Expr::UnaryOp { op, expr } => {
                self.may_err |= !matches!(op, UnaryOp::Not | UnaryOp::IsEmpty);
                self.expression(expr);
            }
            Expr::BinaryOp { op, left, right } => self.binary(*op, left, right),
            Expr::Like { expr, .. } => self.expression(expr),
            Expr::Is { expr, in_expr, .. } => match in_expr {
                Some(above) => self.binary(BinaryOp::In, expr, above),
                None if is_resource(expr) => {}
                None => self.expression(expr),
            },
            Expr::IfThenElse {
                cond,
                then_expr,
                else_expr,
            } => {
                for part in [cond, then_expr, else_expr] {
                    self.expression(part);
                }
            }
            Expr::Set(parts) => parts.iter().for_each(|part| self.expression(part)),
            Expr::Record(parts) => parts.values().for_each(|part| self.expression(part)),
            _ => self.everything(),
        }
    }

    fn binary(&mut self, op: BinaryOp, left: &Expr, right: &Expr) {
        match op {
            BinaryOp::Eq | BinaryOp::NotEq | BinaryOp::In => {
                for side in [left, right] {
                    if !is_resource(side) {
                        self.expression(side);
                    }
                }
                if op == BinaryOp::In && is_resource(left) {
                    self.resource_in(all_collections(right));
                } else if is_resource(left) || is_resource(right) {
                    self.identity = true;
                }
                return;
            }
            BinaryOp::And
            | BinaryOp::Or
            | BinaryOp::Less
            | BinaryOp::LessEq
            | BinaryOp::Greater
            | BinaryOp::GreaterEq
            | BinaryOp::Contains
            | BinaryOp::ContainsAll
            | BinaryOp::ContainsAny => {}
            _ => self.may_err = true,
        }
        self.expression(left);
        self.expression(right);
    }

    /// `in` also holds for the thing itself: only a collection on the right side is above
    /// all documents of one collection or of none.
    fn resource_in(&mut self, only_collections: bool) {
        self.above = true;
        self.identity |= !only_collections;
    }

    /// An attribute of a variable; `whole`: its value is used, and not only whether it is
    /// there.
    fn attribute(&mut self, variable: Var, names: &[&str], whole: bool) {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        match (variable, names) {
            (Var::Resource, ["path", ..]) => self.path = true,
            (Var::Resource, ["id", ..]) => self.id = true,
            (Var::Resource, ["collection", ..]) => self.collection = true,
            (Var::Resource, ["owner", ..]) => self.owner = true,
            (Var::Resource, ["document", members @ ..]) => {
                self.document = true;
                if members.is_empty() {
                    self.all_members |= whole;
                } else {
                    self.members.insert(owned(members));
                }
            }
            (Var::Principal, ["claims", claims @ ..]) if !claims.is_empty() => {
                self.claims.insert(owned(claims));
            }
            (Var::Context, _) => {
                self.strange.insert("context".to_owned());
            }
            (Var::Principal, ["claims" | "id", ..]) => {}
            (Var::Resource, [name, ..]) => {
                self.strange.insert(format!("resource.{name}"));
            }
            (Var::Principal, [name, ..]) => {
                self.strange.insert(format!("principal.{name}"));
            }
            _ => {}
        }
    }

    /// An attribute of something that is no variable.
    fn far_attribute(&mut self, expression: &Expr) {
        let mut root = expression;
        while let Expr::GetAttr { expr, .. } = root {
            root = expr;
        }
        self.elsewhere |= matches!(root, Expr::Literal(Literal::EntityUID(_)));
        self.may_err = true;
        self.expression(root);
    }

    fn everything(&mut self) {
        self.path = true;
        self.id = true;
        self.collection = true;
        self.above = true;
        self.identity = true;
        self.owner = true;
        self.document = true;
        self.all_members = true;
        self.may_err = true;
    }
}

fn is_resource(expression: &Expr) -> bool {
    matches!(expression, Expr::Var(Var::Resource))
}

fn all_collections(expression: &Expr) -> bool {
    match expression {
        Expr::Literal(Literal::EntityUID(entity)) => is_collection(entity),
        Expr::Set(parts) => parts.iter().all(|part| all_collections(part)),
        _ => false,
    }
}

fn is_collection(entity: &cedar_policy::pst::EntityUID) -> bool {
    entity.ty.0.namespace.is_empty() && entity.ty.0.id.as_str() == Kind::Collection.type_name()
}

/// `variable.a.b`: the variable and the names.
fn chain(expression: &Expr) -> Option<(Var, Vec<&str>)> {
    match expression {
        Expr::Var(variable) => Some((variable.clone(), Vec::new())),
        Expr::GetAttr { expr, attr } => {
            let (variable, mut names) = chain(expr)?;
            names.push(attr.as_str());
            Some((variable, names))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use cedar_policy::{Policy, pst};

    use super::*;

    fn look(condition: &str) -> Look {
        let text = format!("permit (principal, action, resource) when {{ {condition} }};");
        let policy = Policy::parse(None, text).unwrap();
        let pst::Policy::Static(policy) = policy.to_pst().unwrap() else {
            panic!("a template");
        };
        let mut look = Look::default();
        for clause in policy.body().clauses() {
            let (pst::Clause::When(condition) | pst::Clause::Unless(condition)) = clause;
            look.expression(condition);
        }
        look
    }

    #[test]
    fn what_a_condition_needs_is_found() {
        for (condition, needs) in [
            ("true", Needs::Nothing),
            ("principal.claims.a.b == 1", Needs::Nothing),
            ("resource.collection like \"/a/*\"", Needs::Nothing),
            ("resource in Collection::\"/a\"", Needs::Nothing),
            (
                "resource in [Collection::\"/a\", Collection::\"/b\"]",
                Needs::Nothing,
            ),
            ("resource is Document", Needs::Nothing),
            ("resource is Document in Collection::\"/a\"", Needs::Nothing),
            ("resource is Document in Document::\"/a/b\"", Needs::Path),
            ("resource in Document::\"/a/b\"", Needs::Path),
            ("resource in principal", Needs::Path),
            ("principal in resource", Needs::Path),
            ("resource == Document::\"/a/b\"", Needs::Path),
            ("!(resource.path like \"*x\")", Needs::Path),
            ("resource.id == principal.id", Needs::Path),
            ("resource has owner", Needs::Document),
            ("resource has document", Needs::Document),
            ("resource.document.a == 1", Needs::Document),
            ("[resource].contains(resource)", Needs::Document),
            (
                "(if true then resource else resource).collection == \"\"",
                Needs::Document,
            ),
            ("{a: resource}.a.id == \"\"", Needs::Document),
        ] {
            assert_eq!(look(condition).needs(), needs, "{condition}");
        }
    }

    #[test]
    fn members_are_told_apart() {
        let found = look(
            "resource has document.a.b && resource.document.c.contains(1) \
             && resource.document[\"d e\"] && principal.claims has f",
        );
        let names: Vec<String> = found.members.iter().map(|names| names.join(".")).collect();
        assert_eq!(names, ["a.b", "c", "d e"]);
        assert_eq!(found.claims.len(), 1);
        assert!(!found.all_members && !found.may_err);
        assert!(!look("resource has document").all_members);
        assert!(look("resource.document == resource.document").all_members);
    }

    #[test]
    fn what_may_fail_is_found() {
        for condition in [
            "1 + 1 == 2",
            "-resource.document.a == 1",
            "User::\"a\".id == \"\"",
        ] {
            assert!(look(condition).may_err, "{condition}");
        }
        assert!(look("User::\"a\".claims.b").elsewhere);
        assert!(look("User::\"a\" has id").elsewhere);
        assert!(!look("principal == User::\"a\"").elsewhere);
    }
}
