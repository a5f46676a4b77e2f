//! The files of operations: in the data directory, under names made of ids. All of it
//! blocks.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::id::Id;

/// What an export has made.
const RESULT: &str = "ndjson";

/// What an import is to work on.
const CONTENT: &str = "content";

/// That, while it comes in.
const INCOMING: &str = "incoming";

/// Says that this directory's operation has not ended. A copy of the data that is put into
/// another directory, or is put back later, has none: what was under way when the copy was
/// made, and may be what it is to undo, is not taken up there.
const RUNNING: &str = "running";

/// Where they are.
#[derive(Clone, Debug)]
pub(super) struct Files {
    operations: PathBuf,
    backups: PathBuf,
}

impl Files {
    /// Those below this directory, which is made when the first is.
    pub(super) fn new(data: &Path) -> Self {
        Self {
            operations: data.join("operations"),
            backups: data.join("backups"),
        }
    }

    pub(super) fn result(&self, id: Id) -> PathBuf {
        self.of(id, RESULT)
    }

    pub(super) fn content(&self, id: Id) -> PathBuf {
        self.of(id, CONTENT)
    }

    pub(super) fn incoming(&self, id: Id) -> PathBuf {
        self.of(id, INCOMING)
    }

    fn of(&self, id: Id, ending: &str) -> PathBuf {
        self.operations.join(format!("{id}.{ending}"))
    }

    /// The file of a backup, in a directory that is there.
    pub(super) fn backup(&self, id: Id) -> io::Result<PathBuf> {
        make(&self.backups)?;
        Ok(self.backups.join(backup_name(id)))
    }

    /// Notes that an operation is about to begin.
    pub(super) fn begin(&self, id: Id) -> io::Result<()> {
        self.create(&self.of(id, RUNNING))?;
        self.sync()
    }

    /// Whether it was begun here, and has not ended.
    pub(super) fn is_begun(&self, id: Id) -> io::Result<bool> {
        self.of(id, RUNNING).try_exists()
    }

    /// A new file, for its owner only, in place of one that may be there.
    pub(super) fn create(&self, path: &Path) -> io::Result<File> {
        make(&self.operations)?;
        let mut options = private();
        options.truncate(true).open(path)
    }

    /// Puts this behind the first `after` bytes of a file, and nothing behind it. When it
    /// returns, that survives the loss of power.
    pub(super) fn append(&self, path: &Path, after: u64, text: &[u8]) -> io::Result<()> {
        make(&self.operations)?;
        let mut file = private().truncate(false).open(path)?;
        file.set_len(after)?;
        file.seek(SeekFrom::Start(after))?;
        file.write_all(text)?;
        file.sync_data()?;
        if after == 0 {
            self.sync()?;
        }
        Ok(())
    }

    /// Gives what has come in its name, for good.
    pub(super) fn take_in(&self, id: Id, incoming: &File) -> io::Result<()> {
        incoming.sync_all()?;
        fs::rename(self.incoming(id), self.content(id))?;
        self.sync()
    }

    /// Makes the result of one operation the content of another: the file stays while
    /// either needs it.
    pub(super) fn share(&self, result_of: Id, content_of: Id) -> io::Result<()> {
        match fs::hard_link(self.result(result_of), self.content(content_of)) {
            // A start before this one came so far.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            done => done.and_then(|()| self.sync()),
        }
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.operations)?.sync_all()
    }

    /// A file from this byte on.
    pub(super) fn read(&self, path: &Path, from: u64) -> io::Result<impl BufRead + use<>> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(from))?;
        Ok(BufReader::new(file))
    }

    /// Removes what an operation works on, and with `all` what it has made too.
    pub(super) fn remove(&self, id: Id, all: bool) -> io::Result<()> {
        remove(&self.content(id))?;
        remove(&self.incoming(id))?;
        remove(&self.of(id, RUNNING))?;
        match all {
            true => remove(&self.result(id)),
            false => Ok(()),
        }
    }

    /// Removes a backup that nobody is told of.
    pub(super) fn remove_backup(&self, id: Id) -> io::Result<()> {
        remove(&self.backups.join(backup_name(id)))
    }

    /// The operations that have files.
    pub(super) fn ids(&self) -> io::Result<BTreeSet<Id>> {
        let entries = match fs::read_dir(&self.operations) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
            entries => entries?,
        };
        let mut ids = BTreeSet::new();
        for entry in entries {
            let name = entry?.file_name();
            let name = name.to_string_lossy();
            ids.extend(name.split('.').next().and_then(Id::read));
        }
        Ok(ids)
    }
}

/// What a backup is called.
pub(super) fn backup_name(id: Id) -> String {
    format!("{id}.matchbook")
}

/// For its owner only.
fn private() -> fs::OpenOptions {
    let mut options = File::options();
    options.write(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn make(directory: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn what_is_behind_the_place_is_written_anew() {
        let directory = tempfile::tempdir().unwrap();
        let files = Files::new(directory.path());
        let id = Id::new();
        let path = files.result(id);
        files.append(&path, 0, b"abc").unwrap();
        files.append(&path, 3, b"defgh").unwrap();
        files.append(&path, 4, b"x").unwrap();
        let mut text = String::new();
        let mut read = files.read(&path, 2).unwrap();
        read.read_to_string(&mut text).unwrap();
        assert_eq!(text, "cdx");
        let other = Id::new();
        files.share(id, other).unwrap();
        files.share(id, other).unwrap();
        assert_eq!(files.ids().unwrap(), [id, other].into());
        files.begin(id).unwrap();
        assert!(files.is_begun(id).unwrap() && !files.is_begun(other).unwrap());
        files.remove(id, true).unwrap();
        assert!(!files.is_begun(id).unwrap());
        assert_eq!(fs::read(files.content(other)).unwrap(), b"abcdx");
        files.remove(other, false).unwrap();
        assert!(files.ids().unwrap().is_empty());
    }
}
