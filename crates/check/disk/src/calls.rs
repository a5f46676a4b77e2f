//! The system calls themselves, past the functions that this library takes the place of.

use std::ffi::CStr;

use libc::{c_int, c_long, c_uint, mode_t, off_t, size_t, ssize_t};

/// `EXT4_IOC_SHUTDOWN` and its `EXT4_GOING_FLAGS_NOLOGFLUSH`: the journal is not written
/// out.
const SHUTDOWN: c_long = 0x8004_587d;
const WITHOUT_THE_JOURNAL: u32 = 2;

/// A result as C has it: system calls answer what fits.
#[allow(
    clippy::cast_possible_truncation,
    reason = "the kernel's answers are as wide as the functions' types"
)]
const fn int(result: c_long) -> c_int {
    result as c_int
}

pub(crate) fn open(path: &CStr, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: the path ends with its NUL; the kernel reads no further.
    int(unsafe { libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), flags, mode) })
}

pub(crate) fn exists(path: &CStr) -> bool {
    // SAFETY: as above.
    unsafe {
        libc::syscall(
            libc::SYS_faccessat,
            libc::AT_FDCWD,
            path.as_ptr(),
            libc::F_OK,
        ) == 0
    }
}

pub(crate) fn make_directory(path: &CStr, mode: mode_t) -> c_int {
    // SAFETY: as above.
    int(unsafe { libc::syscall(libc::SYS_mkdirat, libc::AT_FDCWD, path.as_ptr(), mode) })
}

pub(crate) fn unlink(path: &CStr) -> c_int {
    // SAFETY: as above.
    int(unsafe { libc::syscall(libc::SYS_unlinkat, libc::AT_FDCWD, path.as_ptr(), 0) })
}

pub(crate) fn rename(from: &CStr, to: &CStr) -> c_int {
    let (here, no_flags) = (libc::AT_FDCWD, 0 as c_uint);
    // SAFETY: as above.
    int(unsafe {
        libc::syscall(
            libc::SYS_renameat2,
            here,
            from.as_ptr(),
            here,
            to.as_ptr(),
            no_flags,
        )
    })
}

pub(crate) fn close(file: c_int) {
    // SAFETY: takes a number; whose it is, the callers know.
    unsafe { libc::syscall(libc::SYS_close, file) };
}

pub(crate) fn sync(file: c_int) -> c_int {
    // SAFETY: takes a number.
    int(unsafe { libc::syscall(libc::SYS_fsync, file) })
}

pub(crate) fn sync_data(file: c_int) -> c_int {
    // SAFETY: takes a number.
    int(unsafe { libc::syscall(libc::SYS_fdatasync, file) })
}

pub(crate) fn truncate(file: c_int, length: off_t) -> c_int {
    // SAFETY: takes numbers.
    int(unsafe { libc::syscall(libc::SYS_ftruncate, file, length) })
}

/// Where a file stands.
pub(crate) fn position(file: c_int) -> u64 {
    // SAFETY: takes numbers.
    let at = unsafe { libc::syscall(libc::SYS_lseek, file, 0, libc::SEEK_CUR) };
    u64::try_from(at).unwrap_or_default()
}

/// # Safety
/// As `read`.
pub(crate) unsafe fn read(file: c_int, to: *mut libc::c_void, count: size_t) -> ssize_t {
    // SAFETY: the caller's.
    unsafe { libc::syscall(libc::SYS_read, file, to, count) as ssize_t }
}

/// # Safety
/// As `pread`.
pub(crate) unsafe fn read_at(
    file: c_int,
    to: *mut libc::c_void,
    count: size_t,
    at: off_t,
) -> ssize_t {
    // SAFETY: the caller's.
    unsafe { libc::syscall(libc::SYS_pread64, file, to, count, at) as ssize_t }
}

pub(crate) fn write(file: c_int, bytes: &[u8]) -> ssize_t {
    // SAFETY: a slice is as long as it says.
    unsafe { libc::syscall(libc::SYS_write, file, bytes.as_ptr(), bytes.len()) as ssize_t }
}

pub(crate) fn write_at(file: c_int, bytes: &[u8], at: off_t) -> ssize_t {
    // SAFETY: a slice is as long as it says.
    unsafe { libc::syscall(libc::SYS_pwrite64, file, bytes.as_ptr(), bytes.len(), at) as ssize_t }
}

/// # Safety
/// As `writev`.
pub(crate) unsafe fn write_parts(file: c_int, parts: *const libc::iovec, count: c_int) -> ssize_t {
    // SAFETY: the caller's.
    unsafe { libc::syscall(libc::SYS_writev, file, parts, count) as ssize_t }
}

/// The name of an open file, into the buffer; `None` if it is too long.
pub(crate) fn name_of(file: c_int, buffer: &mut [u8; 4_096]) -> Option<&[u8]> {
    let link = format!("/proc/self/fd/{file}\0");
    let (link, to) = (link.as_ptr(), buffer.as_mut_ptr());
    // SAFETY: the link ends with its NUL, and the buffer is as long as it says.
    let length =
        unsafe { libc::syscall(libc::SYS_readlinkat, libc::AT_FDCWD, link, to, buffer.len()) };
    buffer.get(..usize::try_from(length).ok()?)
}

/// Ends a file system as a power cut does.
pub(crate) fn shut_down(directory: &CStr) -> bool {
    let file = open(directory, libc::O_RDONLY | libc::O_CLOEXEC, 0);
    let flags: u32 = WITHOUT_THE_JOURNAL;
    // SAFETY: the kernel reads one number where it is told.
    let done = unsafe { libc::syscall(libc::SYS_ioctl, file, SHUTDOWN, &raw const flags) };
    close(file);
    done == 0
}

pub(crate) fn fail(error: c_int) {
    // SAFETY: the address is that of this thread's own variable.
    unsafe { *libc::__errno_location() = error };
}
