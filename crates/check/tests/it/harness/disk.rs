//! A directory whose every change is recorded, and that fails when told to.
//!
//! Below it lies the data of a server that runs with the library `matchbook-faulty-disk`,
//! whose documentation says what a log and a plan are.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::binary;
use super::server::{Server, Variables};

/// In memory, where that is possible: what is not synced is what the log says, and a sync
/// costs nothing.
const MEMORY: &str = "/dev/shm";

/// A place for the files of a test that syncs often and needs no disk for it.
pub(crate) fn temporary() -> TempDir {
    if Path::new(MEMORY).is_dir() {
        TempDir::new_in(MEMORY).unwrap()
    } else {
        TempDir::new().unwrap()
    }
}

/// The directory.
pub(crate) struct Disk {
    root: PathBuf,
    /// Holds the log and the plan, and the root unless that is elsewhere.
    directory: TempDir,
}

impl Disk {
    /// An empty one.
    pub(crate) fn new() -> Self {
        let directory = temporary();
        let root = directory.path().join("root");
        fs::create_dir(&root).unwrap();
        Self::at(&root, directory)
    }

    /// One that lies elsewhere.
    pub(crate) fn on(root: &Path) -> Self {
        Self::at(root, temporary())
    }

    fn at(root: &Path, directory: TempDir) -> Self {
        let root = fs::canonicalize(root).unwrap();
        Self { root, directory }
    }

    /// The directory that is recorded.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Where a server on it has its data.
    pub(crate) fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    /// Where all that is done to it is written down.
    pub(crate) fn log(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    /// A server on it, whose doings are recorded and fail as planned.
    ///
    /// # Errors
    /// What it said, if it did not start.
    pub(crate) fn try_serve(&self) -> Result<Server, String> {
        Server::try_on(&self.data(), &[], self.variables(true))
    }

    /// A server on it whose doings are recorded and fail as planned.
    #[track_caller]
    pub(crate) fn serve(&self) -> Server {
        self.try_serve().unwrap()
    }

    /// As [`Self::serve`], without a record.
    #[track_caller]
    pub(crate) fn serve_unrecorded(&self) -> Server {
        Server::try_on(&self.data(), &[], self.variables(false)).unwrap()
    }

    /// From the next call on, these faults happen to the server that runs, or to the next
    /// one.
    pub(crate) fn plan(&self, faults: &str) {
        let _ = fs::remove_file(self.hit());
        let new = self.directory.path().join("plan.new");
        fs::write(&new, faults).unwrap();
        fs::rename(new, self.plan_file()).unwrap();
    }

    /// No faults any more, for the next server.
    pub(crate) fn plan_nothing(&self) {
        let _ = fs::remove_file(self.plan_file());
    }

    /// Whether a planned fault has happened.
    pub(crate) fn was_hit(&self) -> bool {
        self.hit().exists()
    }

    fn plan_file(&self) -> PathBuf {
        self.directory.path().join("plan")
    }

    fn hit(&self) -> PathBuf {
        self.directory.path().join("plan.hit")
    }

    fn variables(&self, recorded: bool) -> Variables {
        let mut variables: Variables = vec![
            ("LD_PRELOAD", binary::faulty_disk().into()),
            ("FAULTY_DISK_ROOT", self.root.clone().into()),
            ("FAULTY_DISK_PLAN", self.plan_file().into()),
        ];
        if recorded {
            variables.push(("FAULTY_DISK_LOG", OsString::from(self.log())));
        }
        variables
    }
}
