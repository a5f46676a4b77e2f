//! All that the fuzzer found worth keeping, tried again.

#![allow(clippy::panic, clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::panic;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use matchbook_properties::{ALL, Fault, faulty_server};

/// Bytes of all corpora together, so that a checkout stays small.
const CORPORA_BYTES: u64 = 300 * 1_024;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

fn inputs(name: &str) -> Vec<PathBuf> {
    let directory = fuzz().join("corpus").join(name);
    let files = fs::read_dir(&directory).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

/// The test whose properties must not hold.
const NOTICED: &str = "each_fault_of_a_server_is_noticed";

/// How many threads have panicked that a property has started, and not a test.
fn panics() -> usize {
    static PANICS: AtomicUsize = AtomicUsize::new(0);
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let told = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            let thread = thread::current();
            let mut tests = ALL.iter().map(|(name, _)| *name).chain([NOTICED]);
            let is_of_a_test = tests.any(|name| thread.name() == Some(name));
            if !is_of_a_test {
                PANICS.fetch_add(1, Ordering::SeqCst);
            }
            told(panic);
        }));
    });
    PANICS.load(Ordering::SeqCst)
}

fn replay(name: &str) {
    let (_, property) = ALL.iter().find(|(known, _)| *known == name).unwrap();
    let inputs = inputs(name);
    assert!(inputs.len() >= 5, "there is next to nothing to try");
    let before = panics();
    property(&[]);
    for input in inputs {
        println!("{}", input.display());
        property(&fs::read(&input).unwrap());
        assert_eq!(panics(), before, "a thread has panicked");
    }
}

macro_rules! replay {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                replay(stringify!($name));
            }
        )*

        const REPLAYED: &[&str] = &[$(stringify!($name)),*];
    };
}

replay! { cursor data diff edit events filter json patch prefer server tag_list target }

/// A target holds nothing that could rot: only the fuzzer's own build reads it.
fn text_of_target(name: &str) -> String {
    format!(
        "//! Looks for inputs for which `matchbook_properties::{name}` does not hold.\n\n\
         #![no_main]\n\n\
         libfuzzer_sys::fuzz_target!(|data: &[u8]| matchbook_properties::{name}(data));\n"
    )
}

#[test]
fn every_property_has_a_target_and_a_small_corpus_and_is_tried() {
    let properties: Vec<_> = ALL.iter().map(|(name, _)| *name).collect();
    assert_eq!(properties, REPLAYED);
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    for name in &properties {
        let target = fuzz().join(format!("fuzz_targets/{name}.rs"));
        assert_eq!(fs::read_to_string(target).unwrap(), text_of_target(name));
        let path = format!("path = \"fuzz_targets/{name}.rs\"");
        assert!(manifest.contains(&path), "{name}");
    }
    let corpora = fs::read_dir(fuzz().join("corpus")).unwrap();
    let corpora = corpora.map(|file| file.unwrap().file_name().into_string().unwrap());
    let known: BTreeSet<String> = properties.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(corpora.collect::<BTreeSet<_>>(), known);
    let inputs = properties.iter().flat_map(|name| inputs(name));
    let bytes: u64 = inputs.map(|input| fs::metadata(input).unwrap().len()).sum();
    assert!(bytes <= CORPORA_BYTES, "{bytes} bytes");
}

/// What the inputs that are kept are worth: with them the model notices whatever a server
/// could do wrong.
#[test]
fn each_fault_of_a_server_is_noticed() {
    panics();
    for fault in Fault::ALL {
        let noticed = inputs("server").iter().any(|input| {
            let data = fs::read(input).unwrap();
            panic::catch_unwind(|| faulty_server(fault, &data)).is_err()
        });
        assert!(noticed, "{fault:?}");
    }
}
