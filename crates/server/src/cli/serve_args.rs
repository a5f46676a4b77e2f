//! The flags of `serve` and `config`, made from the table of settings.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, value_parser};
use matchbook::config::{Kind, Layers, Resolved, Setting, TABLE};

use super::exit::{Exit, Failure, Outcome};

const SERVE_EXAMPLES: &str = "\
Each setting can also come from a variable (MATCHBOOK_CORS_ORIGIN for --cors-origin, commas
between several) or from the TOML file (the key cors_origin). Flags beat variables, and those
beat the file; 'matchbook config' shows what came from where.

Examples:
  matchbook serve
  matchbook serve --data /var/lib/matchbook --listen 127.0.0.1:8080
  matchbook serve --cors-origin http://localhost:5173 --access-log
  matchbook serve --listen 0.0.0.0:2040 --open --host files.local
  matchbook serve --auth-key public.pem --auth-issuer me --auth-audience notes";

const CONFIG_EXAMPLES: &str = "\
Takes the same flags as 'serve', reads the same variables and the same file, and starts nothing.

Examples:
  matchbook config
  matchbook config --listen 127.0.0.1:8080 > matchbook.toml";

/// What the flags said about the settings.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flags {
    by_key: BTreeMap<&'static str, Vec<String>>,
    file: Option<PathBuf>,
}

#[derive(Args, Debug)]
#[command(after_help = SERVE_EXAMPLES)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    flags: Flags,
}

#[derive(Args, Debug)]
#[command(after_help = CONFIG_EXAMPLES)]
pub(crate) struct ConfigArgs {
    #[command(flatten)]
    flags: Flags,
}

impl ServeArgs {
    /// Decides between flags, environment, file and defaults.
    pub(crate) fn resolve(self) -> Result<Resolved, Failure> {
        self.flags.resolve()
    }
}

impl ConfigArgs {
    pub(crate) fn run(self) -> Outcome {
        let resolved = self.flags.resolve()?;
        std::io::stdout().write_all(resolved.to_toml().as_bytes())?;
        Ok(Exit::Done)
    }
}

impl Flags {
    fn resolve(self) -> Result<Resolved, Failure> {
        let layers = Layers {
            flags: self.by_key,
            file: self.file,
            environment: &|name| std::env::var(name).ok(),
            read_file: &|path: &Path| std::fs::read_to_string(path),
        };
        layers.resolve().map_err(Failure::usage)
    }
}

impl Args for Flags {
    fn augment_args(command: Command) -> Command {
        let file = Arg::new("config")
            .long("config")
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .help(
                "TOML file with settings; without it, matchbook.toml if it is there \
                 [env: MATCHBOOK_CONFIG]",
            );
        command.args(TABLE.iter().map(arg)).arg(file)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn arg(setting: &'static Setting) -> Arg {
    let default = match setting.default {
        "" => String::new(),
        default => format!(" [default: {default}]"),
    };
    let help = format!("{}{default}", setting.help.trim());
    let arg = Arg::new(setting.key)
        .long(setting.flag())
        .value_name(setting.value_name)
        .help(help);
    match setting.kind {
        Kind::Switch => arg
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true"),
        Kind::List => arg.action(ArgAction::Append),
        Kind::Number | Kind::Text => arg,
    }
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for setting in TABLE {
            if let Some(texts) = matches.get_many::<String>(setting.key) {
                self.by_key.insert(setting.key, texts.cloned().collect());
            }
        }
        if let Some(file) = matches.get_one::<PathBuf>("config") {
            self.file = Some(file.clone());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::{Cli, Command};
    use super::*;

    fn serve(args: &[&str]) -> Flags {
        let words = ["matchbook", "serve"].iter().chain(args);
        match Cli::try_parse_from(words).unwrap().command {
            Command::Serve(args) => args.flags,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn flags_are_those_of_the_table() {
        let flags = serve(&[
            "--open",
            "--access-log=false",
            "--cors-origin",
            "http://a",
            "--cors-origin=http://b",
            "--config",
            "x.toml",
        ]);
        let texts = |key| flags.by_key.get(key).map(|texts| texts.join(" "));
        assert_eq!(texts("open").as_deref(), Some("true"));
        assert_eq!(texts("access_log").as_deref(), Some("false"));
        assert_eq!(texts("cors_origin").as_deref(), Some("http://a http://b"));
        assert_eq!(texts("data"), None);
        assert_eq!(flags.file.as_deref(), Some(Path::new("x.toml")));
    }
}
