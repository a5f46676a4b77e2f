//! Policies, sorted by action and by what they need.
//!
//! A *fixed* policy looks at nothing but the caller and the collection. Of any other, a
//! *loose* one, the leading conditions that look at nothing else are its *guard*: where
//! the guard does not hold, the policy does not apply, whatever the document is. Where it
//! does hold, only the other conditions are left to be evaluated.

use std::sync::Arc;

use cedar_policy::pst::{self, BinaryOp, Clause, Expr};
use cedar_policy::{ActionConstraint, Effect, Policy, PolicySet};

use super::evaluate::Wanted;
use super::look::Look;
use super::needs::Needs;
use super::place::Action;
use super::rewrite::in_context;
use super::types::Record;

/// One policy, and what was found out about it.
pub(super) struct Prepared {
    policy: Policy,
    pub(super) look: Look,
    /// `None` for a fixed policy.
    cut: Option<Cut>,
    actions: Vec<Action>,
}

impl Prepared {
    /// Looks through a policy.
    pub(super) fn new(policy: Policy) -> Result<Self, pst::PstConstructionError> {
        let parts = match policy.to_pst()? {
            pst::Policy::Static(parts) => parts.body().clone(),
            pst::Policy::Linked(parts) => parts.body().clone(),
        };
        let conditions = conditions(parts.clauses());
        let mut look = Look::default();
        look.scope(&parts.resource);
        for condition in &conditions {
            look_at(&mut look, condition);
        }
        let cut = if look.needs() == Needs::Nothing {
            None
        } else {
            Some(cut(&parts, &policy, conditions)?)
        };
        Ok(Self {
            actions: actions(&policy),
            policy,
            look,
            cut,
        })
    }
}

/// A loose policy, cut in two under the same id.
struct Cut {
    /// Permits what the guard holds for.
    guard: Policy,
    rest: Loose,
}

/// Conditions that must all hold, in the order in which they are evaluated.
fn conditions(clauses: &[Clause]) -> Vec<Clause> {
    let mut conditions = Vec::new();
    for clause in clauses {
        match clause {
            Clause::When(condition) => split(condition, &mut conditions),
            Clause::Unless(_) => conditions.push(clause.clone()),
        }
    }
    conditions
}

fn split(condition: &Arc<Expr>, conditions: &mut Vec<Clause>) {
    match condition.as_ref() {
        Expr::BinaryOp {
            op: BinaryOp::And,
            left,
            right,
        } => {
            split(left, conditions);
            split(right, conditions);
        }
        _ => conditions.push(Clause::When(Arc::clone(condition))),
    }
}

fn look_at(look: &mut Look, clause: &Clause) {
    let (Clause::When(condition) | Clause::Unless(condition)) = clause;
    look.expression(condition);
}

fn cut(
    parts: &pst::Template,
    policy: &Policy,
    mut conditions: Vec<Clause>,
) -> Result<Cut, pst::PstConstructionError> {
    let mut look = Look::default();
    look.scope(&parts.resource);
    if look.needs() != Needs::Nothing {
        // The conditions are not evaluated for other documents, so they cannot fail there:
        // only who and what are the guard.
        let mut guard = scope_of(parts, pst::Effect::Permit);
        guard.resource = pst::ResourceConstraint::Any;
        for condition in &conditions {
            look_at(&mut look, condition);
        }
        let policy = policy.clone();
        let rest = Loose {
            policy,
            in_context: None,
            look,
        };
        return Ok(Cut {
            guard: made(guard, Vec::new())?,
            rest,
        });
    }
    let is_leading = |condition: &Clause| {
        let mut look = Look::default();
        look_at(&mut look, condition);
        look.needs() == Needs::Nothing
    };
    let leading = conditions.iter().take_while(|one| is_leading(one)).count();
    let others = conditions.split_off(leading);
    let mut look = Look::default();
    for condition in &others {
        look_at(&mut look, condition);
    }
    let anything = || {
        pst::Template::new(
            parts.id.clone(),
            parts.effect,
            pst::PrincipalConstraint::Any,
            pst::ActionConstraint::Any,
            pst::ResourceConstraint::Any,
        )
    };
    let in_context = in_context(&others).map(|others| made(anything(), others));
    Ok(Cut {
        guard: made(scope_of(parts, pst::Effect::Permit), conditions)?,
        rest: Loose {
            policy: made(anything(), others)?,
            in_context: in_context.transpose()?,
            look,
        },
    })
}

fn scope_of(parts: &pst::Template, effect: pst::Effect) -> pst::Template {
    let (principal, action) = (parts.principal.clone(), parts.action.clone());
    pst::Template::new(
        parts.id.clone(),
        effect,
        principal,
        action,
        parts.resource.clone(),
    )
}

fn made(
    scope: pst::Template,
    conditions: Vec<Clause>,
) -> Result<Policy, pst::PstConstructionError> {
    let parts = pst::StaticPolicy::try_from(scope.try_with_clauses(conditions)?)?;
    Policy::from_pst(pst::Policy::Static(parts))
}

fn actions(policy: &Policy) -> Vec<Action> {
    let constraint = policy.action_constraint();
    let named = |action: &Action| match &constraint {
        ActionConstraint::Any => true,
        ActionConstraint::Eq(named) => named.id().unescaped() == action.name(),
        ActionConstraint::In(named) => named
            .iter()
            .any(|named| named.id().unescaped() == action.name()),
    };
    Action::ALL.into_iter().filter(named).collect()
}

/// What holds for one action.
pub(super) struct Rules {
    /// All its policies.
    pub(super) all: Group,
    pub(super) fixed: Group,
    /// The guards of the loose ones, under the same ids; all of them permit.
    pub(super) guards: Group,
    pub(super) loose: Vec<Loose>,
}

/// Policies that are evaluated together, and what they look at.
pub(super) struct Group {
    pub(super) policies: PolicySet,
    /// Whether they look for the attributes of the resource in the context.
    pub(super) in_context: bool,
    pub(super) wanted: Wanted,
    pub(super) needs: Needs,
    /// Whether the collection is not enough for them to know of the path.
    pub(super) needs_path: bool,
}

/// What is left of a policy whose guard holds, and what that looks at.
#[derive(Clone)]
pub(super) struct Loose {
    pub(super) policy: Policy,
    /// The same for a context with the attributes of the resource, if that is enough.
    in_context: Option<Policy>,
    pub(super) look: Look,
}

impl Loose {
    pub(super) fn permits(&self) -> bool {
        self.policy.effect() == Effect::Permit
    }

    /// Whether evaluating it can fail: by itself, or since a document lacks a member that
    /// every schema requires.
    pub(super) fn may_err(&self, document: &Record) -> bool {
        let required = |names: &Vec<String>| {
            let member = names.first().and_then(|name| document.members.get(name));
            member.is_some_and(|member| member.required)
        };
        self.look.may_err || self.look.members.iter().any(required)
    }
}

impl Group {
    pub(super) fn new<'a>(
        policies: impl Iterator<Item = (&'a Policy, &'a Look)>,
        document: &Record,
    ) -> Result<Self, Box<cedar_policy::PolicySetError>> {
        let mut look = Look::default();
        let mut set = PolicySet::new();
        for (policy, looks) in policies {
            look.add(looks);
            set.add(policy.clone()).map_err(Box::new)?;
        }
        Ok(Self {
            policies: set,
            in_context: false,
            wanted: Wanted::new(&look, document),
            needs: look.needs(),
            needs_path: look.needs_path(),
        })
    }
}

impl Group {
    /// What is left of several policies.
    pub(super) fn of_loose(
        loose: &[&Loose],
        document: &Record,
    ) -> Result<Self, Box<cedar_policy::PolicySetError>> {
        let in_context: Option<Vec<_>> = loose
            .iter()
            .map(|loose| Some((loose.in_context.as_ref()?, &loose.look)))
            .collect();
        match in_context {
            Some(policies) => Ok(Self {
                in_context: true,
                ..Self::new(policies.into_iter(), document)?
            }),
            None => {
                let policies = loose.iter().map(|loose| (&loose.policy, &loose.look));
                Self::new(policies, document)
            }
        }
    }
}

impl Rules {
    pub(super) fn new(
        action: Action,
        prepared: &[Prepared],
        document: &Record,
    ) -> Result<Self, Box<cedar_policy::PolicySetError>> {
        let all = || {
            prepared
                .iter()
                .filter(move |one| one.actions.contains(&action))
        };
        Ok(Self {
            all: Group::new(all().map(|one| (&one.policy, &one.look)), document)?,
            fixed: Group::new(
                all()
                    .filter(|one| one.cut.is_none())
                    .map(|one| (&one.policy, &one.look)),
                document,
            )?,
            guards: Group::new(
                all().filter_map(|one| Some((&one.cut.as_ref()?.guard, &one.look))),
                document,
            )?,
            loose: all()
                .filter_map(|one| Some(one.cut.as_ref()?.rest.clone()))
                .collect(),
        })
    }

    /// What must be known to decide.
    pub(super) fn needs(&self, action: Action) -> Needs {
        if action == Action::List {
            Needs::Nothing
        } else {
            self.all.needs
        }
    }
}
