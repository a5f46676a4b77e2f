//! Django REST Framework on SQLite, `synchronous=FULL` (`bench/peers/django/`).

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::install::run;
use super::{Programs, granian};
use crate::server::Server;

const NAME: &str = "django";

/// Making one table.
const MIGRATE_AT_MOST: Duration = Duration::from_secs(60);

pub(super) fn prepare(programs: &Programs) -> anyhow::Result<String> {
    programs.python(NAME)?;
    let pinned = programs.pinned(NAME, &["django", "djangorestframework", "granian"])?;
    Ok(format!("{pinned} with {}", granian::about()))
}

pub(super) fn start(programs: &Programs, directory: &Path) -> anyhow::Result<Server> {
    let environment = programs.environment(NAME);
    let sources = programs.peers.join(NAME);
    let with_settings = |command: &mut Command| {
        command
            .env("DJANGO_SETTINGS_MODULE", "documents.settings")
            .env("DOCUMENTS_DATABASE", directory.join("documents.db"));
    };
    let mut migrate = Command::new(environment.join("bin/python"));
    migrate.args(["-m", "django", "migrate", "--run-syncdb"]);
    granian::in_place(&mut migrate, &sources);
    with_settings(&mut migrate);
    run(&mut migrate, MIGRATE_AT_MOST)?;
    let command = |address| {
        let application = "documents.wsgi:application";
        let mut command = granian::command(&environment, &sources, application, address);
        with_settings(&mut command);
        Ok(command)
    };
    Server::start(command, &directory.join("django.log"), "/bench/0", false)
}
