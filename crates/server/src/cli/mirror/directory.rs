//! The directory of a mirror: a file for each document, and `.matchbook` for the
//! mirror itself.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use super::super::exit::Failure;
use super::keeper::Disk;
use super::name::file_of;

/// What is the mirror's own. No document has such a name.
const OWN: &str = ".matchbook";

/// A directory that no other mirror works in.
#[derive(Debug)]
pub(super) struct Directory {
    root: PathBuf,
    own: PathBuf,
    journal: File,
    /// Locked while the process lives.
    _lock: File,
}

impl Directory {
    /// Opens a directory, or makes it, and reads its journal.
    ///
    /// # Errors
    /// It holds other files and was no mirror before, unless that `is_fine`; another
    /// mirror is at work in it; it cannot be read or written.
    pub(super) fn open(root: &Path, is_fine: bool) -> Result<(Self, String), Failure> {
        let shown = root.display();
        let fault = |error: io::Error| Failure::usage(format!("{shown}: {error}"));
        fs::create_dir_all(root).map_err(fault)?;
        let own = root.join(OWN);
        let is_mirror = own.join("journal").exists();
        if !is_mirror && !is_fine && has_files(root).map_err(fault)? {
            return Err(Failure::usage(format!(
                "{shown} holds other files; take an empty directory, or --force to put the \
                 documents beside them"
            )));
        }
        fs::create_dir_all(&own).map_err(fault)?;
        let lock = File::create(own.join("lock")).map_err(fault)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Failure::usage(format!(
                    "another mirror is at work in {shown}"
                )));
            }
            Err(TryLockError::Error(error)) => return Err(fault(error)),
        }
        let text = match fs::read(own.join("journal")) {
            // What is no text is torn.
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            Err(error) => return Err(fault(error)),
        };
        let journal = open_journal(&own).map_err(fault)?;
        let directory = Self {
            root: root.to_owned(),
            own,
            journal,
            _lock: lock,
        };
        Ok((directory, text))
    }

    fn path(&self, id: &str) -> PathBuf {
        self.root.join(file_of(id))
    }
}

impl Disk for Directory {
    fn read(&mut self, id: &str) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.path(id)) {
            Ok(content) => Ok(Some(content)),
            // Somebody made a directory of it, or a file of its directory.
            Err(error) if is_absent(&error) || error.kind() == ErrorKind::IsADirectory => Ok(None),
            Err(error) => Err(named(&self.path(id), &error)),
        }
    }

    fn write(&mut self, id: &str, content: &[u8]) -> io::Result<()> {
        let path = self.path(id);
        let part = self.own.join("part");
        let written = || {
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(&part, content)?;
            fs::rename(&part, &path)
        };
        written().map_err(|error| named(&path, &error))
    }

    fn remove(&mut self, id: &str) -> io::Result<()> {
        let path = self.path(id);
        match fs::remove_file(&path) {
            Err(error) if !is_absent(&error) => return Err(named(&path, &error)),
            _ => {}
        }
        // The directories of a long name, as far as they are empty.
        let mut parents = path.ancestors().skip(1);
        while let Some(parent) = parents.next()
            && parent != self.root
            && fs::remove_dir(parent).is_ok()
        {}
        Ok(())
    }

    fn is_taken(&self, id: &str) -> io::Result<bool> {
        match fs::symlink_metadata(self.path(id)) {
            Ok(_) => Ok(true),
            Err(error) if is_absent(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn append(&mut self, lines: &str, is_synced: bool) -> io::Result<()> {
        self.journal.write_all(lines.as_bytes())?;
        if is_synced {
            self.journal.sync_data()?;
        }
        Ok(())
    }

    fn rewrite(&mut self, journal: &str) -> io::Result<()> {
        let new = self.own.join("journal.new");
        let mut file = File::create(&new)?;
        file.write_all(journal.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, self.own.join("journal"))?;
        self.journal = open_journal(&self.own)?;
        Ok(())
    }
}

fn open_journal(own: &Path) -> io::Result<File> {
    let path = own.join("journal");
    OpenOptions::new().create(true).append(true).open(path)
}

fn has_files(root: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(root)? {
        if entry?.file_name() != OWN {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::super::super::exit::Exit;
    use super::*;

    fn names(root: &Path) -> Vec<String> {
        let entries = fs::read_dir(root).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn files_come_and_go_whole() {
        let root = tempfile::tempdir().unwrap();
        let (mut directory, journal) = Directory::open(root.path(), false).unwrap();
        assert_eq!(journal, "");
        let long = "a".repeat(500);
        for id in ["1", ".x", &long] {
            assert!(!directory.is_taken(id).unwrap());
            assert_eq!(directory.read(id).unwrap(), None);
            directory.write(id, b"old").unwrap();
            directory.write(id, b"new").unwrap();
            assert!(directory.is_taken(id).unwrap());
            assert_eq!(directory.read(id).unwrap().unwrap(), b"new");
        }
        assert_eq!(
            names(root.path()),
            ["%2Ex", ".matchbook", "1", &format!("{}%", &long[..240])]
        );
        for id in ["1", ".x", &long, "2"] {
            directory.remove(id).unwrap();
        }
        assert_eq!(names(root.path()), [".matchbook"]);
    }

    #[test]
    fn the_journal_is_read_again() {
        let root = tempfile::tempdir().unwrap();
        let (mut directory, _) = Directory::open(root.path(), false).unwrap();
        directory.rewrite("a\n").unwrap();
        directory.append("b\n", true).unwrap();
        directory.append("c\n", false).unwrap();
        drop(directory);
        let (mut directory, journal) = Directory::open(root.path(), false).unwrap();
        assert_eq!(journal, "a\nb\nc\n");
        directory.rewrite("d\n").unwrap();
        directory.append("e\n", false).unwrap();
        drop(directory);
        assert_eq!(Directory::open(root.path(), false).unwrap().1, "d\ne\n");
    }

    #[test]
    fn the_files_of_others_are_not_mixed_up_with() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("mine"), "x").unwrap();
        let refused = Directory::open(root.path(), false).unwrap_err();
        assert_eq!(refused.exit, Exit::Usage);
        assert_eq!(names(root.path()), ["mine"]);
        let (mut directory, _) = Directory::open(root.path(), true).unwrap();
        assert!(directory.is_taken("mine").unwrap());
        directory.rewrite("a\n").unwrap();
        drop(directory);
        assert_eq!(Directory::open(root.path(), false).unwrap().1, "a\n");
    }

    #[test]
    fn two_mirrors_do_not_work_in_one_directory() {
        let root = tempfile::tempdir().unwrap();
        let held = Directory::open(root.path(), false).unwrap();
        let refused = Directory::open(root.path(), false).unwrap_err();
        assert!(refused.message.unwrap().contains("another mirror"));
        drop(held);
        assert!(Directory::open(root.path(), false).is_ok());
    }
}
