//! A Rust file as far as the rules need it: its code without comments and the content
//! of literals, and which of its lines are tests.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// One file.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    pub(crate) first_line: String,
    /// As many lines as the file has. Comments are gone, literals are empty.
    pub(crate) code: String,
    /// Ranges of lines, counted from 1, that are compiled for tests only.
    test_lines: Vec<(usize, usize)>,
    /// Modules in files of their own that are compiled for tests only.
    test_modules: Vec<String>,
    is_test: bool,
}

impl Source {
    pub(crate) fn read(path: PathBuf, text: &str) -> Self {
        let code = code_of(text);
        let (test_lines, test_modules) = tests_in(&code);
        let in_tests = path.iter().any(|part| part == "tests" || part == "benches");
        Self {
            first_line: text.lines().next().unwrap_or_default().to_owned(),
            code,
            test_lines,
            test_modules,
            is_test: in_tests,
            path,
        }
    }

    /// Lines of code with their numbers, tests left out.
    pub(crate) fn product_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.code.lines().enumerate();
        lines
            .map(|(index, line)| (index + 1, line))
            .filter(|(number, _)| !self.is_test_line(*number))
    }

    /// Whether a line is compiled for tests only.
    pub(crate) fn is_test_line(&self, number: usize) -> bool {
        let mut ranges = self.test_lines.iter();
        self.is_test || ranges.any(|(first, last)| (*first..=*last).contains(&number))
    }
}

/// Marks the files that others declare as `#[cfg(test)] mod name;`, and what lies below
/// them.
pub(crate) fn mark_tests(sources: &mut [Source]) {
    let mut roots = HashSet::new();
    for source in &*sources {
        let below = children_of(&source.path);
        roots.extend(source.test_modules.iter().map(|name| below.join(name)));
    }
    for source in sources {
        let stem = source.path.with_extension("");
        source.is_test |= stem.ancestors().any(|part| roots.contains(part));
    }
}

/// The directory that holds the modules of a file.
fn children_of(path: &Path) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default();
    if stem == "mod" || stem == "lib" || stem == "main" {
        path.parent().unwrap_or(Path::new("")).to_owned()
    } else {
        path.with_extension("")
    }
}

type Tests = (Vec<(usize, usize)>, Vec<String>);

fn tests_in(code: &str) -> Tests {
    let mut lines = Vec::new();
    let mut modules = Vec::new();
    let mut from = 0;
    while let Some(found) = code.get(from..).and_then(|rest| rest.find("#[cfg(test)]")) {
        let start = from + found;
        let rest = code.get(start..).unwrap_or_default();
        let end = match rest.find(['{', ';']) {
            Some(at) if rest.as_bytes().get(at) == Some(&b'{') => start + after_block(rest, at),
            Some(at) => {
                let item = rest.get(..at).unwrap_or_default();
                let mut words = item.split_whitespace().skip_while(|word| *word != "mod");
                modules.extend(words.nth(1).map(str::to_owned));
                start + at
            }
            None => code.len(),
        };
        lines.push((line_of(code, start), line_of(code, end)));
        from = end.max(start + 1);
    }
    (lines, modules)
}

/// The number of the line in which a byte lies.
pub(crate) fn line_of(code: &str, at: usize) -> usize {
    let before = code.as_bytes().get(..at).unwrap_or_default();
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}

/// The end of the block whose brace opens at `open`.
pub(crate) fn after_block(code: &str, open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 1 => return at,
            b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    code.len()
}

/// Takes comments and the content of literals out, and leaves all line ends.
fn code_of(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let previous = code.chars().next_back();
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if let Some(length) = literal(rest, previous) {
            code.push('"');
            length
        } else {
            code.push(first);
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
            continue;
        };
        let gone = rest.get(..length).unwrap_or(rest);
        code.extend(gone.chars().filter(|c| *c == '\n'));
        rest = rest.get(length..).unwrap_or_default();
    }
    code
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let bytes = rest.as_bytes();
    for (at, pair) in bytes.windows(2).enumerate() {
        match pair {
            b"/*" => depth += 1,
            b"*/" if depth == 1 => return at + 2,
            b"*/" => depth -= 1,
            _ => {}
        }
    }
    rest.len()
}

/// The length of the string or character literal that begins here.
fn literal(rest: &str, previous: Option<char>) -> Option<usize> {
    if rest.starts_with('"') {
        return Some(escaped(rest, '"'));
    }
    if let Some(raw) = rest.strip_prefix('r').filter(|_| !is_name(previous, rest)) {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        let inner = raw.trim_start_matches('#').strip_prefix('"')?;
        let end = format!("\"{}", "#".repeat(hashes));
        let length = inner.find(&end).map_or(inner.len(), |at| at + end.len());
        return Some(rest.len() - inner.len() + length);
    }
    // A lifetime has no second quote.
    let inner = rest.strip_prefix('\'')?;
    let mut chars = inner.chars();
    let first = chars.next()?;
    (first == '\\' || chars.next() == Some('\'')).then(|| escaped(rest, '\''))
}

/// Whether an `r` here is part of a name. `br"` and `cr"` are prefixes too.
fn is_name(previous: Option<char>, rest: &str) -> bool {
    let prefixed = matches!(previous, Some('b' | 'c')) && rest.get(1..2) != Some("_");
    !prefixed && previous.is_some_and(|c| c.is_alphanumeric() || c == '_')
}

/// The length of a literal in which a backslash hides the next character.
fn escaped(rest: &str, quote: char) -> usize {
    let mut hidden = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if hidden => hidden = false,
            '\\' => hidden = true,
            c if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_taken_out() {
        for (text, code) in [
            ("a // b\nc", "a \nc"),
            ("a /* b /* c */ d\n */ e", "a \n e"),
            (r#"f("a { \" b", 'x', '\'', '{')"#, "f(\", \", \", \")"),
            ("r#\"a \" { b\"# + br\"x\"", "\" + b\""),
            ("fn f<'a>(x: &'a str) {}", "fn f<'a>(x: &'a str) {}"),
            ("\"a\nb\"", "\"\n"),
            ("[b'{', b'\\'', b'\"']", "[b\", b\", b\"]"),
            ("for r in var {}", "for r in var {}"),
        ] {
            assert_eq!(code_of(text), code, "{text}");
        }
    }

    #[test]
    fn tests_are_no_product() {
        let text = "//! x\nfn a() {}\n#[cfg(test)]\nmod tests {\n  fn b() {}\n}\nfn c() {}\n";
        let source = Source::read("src/x.rs".into(), text);
        let lines: Vec<usize> = source.product_lines().map(|(number, _)| number).collect();
        assert_eq!(lines, [1, 2, 7]);
    }

    #[test]
    fn a_test_module_may_be_a_file() {
        let parent = Source::read("src/x.rs".into(), "#[cfg(test)]\nmod vectors;\n");
        let child = Source::read("src/x/vectors.rs".into(), "use std::fs;\n");
        let other = Source::read("src/vectors.rs".into(), "use std::fs;\n");
        let mut sources = [parent, child, other];
        mark_tests(&mut sources);
        assert_eq!(sources[1].product_lines().count(), 0);
        assert_eq!(sources[2].product_lines().count(), 1);
    }
}
