//! A principal as policies see it.

use std::collections::{HashMap, HashSet};

use cedar_policy::{Entities, Entity, EntityId, EntityUid, RestrictedExpression};
use sha2::{Digest as _, Sha256};

use super::conform;
use super::schema::Schema;
use crate::{Kind, Principal};

/// A principal as policies see it: made once for credentials, used for many decisions.
///
/// Two callers that policies cannot tell apart are the same: claims that are not declared,
/// such as when a token was issued, make no difference.
#[derive(Clone, Debug)]
pub struct Caller {
    pub(super) uid: EntityUid,
    /// Nobody but the caller.
    pub(super) entities: Entities,
    pub(super) digest: CallerDigest,
}

/// Stands for all that policies can see of a caller. Nobody can make credentials that have
/// the digest of somebody else's, which is why a cache may believe it.
pub(super) type CallerDigest = [u8; 16];

impl Caller {
    /// Prepares a principal. Claims that are not declared, or have another type than
    /// declared, are left out.
    pub(super) fn new(principal: &Principal, schema: &Schema) -> Self {
        let names = &schema.names;
        let (name, id) = match principal.kind {
            Kind::Anonymous => (&names.anonymous, "anonymous"),
            Kind::User => (&names.user, &*principal.id),
            Kind::Key => (&names.key, &*principal.id),
        };
        let uid = EntityUid::from_type_name_and_id(name.clone(), EntityId::new(id));
        let mut hash = Sha256::new();
        feed(&mut hash, name.basename());
        feed(&mut hash, id);
        let mut attributes = HashMap::new();
        if principal.kind != Kind::Anonymous {
            let claims = claims(principal, schema);
            for (name, value) in &claims {
                feed(&mut hash, name);
                feed(&mut hash, &value.as_ref().to_string());
            }
            attributes.insert("id".into(), RestrictedExpression::new_string(id.into()));
            if let Ok(claims) = RestrictedExpression::new_record(claims) {
                attributes.insert("claims".into(), claims);
            }
        }
        // Without attributes, whatever asks for one fails, and nothing is permitted.
        let entity = Entity::new(uid.clone(), attributes, HashSet::new())
            .unwrap_or_else(|_| Entity::with_uid(uid.clone()));
        let mut digest = CallerDigest::default();
        for (to, from) in digest.iter_mut().zip(hash.finalize()) {
            *to = from;
        }
        Self {
            uid,
            entities: Entities::from_entities([entity], None).unwrap_or_default(),
            digest,
        }
    }
}

fn claims(principal: &Principal, schema: &Schema) -> Vec<(String, RestrictedExpression)> {
    let text = serde_json::to_string(&*principal.claims).unwrap_or_default();
    conform::record(&text, &schema.claims).unwrap_or_default()
}

/// Adds a text and its end to a hash.
pub(super) fn feed(hash: &mut Sha256, text: &str) {
    hash.update((text.len() as u64).to_be_bytes());
    hash.update(text.as_bytes());
}
