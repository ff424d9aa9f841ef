//! Use cases one after another, as a person would: through `app`, without the command line.

use pentimento::app::{commit, log, status};
use pentimento::base::id::{PersonId, RepositoryId};
use pentimento::base::monitor::{CollectingMonitor, SilentMonitor};
use pentimento::base::path::AssetPath;
use pentimento::base::time::{Clock, Timestamp};
use pentimento::repo::Repository;
use pentimento::repo::people::{Identity, Person};
use pentimento::store::{Access, StoreSettings};
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};

/// A clock that goes on by a minute each time it is asked.
pub struct TickingClock(AtomicI64);

impl Clock for TickingClock {
    fn now(&self) -> Timestamp {
        let unix_ms = self.0.fetch_add(60_000, Ordering::Relaxed);
        Timestamp { unix_ms, offset_minutes: 60 }
    }
}

/// A repository in a temporary folder.
pub struct Lab {
    pub folder: tempfile::TempDir,
    pub repository: Repository,
    pub clock: TickingClock,
}

pub fn path(text: &str) -> AssetPath {
    AssetPath::from_bytes(text).expect("a path")
}

pub fn anna() -> Identity {
    Identity {
        id: PersonId::from_bytes([7; 16]),
        person: Person { name: "Anna Lind".into(), email: "anna@example.org".into() },
    }
}

impl Lab {
    pub fn new() -> Self {
        Self::in_folder(tempfile::tempdir().expect("a temporary folder"))
    }

    pub fn in_folder(folder: tempfile::TempDir) -> Self {
        Self::with_id(folder, RepositoryId::from_bytes([1; 16]))
    }

    pub fn with_id(folder: tempfile::TempDir, id: RepositoryId) -> Self {
        Self::with_settings(folder, &StoreSettings::new(id))
    }

    pub fn with_settings(folder: tempfile::TempDir, settings: &StoreSettings) -> Self {
        let repository = Repository::create(folder.path(), settings).expect("a new repository");
        Self { folder, repository, clock: TickingClock(AtomicI64::new(1_772_381_999_000)) }
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let at = self.at(name);
        fs::create_dir_all(at.parent().expect("a parent")).expect("folders");
        fs::write(at, bytes).expect("a written file");
    }

    pub fn read(&self, name: &str) -> Option<Vec<u8>> {
        fs::read(self.at(name)).ok()
    }

    pub fn text(&self, name: &str) -> Option<String> {
        self.read(name).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    pub fn commit(&self, message: &str) -> commit::Report {
        self.commit_paths(message, &[])
    }

    pub fn commit_paths(&self, message: &str, paths: &[&str]) -> commit::Report {
        let options = commit::Options {
            message: Some(message.to_owned()),
            paths: paths.iter().map(|text| path(text)).collect(),
            identity: Some(anna()),
            author: None,
            date: None,
            signing: None,
        };
        commit::run(&self.repository, &options, &self.clock, &SilentMonitor).expect("a commit")
    }

    pub fn status(&self) -> status::Report {
        status::run(&self.repository, &status::Options::default(), &SilentMonitor).expect("a status")
    }

    /// The status as `what path` or `what from -> path`.
    pub fn changes(&self) -> Vec<String> {
        lines(&self.status().changes)
    }
}

pub fn lines(changes: &[status::ChangeLine]) -> Vec<String> {
    changes
        .iter()
        .map(|line| match &line.from {
            Some(from) => format!("{} {from} -> {}", line.what, line.path),
            None => format!("{} {}", line.what, line.path),
        })
        .collect()
}

/// Bytes that do not compress and differ by seed.
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        })
        .collect()
}

#[test]
fn a_first_commit_takes_everything_and_a_second_only_what_changed() {
    let lab = Lab::new();
    lab.write("brand/logo.svg", "<svg/>");
    lab.write("poster.psd", noise(1, 1_000_000));
    let first = lab.commit("First state");
    assert_eq!(lines(&first.changes), ["new brand/logo.svg", "new poster.psd"]);
    assert_eq!((first.bytes, first.bytes_new), (1_000_006, 1_000_006));
    assert!(lab.changes().is_empty(), "{:?}", lab.changes());

    let mut poster = noise(1, 1_000_000);
    poster.splice(500_000..500_000, noise(2, 100));
    lab.write("poster.psd", &poster);
    let second = lab.commit("A warmer sky");
    assert_eq!(lines(&second.changes), ["changed poster.psd"]);
    assert!(second.bytes_new < 300_000, "{} of {} bytes are new", second.bytes_new, second.bytes);
    let third = lab.commit("Nothing");
    assert!(third.commit.is_none());
    assert_eq!(third.bytes, 0, "what was committed a moment ago need not be read again");
}

#[test]
fn moves_are_found_by_content_and_history_follows_them() {
    let lab = Lab::new();
    lab.write("sketch.kra", noise(3, 40_000));
    lab.commit("Sketch");
    fs::create_dir(lab.at("final")).expect("a folder");
    fs::rename(lab.at("sketch.kra"), lab.at("final/poster.kra")).expect("a moved file");
    assert_eq!(lab.changes(), ["moved sketch.kra -> final/poster.kra"]);
    lab.commit("Moved");
    lab.write("final/poster.kra", noise(4, 40_000));
    lab.commit("Edited");
    let options = log::Options { path: Some(path("final/poster.kra")), ..log::Options::default() };
    let report = log::run(&lab.repository, &options, &lab.clock, &SilentMonitor).expect("a log");
    let story: Vec<_> = report
        .commits
        .iter()
        .map(|entry| {
            let change = entry.change.as_ref().expect("a change");
            (entry.commit.message.as_str(), change.what, change.version)
        })
        .collect();
    assert_eq!(
        story,
        [("Edited", "changed", Some(2)), ("Moved", "moved", Some(1)), ("Sketch", "added", Some(1))]
    );
}

#[test]
fn a_commit_of_named_paths_leaves_the_rest_as_it_is() {
    let lab = Lab::new();
    lab.write("a/one.txt", "1");
    lab.write("b/two.txt", "2");
    lab.commit_paths("Only a", &["a"]);
    assert_eq!(lab.changes(), ["new b/two.txt"]);
}

#[test]
fn named_paths_are_committed_where_a_file_and_a_folder_change_places() {
    let lab = Lab::new();
    lab.write("a/x.txt", "1");
    lab.write("b", "2");
    lab.write("other.txt", "3");
    lab.commit("Base");
    fs::remove_dir_all(lab.at("a")).expect("a removed folder");
    lab.write("a", "a file now");
    fs::remove_file(lab.at("b")).expect("a removed file");
    lab.write("b/y.txt", "in a folder now");
    lab.write("other.txt", "edited");
    let report = lab.commit_paths("A file became a folder", &["b/y.txt"]);
    assert_eq!(lines(&report.changes), ["removed b", "new b/y.txt"]);
    let report = lab.commit_paths("Gone", &["a/x.txt"]);
    assert_eq!(lines(&report.changes), ["removed a/x.txt"]);
    assert_eq!(lab.changes(), ["new a", "changed other.txt"]);
}

#[test]
fn one_unreadable_file_does_not_stop_the_others() {
    let lab = Lab::new();
    lab.write("good.txt", "1");
    lab.write("pipe", "will be a pipe");
    lab.commit("Base");
    lab.write("good.txt", "22");
    std::fs::remove_file(lab.at("pipe")).expect("a removed file");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        lab.at("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o644),
        0,
    )
    .expect("a pipe");
    let report = lab.commit("First");
    assert_eq!(lines(&report.changes), ["changed good.txt"]);
    assert_eq!(report.problems.len(), 1);
}

#[test]
fn a_copy_remembers_where_it_came_from_and_is_an_asset_of_its_own() {
    let lab = Lab::new();
    lab.write("logo.svg", "<svg>logo</svg>");
    lab.commit("Logo");
    lab.write("copy.svg", "<svg>logo</svg>");
    let report = lab.commit("A copy");
    assert_eq!(report.bytes_new, 0);
    let view = lab.repository.view().expect("a view");
    let head = view.head().expect("a head").expect("a commit");
    let commit = pentimento::object::source::ObjectSource::commit(&view, head).expect("a commit");
    assert_eq!(commit.notes.len(), 1);
}

#[test]
fn a_repository_is_the_same_when_opened_again() {
    let lab = Lab::new();
    lab.write("a.txt", "1");
    lab.commit("One");
    let Lab { folder, repository, .. } = lab;
    drop(repository);
    let repository = Repository::open(folder.path(), Access::ReadWrite).expect("an opened repository");
    let monitor = CollectingMonitor::default();
    let report = status::run(&repository, &status::Options::default(), &monitor).expect("a status");
    assert_eq!(report.unchanged_files, 1);
    assert!(report.changes.is_empty() && monitor.problems().is_empty());
}
