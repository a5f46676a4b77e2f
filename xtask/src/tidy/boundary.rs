//! What the parts of the system must never know (`ARCHITECTURE.md`).

use std::path::Path;

use super::Fault;
use super::source::Source;

/// Names that a part must not mention.
struct Boundary {
    /// Where it holds.
    below: &'static str,
    /// Files below in which it does not.
    except: &'static [&'static str],
    forbidden: &'static [&'static str],
    why: &'static str,
    /// Whether it holds in tests too.
    in_tests: bool,
}

const BOUNDARIES: &[Boundary] = &[
    Boundary {
        below: "crates/core",
        except: &[],
        forbidden: &[
            "tokio",
            "hyper",
            "rusqlite",
            "rand",
            "getrandom",
            "std::fs",
            "TcpStream",
            "TcpListener",
            "UdpSocket",
            "ToSocketAddrs",
            "std::env",
            "std::thread",
            "SystemTime::now",
            "Instant::now",
        ],
        why: "core is pure: it is told the time, and knows no files, sockets and chance",
        in_tests: false,
    },
    Boundary {
        below: "crates/access/src",
        except: &[],
        forbidden: &[
            "http",
            "hyper",
            "tokio",
            "rusqlite",
            "matchbook_store",
            "getrandom",
            "std::fs",
            "TcpStream",
            "std::env",
            "std::thread",
            "SystemTime::now",
            "Instant::now",
        ],
        why: "access is pure: keys, policies and the time are given to it, and it knows no HTTP",
        in_tests: false,
    },
    Boundary {
        below: "crates/store",
        except: &[],
        forbidden: &[
            "StatusCode",
            "HeaderName",
            "HeaderMap",
            "hyper",
            "axum",
            "http",
        ],
        why: "the store knows revisions and bytes, and nothing of HTTP",
        in_tests: true,
    },
    Boundary {
        below: "crates/server",
        except: &[],
        forbidden: &["rusqlite"],
        why: "the server knows the store's trait, and nothing of SQL",
        in_tests: true,
    },
    Boundary {
        below: "crates/server",
        except: ENGINE_IS_NAMED_IN,
        forbidden: &["sqlite", "SqliteStore"],
        why: "only the program's commands name an engine",
        in_tests: false,
    },
    Boundary {
        below: "crates/check",
        except: &[],
        forbidden: OUR_CRATES,
        why: "the checks speak HTTP only, so that they share no fault with the server",
        in_tests: true,
    },
    Boundary {
        below: "crates/simulate",
        except: &[],
        forbidden: &[
            "sqlite",
            "SqliteStore",
            "hyper",
            "std::fs",
            "std::thread",
            "std::time::Instant",
            "SystemTime::now",
            "getrandom",
            "TcpStream",
            "TcpListener",
        ],
        why: "all that happens in a simulation comes from its seed",
        in_tests: true,
    },
    Boundary {
        below: "crates/properties/src/oracle",
        except: &[],
        forbidden: OUR_CRATES,
        why: "what says what is right shares no code with what is judged",
        in_tests: true,
    },
    Boundary {
        below: "bench",
        except: &[],
        forbidden: OUR_CRATES,
        why: "the benchmark speaks HTTP only",
        in_tests: true,
    },
];

/// Where the program opens, copies or restores a store.
const ENGINE_IS_NAMED_IN: &[&str] = &[
    "crates/server/src/cli/serve.rs",
    "crates/server/src/cli/backup.rs",
];

/// Crates that those who speak HTTP only must not import.
const OUR_CRATES: &[&str] = &[
    "matchbook",
    "matchbook_access",
    "matchbook_core",
    "matchbook_store",
];

/// Packages that they must not depend on.
const OURS: [&str; 4] = [
    "matchbook",
    "matchbook-access",
    "matchbook-core",
    "matchbook-store",
];

pub(super) fn faults(source: &Source) -> Vec<Fault> {
    let mut faults = Vec::new();
    for boundary in BOUNDARIES {
        let excepted = boundary
            .except
            .iter()
            .any(|file| source.path == Path::new(file));
        if !source.path.starts_with(boundary.below) || excepted {
            continue;
        }
        let lines: Vec<(usize, &str)> = if boundary.in_tests {
            let lines = source.code.lines().enumerate();
            lines.map(|(index, line)| (index + 1, line)).collect()
        } else {
            source.product_lines().collect()
        };
        for (number, line) in lines {
            for name in boundary.forbidden.iter().filter(|name| names(line, name)) {
                faults.push(Fault {
                    path: source.path.clone(),
                    line: number,
                    what: format!("`{name}`: {}", boundary.why),
                });
            }
        }
    }
    faults
}

/// Whether a line of code names an item, or something inside it.
fn names(line: &str, name: &str) -> bool {
    let in_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(name).any(|(at, _)| {
        let before = line.get(..at).unwrap_or_default();
        let after = line.get(at + name.len()..).unwrap_or_default();
        let is_path = after.starts_with("::") || !name.starts_with(char::is_lowercase);
        let is_used = before.trim_end().ends_with("use") || name.contains("::");
        !before.ends_with(in_name) && !after.starts_with(in_name) && (is_path || is_used)
    })
}

/// The packages that do not take the workspace's lints, which forbid `unsafe`: they are called
/// by C. The first is loaded by tests only; in the second one module may.
const OWN_LINTS: [&str; 2] = ["crates/check/disk/Cargo.toml", "crates/pages/Cargo.toml"];

pub(super) fn manifest_faults(path: &Path, text: &str) -> Vec<Fault> {
    let mut faults = Vec::new();
    let is_workspace = text.contains("[workspace]\n");
    let takes_lints = text.contains("[lints]\nworkspace = true\n");
    if !is_workspace && !takes_lints && !OWN_LINTS.iter().any(|own| path == Path::new(own)) {
        faults.push(Fault {
            path: path.to_owned(),
            line: 1,
            what: format!(
                "no `[lints] workspace = true`: only {} have lints of their own",
                OWN_LINTS.join(" and ")
            ),
        });
    }
    let speaks_http_only = path.starts_with("crates/check") || path.starts_with("bench");
    if !speaks_http_only {
        return faults;
    }
    for (index, line) in text.lines().enumerate() {
        let name = line.split(['=', '.', ' ']).next().unwrap_or_default();
        if OURS.contains(&name) {
            faults.push(Fault {
                path: path.to_owned(),
                line: index + 1,
                what: format!("`{name}`: this part speaks HTTP only"),
            });
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults_in(path: &str, text: &str) -> usize {
        faults(&Source::read(path.into(), text)).len()
    }

    #[test]
    fn what_crosses_a_boundary_is_found() {
        for (path, text, number) in [
            ("crates/core/src/x.rs", "use std::fs::File;", 1),
            ("crates/core/src/x.rs", "let at = Instant::now();", 1),
            ("crates/core/src/x.rs", "// std::fs is not for us", 0),
            ("crates/core/src/x.rs", "let operand = brand::X;", 0),
            (
                "crates/core/src/x.rs",
                "#[cfg(test)]\nmod tests {\nuse std::fs;\n}",
                0,
            ),
            ("crates/access/src/x.rs", "use http::StatusCode;", 1),
            ("crates/access/src/x.rs", "SystemTime::now()", 1),
            ("crates/access/src/x.rs", "use ring::rand::SystemRandom;", 0),
            ("crates/store/src/x.rs", "use http::StatusCode;", 2),
            ("crates/store/src/x.rs", "let http = 1;", 0),
            (
                "crates/server/src/x.rs",
                "use matchbook_store::sqlite::SqliteStore;",
                2,
            ),
            (
                "crates/server/src/cli/serve.rs",
                "use matchbook_store::sqlite::SqliteStore;",
                0,
            ),
            (
                "crates/check/tests/it/x.rs",
                "use matchbook_core::limits;",
                1,
            ),
            ("crates/check/tests/it/x.rs", "let matchbook = start();", 0),
            (
                "crates/simulate/tests/simulation/x.rs",
                "let at = SystemTime::now();",
                1,
            ),
            (
                "crates/simulate/tests/simulation/x.rs",
                "use tokio::time::Instant;",
                0,
            ),
            (
                "crates/properties/src/oracle/x.rs",
                "use matchbook_core::json::equal;",
                1,
            ),
            (
                "crates/properties/src/x.rs",
                "use matchbook_core::json::equal;",
                0,
            ),
        ] {
            assert_eq!(faults_in(path, text), number, "{path}: {text}");
        }
    }

    #[test]
    fn what_speaks_http_only_depends_on_no_part() {
        let text = "[dependencies]\nmatchbook-core.workspace = true\nmatchbook-bench = \"1\"\n\
            [lints]\nworkspace = true\n";
        assert_eq!(
            manifest_faults(Path::new("bench/Cargo.toml"), text).len(),
            1
        );
        assert_eq!(
            manifest_faults(Path::new("crates/server/Cargo.toml"), text),
            []
        );
    }

    #[test]
    fn one_package_has_lints_of_its_own() {
        let text = "[lints.rust]\nmissing_docs = \"warn\"\n";
        for own in OWN_LINTS {
            assert_eq!(manifest_faults(Path::new(own), text), []);
        }
        let others = Path::new("crates/store/Cargo.toml");
        assert_eq!(manifest_faults(others, text).len(), 1);
        assert_eq!(
            manifest_faults(Path::new("Cargo.toml"), "[workspace]\n"),
            []
        );
    }
}
