//! The command that goes on where a stopped import ended.

/// The arguments with `--from` set anew, quoted for a shell.
pub(super) fn command(args: impl Iterator<Item = String>, from: u64) -> String {
    let mut words = Vec::new();
    let mut args = args;
    while let Some(arg) = args.next() {
        if arg == "--from" {
            args.next();
        } else if !arg.starts_with("--from=") {
            words.push(quote(&arg));
        }
    }
    words.push(format!("--from {from}"));
    words.join(" ")
}

fn quote(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_can_be_pasted_into_a_shell() {
        let args = [
            "matchbook",
            "import",
            "/n",
            "my file's.json",
            "--from",
            "3",
            "--id=/a b",
            "--from=9",
        ];
        let args = args.into_iter().map(str::to_owned);
        assert_eq!(
            command(args, 12),
            r"matchbook import /n 'my file'\''s.json' '--id=/a b' --from 12"
        );
    }
}
