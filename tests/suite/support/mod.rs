//! A sealed world for tests of the program: its own folder and home, a fixed date, no colour, and
//! nothing of the surroundings. Whole outputs are compared with files in `tests/suite/snapshots/`;
//! `PENT_UPDATE=1` writes them anew.

pub mod blake3_reference;
pub mod discarding;
pub mod line;
pub mod memory;
pub mod packages;
#[cfg(feature = "cloud")]
pub mod servers;
pub mod terminal;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The moment that counts as now: a Tuesday.
pub const NOW: &str = "2026-03-03T14:02:00+01:00";

/// A sealed world.
pub struct World {
    folder: tempfile::TempDir,
    variables: Vec<(String, String)>,
}

/// What one run of the program gave.
#[derive(Debug)]
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl World {
    /// A world with an empty home and an empty folder to work in.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in ["home", "studio"] {
            fs::create_dir(folder.path().join(name)).expect("a new folder");
        }
        let world = Self { folder, variables: Vec::new() };
        let home = world.home().to_string_lossy().into_owned();
        world.with("HOME", &home).with("PENT_DATE", NOW).with("TZ", "UTC")
    }

    /// The same world with an environment variable more, or with another value.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.retain(|(other, _)| other != name);
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The home folder.
    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// The folder that commands run in.
    pub fn studio(&self) -> PathBuf {
        self.folder.path().join("studio")
    }

    /// The program with some arguments, ready to run in the sealed world.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pent"));
        command.args(arguments).current_dir(self.studio()).env_clear();
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs the program.
    pub fn pent(&self, arguments: &[&str]) -> Run {
        let output = self.command(arguments).output().expect("a program that starts");
        self.run_of(&output)
    }

    /// Runs the program, which must succeed, and gives its result.
    pub fn ok(&self, arguments: &[&str]) -> String {
        let run = self.pent(arguments);
        assert_eq!(run.code, 0, "pent {}\n{}{}", arguments.join(" "), run.stdout, run.stderr);
        run.stdout
    }

    /// Runs the program, which must succeed, and reads its result as JSON.
    pub fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let arguments: Vec<&str> = ["--json"].iter().chain(arguments).copied().collect();
        serde_json::from_str(&self.ok(&arguments)).expect("a JSON result")
    }

    /// Runs commands in turn and writes down what a person would see.
    pub fn session(&self, lines: &[&[&str]]) -> String {
        let mut text = String::new();
        for arguments in lines {
            let run = self.pent(arguments);
            let shown: Vec<String> = arguments.iter().map(|word| quoted(word)).collect();
            text.push_str(&format!("$ pent {}\n{}", shown.join(" "), run.stdout));
            for line in run.stderr.lines() {
                text.push_str(&format!("! {line}\n"));
            }
            if run.code != 0 {
                text.push_str(&format!("[exit code {}]\n", run.code));
            }
        }
        text
    }

    /// The world's own folder never shows, since it has another name every time.
    fn run_of(&self, output: &Output) -> Run {
        let real = self.folder.path().canonicalize().expect("a real folder");
        let hide = |bytes: &[u8]| {
            let text = String::from_utf8(bytes.to_vec()).expect("output that is text");
            text.replace(&*real.to_string_lossy(), "").replace(&*self.folder.path().to_string_lossy(), "")
        };
        Run {
            code: output.status.code().unwrap_or(-1),
            stdout: hide(&output.stdout),
            stderr: hide(&output.stderr),
        }
    }
}

fn quoted(word: &str) -> String {
    if word.is_empty() || word.contains(' ') { format!("\"{word}\"") } else { word.to_owned() }
}

/// Compares text with a file of the project; with `PENT_UPDATE=1` writes the file instead.
pub fn assert_file(path: &str, actual: &str) {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("PENT_UPDATE").is_some() {
        fs::create_dir_all(place.parent().expect("a folder above")).expect("a folder");
        fs::write(&place, actual).expect("a written file");
        return;
    }
    let expected = fs::read_to_string(&place).unwrap_or_default();
    assert!(
        expected == actual,
        "{path} differs from what the program says; PENT_UPDATE=1 writes it anew.\n{}",
        first_difference(&expected, actual)
    );
}

/// Compares text with the snapshot of that name.
pub fn assert_snapshot(name: &str, actual: &str) {
    assert_file(&format!("tests/suite/snapshots/{name}.txt"), actual);
}

fn first_difference(expected: &str, actual: &str) -> String {
    let pairs = expected.lines().map(Some).chain(std::iter::repeat(None));
    for (number, (old, new)) in pairs.zip(actual.lines().map(Some).chain([None])).enumerate() {
        if old != new {
            let show = |line: Option<&str>| line.unwrap_or("(nothing)").to_owned();
            return format!("line {}:\n- {}\n+ {}", number + 1, show(old), show(new));
        }
    }
    "the first text goes on where the second ends".to_owned()
}
