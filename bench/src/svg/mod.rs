//! Charts as SVG, small and plain: they read on light and on dark, at any size, without a
//! script or a font of their own.

mod bars;
mod lines;

use std::fmt::Write;

pub(crate) use self::bars::{Bar, Bars};
pub(crate) use self::lines::{Line, Lines};

/// The text follows the reader's colour scheme; the colours of the data are in the
/// middle, and stay.
const STYLE: &str = "\
text{font:12px system-ui,-apple-system,'Segoe UI',sans-serif;fill:#57606a}\
.title{font-size:14px;font-weight:600;fill:#24292f}\
.value{fill:#24292f}\
.grid{stroke:#8b949e;stroke-opacity:.35}\
.mark{stroke:#8b949e;stroke-width:1.5;stroke-dasharray:4 3}\
@media(prefers-color-scheme:dark){text{fill:#9da7b3}.title,.value{fill:#e6edf3}}";

/// A colour that always stands for the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Colour {
    Matchbook,
    Ceiling,
    Files,
    First,
    Second,
    Third,
    Fourth,
}

impl Colour {
    fn hex(self) -> &'static str {
        match self {
            Self::Matchbook => "#e8590c",
            Self::Ceiling => "#8b949e",
            Self::Files => "#b08800",
            Self::First => "#2f9e44",
            Self::Second => "#1c7ed6",
            Self::Third => "#ae3ec9",
            Self::Fourth => "#0ca678",
        }
    }
}

/// Wraps `content` in a picture of this size. `title` is what a reader who does not see
/// it is told.
fn picture(width: f64, height: f64, title: &str, content: &str) -> String {
    let title = escaped(title);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         width=\"{width:.0}\" height=\"{height:.0}\" role=\"img\">\n<title>{title}</title>\n\
         <style>{STYLE}</style>\n<text class=\"title\" x=\"0\" y=\"16\">{title}</text>\n\
         {content}</svg>\n"
    )
}

/// Where a text stands against its place.
#[derive(Debug, Clone, Copy)]
enum Anchor {
    Start,
    Middle,
    End,
}

fn text(out: &mut String, class: &str, x: f64, y: f64, anchor: Anchor, words: &str) {
    let anchor = match anchor {
        Anchor::Start => "start",
        Anchor::Middle => "middle",
        Anchor::End => "end",
    };
    let words = escaped(words);
    let _ = writeln!(
        out,
        "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{words}</text>"
    );
}

fn rule(out: &mut String, class: &str, [x1, y1]: [f64; 2], [x2, y2]: [f64; 2]) {
    let _ = writeln!(
        out,
        "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_markup_is_escaped() {
        let found = picture(10.0, 10.0, "a < b & c", "");
        assert!(found.contains("<title>a &lt; b &amp; c</title>"));
    }
}
