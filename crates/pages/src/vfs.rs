//! A file system for SQLite that passes everything on to the one beneath, and looks at the
//! pages of databases on the way (<https://www.sqlite.org/vfs.html>).
//!
//! Only files that are main databases are looked at; all others are the lower file system's
//! alone. Pages are verified when they are read from the database file, whether for a
//! statement or a backup, and get their checksum when they are written to it, which with a
//! write-ahead log is when they are copied back: in the log they have its own checksums.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;
use std::sync::OnceLock;

use rusqlite::{Connection, ffi};

use crate::page::{self, CHECKSUM_BYTES, PAGE_BYTES, Page};

/// What it is called in SQLite's list.
const NAME: &CStr = c"matchbook-pages";

/// Makes SQLite know this file system, once. Returns its name.
pub(crate) fn register() -> rusqlite::Result<&'static CStr> {
    static CODE: OnceLock<c_int> = OnceLock::new();
    match *CODE.get_or_init(register_once) {
        ffi::SQLITE_OK => Ok(NAME),
        code => Err(failure(code)),
    }
}

/// Asks for room at the end of pages; an existing database stays as it is.
pub(crate) fn reserve(connection: &Connection) -> rusqlite::Result<()> {
    // The least that SQLite takes is a C integer, which it also writes to.
    let mut bytes = c_int::try_from(CHECKSUM_BYTES).unwrap_or_default();
    // SAFETY: the handle is of an open connection, which is borrowed; this operation reads
    // and writes one C integer.
    let code = unsafe {
        ffi::sqlite3_file_control(
            connection.handle(),
            c"main".as_ptr(),
            ffi::SQLITE_FCNTL_RESERVE_BYTES,
            ptr::from_mut(&mut bytes).cast(),
        )
    };
    match code {
        ffi::SQLITE_OK => Ok(()),
        code => Err(failure(code)),
    }
}

fn failure(code: c_int) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)
}

fn register_once() -> c_int {
    // SAFETY: null asks for the default, which SQLite never frees once it is registered.
    let beneath = unsafe { ffi::sqlite3_vfs_find(ptr::null()) };
    // SAFETY: it is null or what SQLite has in its list.
    let Some(lower) = (unsafe { beneath.as_ref() }) else {
        return ffi::SQLITE_ERROR;
    };
    let Ok(own_bytes) = c_int::try_from(size_of::<ffi::sqlite3_file>()) else {
        return ffi::SQLITE_ERROR;
    };
    let ours = ffi::sqlite3_vfs {
        // The third version can replace system calls, which is for tests of SQLite.
        iVersion: lower.iVersion.min(2),
        szOsFile: lower.szOsFile.saturating_add(own_bytes),
        mxPathname: lower.mxPathname,
        pNext: ptr::null_mut(),
        zName: NAME.as_ptr(),
        pAppData: beneath.cast(),
        xOpen: Some(open),
        xDelete: Some(delete),
        xAccess: Some(access),
        xFullPathname: Some(full_pathname),
        // Extensions cannot be loaded.
        xDlOpen: None,
        xDlError: None,
        xDlSym: None,
        xDlClose: None,
        xRandomness: Some(randomness),
        xSleep: Some(sleep),
        xCurrentTime: Some(current_time),
        xGetLastError: Some(get_last_error),
        xCurrentTimeInt64: Some(current_time_int64),
        xSetSystemCall: None,
        xGetSystemCall: None,
        xNextSystemCall: None,
    };
    let ours = Box::leak(Box::new(ours));
    // SAFETY: it is never freed, all its functions are as SQLite describes them, and it is
    // not the default.
    unsafe { ffi::sqlite3_vfs_register(ours, 0) }
}

/// Functions of a file system that are passed on.
macro_rules! pass_on_to_file_system {
    ($($name:ident = $method:ident($($argument:ident: $kind:ty),*);)*) => {$(
        unsafe extern "C" fn $name(vfs: *mut ffi::sqlite3_vfs, $($argument: $kind),*) -> c_int {
            // SAFETY: SQLite calls this with what was registered, whose application data is
            // the file system beneath; the arguments are meant for that one.
            unsafe {
                let beneath = (*vfs).pAppData.cast::<ffi::sqlite3_vfs>();
                match (*beneath).$method {
                    Some(method) => method(beneath, $($argument),*),
                    None => ffi::SQLITE_ERROR,
                }
            }
        }
    )*};
}

pass_on_to_file_system! {
    delete = xDelete(name: *const c_char, sync: c_int);
    access = xAccess(name: *const c_char, flags: c_int, result: *mut c_int);
    full_pathname = xFullPathname(name: *const c_char, bytes: c_int, result: *mut c_char);
    randomness = xRandomness(bytes: c_int, result: *mut c_char);
    sleep = xSleep(microseconds: c_int);
    current_time = xCurrentTime(days: *mut f64);
    get_last_error = xGetLastError(bytes: c_int, text: *mut c_char);
    current_time_int64 = xCurrentTimeInt64(milliseconds: *mut ffi::sqlite3_int64);
}

/// The memory for a database: our part, which tells SQLite our functions, and behind it the
/// part of the file system beneath.
///
/// # Safety
/// `file` is of this layout.
unsafe fn beneath(file: *mut ffi::sqlite3_file) -> *mut ffi::sqlite3_file {
    // SAFETY: there are `szOsFile` bytes, of which the first are one `sqlite3_file`.
    unsafe { file.add(1) }
}

unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    flags_out: *mut c_int,
) -> c_int {
    // SAFETY: SQLite calls this with what was registered, whose application data is the file
    // system beneath, and with `szOsFile` bytes for the file: enough for our part and the
    // one beneath.
    unsafe {
        let lower = (*vfs).pAppData.cast::<ffi::sqlite3_vfs>();
        let Some(open) = (*lower).xOpen else {
            return ffi::SQLITE_CANTOPEN;
        };
        if flags & ffi::SQLITE_OPEN_MAIN_DB == 0 {
            return open(lower, name, file, flags, flags_out);
        }
        // SQLite closes what failed to open if it has methods, and only then.
        (*file).pMethods = ptr::null();
        let code = open(lower, name, beneath(file), flags, flags_out);
        if !(*beneath(file)).pMethods.is_null() {
            (*file).pMethods = &raw const METHODS;
        }
        code
    }
}

/// Without those to map pages into memory, which are of the third version: all are read.
static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

/// Functions of a file that are passed on; the value is what is said if it has none.
macro_rules! pass_on_to_file {
    ($($name:ident = $method:ident($($argument:ident: $kind:ty),*) or $missing:expr;)*) => {$(
        unsafe extern "C" fn $name(file: *mut ffi::sqlite3_file, $($argument: $kind),*) -> c_int {
            // SAFETY: SQLite calls this with a file that `open` has filled, and whose part
            // beneath is therefore open; the arguments are meant for that one.
            unsafe {
                let beneath = beneath(file);
                match (*(*beneath).pMethods).$method {
                    Some(method) => method(beneath, $($argument),*),
                    None => $missing,
                }
            }
        }
    )*};
}

pass_on_to_file! {
    close = xClose() or ffi::SQLITE_OK;
    read_beneath = xRead(to: *mut c_void, bytes: c_int, at: ffi::sqlite3_int64)
        or ffi::SQLITE_IOERR_READ;
    write_beneath = xWrite(from: *const c_void, bytes: c_int, at: ffi::sqlite3_int64)
        or ffi::SQLITE_IOERR_WRITE;
    truncate = xTruncate(bytes: ffi::sqlite3_int64) or ffi::SQLITE_IOERR_TRUNCATE;
    sync = xSync(flags: c_int) or ffi::SQLITE_IOERR_FSYNC;
    file_size = xFileSize(bytes: *mut ffi::sqlite3_int64) or ffi::SQLITE_IOERR_FSTAT;
    lock = xLock(level: c_int) or ffi::SQLITE_IOERR_LOCK;
    unlock = xUnlock(level: c_int) or ffi::SQLITE_IOERR_UNLOCK;
    check_reserved_lock = xCheckReservedLock(result: *mut c_int)
        or ffi::SQLITE_IOERR_CHECKRESERVEDLOCK;
    file_control = xFileControl(operation: c_int, argument: *mut c_void) or ffi::SQLITE_NOTFOUND;
    sector_size = xSectorSize() or 0;
    device_characteristics = xDeviceCharacteristics() or 0;
    shm_map = xShmMap(region: c_int, bytes: c_int, extend: c_int, to: *mut *mut c_void)
        or ffi::SQLITE_IOERR_SHMMAP;
    shm_lock = xShmLock(offset: c_int, count: c_int, flags: c_int) or ffi::SQLITE_IOERR_SHMLOCK;
    shm_unmap = xShmUnmap(delete: c_int) or ffi::SQLITE_OK;
}

unsafe extern "C" fn shm_barrier(file: *mut ffi::sqlite3_file) {
    // SAFETY: as of all functions of a file.
    unsafe {
        let beneath = beneath(file);
        if let Some(barrier) = (*(*beneath).pMethods).xShmBarrier {
            barrier(beneath);
        }
    }
}

/// The most that is read of the header alone, which says how the file is to be read.
const HEADER_BYTES: usize = 100;

/// What of the file is read or written.
enum Extent {
    /// A page.
    Page(u32),
    /// So many bytes from the beginning of a page: SQLite reads the content of an overflowing
    /// row without what the page reserves.
    Begin(u32, usize),
    /// Anything else, which is no content.
    Other,
}

impl Extent {
    fn of(bytes: c_int, at: ffi::sqlite3_int64) -> Self {
        let (Ok(bytes), Ok(at)) = (usize::try_from(bytes), u64::try_from(at)) else {
            return Self::Other;
        };
        let number = page::number(at / PAGE_BYTES as u64);
        match bytes {
            _ if at % PAGE_BYTES as u64 != 0 => Self::Other,
            PAGE_BYTES => Self::Page(number),
            bytes if bytes > HEADER_BYTES && bytes < PAGE_BYTES => Self::Begin(number, bytes),
            _ => Self::Other,
        }
    }
}

unsafe extern "C" fn read(
    file: *mut ffi::sqlite3_file,
    to: *mut c_void,
    bytes: c_int,
    at: ffi::sqlite3_int64,
) -> c_int {
    match Extent::of(bytes, at) {
        // SAFETY: there is room for as many bytes as a page has.
        Extent::Page(number) => unsafe { read_page(file, to.cast(), number, at) },
        Extent::Begin(number, bytes) => {
            let mut page = [0; PAGE_BYTES];
            // SAFETY: as of all functions of a file, and for a page of ours.
            let code = unsafe { read_page(file, &raw mut page, number, at) };
            if code == ffi::SQLITE_OK {
                // SAFETY: there is room for so many bytes, and the page has more.
                unsafe { ptr::copy_nonoverlapping(page.as_ptr(), to.cast(), bytes) };
            }
            code
        }
        // SAFETY: the arguments are passed on as they are.
        Extent::Other => unsafe { read_beneath(file, to, bytes, at) },
    }
}

/// Reads a page and verifies it.
///
/// # Safety
/// As of all functions of a file; and there is room for a page, which nobody else looks at
/// until this returns.
unsafe fn read_page(
    file: *mut ffi::sqlite3_file,
    to: *mut Page,
    number: u32,
    at: ffi::sqlite3_int64,
) -> c_int {
    let Ok(bytes) = c_int::try_from(PAGE_BYTES) else {
        return ffi::SQLITE_IOERR_READ;
    };
    // SAFETY: there is room for so many bytes.
    let code = unsafe { read_beneath(file, to.cast(), bytes, at) };
    // What lies beyond the end of the file is zeros then.
    if !matches!(code, ffi::SQLITE_OK | ffi::SQLITE_IOERR_SHORT_READ) {
        return code;
    }
    // SAFETY: it was filled just now, and nobody else looks at it.
    if page::is_sound(number, unsafe { &*to }) {
        code
    } else {
        ffi::SQLITE_IOERR_DATA
    }
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    from: *const c_void,
    bytes: c_int,
    at: ffi::sqlite3_int64,
) -> c_int {
    let Extent::Page(number) = Extent::of(bytes, at) else {
        // SAFETY: the arguments are passed on as they are.
        return unsafe { write_beneath(file, from, bytes, at) };
    };
    // A copy: what is to be written is SQLite's, and may be read by others.
    // SAFETY: there are as many bytes as a page has.
    let mut page = unsafe { *from.cast::<Page>() };
    page::seal(number, &mut page);
    // SAFETY: as many bytes as before, for the same place.
    unsafe { write_beneath(file, page.as_ptr().cast(), bytes, at) }
}
