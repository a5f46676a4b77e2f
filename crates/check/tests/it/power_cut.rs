//! The power goes for real: the data lies on an ext4 of its own, which in the middle of a
//! load forgets what it was not told to keep (contract §5.1). `MATCHBOOK_POWER_CUTS` sets
//! how often.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::disk_faults::{documents, load, verify};
use crate::harness::Server;
use crate::harness::disk::Disk;
use crate::harness::random::Random;

/// Enough for the data of many rounds; the file takes what is written.
const SIZE_BYTES: u64 = 4 * 1_024 * 1_024 * 1_024;

/// A file system in a file, unmounted when this is dropped.
struct Ext4 {
    directory: TempDir,
}

impl Ext4 {
    /// `None`, said aloud, where file systems cannot be mounted.
    fn new() -> Option<Self> {
        let directory = TempDir::new().unwrap();
        let made = Self { directory };
        std::fs::create_dir(made.root()).unwrap();
        let image = File::create(made.image()).unwrap();
        image.set_len(SIZE_BYTES).unwrap();
        let formatted = run(Command::new("mkfs.ext4").arg("-q").arg(made.image()));
        if formatted && made.mount() {
            return Some(made);
        }
        println!("skipped: no ext4 can be mounted here");
        None
    }

    fn root(&self) -> std::path::PathBuf {
        self.directory.path().join("root")
    }

    fn image(&self) -> std::path::PathBuf {
        self.directory.path().join("image")
    }

    fn mount(&self) -> bool {
        let mut command = Command::new("mount");
        command.args(["-t", "ext4", "-o", "loop"]);
        run(command.arg(self.image()).arg(self.root()))
    }

    /// What the power cut left is all that is there afterwards.
    fn mount_again(&self) {
        assert!(unmount(&self.root(), &[]), "it is still in use");
        assert!(self.mount(), "it cannot be mounted any more");
    }
}

impl Drop for Ext4 {
    fn drop(&mut self) {
        unmount(&self.root(), &["-l"]);
    }
}

fn unmount(root: &Path, flags: &[&str]) -> bool {
    run(Command::new("umount").args(flags).arg(root))
}

fn run(command: &mut Command) -> bool {
    let done = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    done.is_ok_and(|status| status.success())
}

fn cuts() -> u64 {
    let set = std::env::var("MATCHBOOK_POWER_CUTS").ok();
    set.map_or(2, |text| text.parse().unwrap())
}

#[test]
fn section_5_1_what_was_acknowledged_survives_a_power_cut_under_load() {
    let Some(ext4) = Ext4::new() else { return };
    let disk = Disk::on(&ext4.root());
    let mut all = documents();
    let mut lost = 0;
    for cut in 0..cuts() {
        let mut random = Random::new(cut);
        let unsynced = ext4.root().join(format!("unsynced {cut}"));
        std::fs::write(&unsynced, "as good as not written").unwrap();
        let server = disk.serve_unrecorded();
        // Sooner or later, and every third time after the log was copied back.
        let (calls, body_bytes) = *random.pick(&[(30, 3_000), (1_000, 3_000), (30_000, 30_000)]);
        disk.plan(&format!("any * {} once cut", 1 + random.below(calls)));
        all = load(&server, all, usize::MAX, body_bytes);
        assert!(disk.was_hit(), "refused before the power went");
        let refused = server.put("/faults/more", "1").send();
        assert!([500, 503].contains(&refused.code), "{refused}");
        disk.plan_nothing();
        drop(server);
        ext4.mount_again();
        lost += u64::from(std::fs::read(&unsynced).is_ok_and(|content| content.is_empty()));
        lost += u64::from(!unsynced.exists());
        verify(&Server::on(&disk.data(), &[]), &mut all);
    }
    println!(
        "the power went {} times; {lost} files that were not synced are lost",
        cuts()
    );
    assert!(lost > 0, "nothing was lost, so nothing was shown");
}
