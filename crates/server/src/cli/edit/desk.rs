//! The person's side of an edit: the file, the editor, and the questions.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::{NamedTempFile, TempPath};

use super::super::exit::{Failure, say};

/// What came back from a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// One of the letters that were offered.
    Choice(char),
    /// Ctrl-C, or the end of the input.
    Interrupted,
    /// There is nobody to ask.
    Nobody,
}

/// Who answers.
pub(super) enum Person {
    AtTerminal,
    Absent,
    #[cfg(test)]
    Scripted(Vec<char>),
}

/// A temporary file, an editor and a person.
pub(super) struct Desk {
    editor: String,
    directory: PathBuf,
    /// Deleted when the edit ends well.
    file: Option<TempPath>,
    person: Person,
}

impl Desk {
    /// The editor of `$VISUAL` or `$EDITOR`, and the person at this terminal if there
    /// is one.
    pub(super) fn of_this_terminal() -> Result<Self, Failure> {
        let named = ["VISUAL", "EDITOR"]
            .into_iter()
            .filter_map(|name| std::env::var(name).ok())
            .find(|editor| !editor.trim().is_empty());
        let is_terminal = io::stdin().is_terminal() && io::stderr().is_terminal();
        // POSIX has vi everywhere; without a terminal it could only hang.
        let editor = named.or_else(|| is_terminal.then(|| "vi".to_owned()));
        let editor = editor.ok_or_else(|| Failure::usage("--edit needs $VISUAL or $EDITOR"))?;
        let person = if is_terminal {
            Person::AtTerminal
        } else {
            Person::Absent
        };
        Self::new(editor, person, std::env::temp_dir())
    }

    pub(super) fn new(editor: String, person: Person, directory: PathBuf) -> Result<Self, Failure> {
        let file = new_file(&directory)?;
        Ok(Self {
            editor,
            directory,
            file: Some(file),
            person,
        })
    }

    fn path(&self) -> &Path {
        self.file.as_deref().unwrap_or(Path::new(""))
    }

    pub(super) fn write(&self, text: &str) -> Result<(), Failure> {
        Ok(std::fs::write(self.path(), text)?)
    }

    pub(super) fn read(&self) -> Result<Vec<u8>, Failure> {
        Ok(std::fs::read(self.path())?)
    }

    /// Copies the text to a file that stays.
    pub(super) fn put_aside(&self) -> Result<PathBuf, Failure> {
        let aside = new_file(&self.directory)?;
        std::fs::copy(self.path(), &aside)?;
        aside.keep().map_err(Failure::usage)
    }

    /// Leaves the text where it is and says where.
    pub(super) fn keep(&mut self) {
        if let Some(Ok(path)) = self.file.take().map(TempPath::keep) {
            say(format_args!("your text is in {}", path.display()));
        }
    }

    /// Opens the editor and waits until it is closed.
    pub(super) fn edit(&mut self) -> Result<(), Failure> {
        // By a shell, as git does it: the variable may hold arguments.
        let status = Command::new("sh")
            .arg("-c")
            .arg(format!("{} \"$@\"", self.editor))
            .arg(&self.editor)
            .arg(self.path())
            .status();
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => {
                self.keep();
                let editor = &self.editor;
                Err(Failure::usage(format!(
                    "the editor {editor} ended with {status}"
                )))
            }
            Err(error) => Err(Failure::usage(format!("cannot run an editor: {error}"))),
        }
    }

    /// Asks until one of the letters is the answer.
    pub(super) async fn ask(&mut self, question: &str, letters: &str) -> Answer {
        match &mut self.person {
            Person::Absent => Answer::Nobody,
            #[cfg(test)]
            Person::Scripted(answers) => answers.pop().map_or(Answer::Nobody, Answer::Choice),
            Person::AtTerminal => loop {
                let _ = write!(io::stderr(), "{question} ");
                let Some(line) = read_line().await else {
                    say("");
                    return Answer::Interrupted;
                };
                let letter = line.trim().chars().next().map(|c| c.to_ascii_lowercase());
                if let Some(letter) = letter.filter(|letter| letters.contains(*letter)) {
                    return Answer::Choice(letter);
                }
            },
        }
    }
}

/// A line of the terminal; `None` at its end or on Ctrl-C.
async fn read_line() -> Option<String> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    // Not a thread of the runtime: after Ctrl-C nobody waits for this one.
    std::thread::spawn(move || {
        let mut line = String::new();
        let length = io::stdin().read_line(&mut line).unwrap_or(0);
        let _ = sender.send((length > 0).then_some(line));
    });
    tokio::select! {
        line = receiver => line.ok().flatten(),
        _ = tokio::signal::ctrl_c() => None,
    }
}

fn new_file(directory: &Path) -> Result<TempPath, Failure> {
    // Editors know the language by the ending.
    let file: NamedTempFile = tempfile::Builder::new()
        .prefix("matchbook-")
        .suffix(".json")
        .tempfile_in(directory)?;
    Ok(file.into_temp_path())
}
