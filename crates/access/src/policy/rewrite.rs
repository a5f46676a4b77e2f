//! The attributes of the resource, looked for in the request's context.
//!
//! Cedar takes an entity only as part of a set of entities whose hierarchy it works out
//! anew, and looks entities up by their names. A context is just a record. So where
//! conditions look at nothing but attributes of the resource, they are asked of a context
//! that has these attributes, and there is no resource entity.

use std::sync::Arc;

use cedar_policy::pst::{Clause, Expr, Var};

/// The conditions with `context` in the place of `resource`; `None` if one of them looks at
/// more than attributes. Policies that use `context` themselves are not accepted.
pub(super) fn in_context(conditions: &[Clause]) -> Option<Vec<Clause>> {
    let rewritten = conditions.iter().map(|condition| match condition {
        Clause::When(condition) => Some(Clause::When(expression(condition)?)),
        Clause::Unless(condition) => Some(Clause::Unless(expression(condition)?)),
    });
    rewritten.collect()
}

fn expression(from: &Arc<Expr>) -> Option<Arc<Expr>> {
    let rewritten = match from.as_ref() {
        Expr::Literal(_) | Expr::Var(Var::Principal | Var::Action) => {
            return Some(Arc::clone(from));
        }
        Expr::GetAttr { expr, attr } => Expr::GetAttr {
            expr: holder(expr)?,
            attr: attr.clone(),
        },
        Expr::HasAttr { expr, attrs } => Expr::HasAttr {
            expr: holder(expr)?,
            attrs: attrs.clone(),
        },
        Expr::UnaryOp { op, expr } => Expr::UnaryOp {
            op: *op,
            expr: expression(expr)?,
        },
        Expr::BinaryOp { op, left, right } => Expr::BinaryOp {
            op: *op,
            left: expression(left)?,
            right: expression(right)?,
        },
        Expr::Like { expr, pattern } => Expr::Like {
            expr: expression(expr)?,
            pattern: pattern.clone(),
        },
        Expr::IfThenElse {
            cond,
            then_expr,
            else_expr,
        } => Expr::IfThenElse {
            cond: expression(cond)?,
            then_expr: expression(then_expr)?,
            else_expr: expression(else_expr)?,
        },
        Expr::Set(parts) => Expr::Set(parts.iter().map(expression).collect::<Option<_>>()?),
        _ => return None,
    };
    Some(Arc::new(rewritten))
}

/// What has an attribute.
fn holder(from: &Arc<Expr>) -> Option<Arc<Expr>> {
    match from.as_ref() {
        Expr::Var(Var::Resource) => Some(Arc::new(Expr::Var(Var::Context))),
        _ => expression(from),
    }
}
