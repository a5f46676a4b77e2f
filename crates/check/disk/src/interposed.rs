//! The functions that take the place of the C library's.
//!
//! Each asks whether the call concerns the directory, lets it fail if the plan says so, makes
//! it, and notes what it changed.

use std::ffi::CStr;
use std::slice;

use libc::{c_char, c_int, c_void, iovec, mode_t, off_t, size_t, ssize_t};

use crate::calls;
use crate::disk::{Call, Disk};
use crate::log::Operation;
use crate::plan::Kind;

/// Opens a file. C gives the mode only when a file may come into being; what is in its
/// place otherwise is not used.
///
/// # Safety
/// As `open`.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn open(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: the caller's.
    let path = unsafe { CStr::from_ptr(path) };
    let call = Disk::get().and_then(|disk| disk.call(Kind::Open, path.to_bytes()));
    let Some(call) = call else {
        return calls::open(path, flags, mode);
    };
    if let Some(error) = call.error() {
        calls::fail(error);
        return -1;
    }
    let is_new = flags & libc::O_CREAT != 0 && !calls::exists(path);
    let file = calls::open(path, flags, mode);
    if file >= 0 && is_new {
        call.done(Operation::Create, 0, &[]);
    } else if file >= 0 && flags & libc::O_TRUNC != 0 {
        call.done(Operation::Truncate, 0, &[]);
    }
    file
}

/// As [`open`]: offsets have 64 bits either way.
///
/// # Safety
/// As `open`.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn open64(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: the caller's.
    unsafe { open(path, flags, mode) }
}

/// Makes a directory.
///
/// # Safety
/// As `mkdir`.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn mkdir(path: *const c_char, mode: mode_t) -> c_int {
    // SAFETY: the caller's.
    let path = unsafe { CStr::from_ptr(path) };
    named(Kind::Open, path, Operation::MakeDirectory, &|| {
        calls::make_directory(path, mode)
    })
}

/// Removes a name.
///
/// # Safety
/// As `unlink`.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn unlink(path: *const c_char) -> c_int {
    // SAFETY: the caller's.
    let path = unsafe { CStr::from_ptr(path) };
    named(Kind::Unlink, path, Operation::Unlink, &|| {
        calls::unlink(path)
    })
}

/// Gives a file another name.
///
/// # Safety
/// As `rename`.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn rename(from: *const c_char, to: *const c_char) -> c_int {
    // SAFETY: the caller's.
    let (from, to) = unsafe { (CStr::from_ptr(from), CStr::from_ptr(to)) };
    let call = Disk::get().and_then(|disk| disk.call(Kind::Rename, from.to_bytes()));
    let Some(call) = call else {
        return calls::rename(from, to);
    };
    if let Some(error) = call.error() {
        calls::fail(error);
        return -1;
    }
    let done = calls::rename(from, to);
    if done == 0 {
        call.done(Operation::Rename, 0, call.below(to));
    }
    done
}

fn named(kind: Kind, path: &CStr, operation: Operation, work: &dyn Fn() -> c_int) -> c_int {
    let call = Disk::get().and_then(|disk| disk.call(kind, path.to_bytes()));
    worked(call, operation, 0, work)
}

/// Does the work, unless it is to fail, and writes down what succeeds.
fn worked(
    call: Option<Call<'_>>,
    operation: Operation,
    number: u64,
    work: &dyn Fn() -> c_int,
) -> c_int {
    let Some(call) = call else { return work() };
    if let Some(error) = call.error() {
        calls::fail(error);
        return -1;
    }
    let done = work();
    if done == 0 {
        call.done(operation, number, &[]);
    }
    done
}

/// Syncs a file.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub extern "C" fn fsync(file: c_int) -> c_int {
    opened(Kind::Sync, file, Operation::Sync, 0, &|| calls::sync(file))
}

/// Syncs a file but for its times.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub extern "C" fn fdatasync(file: c_int) -> c_int {
    opened(Kind::Sync, file, Operation::Sync, 0, &|| {
        calls::sync_data(file)
    })
}

/// Changes a file's length.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub extern "C" fn ftruncate(file: c_int, length: off_t) -> c_int {
    let number = u64::try_from(length).unwrap_or_default();
    let truncate = || calls::truncate(file, length);
    opened(Kind::Truncate, file, Operation::Truncate, number, &truncate)
}

/// As [`ftruncate`].
#[cfg_attr(not(test), unsafe(no_mangle))]
pub extern "C" fn ftruncate64(file: c_int, length: off_t) -> c_int {
    ftruncate(file, length)
}

fn opened(
    kind: Kind,
    file: c_int,
    operation: Operation,
    number: u64,
    work: &dyn Fn() -> c_int,
) -> c_int {
    let call = Disk::get().and_then(|disk| disk.call_on(kind, file));
    worked(call, operation, number, work)
}

/// Reads.
///
/// # Safety
/// As `read`.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn read(file: c_int, to: *mut c_void, count: size_t) -> ssize_t {
    // SAFETY: the caller's.
    reading(file, count, &|count| unsafe {
        calls::read(file, to, count)
    })
}

/// Reads at an offset.
///
/// # Safety
/// As `pread`.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn pread(file: c_int, to: *mut c_void, count: size_t, at: off_t) -> ssize_t {
    reading(file, count, &|count| {
        // SAFETY: the caller's; less is read than there is room for.
        unsafe { calls::read_at(file, to, count, at) }
    })
}

/// As [`pread`].
///
/// # Safety
/// As `pread`.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn pread64(
    file: c_int,
    to: *mut c_void,
    count: size_t,
    at: off_t,
) -> ssize_t {
    // SAFETY: the caller's.
    unsafe { pread(file, to, count, at) }
}

fn reading(file: c_int, count: size_t, work: &dyn Fn(size_t) -> ssize_t) -> ssize_t {
    let call = Disk::get().and_then(|disk| disk.call_on(Kind::Read, file));
    let Some(call) = call else { return work(count) };
    if let Some(error) = call.error() {
        calls::fail(error);
        return -1;
    }
    work(call.count(count))
}

/// Writes where the file stands; nobody opens one of ours to append.
///
/// # Safety
/// As `write`.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn write(file: c_int, from: *const c_void, count: size_t) -> ssize_t {
    // SAFETY: the caller's.
    let bytes = unsafe { bytes(from, count) };
    writing(file, bytes, &|bytes| {
        (calls::position(file), calls::write(file, bytes))
    })
}

/// Writes at an offset.
///
/// # Safety
/// As `pwrite`.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn pwrite(
    file: c_int,
    from: *const c_void,
    count: size_t,
    at: off_t,
) -> ssize_t {
    // SAFETY: the caller's.
    let bytes = unsafe { bytes(from, count) };
    writing(file, bytes, &|bytes| {
        let offset = u64::try_from(at).unwrap_or_default();
        (offset, calls::write_at(file, bytes, at))
    })
}

/// As [`pwrite`].
///
/// # Safety
/// As `pwrite`.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn pwrite64(
    file: c_int,
    from: *const c_void,
    count: size_t,
    at: off_t,
) -> ssize_t {
    // SAFETY: the caller's.
    unsafe { pwrite(file, from, count, at) }
}

/// Writes several parts. To a file of ours they go one by one, which whoever calls has to
/// reckon with: a call may always write less.
///
/// # Safety
/// As `writev`.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn writev(file: c_int, parts: *const iovec, count: c_int) -> ssize_t {
    let is_ours = Disk::get().is_some_and(|disk| disk.holds(file));
    let parts_in = usize::try_from(count).unwrap_or_default();
    if is_ours && parts_in > 0 {
        // SAFETY: the caller's.
        let parts = unsafe { slice::from_raw_parts(parts, parts_in) };
        if let Some(part) = parts.iter().find(|part| part.iov_len > 0) {
            // SAFETY: the caller's.
            return unsafe { write(file, part.iov_base, part.iov_len) };
        }
    }
    // SAFETY: the caller's.
    unsafe { calls::write_parts(file, parts, count) }
}

/// # Safety
/// As `write`.
unsafe fn bytes<'a>(from: *const c_void, count: size_t) -> &'a [u8] {
    if count == 0 {
        return &[];
    }
    // SAFETY: the caller's.
    unsafe { slice::from_raw_parts(from.cast(), count) }
}

/// `work` writes, and tells where as well.
fn writing(file: c_int, bytes: &[u8], work: &dyn Fn(&[u8]) -> (u64, ssize_t)) -> ssize_t {
    let call = Disk::get().and_then(|disk| disk.call_on(Kind::Write, file));
    let Some(call) = call else {
        return work(bytes).1;
    };
    if let Some(error) = call.error() {
        calls::fail(error);
        return -1;
    }
    let (at, written) = work(bytes.get(..call.count(bytes.len())).unwrap_or(bytes));
    let done = usize::try_from(written).ok();
    if let Some(done) = done.and_then(|done| bytes.get(..done)) {
        call.done(Operation::Write, at, done);
    }
    written
}
