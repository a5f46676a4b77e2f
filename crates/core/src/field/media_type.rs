//! Media types, and the `Content-Type` of a request (RFC 9110 §8.3):
//!
//! ```text
//! media-type = type "/" subtype parameters
//! parameters = *( OWS ";" OWS [ token "=" ( token / quoted-string ) ] )
//! ```
//!
//! `application/json; charset=utf-8`
//!
//! A media type is stored and served as it was sent; only comparison ignores case.
//! A `charset` on JSON is kept and has no effect: RFC 8259 §11 has no such parameter,
//! and JSON must be UTF-8 whatever it says (contract §2).
//!
//! The `mime` crate copies what it reads in lower case, so that it could not be served
//! as sent, and refuses white space before `;` and empty quoted strings.

use super::cursor::{Cursor, Parameter};
use super::{FieldFault, single};

/// A media type with its parameters, spelt as it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MediaType<'a> {
    text: &'a str,
    /// Where the slash is.
    slash: usize,
    /// Where the subtype ends.
    essence_end: usize,
}

impl<'a> MediaType<'a> {
    /// `application/json`: what nearly every write says.
    pub const JSON: MediaType<'static> = MediaType {
        text: "application/json",
        slash: 11,
        essence_end: 16,
    };

    /// Reads the lines of `Content-Type`.
    ///
    /// # Errors
    /// A [`FieldFault`] if there are several lines, or the line is no media type.
    pub fn parse(lines: impl Iterator<Item = &'a [u8]>) -> Result<Option<Self>, FieldFault> {
        const FIELD: &str = "Content-Type";
        let Some(line) = single(FIELD, lines)? else {
            return Ok(None);
        };
        if line == Self::JSON.text.as_bytes() {
            return Ok(Some(Self::JSON));
        }
        let media = std::str::from_utf8(line).ok().and_then(Self::read);
        media.map(Some).ok_or(FieldFault {
            field: FIELD,
            detail: "not a media type; send one as 'application/json' or 'text/plain; charset=utf-8'",
        })
    }

    /// Reads one media type; `None` for anything else. The text may have white space
    /// around it, which is not kept.
    #[must_use]
    pub fn read(text: &'a str) -> Option<Self> {
        if text == Self::JSON.text {
            return Some(Self::JSON);
        }
        let text = text.trim_matches([' ', '\t']);
        let mut cursor = Cursor::new(text.as_bytes());
        let slash = cursor.token().ok()?.len();
        if !cursor.eat(b"/") {
            return None;
        }
        let essence_end = slash + 1 + cursor.token().ok()?.len();
        while cursor.parameter().ok()?.is_some() {}
        cursor.at_end().then_some(Self {
            text,
            slash,
            essence_end,
        })
    }

    /// The whole, as it was sent.
    #[must_use]
    pub const fn as_str(&self) -> &'a str {
        self.text
    }

    /// `type/subtype`, in the case that was sent.
    #[must_use]
    pub fn essence(&self) -> &'a str {
        self.text.get(..self.essence_end).unwrap_or_default()
    }

    /// The type, in the case that was sent.
    #[must_use]
    pub fn type_(&self) -> &'a str {
        self.text.get(..self.slash).unwrap_or_default()
    }

    /// The subtype, in the case that was sent.
    #[must_use]
    pub fn subtype(&self) -> &'a str {
        let subtype = self.text.get(self.slash + 1..self.essence_end);
        subtype.unwrap_or_default()
    }

    /// The parameters: names and values as sent, quotes included.
    pub(super) fn parameters(&self) -> impl Iterator<Item = Parameter<'a>> + use<'a> {
        let text = self.text.as_bytes().get(self.essence_end..);
        parameters(text.unwrap_or_default())
    }

    /// Whether it is this `type/subtype`, whatever the parameters.
    #[must_use]
    pub fn is(&self, essence: &str) -> bool {
        self.essence().eq_ignore_ascii_case(essence)
    }

    /// `application/json`, or any type with the suffix `+json` (RFC 6839 §3.1).
    #[must_use]
    pub fn is_json(&self) -> bool {
        self.is("application/json") || self.has_suffix("+json")
    }

    /// RFC 7396.
    #[must_use]
    pub fn is_merge_patch(&self) -> bool {
        self.is("application/merge-patch+json")
    }

    /// RFC 6902.
    #[must_use]
    pub fn is_json_patch(&self) -> bool {
        self.is("application/json-patch+json")
    }

    /// What HTML forms and `curl -d` send by themselves: nobody who says it means to
    /// store it (contract §2). `text/plain`, the third type that a form can have, is
    /// one that people do store.
    #[must_use]
    pub fn is_form(&self) -> bool {
        self.is("application/x-www-form-urlencoded") || self.is("multipart/form-data")
    }

    /// Whether a browser that is sent to it, or a page that refers to it, runs code
    /// from it (contract §2):
    /// - HTML and every XML type, which may hold XHTML or SVG with scripts, or name a
    ///   style sheet in XSLT (`text/xsl` is XML to Chromium);
    /// - the JavaScript types of the WHATWG's MIME Sniffing §4.6, and WebAssembly;
    /// - `multipart/x-mixed-replace`, whose parts are shown by their own types.
    ///
    /// Not CSS, which runs nothing, and not PDF, whose viewer is not in the origin
    /// of the document. Types that a browser does not know it does not guess, because
    /// documents carry `nosniff`.
    #[must_use]
    pub fn executes(&self) -> bool {
        if self.is("application/json") {
            return false;
        }
        self.has_suffix("+xml") || EXECUTED.iter().any(|essence| self.is(essence))
    }

    fn has_suffix(&self, suffix: &str) -> bool {
        let subtype = self.subtype().as_bytes();
        let end = subtype.len().checked_sub(suffix.len());
        end.and_then(|end| subtype.get(end..))
            .is_some_and(|end| end.eq_ignore_ascii_case(suffix.as_bytes()))
    }
}

/// The parameters of a text that [`Cursor::parameter`] has read before.
pub(super) fn parameters(text: &[u8]) -> impl Iterator<Item = Parameter<'_>> {
    let mut cursor = Cursor::new(text);
    std::iter::from_fn(move || cursor.parameter().unwrap_or(None))
}

const EXECUTED: [&str; 22] = [
    "text/html",
    "text/xml",
    "application/xml",
    "text/xsl",
    "multipart/x-mixed-replace",
    "application/wasm",
    "text/javascript",
    "application/javascript",
    "application/ecmascript",
    "application/x-ecmascript",
    "application/x-javascript",
    "text/ecmascript",
    "text/javascript1.0",
    "text/javascript1.1",
    "text/javascript1.2",
    "text/javascript1.3",
    "text/javascript1.4",
    "text/javascript1.5",
    "text/jscript",
    "text/livescript",
    "text/x-ecmascript",
    "text/x-javascript",
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse<'a>(lines: &[&'a [u8]]) -> Result<Option<MediaType<'a>>, FieldFault> {
        MediaType::parse(lines.iter().copied())
    }

    #[test]
    fn well_formed_types() {
        let cases = [
            ("application/json", "application/json"),
            ("Application/JSON", "Application/JSON"),
            (" application/json\t", "application/json"),
            ("application/json;charset=utf-8", "application/json"),
            (
                "application/json \t; \tcharset=\"utf-8\"",
                "application/json",
            ),
            ("application/json;", "application/json"),
            ("application/json ; ;a=b;", "application/json"),
            ("text/plain;a=\"b;\\\"c, \"", "text/plain"),
            ("text/plain; title=\"é\"", "text/plain"),
            ("a/b~%'", "a/b~%'"),
        ];
        for (text, essence) in cases {
            let media = parse(&[text.as_bytes()]).unwrap().unwrap();
            assert_eq!(media.essence(), essence, "{text}");
            assert_eq!(media.as_str(), text.trim(), "{text}");
            assert_eq!(format!("{}/{}", media.type_(), media.subtype()), essence);
        }
        assert_eq!(MediaType::read("application/json"), Some(MediaType::JSON));
        assert_eq!(parse(&[]), Ok(None));
    }

    #[test]
    fn malformed_types() {
        let cases: [&[&[u8]]; 20] = [
            &[b""],
            &[b"json"],
            &[b"application/"],
            &[b"/json"],
            &[b"application /json"],
            &[b"application/ json"],
            &[b"application/json/x"],
            &[b"application/json charset=utf-8"],
            &[b"application/json; charset = utf-8"],
            &[b"application/json; charset"],
            &[b"application/json; charset="],
            &[b"application/json; =utf-8"],
            &[b"application/json; charset=\"utf-8"],
            &[b"application/json; charset=\"utf-8\"x"],
            &[b"application/json, text/html"],
            &[b"application/json;, text/html"],
            &[b"text/html\n"],
            &[b"text/plain; a=\"\xff\""],
            &[b"application/json", b"application/json"],
            &[b"application/json", b""],
        ];
        for lines in cases {
            assert!(parse(lines).is_err(), "{lines:?}");
        }
    }

    #[test]
    fn section_2_what_a_type_is_good_for() {
        let kinds = |text: &str| {
            let media = MediaType::read(text).unwrap();
            let kinds = [
                (media.is_json(), "json"),
                (media.is_merge_patch(), "merge"),
                (media.is_json_patch(), "patch"),
                (media.is_form(), "form"),
                (media.executes(), "executes"),
            ];
            let named = kinds.into_iter().filter(|kind| kind.0).map(|kind| kind.1);
            named.collect::<Vec<_>>().join(" ")
        };
        let cases = [
            ("application/json", "json"),
            ("application/JSON; charset=utf-16", "json"),
            ("application/geo+JSON", "json"),
            ("image/svg+json", "json"),
            ("application/merge-patch+json", "json merge"),
            ("application/json-patch+json", "json patch"),
            ("application/json-seq", ""),
            ("text/json", ""),
            ("text/x-json; a=\"+json\"", ""),
            ("application/x-www-form-urlencoded", "form"),
            ("Multipart/Form-Data; boundary=x", "form"),
            ("text/plain", ""),
            ("application/octet-stream", ""),
            ("application/pdf", ""),
            ("text/css", ""),
            ("image/png", ""),
            ("TEXT/HTML;charset=utf-8", "executes"),
            ("application/xhtml+xml", "executes"),
            ("image/svg+xml", "executes"),
            ("application/x+XML", "executes"),
            ("text/xml", "executes"),
            ("text/javascript", "executes"),
            ("application/wasm", "executes"),
            ("multipart/x-mixed-replace;boundary=a", "executes"),
        ];
        for (text, expected) in cases {
            assert_eq!(kinds(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(line in any::<Vec<u8>>()) {
            let _ = MediaType::parse(std::iter::once(line.as_slice()));
        }

        #[test]
        fn near_misses_do_not_panic(line in r#"[a/;=", \\é]{0,24}"#) {
            if let Some(media) = MediaType::read(&line) {
                let _ = (media.is_json(), media.executes(), media.parameters().count());
            }
        }

        #[test]
        fn what_is_written_is_read(
            essence in "[a-zA-Z0-9!#$&^_.+-]{1,9}/[a-zA-Z0-9!#$&^_.+-]{1,9}",
            sent in prop::collection::vec(("[a-z0-9*']{1,5}", "[a-z]{1,4}|\"[ -!#-~&&[^\\\\]]{0,6}\""), 0..4),
        ) {
            let mut written = essence.clone();
            for (name, value) in &sent {
                written.push_str(&format!("; {name}={value}"));
            }
            let media = MediaType::read(&written);
            let Some(media) = media else { panic!("{written}") };
            prop_assert_eq!(media.essence(), essence);
            let read: Vec<_> = media
                .parameters()
                .map(|(n, v)| (String::from_utf8_lossy(n).into_owned(), String::from_utf8_lossy(v).into_owned()))
                .collect();
            prop_assert_eq!(read, sent);
        }
    }
}
