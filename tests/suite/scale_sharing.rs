//! Memory while work with a great many files is shared. Each step runs in a process of its own, which has both sides;
//! small in the short run, of real size with `PENT_CI=long`. `PENT_FILES` says how many files there are otherwise.

use crate::scale::{commit_tree, file, is_long, settings};
use crate::support::memory::Watch;
use pentimento::base::id::FileId;
use pentimento::base::monitor::SilentMonitor;
use pentimento::base::time::Timestamp;
use pentimento::repo::Repository;

use pentimento::repo::ingest::Ingester;
use pentimento::repo::refs::{RefName, RefTarget};
use pentimento::store::bucket::FolderBucket;
use pentimento::store::{Access, GroupHint};
use pentimento::sync::accept::NoRules;
use pentimento::sync::bucket::BucketRemote;
use pentimento::sync::fetch::Fetch;
use pentimento::sync::push::Push;
use pentimento::sync::remote::{RefChange, Remote};
use pentimento::sync::served::ServedRemote;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

/// Most anonymous memory that both sides may take together, in MiB, however many files there are.
const MEMORY_MAX_MIB: u64 = 700;
const STEP: &str = "PENTIMENTO_TEST_SHARING_STEP";
const FILES: &str = "PENTIMENTO_TEST_SHARING_FILES";
const FOLDER: &str = "PENTIMENTO_TEST_SHARING_FOLDER";
const NOW_MS: i64 = 1_775_000_000_000;

/// What there is in a folder.
struct Places {
    work: PathBuf,
    served: PathBuf,
    bucket: PathBuf,
}

impl Places {
    fn of(folder: &Path) -> Self {
        let at = |name: &str| folder.join(name);
        Self { work: at("work"), served: at("served"), bucket: at("bucket") }
    }
}

/// A repository with a commit of so many small files, each different, and two empty places to push to.
fn make(places: &Places, files: u32) {
    let repository = Repository::create(&places.work, &settings()).expect("a repository");
    let parameters = settings().chunker;
    let path_of = |number: u32| format!("set-{:05}/asset-{:04}.txt", number / 1000, number % 1000);
    for first in (0..files).step_by(100_000) {
        let numbers = first..files.min(first + 100_000);
        let writer = repository.store().chunk_writer(&SilentMonitor).expect("a writer");
        let ingester = Ingester::storing(&writer, &parameters, &SilentMonitor);
        for number in numbers.clone() {
            let bytes = number.to_le_bytes();
            ingester.ingest_file(&mut bytes.as_slice(), GroupHint::NONE).expect("a file that is stored");
        }
        drop(ingester);
        let staged = writer.finish().expect("what was written");
        let mut edit = repository.edit().expect("a change");
        edit.publish(staged).expect("published content");
        let entry = |number: u32| file(&path_of(number), FileId::of(&number.to_le_bytes()), 4);
        commit_tree(&repository, &mut edit, numbers.map(entry).collect());
        edit.commit().expect("a durable change");
    }
    let served = Repository::create(&places.served, &settings()).expect("a repository");
    let mut edit = served.edit().expect("a change");
    let mut state = edit.state().expect("a state");
    state.sparse = Some(std::collections::BTreeSet::new());
    edit.put_state(&state).expect("a state");
    edit.commit().expect("a durable change");
    let bucket = Arc::new(FolderBucket::create(&places.bucket).expect("a folder"));
    let remote = BucketRemote::new(bucket, "the bucket".to_owned(), None);
    remote.create(settings().repository, parameters, "nonce").expect("a new remote");
}

fn push(work: &Path, remote: &dyn Remote) {
    let repository = Repository::open(work, Access::ReadWrite).expect("a repository");
    let head = repository.view().and_then(|view| view.head()).expect("a state").expect("a commit");
    let main = RefName::branch("main").expect("a name");
    let push = Push {
        repository: &repository,
        remote,
        known: Vec::new(),
        changes: vec![RefChange { name: main, expected: None, target: Some(RefTarget::plain(head)) }],
        logs: Vec::new(),
        also: Vec::new(),
        log_objects: Vec::new(),
        notes: repository.pent_dir().join("remotes/test"),
        token: [5; 16],
    };
    push.run_saying(remote.describe().expect("a description"), &mut |_| {}, &SilentMonitor).expect("a push");
}

fn fetch(folder: &Path, remote: &dyn Remote, files: u32, content: bool) {
    let folder = folder.join(format!("here-{content}"));
    let _ = std::fs::remove_dir_all(&folder);
    let repository = Repository::create(&folder, &settings()).expect("a repository");
    let fetch = Fetch {
        repository: &repository,
        remote,
        name: "origin",
        content,
        judge: &NoRules,
        also: Vec::new(),
        now: Timestamp::utc(NOW_MS),
    };
    let fetched = fetch.run(&SilentMonitor).expect("a fetch");
    assert_eq!(fetched.assets, u64::from(files));
    drop(repository);
    std::fs::remove_dir_all(&folder).expect("removed");
}

/// One step, in a process of its own.
#[test]
#[allow(clippy::print_stdout)]
#[ignore = "started by a_history_of_any_number_of_files_takes_bounded_memory_on_both_sides"]
fn work_on_many_files() {
    let told = |name: &str| std::env::var(name).expect("a setting");
    let (step, folder) = (told(STEP), PathBuf::from(told(FOLDER)));
    let (places, files) = (Places::of(&folder), told(FILES).parse().expect("a number"));
    if step == "make" {
        return make(&places, files);
    }
    let there = Repository::open(&places.served, Access::ReadWrite).expect("a repository");
    let served = ServedRemote::new(&there, &NoRules, Timestamp::utc(NOW_MS));
    let bucket = Arc::new(FolderBucket::open(&places.bucket));
    let bucket = BucketRemote::new(bucket, "the bucket".to_owned(), None);
    let (watch, start) = (Watch::start(), Instant::now());
    match step.as_str() {
        "push to a program" => push(&places.work, &served),
        "push to a bucket" => push(&places.work, &bucket),
        "lazy clone of a program" => fetch(&folder, &served, files, false),
        "clone of a program" => fetch(&folder, &served, files, true),
        "clone of a bucket" => fetch(&folder, &bucket, files, true),
        other => panic!("no step {other}"),
    }
    println!("STEP {step}: {} MiB, {:.1} s", watch.take_peak(), start.elapsed().as_secs_f64());
}

#[test]
fn a_history_of_any_number_of_files_takes_bounded_memory_on_both_sides() {
    let told = std::env::var("PENT_FILES").ok().and_then(|text| text.parse().ok());
    let files: u32 = told.unwrap_or(if is_long() { 3_000_000 } else { 60_000 });
    let folder = tempfile::tempdir().expect("a temporary folder");
    let steps = [
        "make",
        "push to a program",
        "push to a bucket",
        "lazy clone of a program",
        "clone of a program",
        "clone of a bucket",
    ];
    for step in steps {
        let output = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "scale_sharing::work_on_many_files", "--ignored", "--nocapture"])
            .env(STEP, step)
            .env(FILES, files.to_string())
            .env(FOLDER, folder.path())
            .output()
            .expect("this program once more");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{step}: {text}\n{}", String::from_utf8_lossy(&output.stderr));
        let Some((_, line)) = text.lines().find_map(|line| line.split_once("STEP ")) else { continue };
        eprintln!("{files} files, {line}");
        let (_, figures) = line.split_once(": ").expect("figures");
        let peak = figures.split(' ').next().and_then(|word| word.parse::<u64>().ok()).expect("a number");
        assert!(peak < MEMORY_MAX_MIB, "{line}");
    }
}
