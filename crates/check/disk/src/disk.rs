//! The directory that is looked at: its log, its plan, and the order of what happens.

use std::env;
use std::ffi::{CStr, CString, OsString};
use std::os::unix::ffi::OsStringExt;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use libc::c_int;

use crate::calls;
use crate::log::{Operation, entry};
use crate::plan::{Effect, Kind, Plan};

/// What the variables of the environment say.
pub(crate) struct Disk {
    root: CString,
    log: Option<c_int>,
    plan: Option<CString>,
    /// Held while a change is made and logged, so that the log has them in their order.
    faults: Mutex<Faults>,
}

#[derive(Default)]
struct Faults {
    /// `None`: not there yet.
    plan: Option<Plan>,
    /// Whether a fault took effect.
    hit: bool,
}

/// A call that concerns the directory, before it is made. Nobody else makes one meanwhile.
pub(crate) struct Call<'a> {
    disk: &'a Disk,
    /// The file's name, without that of the directory.
    path: Vec<u8>,
    /// What is to become of it.
    pub(crate) effect: Option<Effect>,
    _turn: MutexGuard<'a, Faults>,
}

impl Disk {
    /// The one that the environment describes; `None` if it describes none.
    pub(crate) fn get() -> Option<&'static Self> {
        static DISK: OnceLock<Option<Disk>> = OnceLock::new();
        DISK.get_or_init(Self::from_environment).as_ref()
    }

    fn from_environment() -> Option<Self> {
        let variable = |name| env::var_os(name).map(OsString::into_vec);
        let path = |name| variable(name).and_then(|path| CString::new(path).ok());
        let append = libc::O_WRONLY | libc::O_APPEND | libc::O_CREAT | libc::O_CLOEXEC;
        Some(Self {
            root: path("FAULTY_DISK_ROOT")?,
            log: path("FAULTY_DISK_LOG").map(|log| calls::open(&log, append, 0o600)),
            plan: path("FAULTY_DISK_PLAN"),
            faults: Mutex::default(),
        })
    }

    /// A call about the file with this name, if it is ours.
    pub(crate) fn call(&self, kind: Kind, path: &[u8]) -> Option<Call<'_>> {
        let below = path.strip_prefix(self.root.as_bytes())?;
        let path = match below {
            [] => below,
            [b'/', name @ ..] => name,
            _ => return None,
        };
        let mut turn = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let effect = self.next(&mut turn, kind, path);
        Some(Call {
            disk: self,
            path: path.to_vec(),
            effect,
            _turn: turn,
        })
    }

    /// Whether an open file is ours.
    pub(crate) fn holds(&self, file: c_int) -> bool {
        let mut buffer = [0; 4_096];
        let name = calls::name_of(file, &mut buffer);
        let below = name.and_then(|name| name.strip_prefix(self.root.as_bytes()));
        below.is_some_and(|below| below.starts_with(b"/"))
    }

    /// A call about an open file, if it is ours.
    pub(crate) fn call_on(&self, kind: Kind, file: c_int) -> Option<Call<'_>> {
        let mut buffer = [0; 4_096];
        let name = calls::name_of(file, &mut buffer)?;
        // What has no name any more is nobody's after a crash.
        if name.ends_with(b" (deleted)") {
            return None;
        }
        self.call(kind, name)
    }

    fn next(&self, faults: &mut Faults, kind: Kind, path: &[u8]) -> Option<Effect> {
        let file = self.plan.as_ref()?;
        if faults.plan.is_none() {
            faults.plan = read(file);
        }
        let effect = faults.plan.as_mut()?.next(kind, path)?;
        if !faults.hit {
            faults.hit = true;
            let mut name = file.as_bytes().to_vec();
            name.extend_from_slice(b".hit\0");
            if let Ok(name) = CStr::from_bytes_with_nul(&name) {
                calls::close(calls::open(name, libc::O_WRONLY | libc::O_CREAT, 0o600));
            }
        }
        if effect == Effect::Cut && !calls::shut_down(&self.root) {
            give_up("the file system cannot be shut down");
        }
        Some(effect)
    }
}

impl Call<'_> {
    /// The error that it is to fail with.
    pub(crate) fn error(&self) -> Option<c_int> {
        match self.effect? {
            Effect::Fails(error) => Some(error),
            Effect::Short | Effect::Cut => None,
        }
    }

    /// How many bytes of these are to be read or written.
    pub(crate) fn count(&self, count: usize) -> usize {
        if self.effect == Some(Effect::Short) {
            count.div_ceil(2)
        } else {
            count
        }
    }

    /// Notes that it was done.
    pub(crate) fn done(&self, operation: Operation, number: u64, data: &[u8]) {
        let Some(log) = self.disk.log else { return };
        let bytes = entry(operation, &self.path, number, data);
        if usize::try_from(calls::write(log, &bytes)) != Ok(bytes.len()) {
            give_up("the log cannot be written");
        }
    }

    /// A name without that of the directory.
    pub(crate) fn below<'p>(&self, path: &'p CStr) -> &'p [u8] {
        let name = path.to_bytes();
        let below = name.strip_prefix(self.disk.root.as_bytes());
        let below = below.and_then(|below| below.strip_prefix(b"/"));
        below.unwrap_or(name)
    }
}

/// The plan, once the file is there and whole: it is moved into its place.
fn read(file: &CStr) -> Option<Plan> {
    let open = calls::open(file, libc::O_RDONLY | libc::O_CLOEXEC, 0);
    if open < 0 {
        return None;
    }
    let mut text = [0_u8; 4_096];
    // SAFETY: the buffer is as long as it says.
    let length = unsafe { calls::read(open, text.as_mut_ptr().cast(), text.len()) };
    calls::close(open);
    let text = text.get(..usize::try_from(length).ok()?)?;
    match std::str::from_utf8(text).unwrap_or("no text").parse() {
        Ok(plan) => Some(plan),
        Err(fault) => give_up(&fault),
    }
}

/// A test that goes on without what it asked for would show nothing.
fn give_up(why: &str) -> ! {
    calls::write(2, format!("faulty disk: {why}\n").as_bytes());
    std::process::abort()
}
