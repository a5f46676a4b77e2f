//! Panics on this thread, of tasks too whose end nobody awaits.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    static HEARD: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

static LISTEN: Once = Once::new();

/// What comes of something, if it ends, and the panics on the way.
pub(crate) fn heard<T>(work: impl FnOnce() -> T) -> (Option<T>, Vec<String>) {
    LISTEN.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            HEARD.with_borrow_mut(|heard| heard.push(panic.to_string()));
            before(panic);
        }));
    });
    HEARD.take();
    let done = panic::catch_unwind(AssertUnwindSafe(work));
    (done.ok(), HEARD.take())
}

#[test]
fn panics_are_heard() {
    let (done, heard) = heard(|| panic::catch_unwind(|| panic!("within")).is_err());
    assert_eq!((done, heard.len()), (Some(true), 1));
    assert!(heard[0].contains("within"));
    assert_eq!(self::heard(|| 7), (Some(7), Vec::new()));
}
