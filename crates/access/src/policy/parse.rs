//! From texts to policies, or to all that is wrong with them.

use std::collections::BTreeSet;
use std::ops::Range;

use cedar_policy::{PolicyId, PolicySet, ValidationMode, Validator};
use miette::Diagnostic;

use super::fault::Fault;
use super::look::Look;
use super::prepared::Prepared;
use super::schema::Schema;
use super::tokens::{Piece, pieces, position};
use super::types::{Record, Type};

/// The longest text of policies: every decision evaluates what is in here.
const SOURCE_BYTES: usize = 256 * 1024;

/// The most words in one policy. They bound how deep its conditions can be, and Cedar works
/// through conditions by recursion.
const WORDS: usize = 2_048;

/// Twice the stack that conditions of that many words take in a debug build. Only what is
/// used of it costs memory.
const STACK_BYTES: usize = 128 * 1024 * 1024;

/// Reads texts, each with the name that its faults are told with.
pub(super) fn parse(
    sources: &[(&str, &str)],
    schema: &Schema,
) -> Result<Vec<Prepared>, Vec<Fault>> {
    stacker::grow(STACK_BYTES, || read(sources, schema))
}

fn read(sources: &[(&str, &str)], schema: &Schema) -> Result<Vec<Prepared>, Vec<Fault>> {
    let validator = Validator::new(schema.cedar.clone());
    let mut prepared = Vec::new();
    let mut faults = BTreeSet::new();
    for source in sources {
        let mut reader = Reader {
            source: *source,
            offset: 0,
            schema,
            validator: &validator,
        };
        if source.1.len() > SOURCE_BYTES {
            let message = format!("a source of policies is at most {SOURCE_BYTES} bytes long");
            faults.insert(reader.at(0, message));
            continue;
        }
        for piece in pieces(source.1) {
            reader.offset = piece.offset;
            match reader.read(&piece, prepared.len()) {
                Ok(read) => prepared.extend(read),
                Err(found) => faults.extend(found),
            }
        }
    }
    if faults.is_empty() {
        Ok(prepared)
    } else {
        Err(faults.into_iter().collect())
    }
}

/// Reads one policy.
struct Reader<'a> {
    source: (&'a str, &'a str),
    /// Where its text begins in the source.
    offset: usize,
    schema: &'a Schema,
    validator: &'a Validator,
}

impl Reader<'_> {
    fn read(&self, piece: &Piece<'_>, number: usize) -> Result<Option<Prepared>, Vec<Fault>> {
        let start = piece.text.len() - piece.text.trim_start().len();
        if piece.words > WORDS {
            let message = format!("a policy has at most {WORDS} words; make several of it");
            return Err(vec![self.at(start, message)]);
        }
        let set: PolicySet = piece
            .text
            .parse()
            .map_err(|errors: cedar_policy::ParseErrors| {
                errors
                    .iter()
                    .map(|error| self.told(error, piece.text))
                    .collect::<Vec<_>>()
            })?;
        if let Some(template) = set.templates().next() {
            let offset = template.as_ref().loc().map_or(start, |loc| loc.start());
            let message = "a policy with `?principal` or `?resource` cannot be used";
            return Err(vec![self.at(offset, message.into())]);
        }
        let Some(policy) = set.policies().next() else {
            return Ok(None);
        };
        let start = policy.as_ref().loc().map_or(start, |loc| loc.start());
        let prepared = Prepared::new(policy.new_id(PolicyId::new(number.to_string())))
            .map_err(|error| vec![self.at(start, error.to_string())])?;
        let undeclared = self.undeclared(&prepared.look, piece.text, start);
        let checked = self.validator.validate(&set, ValidationMode::Strict);
        // What Cedar says of the same place does not say what to add.
        let news = checked.validation_errors().filter(|error| {
            let span = span(*error);
            !undeclared.iter().any(|(offset, _)| span.contains(offset))
        });
        let mut faults: Vec<Fault> = news.map(|error| self.told(error, piece.text)).collect();
        faults.extend(
            undeclared
                .iter()
                .map(|(offset, told)| self.at(*offset, told.clone())),
        );
        if faults.is_empty() {
            Ok(Some(prepared))
        } else {
            Err(faults)
        }
    }

    fn at(&self, offset: usize, message: String) -> Fault {
        Fault::at(self.source, self.offset + offset, message)
    }

    /// What Cedar found, without its names for the policy and for types of its own.
    fn told(&self, error: &dyn Diagnostic, text: &str) -> Fault {
        let span = span(error);
        let mut message = error.to_string().replace("__cedar::internal::", "");
        if let Some((_, rest)) = message.split_once("`, ")
            && message.starts_with("for policy `")
        {
            message = rest.to_owned();
        }
        if let Some(help) = error.help() {
            // Cedar calls `e` whatever has the attribute.
            let variable = text
                .get(span.clone())
                .and_then(|text| text.split('.').next());
            let help = help.to_string();
            let help = match variable {
                Some(name @ ("principal" | "resource")) => help
                    .replace("`e.", &format!("`{name}."))
                    .replace("`e has", &format!("`{name} has")),
                _ => help,
            };
            message = format!("{message}; {help}");
        }
        self.at(span.start, message)
    }

    /// What a policy looks at although nothing declares it, and where.
    fn undeclared(&self, look: &Look, text: &str, start: usize) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        let mut tell = |names: &[String], message: String| {
            let name = names.last().map(String::as_str).unwrap_or_default();
            found.push((position(text, start, name), message));
        };
        for names in &look.members {
            if let Some(missing) = missing(&self.schema.document, names) {
                tell(missing, self.no_member(missing));
            }
        }
        for names in &look.claims {
            if let Some(missing) = missing(&self.schema.claims, names) {
                tell(missing, no_claim(missing));
            }
        }
        for strange in &look.strange {
            let name = strange.split_once('.').map_or("", |(_, name)| name);
            found.push((position(text, start, name), no_attribute(strange, name)));
        }
        if look.elsewhere {
            let message = "only the attributes of `principal` and `resource` are known, not those \
                           of an entity that the policy names";
            found.push((start, message.into()));
        }
        found
    }

    fn no_member(&self, names: &[String]) -> String {
        let dotted = names.join(".");
        let left_out = (1..=names.len())
            .find_map(|length| self.schema.left_out.get(&names.get(..length)?.join(".")));
        match left_out {
            Some(reason) => format!("`resource.document.{dotted}` cannot be used: {reason}"),
            None => format!(
                "no collection declares `resource.document.{dotted}`: add `{dotted}`, with a \
                 type, to the `properties` of the JSON Schema of the collection that has it"
            ),
        }
    }
}

fn no_attribute(strange: &str, name: &str) -> String {
    if strange.starts_with("resource") {
        format!(
            "there is no `{strange}`: a resource has `path`, `collection`, `id`, `owner` and \
             `document`; a member of the document is `resource.document.{name}`"
        )
    } else if strange == "context" {
        "`context` holds nothing; look at `principal` and `resource`".to_owned()
    } else {
        format!(
            "there is no `{strange}`: a principal has `id` and `claims`; a claim is \
             `principal.claims.{name}`"
        )
    }
}

fn no_claim(names: &[String]) -> String {
    let dotted = names.join(".");
    format!(
        "the claim `{dotted}` is not declared: add it, with a type, to the claims in the \
         configuration"
    )
}

fn span(error: &dyn Diagnostic) -> Range<usize> {
    let label = error.labels().and_then(|mut labels| labels.next());
    label.map_or(0..0, |label| label.offset()..label.offset() + label.len())
}

/// The names up to the first that is not declared.
fn missing<'a>(declared: &Record, names: &'a [String]) -> Option<&'a [String]> {
    let mut record = declared;
    for (at, name) in names.iter().enumerate() {
        match record.members.get(name).map(|member| &member.value) {
            None => return names.get(..=at),
            Some(Type::Record(inner)) => record = inner,
            // Cedar tells that this has no members.
            Some(_) => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{Action, Place, Policies};
    use super::*;

    fn schema() -> Schema {
        let tasks = json!({"properties": {
            "status": {"enum": ["open", "done"]}, "count": {"type": "integer"},
            "price": {"type": "number"}, "x": {"type": "string"},
            "place": {"type": "object", "properties": {"city": {"type": "string"}}}
        }});
        let other = json!({"properties": {"x": {"type": "boolean"}}});
        let collections = [("projects.*.tasks", &tasks), ("other", &other)];
        Schema::new(&collections, &[("role", Type::String)]).unwrap()
    }

    fn faults(sources: &[(&str, &str)]) -> Vec<Fault> {
        Policies::parse(sources, &schema())
            .err()
            .unwrap_or_default()
    }

    fn only(text: &str) -> Fault {
        let mut found = faults(&[("a.cedar", text)]);
        assert_eq!(found.len(), 1, "{text}: {found:#?}");
        found.remove(0)
    }

    #[test]
    fn faults_tell_line_and_column() {
        let head = "// é\n\npermit (principal, action, resource is Document) when {\n  ";
        for (condition, column, told) in [
            ("resource.owner == 1", 3, "owner"),
            ("/* */ true", 3, ""),
            ("\"é\" == resource.path && true < 1", 27, "expected"),
            (
                "resource has document && resource.document has colour",
                50,
                "`colour`",
            ),
            ("resource has document.color", 25, "no collection declares"),
            ("resource has document.place.town", 31, "`place.town`"),
            ("resource has document.price", 25, "fraction"),
            (
                "resource has document.x",
                25,
                "`projects.*.tasks` declares it as string",
            ),
            (
                "resource has document && resource.document.count == 1",
                28,
                "`resource.document has count && ..`",
            ),
            (
                "resource has document.count && resource.document.count == true",
                34,
                "",
            ),
            ("principal has claims.team", 24, "the claim `team`"),
            ("principal.name == \"\"", 13, "principal.claims.name"),
            ("resource has status", 16, "resource.document.status"),
            ("context.time == 1", 3, "time"),
            ("context has time", 0, "`context` holds nothing"),
            ("resource == Colection::\"/a\"", 15, "Colection"),
            ("User::\"a\" has id", 0, "names"),
            ("resource.path like *", 22, ""),
        ] {
            let found = faults(&[("a.cedar", &format!("{head}{condition}\n}};\n"))]);
            let at = if column == 0 { (3, 1) } else { (4, column) };
            let fits =
                |fault: &Fault| (fault.line, fault.column) == at && fault.message.contains(told);
            assert!(found.iter().any(fits), "{condition}: {found:#?}");
        }
    }

    #[test]
    fn an_undeclared_member_is_told_once() {
        let fault = only(
            "permit (principal, action == Action::\"read\", resource)\n\
             when { resource has document.color && resource.document.color == \"red\" };",
        );
        assert_eq!((fault.line, fault.column), (2, 30));
        assert!(fault.message.contains("add `color`"), "{fault}");
        let fault = only(
            "permit (principal is User, action, resource)\n\
             // .role\n\
             when { principal.claims.roles == \"x\" };",
        );
        assert_eq!((fault.line, fault.column), (3, 25), "{fault}");
    }

    #[test]
    fn all_faults_are_told() {
        let broken =
            "permit (principal, action, resource)\nforbid (principal, action);\npermit ();";
        let mistyped = "permit (principal, action == Action::\"raed\", resource);\n\
                        forbid (principal, action, resource) when { 1 < \"a\" };";
        let found = faults(&[("one", broken), ("two", mistyped), ("three", "")]);
        let places: Vec<_> = found
            .iter()
            .map(|fault| (fault.source.as_str(), fault.line))
            .collect();
        for expected in [("one", 2), ("one", 3), ("two", 1), ("two", 2)] {
            assert!(places.contains(&expected), "{expected:?}: {found:#?}");
        }
        let template = only("permit (principal == ?principal, action, resource);");
        assert_eq!((template.line, template.column), (1, 1), "{template}");
    }

    #[test]
    fn a_text_that_is_too_long_is_refused() {
        let long = only(&" ".repeat(SOURCE_BYTES + 1));
        assert!(long.message.contains("bytes"), "{long}");
        let many = "a ".repeat(WORDS + 1);
        let long = only(&format!("permit (principal, action, resource);\n{many}"));
        assert_eq!((long.line, long.column), (2, 1), "{long}");
    }

    #[test]
    fn a_deep_policy_does_no_harm() {
        let read = schema();
        let caller = crate::Principal::anonymous();
        for (open, middle, close, times) in [
            ("true && ", "true", "", 1_000),
            ("true || ", "true", "", 1_000),
            ("1 + ", "1 == 1", "", 1_000),
            ("(", "true", ")", 950),
            ("[", "1", "]", 950),
            ("{a: ", "1", "}", 400),
            ("if true then ", "true", " else true", 300),
            ("principal", "", ".a", 950),
        ] {
            let condition = format!("{}{middle}{}", open.repeat(times), close.repeat(times));
            let text = format!("permit (principal, action, resource) when {{ {condition} }};");
            if let Ok(policies) = Policies::parse(&[("deep", &text)], &read) {
                let caller = policies.caller(&caller);
                let place = Place::Document("/a/b");
                let _ = policies.permits(&caller, Action::Read, place, None);
            }
        }
    }
}
