//! Files as a disk has them when the power goes: what was synced for certain, of the rest
//! anything.
//!
//! This is what POSIX lets a file system do, which is worse than what most do: each sector
//! that was written and not synced may be there or not, whatever became of those written
//! before it; a file may be longer than what arrived in it, with zeros or what lay there
//! before; a name that was made, moved or removed may be so or not until its directory
//! is synced, whatever became of the file.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::log::{Entry, Operation};
use crate::harness::random::Random;

/// What a disk writes as a whole.
const SECTOR: usize = 512;

/// The index that SQLite keeps of its log. It is mapped, so that nobody knows what a crash
/// leaves of it.
pub(crate) const MAPPED: &str = "-shm";

/// The content of a directory by name; a directory in it has none.
pub(crate) type Image = BTreeMap<String, Option<Vec<u8>>>;

/// What becomes of what was not synced.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Loss {
    /// It is there, as after a crash of the process alone.
    None,
    /// It is gone.
    All,
    /// By chance, by this seed.
    Some(u64),
}

#[derive(Debug, Default)]
pub(crate) struct Files {
    /// Each file that ever was; names point to them.
    files: Vec<File>,
    synced_names: BTreeMap<String, Node>,
    names: BTreeMap<String, Node>,
    /// Changes of names that are not synced, in their order.
    moves: Vec<Move>,
}

#[derive(Clone, Copy, Debug)]
enum Node {
    File(usize),
    Directory,
}

#[derive(Clone, Debug)]
enum Move {
    Add(String, Node),
    Remove(String),
    Rename(String, String, Node),
}

#[derive(Debug, Default)]
struct File {
    synced: Vec<u8>,
    now: Vec<u8>,
    /// Changes that are not synced, in their order.
    changes: Vec<Change>,
}

#[derive(Debug)]
enum Change {
    Write(usize, Vec<u8>),
    Truncate(usize),
}

impl Files {
    /// What the entry did.
    pub(crate) fn apply(&mut self, entry: &Entry) {
        let path = entry.path.clone();
        match &entry.operation {
            Operation::Create => {
                self.files.push(File::default());
                self.change_name(Move::Add(path, Node::File(self.files.len() - 1)));
            }
            Operation::MakeDirectory => self.change_name(Move::Add(path, Node::Directory)),
            Operation::Unlink => self.change_name(Move::Remove(path)),
            Operation::Rename(to) => {
                let node = self.names[&path];
                self.change_name(Move::Rename(path, to.clone(), node));
            }
            Operation::Write { at, bytes } => {
                let file = self.file(&path);
                file.change(Change::Write(*at, bytes.clone()));
            }
            Operation::Truncate(length) => self.file(&path).change(Change::Truncate(*length)),
            Operation::Sync => self.sync(&path),
        }
    }

    fn change_name(&mut self, change: Move) {
        change.apply(&mut self.names);
        self.moves.push(change);
    }

    fn file(&mut self, path: &str) -> &mut File {
        match self.names[path] {
            Node::File(place) => &mut self.files[place],
            Node::Directory => panic!("{path} is a directory"),
        }
    }

    fn sync(&mut self, path: &str) {
        if let Some(Node::File(place)) = self.names.get(path) {
            let file = &mut self.files[*place];
            file.sync();
            return;
        }
        let (synced, left) = std::mem::take(&mut self.moves)
            .into_iter()
            .partition(|change| change.directory() == path);
        self.moves = left;
        let synced: Vec<Move> = synced;
        for change in synced {
            change.apply(&mut self.synced_names);
        }
    }

    /// What the disk holds if the power goes now.
    pub(crate) fn after(&self, loss: Loss) -> Image {
        let mut random = match loss {
            Loss::None => return self.image(&self.names, |file| file.now.clone()),
            Loss::All => return self.image(&self.synced_names, |file| file.synced.clone()),
            Loss::Some(seed) => Random::new(seed),
        };
        let mut names = self.synced_names.clone();
        let kept = *random.pick(&[20, 50, 80, 100]);
        for change in &self.moves {
            if random.percent(kept) {
                change.apply(&mut names);
            }
        }
        let chance = Chance::new(&mut random);
        let random = std::cell::RefCell::new(random);
        let mut image = self.image(&names, |file| file.torn(chance, &mut random.borrow_mut()));
        for (name, content) in &mut image {
            if let Some(content) = content.as_mut().filter(|_| name.ends_with(MAPPED)) {
                *content = garbage(content.len(), &mut random.borrow_mut());
            }
        }
        image
    }

    /// A name below a directory that is not there is not there either.
    fn image(&self, names: &BTreeMap<String, Node>, content: impl Fn(&File) -> Vec<u8>) -> Image {
        let is_there = |path: &str| path.is_empty() || names.contains_key(path);
        let reached = names.iter().filter(|(path, _)| is_there(parent(path)));
        reached
            .map(|(path, node)| {
                let content = match node {
                    Node::File(place) => Some(content(&self.files[*place])),
                    Node::Directory => None,
                };
                (path.clone(), content)
            })
            .collect()
    }
}

impl Move {
    fn apply(&self, names: &mut BTreeMap<String, Node>) {
        match self {
            Self::Add(path, node) => {
                names.insert(path.clone(), *node);
            }
            Self::Remove(path) => {
                names.remove(path);
            }
            Self::Rename(from, to, node) => {
                names.remove(from);
                names.insert(to.clone(), *node);
            }
        }
    }

    fn directory(&self) -> &str {
        match self {
            Self::Add(path, _) | Self::Remove(path) | Self::Rename(path, _, _) => parent(path),
        }
    }
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// What a directory holds.
pub(crate) fn image_of(root: &Path) -> Image {
    let mut image = Image::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path
                .strip_prefix(root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            if path.is_dir() {
                directories.push(path);
                image.insert(name, None);
            } else {
                image.insert(name, Some(fs::read(path).unwrap()));
            }
        }
    }
    image
}

/// Has a directory hold just this.
pub(crate) fn put_down(image: &Image, root: &Path) {
    let _ = fs::remove_dir_all(root);
    fs::create_dir(root).unwrap();
    // In order of name, so that a directory comes before what is in it.
    for (name, content) in image {
        match content {
            Some(content) => fs::write(root.join(name), content).unwrap(),
            None => fs::create_dir(root.join(name)).unwrap(),
        }
    }
}

/// How what is not synced gets lost.
#[derive(Clone, Copy)]
enum Chance {
    /// Each change whole or not at all, so many times in a hundred.
    Changes(usize),
    /// Each sector of each write by itself.
    Sectors(usize),
    /// In order, up to one that is torn.
    Prefix,
}

impl Chance {
    fn new(random: &mut Random) -> Self {
        let kept = *random.pick(&[10, 50, 90]);
        *random.pick(&[Self::Changes(kept), Self::Sectors(kept), Self::Prefix])
    }
}

impl Change {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Write(at, bytes) => put(content, *at, bytes, &mut |gap| vec![0; gap]),
            Self::Truncate(length) => content.resize(*length, 0),
        }
    }
}

impl File {
    fn change(&mut self, change: Change) {
        change.apply(&mut self.now);
        self.changes.push(change);
    }

    fn sync(&mut self) {
        for change in self.changes.drain(..) {
            change.apply(&mut self.synced);
        }
    }

    fn torn(&self, chance: Chance, random: &mut Random) -> Vec<u8> {
        let mut content = self.synced.clone();
        let last = random.below(self.changes.len() + 1);
        let before = random.percent(50);
        for (place, change) in self.changes.iter().enumerate() {
            let (whole, sectors) = match chance {
                Chance::Changes(kept) => (random.percent(kept), 0),
                Chance::Sectors(kept) => (random.percent(kept / 2), kept),
                Chance::Prefix => (place < last, if place == last { 50 } else { 0 }),
            };
            match change {
                Change::Truncate(length) if whole => content.resize(*length, 0),
                Change::Truncate(_) => {}
                Change::Write(at, bytes) => {
                    for (at, sector) in split(*at, bytes) {
                        if whole || random.percent(sectors) {
                            let mut gap = |gap| match before {
                                true => garbage(gap, random),
                                false => vec![0; gap],
                            };
                            put(&mut content, at, sector, &mut gap);
                        }
                    }
                }
            }
        }
        content
    }
}

/// The parts of a write that lie in different sectors.
fn split(at: usize, bytes: &[u8]) -> Vec<(usize, &[u8])> {
    let (mut at, mut rest, mut parts) = (at, bytes, Vec::new());
    while !rest.is_empty() {
        let (part, left) = rest.split_at(rest.len().min(SECTOR - at % SECTOR));
        parts.push((at, part));
        (at, rest) = (at + part.len(), left);
    }
    parts
}

/// Writes, and fills a gap before it.
fn put(content: &mut Vec<u8>, at: usize, bytes: &[u8], gap: &mut dyn FnMut(usize) -> Vec<u8>) {
    if at > content.len() {
        content.extend(gap(at - content.len()));
    }
    let over = bytes.len().min(content.len() - at);
    content[at..at + over].copy_from_slice(&bytes[..over]);
    content.extend_from_slice(&bytes[over..]);
}

fn garbage(length: usize, random: &mut Random) -> Vec<u8> {
    (0..length)
        .map(|_| u8::try_from(random.below(256)).unwrap())
        .collect()
}
