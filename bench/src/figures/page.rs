//! The part of a page that is written by a program, between two lines.

/// Before it.
const BEGIN: &str = "<!-- measured: begin -->";

/// After it.
const END: &str = "<!-- measured: end -->";

/// The page with its measured part replaced, or with one at its end if it has none.
pub(super) fn with_measured(page: &str, measured: &str) -> String {
    let part = format!("{BEGIN}\n\n{}\n\n{END}", measured.trim());
    let (before, rest) = match page.split_once(BEGIN) {
        Some((before, rest)) => (before, rest),
        None if page.is_empty() => ("", "\n"),
        None => return format!("{}\n\n{part}\n", page.trim_end()),
    };
    let after = rest.split_once(END).map_or("\n", |(_, after)| after);
    format!("{before}{part}{after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_lines_changes() {
        let once = with_measured("# Page\n\nText.\n", "one");
        assert_eq!(
            once,
            format!("# Page\n\nText.\n\n{BEGIN}\n\none\n\n{END}\n")
        );
        let more = once.replace("Text.", "Other text.") + "\nAfter.\n";
        let twice = with_measured(&more, "two\n");
        assert_eq!(twice, more.replace("one", "two"));
        assert_eq!(with_measured(&twice, "two"), twice);
        assert_eq!(with_measured("", "x"), format!("{BEGIN}\n\nx\n\n{END}\n"));
    }
}
