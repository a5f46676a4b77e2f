//! Line 5: whose page made a browser send the request.

use super::{Answer, Policy, Resource};
use crate::field::sec_fetch_site::SecFetchSite;
use crate::problem::Kind;
use crate::request::{Method, Request};

/// POST to a document: an HTML form saves it.
fn is_form(request: &Request<'_>, resource: &Resource<'_>) -> bool {
    request.method == Method::Post && matches!(resource, Resource::Document(_))
}

/// A page of another site must not write with the rights of whoever looks at it.
pub(super) fn line_5(
    request: &Request<'_>,
    resource: &Resource<'_>,
    policy: &Policy,
) -> Option<Answer> {
    if !request.method.is_unsafe() {
        return None;
    }
    let is_form = is_form(request, resource);
    let detail = match request.origin {
        Some(origin) if request.is_from_here(&origin) => return None,
        Some(origin) if is_form => format!(
            "Origin is '{}': only forms of this server's own origin may save",
            origin.as_str()
        ),
        Some(origin) => {
            let text = origin.as_str();
            if policy.origins.iter().any(|ours| ours == text) {
                return None;
            }
            format!(
                "Origin is '{text}': if it is yours, start the server with --cors-origin {text}"
            )
        }
        None if request.fetch_site == Some(SecFetchSite::SameOrigin) => return None,
        None if is_form => {
            "neither Origin nor Sec-Fetch-Site says that the form is of this server's own origin"
                .to_owned()
        }
        None => match request.fetch_site {
            Some(SecFetchSite::CrossSite | SecFetchSite::SameSite) => {
                "Sec-Fetch-Site says that another site's page asked".to_owned()
            }
            _ => return None,
        },
    };
    Some(Answer::Refuse(Kind::ForeignSite.because(detail)))
}
