//! What grows with a repository and what must not: memory with the size of one file, the cost of
//! opening with history and files. Small in the short run, of real size with `PENT_CI=long`.

use crate::support::discarding::{DiscardingDisk, Stream};
use crate::support::memory::Watch;
use pentimento::base::id::{AssetId, FileId, PersonId, RepositoryId};
use pentimento::base::monitor::SilentMonitor;
use pentimento::base::path::AssetPath;
use pentimento::base::time::Timestamp;
use pentimento::care::{fsck, gc};
use pentimento::object::commit::{Commit, Signature};
use pentimento::object::source::ObjectSource;
use pentimento::object::tree::{Content, TreeNode};
use pentimento::object::tree_edit::{EntryValue, TreeEdit, edit_tree};
use pentimento::object::tree_walk::entry_at;
use pentimento::repo::edit::JournalNote;
use pentimento::repo::extract::Extractor;
use pentimento::repo::ingest::Ingester;
use pentimento::repo::refs::{RefName, RefTarget};
use pentimento::repo::{Edit, Repository};
use pentimento::store::{Access, GroupHint, StoreSettings};
use std::io::{self, Write};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

const NOW: Timestamp = Timestamp::utc(1_775_000_000_000);
/// Most anonymous memory that work on a file of any size may take, in MiB.
const MEMORY_MAX_MIB: u64 = 256;
/// Longest that opening may take.
const OPEN_MAX: Duration = Duration::from_millis(10);

pub fn is_long() -> bool {
    std::env::var("PENT_CI").as_deref() == Ok("long")
}

pub fn settings() -> StoreSettings {
    StoreSettings::new(RepositoryId::from_bytes([7; 16]))
}

pub fn commit_tree(repository: &Repository, edit: &mut Edit, edits: Vec<TreeEdit>) {
    let view = repository.view().expect("a view");
    let main = RefName::branch("main").expect("a name");
    let head = view.head().expect("a state");
    let base = head.map_or_else(TreeNode::empty_id, |id| view.commit(id).expect("a commit").tree);
    let tree = edit_tree(&view, base, edits, &mut |id, bytes| edit.put_tree_node(id, &bytes));
    let signature = Signature { person: PersonId::from_bytes([1; 16]), time: NOW };
    let commit = Commit {
        tree: tree.expect("a tree"),
        parents: head.into_iter().collect(),
        author: signature,
        committer: signature,
        message: "as generated".to_owned(),
        notes: Vec::new(),
        extensions: Vec::new(),
    };
    let id = edit.put_commit(&commit).expect("a stored commit");
    edit.set_reference(&main, head, Some(RefTarget::plain(id))).expect("a moved branch");
}

pub fn file(path: &str, id: FileId, size: u64) -> TreeEdit {
    let content = Content::File { id, size, executable: false };
    let value = EntryValue { asset: Some(AssetId::from_bytes([2; 16])), metadata: None, content };
    TreeEdit { path: AssetPath::from_bytes(path).expect("a path"), value: Some(value) }
}

/// Counts what it is given and keeps nothing.
struct Sink(u64);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a process that is started by the test is to do: the step, the size of the stream, the folder.
const STREAM_STEP: &str = "PENT_TEST_STREAM_STEP";
const STREAM_BYTES: &str = "PENT_TEST_STREAM_BYTES";
const STREAM_FOLDER: &str = "PENT_TEST_STREAM_FOLDER";

fn commit_stream(folder: &Path, bytes: u64) {
    let repository =
        Repository::create_on(Arc::new(DiscardingDisk), folder, &settings()).expect("a repository");
    let parameters = settings().chunker;
    let writer = repository.store().chunk_writer(&SilentMonitor).expect("a writer");
    let ingester = Ingester::storing(&writer, &parameters, &SilentMonitor);
    let taken =
        ingester.ingest_file(&mut Stream::of(bytes), GroupHint::NONE).expect("a stream that is stored");
    drop(ingester);
    assert_eq!((taken.size, taken.new_bytes), (bytes, bytes));
    let staged = writer.finish().expect("what was written");
    let mut edit = repository.edit().expect("a change");
    edit.publish(staged).expect("published content");
    commit_tree(&repository, &mut edit, vec![file("film.mov", taken.file, bytes)]);
    edit.record(JournalNote { verb: "commit", ..JournalNote::default() }, NOW).expect("a journal entry");
    edit.commit().expect("a durable change");
}

/// The id of the file that was committed.
fn committed_stream(repository: &Repository) -> FileId {
    let view = repository.view().expect("a view");
    let head = view.head().expect("a state").expect("a commit");
    let path = AssetPath::from_bytes("film.mov").expect("a path");
    let entry = entry_at(&view, view.commit(head).expect("a commit").tree, &path).expect("a tree");
    entry.expect("the film").content.file_id().expect("a file")
}

fn work_on_committed_stream(step: &str, folder: &Path, bytes: u64) {
    let repository = Repository::open_on(Arc::new(DiscardingDisk), folder, Access::ReadWrite);
    let repository = repository.expect("a repository");
    let id = committed_stream(&repository);
    match step {
        "status" => {
            let seen = Ingester::hashing(&SilentMonitor).ingest_file(&mut Stream::of(bytes), GroupHint::NONE);
            assert_eq!(seen.expect("a stream that is read").file, id);
        }
        "restore" => {
            let view = repository.view().expect("a view");
            let reader = repository.store().chunk_reader().expect("a reader");
            let mut sink = Sink(0);
            let extractor = Extractor::new(&reader, &view, &SilentMonitor);
            extractor.write_file(id, bytes, &mut sink).expect("the bytes that were stored");
            assert_eq!(sink.0, bytes);
        }
        "gc" => {
            let options = gc::Options::at(NOW).with_grace_days(0);
            let plan = gc::execute(&repository, &options, &SilentMonitor);
            assert_eq!(plan.expect("a collection").0.due.chunks, 0);
        }
        "fsck" => {
            let options = fsck::Options::everything(NOW);
            let outcome = fsck::check(&repository, &options, &SilentMonitor).expect("a check");
            assert!(outcome.findings.is_empty(), "{:?}", outcome.findings.lines());
            assert_eq!(outcome.checked.bytes, bytes);
        }
        other => panic!("no step {other}"),
    }
}

// The figures go to the test that started this one.
#[allow(clippy::print_stdout)]
/// Runs in a process of its own, where nothing else uses memory, and prints what its step took.
#[test]
#[ignore = "started by a_file_of_any_size_takes_little_memory"]
fn work_on_a_stream() {
    let told = |name: &str| std::env::var(name).expect("a setting");
    let (step, folder) = (told(STREAM_STEP), told(STREAM_FOLDER));
    let bytes: u64 = told(STREAM_BYTES).parse().expect("a number");
    let (watch, start) = (Watch::start(), Instant::now());
    match step.as_str() {
        "commit" => commit_stream(Path::new(&folder), bytes),
        step => work_on_committed_stream(step, Path::new(&folder), bytes),
    }
    println!("STEP {step}: {} MiB, {:.1} s", watch.take_peak(), start.elapsed().as_secs_f64());
}

#[test]
fn a_file_of_any_size_takes_little_memory() {
    let bytes: u64 = if is_long() { 200_000_000_000 } else { 300_000_000 };
    let folder = tempfile::tempdir().expect("a temporary folder");
    for step in ["commit", "status", "restore", "gc", "fsck"] {
        let output = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "scale::work_on_a_stream", "--ignored", "--nocapture"])
            .env(STREAM_STEP, step)
            .env(STREAM_BYTES, bytes.to_string())
            .env(STREAM_FOLDER, folder.path())
            .output()
            .expect("this program once more");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
        let line = text.lines().find_map(|line| line.split_once("STEP ")).expect("a figure").1;
        eprintln!("{bytes} bytes, {line}");
        let peak = line.split([':', ' ']).find_map(|word| word.parse::<u64>().ok()).expect("a number");
        assert!(peak < MEMORY_MAX_MIB, "{line}");
    }
}

#[test]
fn opening_costs_the_same_whatever_is_in_it() {
    let (files, commits) = if is_long() { (1_000_000, 10_000) } else { (50_000, 500) };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let repository = Repository::create(folder.path(), &settings()).expect("a repository");
    let id_of = |number: u32| FileId::from_bytes(*blake3::hash(&number.to_le_bytes()).as_bytes());
    let path_of = |number: u32| format!("set-{:04}/asset-{:04}.psd", number / 1000, number % 1000);
    let everything = (0..files).map(|number| file(&path_of(number), id_of(number), 1 << 20)).collect();
    let mut edit = repository.edit().expect("a change");
    commit_tree(&repository, &mut edit, everything);
    edit.commit().expect("a durable change");
    for number in 1..commits {
        let changed = number * 7919 % files;
        let mut edit = repository.edit().expect("a change");
        commit_tree(&repository, &mut edit, vec![file(&path_of(changed), id_of(files + number), 1 << 20)]);
        edit.commit().expect("a durable change");
    }
    drop(repository);
    // The best of many: others use this machine too.
    let best = (0..50).map(|_| {
        let start = Instant::now();
        let repository = Repository::open(folder.path(), Access::ReadWrite).expect("a repository");
        let view = repository.view().expect("a view");
        let head = view.head().expect("a state").expect("a commit");
        view.commit(head).expect("the newest commit");
        start.elapsed()
    });
    let best = best.min().expect("a time");
    eprintln!("{files} files, {commits} commits: opened in {best:?}");
    assert!(best < OPEN_MAX, "{best:?}");
}
