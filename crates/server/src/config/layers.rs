//! Flags over environment over file over defaults, and the record of who won.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};

use super::{Kind, Setting, Settings, TABLE, Texts};

/// The file that is read if it is there and no other is named.
const DEFAULT_FILE: &str = "matchbook.toml";

/// The variable that names the file.
const FILE_VARIABLE: &str = "MATCHBOOK_CONFIG";

/// Everything that was said about the settings, by layer.
pub struct Layers<'a> {
    /// By key, what the flags said.
    pub flags: BTreeMap<&'static str, Vec<String>>,
    /// `--config`.
    pub file: Option<PathBuf>,
    /// Looks an environment variable up.
    pub environment: &'a dyn Fn(&str) -> Option<String>,
    /// Reads a file.
    pub read_file: &'a dyn Fn(&Path) -> std::io::Result<String>,
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// This flag.
    Flag(String),
    /// This environment variable.
    Environment(String),
    /// This file.
    File(PathBuf),
    /// Nobody said anything.
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "flag --{flag}"),
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// Why there are no settings. Its text is for the person who configures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(String);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}

/// The settings, and for each where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// What to run with.
    pub settings: Settings,
    given: BTreeMap<&'static str, (Texts, Source)>,
}

impl Layers<'_> {
    /// Decides between the layers.
    ///
    /// # Errors
    /// [`ConfigError`] for a file that cannot be read, an unknown key, a value that is
    /// not of its setting's type, and settings that do not go together.
    pub fn resolve(&self) -> Result<Resolved, ConfigError> {
        let file = self.load_file()?;
        let mut given = BTreeMap::new();
        for setting in TABLE {
            given.insert(setting.key, self.pick(setting, file.as_ref())?);
        }
        let texts_of = |key| {
            given
                .get(key)
                .map_or_else(Vec::new, |(texts, _): &(Texts, Source)| texts.clone())
        };
        let settings = Settings::read(texts_of).map_err(|(key, fault)| {
            let source = given
                .get(key)
                .map_or(&Source::Default, |(_, source)| source);
            ConfigError(format!("{key} ({source}): {fault}"))
        })?;
        settings.check().map_err(ConfigError)?;
        Ok(Resolved { settings, given })
    }

    fn pick(
        &self,
        setting: &Setting,
        file: Option<&(PathBuf, toml::Table)>,
    ) -> Result<(Texts, Source), ConfigError> {
        if let Some(texts) = self.flags.get(setting.key) {
            return Ok((texts.clone(), Source::Flag(setting.flag())));
        }
        let variable = setting.variable();
        // An empty variable counts as not set: many tools can only blank one.
        if let Some(text) = (self.environment)(&variable).filter(|text| !text.is_empty()) {
            let texts = match setting.kind {
                Kind::List => text.split(',').map(|item| item.trim().to_owned()).collect(),
                Kind::Switch | Kind::Number | Kind::Text => vec![text],
            };
            return Ok((texts, Source::Environment(variable)));
        }
        if let Some((path, table)) = file
            && let Some(value) = table.get(setting.key)
        {
            let texts = texts_in_file(setting, value)
                .map_err(|fault| ConfigError(format!("{}: {fault}", path.display())))?;
            return Ok((texts, Source::File(path.clone())));
        }
        Ok((default_texts(setting), Source::Default))
    }

    fn load_file(&self) -> Result<Option<(PathBuf, toml::Table)>, ConfigError> {
        let named = self.file.clone().or_else(|| {
            let named = (self.environment)(FILE_VARIABLE).filter(|text| !text.is_empty());
            named.map(PathBuf::from)
        });
        let path = named.clone().unwrap_or_else(|| DEFAULT_FILE.into());
        let text = match (self.read_file)(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && named.is_none() => {
                return Ok(None);
            }
            Err(error) => {
                return Err(ConfigError(format!(
                    "cannot read the configuration file {}: {error}",
                    path.display()
                )));
            }
        };
        let table: toml::Table = text
            .parse()
            .map_err(|fault| ConfigError(format!("{}: {fault}", path.display())))?;
        match table.keys().find(|key| !is_known(key)) {
            Some(unknown) => Err(ConfigError(format!(
                "{}: unknown key {unknown:?}; did you mean {:?}?",
                path.display(),
                nearest(unknown)
            ))),
            None => Ok(Some((path, table))),
        }
    }
}

pub(super) fn default_texts(setting: &Setting) -> Texts {
    match setting.default {
        "" => Vec::new(),
        text => vec![text.to_owned()],
    }
}

fn is_known(key: &str) -> bool {
    TABLE.iter().any(|setting| setting.key == key)
}

/// The known key that is most like this one.
fn nearest(unknown: &str) -> &'static str {
    let likeness = |setting: &&Setting| {
        let key = strsim::jaro_winkler(setting.key, &unknown.replace('-', "_"));
        (key * 1e6) as u64
    };
    let nearest = TABLE.iter().max_by_key(likeness);
    nearest.map_or("", |setting| setting.key)
}

fn texts_in_file(setting: &Setting, value: &toml::Value) -> Result<Texts, String> {
    let (key, wanted) = match setting.kind {
        Kind::Switch => (setting.key, "true or false"),
        Kind::Number => (setting.key, "an integer"),
        Kind::Text => (setting.key, "a string"),
        Kind::List => (setting.key, "a list of strings"),
    };
    let fault = || format!("{key} must be {wanted}, not {value}");
    match (setting.kind, value) {
        (Kind::Switch, toml::Value::Boolean(value)) => Ok(vec![value.to_string()]),
        (Kind::Number, toml::Value::Integer(value)) => Ok(vec![value.to_string()]),
        (Kind::Text, toml::Value::String(value)) => Ok(vec![value.clone()]),
        (Kind::List, toml::Value::Array(values)) => {
            let texts = values.iter().map(|value| value.as_str().map(str::to_owned));
            texts.collect::<Option<Texts>>().ok_or_else(fault)
        }
        _ => Err(fault()),
    }
}

impl Resolved {
    /// Where this setting's value came from.
    #[must_use]
    pub fn source(&self, key: &str) -> &Source {
        self.given
            .get(key)
            .map_or(&Source::Default, |(_, source)| source)
    }

    /// The settings as a TOML file that would give the same ones, with a comment for
    /// each that says where it came from.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut lines = Vec::new();
        for setting in TABLE {
            let texts = self
                .given
                .get(setting.key)
                .map(|(texts, _)| texts.as_slice());
            lines.push((
                line_of_toml(setting, texts.unwrap_or_default()),
                self.source(setting.key),
            ));
        }
        let width = lines.iter().map(|(line, _)| line.chars().count()).max();
        let width = width.unwrap_or_default();
        let mut text = String::new();
        for (line, source) in lines {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{line:width$}  # {source}");
        }
        text
    }
}

fn line_of_toml(setting: &Setting, texts: &[String]) -> String {
    let string = |text: &String| toml::Value::String(text.clone()).to_string();
    let key = setting.key;
    match (setting.kind, texts.last()) {
        (Kind::List, _) => {
            let items: Vec<_> = texts.iter().map(string).collect();
            format!("{key} = [{}]", items.join(", "))
        }
        (_, None) => format!("# {key} is not set"),
        (Kind::Switch, Some(text)) => {
            let is_on = matches!(text.as_str(), "true" | "1" | "yes" | "on");
            format!("{key} = {is_on}")
        }
        (Kind::Number, Some(text)) => format!("{key} = {text}"),
        (Kind::Text, Some(text)) => format!("{key} = {}", string(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Resolves with these flags, variables and file (name and text).
    fn resolve(
        flags: &[(&'static str, &str)],
        variables: &[(&str, &str)],
        file: Option<(&str, &str)>,
    ) -> Result<Resolved, ConfigError> {
        let mut by_key: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
        for (key, text) in flags {
            by_key.entry(key).or_default().push((*text).to_owned());
        }
        let environment = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, text)| (*text).to_owned())
        };
        let read_file = |path: &Path| match file {
            Some((name, text)) if Path::new(name) == path => Ok(text.to_owned()),
            _ => Err(std::io::ErrorKind::NotFound.into()),
        };
        let layers = Layers {
            flags: by_key,
            file: None,
            environment: &environment,
            read_file: &read_file,
        };
        layers.resolve()
    }

    #[test]
    fn flags_beat_the_environment_beats_the_file_beats_defaults() {
        let file = Some(("matchbook.toml", "listen = '127.0.0.1:3'\n"));
        let variable = ("MATCHBOOK_LISTEN", "127.0.0.1:2");
        let flag = ("listen", "127.0.0.1:1");
        let from_file = Source::File("matchbook.toml".into());
        let from_environment = Source::Environment("MATCHBOOK_LISTEN".into());
        type Case<'a> = (
            &'a [(&'static str, &'a str)],
            &'a [(&'a str, &'a str)],
            Option<(&'a str, &'a str)>,
            u16,
            Source,
        );
        let cases: [Case<'_>; 6] = [
            (&[flag], &[variable], file, 1, Source::Flag("listen".into())),
            (&[], &[variable], file, 2, from_environment),
            (&[], &[], file, 3, from_file.clone()),
            (&[], &[("MATCHBOOK_LISTEN", "")], file, 3, from_file),
            (&[], &[], None, 2040, Source::Default),
            (&[flag], &[], None, 1, Source::Flag("listen".into())),
        ];
        for (flags, variables, file, port, source) in cases {
            let resolved = resolve(flags, variables, file).unwrap();
            assert_eq!(resolved.settings.listen.port(), port);
            assert_eq!(resolved.source("listen"), &source);
        }
    }

    #[test]
    fn every_setting_has_its_flag_its_variable_and_its_key() {
        let samples = [
            ("data", "d", "'d'"),
            ("listen", "127.0.0.1:9", "'127.0.0.1:9'"),
            ("open", "false", "false"),
            ("host", "a,b", "['a', 'b']"),
            (
                "cors_origin",
                "http://a, http://b",
                "['http://a', 'http://b']",
            ),
            ("tls_cert", "c", "'c'"),
            ("tls_key", "k", "'k'"),
            ("auth_key", "k,https://h/jwks", "['k', 'https://h/jwks']"),
            ("auth_issuer", "i", "'i'"),
            ("auth_audience", "a", "'a'"),
            ("log", "json", "'json'"),
            ("access_log", "true", "true"),
            ("max_connections", "7", "7"),
            ("rate_limit", "7", "7"),
            ("rate_burst", "7", "7"),
            ("drain_seconds", "7", "7"),
            ("cache_mib", "7", "7"),
            ("retention_seconds", "7", "7"),
            ("retention_changes", "7", "7"),
            ("retention_mib", "7", "7"),
            ("max_document_bytes", "7", "7"),
        ];
        assert_eq!(samples.map(|(key, ..)| key).as_slice(), {
            let keys: Vec<_> = TABLE.iter().map(|setting| setting.key).collect();
            keys
        });
        let variables: Vec<_> = samples
            .iter()
            .map(|(key, text, _)| (format!("MATCHBOOK_{}", key.to_uppercase()), *text))
            .collect();
        let variables: Vec<_> = variables.iter().map(|(k, v)| (k.as_str(), *v)).collect();
        let file: String = samples
            .iter()
            .map(|(key, _, toml)| format!("{key} = {toml}\n"))
            .collect();
        let from_environment = resolve(&[], &variables, None).unwrap();
        let from_file = resolve(&[], &[], Some(("matchbook.toml", &file))).unwrap();
        assert_eq!(from_environment.settings, from_file.settings);
        assert_ne!(from_file.settings, Settings::default());
    }

    #[test]
    fn faults_name_the_place_and_help() {
        let file = |text| resolve(&[], &[], Some(("matchbook.toml", text)));
        let cases = [
            (
                file("lisen = 'x'"),
                vec!["matchbook.toml", "\"lisen\"", "\"listen\""],
            ),
            (file("cors-origin = []"), vec!["\"cors_origin\""]),
            (file("open = 'yes'"), vec!["open must be true or false"]),
            (file("host = 'a'"), vec!["host must be a list"]),
            (file("host = [1]"), vec!["host must be a list"]),
            (file("cache_mib = -1"), vec!["cache_mib", "\"-1\""]),
            (file("data ="), vec!["matchbook.toml", "line 1"]),
            (
                resolve(&[], &[("MATCHBOOK_OPEN", "maybe")], None),
                vec!["open", "MATCHBOOK_OPEN", "maybe"],
            ),
            (
                resolve(&[("listen", "here")], &[], None),
                vec!["--listen", "here"],
            ),
            (
                resolve(&[], &[("MATCHBOOK_CONFIG", "gone.toml")], None),
                vec!["gone.toml"],
            ),
        ];
        for (result, parts) in cases {
            let text = result.map(|_| ()).unwrap_err().to_string();
            for part in parts {
                assert!(text.contains(part), "{part:?} is not in {text:?}");
            }
        }
    }

    #[test]
    fn what_config_prints_gives_the_same_settings_again() {
        let flags = [("host", "a"), ("host", "b\"c"), ("log", "json")];
        let printed = resolve(&flags[..1], &[("MATCHBOOK_OPEN", "on")], None).unwrap();
        let text = printed.to_toml();
        assert!(text.contains("# flag --host"), "{text}");
        assert!(text.contains("# environment variable MATCHBOOK_OPEN"));
        assert!(text.contains("# default"));
        let again = resolve(&[], &[], Some(("matchbook.toml", &text))).unwrap();
        assert_eq!(again.settings, printed.settings);
        assert!(resolve(&flags, &[], None).is_err());
    }
}
