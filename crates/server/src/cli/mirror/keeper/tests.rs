//! Random histories, with cuts, kills and lost histories: the files end as the documents.

mod server;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use proptest::prelude::*;

use self::server::{Server, Session, Write};
use super::*;

/// What is on the disk, whatever happens to the process.
#[derive(Default)]
struct Platter {
    files: BTreeMap<String, Vec<u8>>,
    journal: String,
    /// So many changes more before the process is killed.
    left: Option<u32>,
    is_dead: bool,
}

impl Platter {
    fn step(&mut self) -> io::Result<()> {
        match &mut self.left {
            Some(0) => {
                self.is_dead = true;
                Err(io::Error::other("killed"))
            }
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

#[derive(Clone, Default)]
struct Memory(Rc<RefCell<Platter>>);

impl Disk for Memory {
    fn read(&mut self, id: &str) -> io::Result<Option<Vec<u8>>> {
        Ok(self.0.borrow().files.get(id).cloned())
    }

    fn write(&mut self, id: &str, content: &[u8]) -> io::Result<()> {
        let mut platter = self.0.borrow_mut();
        platter.step()?;
        platter.files.insert(id.to_owned(), content.to_owned());
        Ok(())
    }

    fn remove(&mut self, id: &str) -> io::Result<()> {
        let mut platter = self.0.borrow_mut();
        platter.step()?;
        platter.files.remove(id);
        Ok(())
    }

    fn is_taken(&self, id: &str) -> io::Result<bool> {
        Ok(self.0.borrow().files.contains_key(id))
    }

    fn append(&mut self, lines: &str, _: bool) -> io::Result<()> {
        let mut platter = self.0.borrow_mut();
        let was_dead = platter.is_dead;
        let killed = platter.step();
        let written = match killed {
            Ok(()) => lines,
            Err(_) if was_dead => "",
            // The last line is torn.
            Err(_) => &lines[..lines.len() / 2],
        };
        platter.journal.push_str(written);
        killed
    }

    fn rewrite(&mut self, journal: &str) -> io::Result<()> {
        let mut platter = self.0.borrow_mut();
        platter.step()?;
        journal.clone_into(&mut platter.journal);
        Ok(())
    }
}

/// The server's documents, or a network that fails.
#[derive(Clone)]
struct Documents {
    server: Rc<RefCell<Server>>,
    failures: Rc<RefCell<u32>>,
}

impl Source for Documents {
    async fn get(&mut self, id: &str) -> Result<Option<(Version, Bytes)>, Failure> {
        let mut failures = self.failures.borrow_mut();
        if *failures > 0 {
            *failures -= 1;
            return Err(Failure::unreachable("lost"));
        }
        let found = self.server.borrow().document(id);
        Ok(found.map(|(version, text)| (version, text.into())))
    }
}

/// Nothing here waits.
fn now<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    match future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

type Mirror = Keeper<Memory, Documents>;

/// What happens.
#[derive(Clone, Debug)]
enum Turn {
    /// Somebody writes.
    Write(Write),
    /// So many events are heard at once.
    Hear(usize),
    /// The line is lost.
    Cut,
    /// The process is killed after so many changes to the disk, and started again.
    Kill(u32),
    /// So many requests for documents fail.
    Fail(u32),
    /// Somebody changes a file.
    Meddle(u8),
    /// The log is trimmed.
    Trim,
    /// The server's data are as they were so many writes ago.
    Restore(usize),
}

struct Scene {
    server: Rc<RefCell<Server>>,
    failures: Rc<RefCell<u32>>,
    disk: Memory,
    exact: bool,
    mirror: Option<Mirror>,
    line: Option<Session>,
    /// No snapshot has begun that was not caught up with.
    is_whole: bool,
}

const OF: &str = "http://h/c";

impl Scene {
    fn new(exact: bool) -> Self {
        let disk = Memory::default();
        let stranger = (("stranger").to_owned(), b"mine".to_vec());
        disk.0.borrow_mut().files.extend([stranger]);
        Self {
            server: Rc::default(),
            failures: Rc::default(),
            disk,
            exact,
            mirror: None,
            line: None,
            is_whole: true,
        }
    }

    /// Starts the process, if it does not run; fails if it is killed at once.
    fn start(&mut self) -> Result<(), Failure> {
        if self.mirror.is_some() {
            return Ok(());
        }
        self.line = None;
        let source = Documents {
            server: Rc::clone(&self.server),
            failures: Rc::clone(&self.failures),
        };
        let journal = self.disk.0.borrow().journal.clone();
        let mut mirror = Keeper::new(self.disk.clone(), source, &journal, OF, self.exact, false)?;
        now(mirror.repair())?;
        self.mirror = Some(mirror);
        Ok(())
    }

    /// Hears up to so many events; whether the files are equal to the documents.
    fn hear(&mut self, events: usize) -> Result<bool, Failure> {
        self.start()?;
        let mirror = self.mirror.as_mut().unwrap();
        if self.line.is_none() {
            self.line = Some(self.server.borrow().session(mirror.cursor()));
            now(mirror.come_back())?;
        }
        let line = self.line.as_mut().unwrap();
        let events = line.next(&self.server.borrow(), events);
        for event in &events {
            self.is_whole = event.name != "reset" && (self.is_whole || event.name == "synced");
        }
        let is_equal = now(mirror.hear(&events))?;
        // As the journal is read now, so it will be after a kill.
        let (read, is_torn) = Holdings::read(&self.disk.0.borrow().journal);
        assert!(!is_torn && read.cursor == mirror.cursor());
        Ok(is_equal && line.is_at_end(&self.server.borrow()))
    }

    fn turn(&mut self, turn: &Turn) {
        match turn {
            Turn::Write(write) => self.server.borrow_mut().write(write),
            Turn::Hear(events) => {
                let heard = self.hear(*events);
                self.settle(heard);
            }
            Turn::Cut => self.line = None,
            Turn::Kill(changes) => {
                self.disk.0.borrow_mut().left = Some(*changes);
                for _ in 0..3 {
                    let heard = self.hear(3);
                    self.settle(heard);
                }
                self.mirror = None;
                let mut platter = self.disk.0.borrow_mut();
                (platter.left, platter.is_dead) = (None, false);
            }
            Turn::Fail(times) => *self.failures.borrow_mut() = *times,
            Turn::Meddle(which) => self.meddle(*which),
            Turn::Trim => self.server.borrow_mut().trim(),
            // A snapshot is of a later time than its cursor. If that time is lost before
            // it was caught up with, nothing tells: neither the cursor nor any tag.
            Turn::Restore(_) if !self.is_whole => {}
            Turn::Restore(back) => {
                self.server.borrow_mut().restore(*back);
                self.line = None;
            }
        }
    }

    /// What goes wrong ends the line, or the process.
    fn settle(&mut self, heard: Result<bool, Failure>) -> bool {
        if let Err(failure) = &heard {
            self.line = None;
            if failure.exit != Exit::Unreachable {
                let is_killed = failure.message.as_deref() == Some("killed");
                assert!(is_killed, "{failure:?}");
                self.mirror = None;
            }
        }
        heard.unwrap_or(false)
    }

    fn meddle(&mut self, which: u8) {
        // A running mirror does not look at files that do not change; a restart does.
        self.mirror = None;
        let mut platter = self.disk.0.borrow_mut();
        let count = platter.files.len();
        let mut files = platter.files.iter_mut();
        if let Some((id, content)) = files.nth(usize::from(which) % count)
            && id != "stranger"
        {
            content.extend(b" ");
        }
    }

    /// Hears until all was heard.
    fn finish(&mut self) {
        *self.failures.borrow_mut() = 0;
        for _ in 0..1_000 {
            let heard = self.hear(4);
            if self.settle(heard) {
                return;
            }
        }
        panic!("it does not end");
    }

    fn files(&self) -> BTreeMap<String, String> {
        let platter = self.disk.0.borrow();
        let text = |content: &Vec<u8>| String::from_utf8(content.clone()).unwrap();
        let mut files: BTreeMap<_, _> = platter
            .files
            .iter()
            .map(|(id, content)| (id.clone(), text(content)))
            .collect();
        assert_eq!(files.remove("stranger").as_deref(), Some("mine"));
        files
    }
}

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let id = || "[abc]";
    let write = prop_oneof![
        6 => (id(), 0..3_u8, 0..4_u8).prop_map(|(id, a, b)| Write::Put(id, format!(r#"{{"a":{a},"b":[{b},"long enough to be worth a patch"]}}"#))),
        1 => (id(), 0..3_u8).prop_map(|(id, n)| Write::Blob(id, format!("text {n}"))),
        2 => id().prop_map(Write::Delete),
    ];
    let turn = prop_oneof![
        8 => write.prop_map(Turn::Write),
        8 => (1..6_usize).prop_map(Turn::Hear),
        2 => Just(Turn::Cut),
        2 => (0..6_u32).prop_map(Turn::Kill),
        1 => (1..3_u32).prop_map(Turn::Fail),
        1 => any::<u8>().prop_map(Turn::Meddle),
        1 => Just(Turn::Trim),
        1 => (0..4_usize).prop_map(Turn::Restore),
    ];
    prop::collection::vec(turn, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn section_7_the_files_end_as_the_documents(turns in turns(), exact in any::<bool>()) {
        let mut scene = Scene::new(exact);
        for turn in &turns {
            scene.turn(turn);
        }
        scene.finish();
        prop_assert_eq!(scene.files(), scene.server.borrow().documents());
    }
}

#[test]
fn section_1_what_is_known_beyond_the_cursor_may_be_of_a_lost_history() {
    let put = |text: &str| Turn::Write(Write::Put("c".to_owned(), text.to_owned()));
    let blob = |text: &str| Turn::Write(Write::Blob("c".to_owned(), text.to_owned()));
    let delete = || Turn::Write(Write::Delete("c".to_owned()));
    let cases = [
        // The document that is got is later than the event that it was got for.
        vec![
            put("1"),
            Turn::Hear(9),
            blob("x"),
            blob("y"),
            Turn::Hear(1),
            Turn::Restore(1),
            blob("z"),
        ],
        // The file is gone, and the journal is torn before the cursor.
        vec![
            put("1"),
            Turn::Hear(9),
            delete(),
            Turn::Kill(1),
            Turn::Restore(1),
        ],
    ];
    for turns in cases {
        let mut scene = Scene::new(false);
        turns.iter().for_each(|turn| scene.turn(turn));
        scene.finish();
        assert_eq!(scene.files(), scene.server.borrow().documents());
    }
}

#[test]
fn a_file_of_somebody_else_is_left_alone() {
    let mut scene = Scene::new(false);
    let put = |id: &str| Write::Put(id.to_owned(), "1".to_owned());
    scene.server.borrow_mut().write(&put("a"));
    scene.server.borrow_mut().write(&put("stranger"));
    let failure = loop {
        match scene.hear(1) {
            Ok(is_equal) => assert!(!is_equal),
            Err(failure) => break failure,
        }
    };
    assert_eq!(failure.exit, Exit::Usage);
    let message = failure.message.unwrap();
    assert_eq!(
        message,
        "stranger is there already, and none of the mirror's: move it away"
    );
    let files = scene.files();
    assert_eq!(files.keys().collect::<Vec<_>>(), ["a"]);
}

#[test]
fn a_mirror_is_of_one_collection() {
    let mut scene = Scene::new(false);
    scene.start().unwrap();
    let mirror = scene.mirror.as_mut().unwrap();
    let event = |path: &str| Event {
        name: "put".to_owned(),
        id: "aaaaaaaa-1".into(),
        data: format!(r#"{{"path":"{path}","etag":"\"aaaaaaaa-1\"","document":1}}"#),
    };
    for events in [vec![event("/d/1")], vec![event("/c/1"), event("/x/1/c/1")]] {
        let failure = now(mirror.hear(&events)).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
    }
    assert!(now(mirror.hear(&[event("/c/1")])).is_ok());

    let journal = scene.disk.0.borrow().journal.clone();
    let source = || Documents {
        server: Rc::default(),
        failures: Rc::default(),
    };
    let open = |is_moved| {
        Keeper::new(
            scene.disk.clone(),
            source(),
            &journal,
            "http://h/d",
            false,
            is_moved,
        )
    };
    assert_eq!(open(false).err().unwrap().exit, Exit::Usage);
    let moved = open(true).ok().unwrap();
    assert_eq!((moved.cursor(), moved.len()), ("", 1));
}
