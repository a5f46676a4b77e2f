//! What a page says to type, and what it says is then printed.

/// How a block is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// By the page's shell.
    Shell,
    /// In the background.
    Server,
    /// Not at all: `cargo xtask`.
    Xtask,
}

/// A block of commands.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// The line of its first fence, counted from 1.
    pub(crate) line: usize,
    pub(crate) kind: Kind,
    pub(crate) text: String,
    pub(crate) expected: Option<String>,
}

struct Fenced {
    line: usize,
    language: String,
    text: String,
    /// Nothing but empty lines lies between it and the block before.
    adjoins: bool,
}

/// The blocks of commands of a page.
pub(crate) fn blocks(markdown: &str) -> Result<Vec<Block>, String> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut after_commands = false;
    for fenced in fenced(markdown)? {
        let is_output = matches!(fenced.language.as_str(), "text" | "http" | "json");
        let is_shown = is_output || fenced.language == "toml";
        let was_commands = std::mem::replace(&mut after_commands, fenced.language == "sh");
        if fenced.language == "sh" {
            let kind = kind(&fenced.text).map_err(|fault| format!("{}: {fault}", fenced.line))?;
            blocks.push(Block {
                line: fenced.line,
                kind,
                text: fenced.text,
                expected: None,
            });
        } else if is_shown && was_commands && fenced.adjoins {
            if let Some(block) = blocks.last_mut() {
                block.expected = Some(fenced.text);
            }
        } else if is_output {
            return Err(format!(
                "{}: this {} block does not follow the commands that print it",
                fenced.line, fenced.language
            ));
        }
    }
    Ok(blocks)
}

/// Lines that are commands: neither empty nor comments.
pub(crate) fn command_lines(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn kind(text: &str) -> Result<Kind, String> {
    let lines: Vec<&str> = command_lines(text).collect();
    let of_xtask = lines
        .iter()
        .filter(|line| line.starts_with("cargo xtask"))
        .count();
    if of_xtask > 0 && of_xtask == lines.len() {
        return Ok(Kind::Xtask);
    }
    let joined = text.replace("\\\n", " ");
    let lines: Vec<&str> = command_lines(&joined).collect();
    let has_server = lines.iter().any(|line| starts_server(line));
    match (has_server, lines.len(), of_xtask) {
        (false, _, 0) => Ok(Kind::Shell),
        (true, 1, 0) => Ok(Kind::Server),
        (_, _, 0) => Err("a server is started in a block of its own".to_owned()),
        _ => Err("`cargo xtask` lines stand in a block of their own".to_owned()),
    }
}

/// Whether the line starts a server and goes on until that ends. A line that handles
/// the end (`|| ...`) expects it soon.
fn starts_server(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    let serves = words
        .windows(2)
        .any(|pair| matches!(pair, ["matchbook" | "--", "serve"]));
    let ends = words
        .iter()
        .any(|word| matches!(*word, "--help" | "-h" | "||" | "&" | "|"));
    serves && !ends
}

fn fenced(markdown: &str) -> Result<Vec<Fenced>, String> {
    let mut found: Vec<Fenced> = Vec::new();
    let mut open: Option<(Fenced, usize)> = None;
    let mut adjoins = false;
    for (index, line) in markdown.lines().enumerate() {
        let fence = line.trim_start().strip_prefix("```");
        match (&mut open, fence) {
            (None, Some(language)) => {
                let indent = line.len() - line.trim_start().len();
                let fenced = Fenced {
                    line: index + 1,
                    language: language.trim().to_owned(),
                    text: String::new(),
                    adjoins,
                };
                open = Some((fenced, indent));
            }
            (Some(_), Some("")) => {
                found.extend(open.take().map(|(fenced, _)| fenced));
                adjoins = true;
            }
            (Some((fenced, indent)), _) => {
                let line = line.get(*indent..).unwrap_or_default();
                fenced.text.push_str(line);
                fenced.text.push('\n');
            }
            (None, None) => adjoins &= line.trim().is_empty(),
        }
    }
    match open {
        Some((fenced, _)) => Err(format!("{}: this block has no end", fenced.line)),
        None => Ok(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "\
# Title
```sh
matchbook serve
```
Text.
```sh
curl -i \\
  http://localhost:2040/a/b
```

```http
HTTP/1.1 200 OK
```
   ```sh
   cargo xtask test
   ```
```toml
listen = 1
```
";

    #[test]
    fn blocks_are_found_with_what_they_print() {
        let blocks = blocks(PAGE).unwrap();
        let kinds: Vec<Kind> = blocks.iter().map(|block| block.kind).collect();
        assert_eq!(kinds, [Kind::Server, Kind::Shell, Kind::Xtask]);
        assert_eq!(blocks[0].expected, None);
        assert_eq!(blocks[1].line, 6);
        assert_eq!(blocks[1].expected.as_deref(), Some("HTTP/1.1 200 OK\n"));
        assert_eq!(blocks[2].text, "cargo xtask test\n");
    }

    #[test]
    fn what_cannot_be_run_is_refused() {
        for page in [
            "```sh\necho\n",
            "Text.\n```text\noutput of nothing\n```\n",
            "```sh\necho\n```\nText.\n```text\nnot adjoining\n```\n",
            "```sh\nmatchbook serve\necho\n```\n",
            "```sh\ncargo xtask test\necho\n```\n",
        ] {
            assert!(blocks(page).is_err(), "{page}");
        }
    }

    #[test]
    fn a_server_that_is_meant_to_end_is_a_command() {
        assert_eq!(kind("matchbook serve --help\n"), Ok(Kind::Shell));
        assert_eq!(
            kind("matchbook serve --open x || echo $?\n"),
            Ok(Kind::Shell)
        );
        assert_eq!(
            kind("cargo run --release -- serve # a comment\n"),
            Ok(Kind::Server)
        );
    }
}
