//! Memory while work with a great many files is shared. Both sides are in one process here; small in the short run, of
//! real size with `PENT_CI=long`.

use crate::scale::{commit_tree, file, is_long, settings};
use crate::support::memory::Watch;
use pentimento::base::id::FileId;
use pentimento::base::monitor::SilentMonitor;
use pentimento::base::time::Timestamp;
use pentimento::repo::Repository;
use pentimento::store::Access;
use pentimento::sync::accept::NoRules;
use pentimento::sync::fetch::Fetch;
use pentimento::sync::served::ServedRemote;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// Most anonymous memory that both sides may take together, in MiB, however many files there are.
const MEMORY_MAX_MIB: u64 = 400;
const STEP: &str = "PENTIMENTO_TEST_SHARING_STEP";
const FILES: &str = "PENTIMENTO_TEST_SHARING_FILES";
const FOLDER: &str = "PENTIMENTO_TEST_SHARING_FOLDER";

/// A repository with a commit of so many files, of which nobody has the content.
fn make(folder: &Path, files: u32) {
    let repository = Repository::create(folder, &settings()).expect("a repository");
    let id_of = |number: u32| FileId::from_bytes(*blake3::hash(&number.to_le_bytes()).as_bytes());
    let path_of = |number: u32| format!("set-{:05}/asset-{:04}.psd", number / 1000, number % 1000);
    for first in (0..files).step_by(100_000) {
        let some =
            (first..files.min(first + 100_000)).map(|number| file(&path_of(number), id_of(number), 1 << 20));
        let mut edit = repository.edit().expect("a change");
        commit_tree(&repository, &mut edit, some.collect());
        edit.commit().expect("a durable change");
    }
}

/// One step, in a process of its own.
#[test]
#[allow(clippy::print_stdout)]
#[ignore = "started by a_history_of_any_number_of_files_takes_bounded_memory_on_both_sides"]
fn work_on_many_files() {
    let told = |name: &str| std::env::var(name).expect("a setting");
    let (folder, files) = (told(FOLDER), told(FILES).parse().expect("a number"));
    let (there, here) = (Path::new(&folder).join("there"), Path::new(&folder).join("here"));
    if told(STEP) == "make" {
        return make(&there, files);
    }
    let there = Repository::open(&there, Access::ReadWrite).expect("a repository");
    let here = Repository::create(&here, &settings()).expect("a repository");
    let (watch, start) = (Watch::start(), Instant::now());
    let now = Timestamp::utc(1_775_000_000_000);
    let remote = ServedRemote::new(&there, &NoRules, now);
    let fetch = Fetch {
        repository: &here,
        remote: &remote,
        name: "origin",
        content: false,
        judge: &NoRules,
        also: Vec::new(),
        now,
    };
    let fetched = fetch.run(&SilentMonitor).expect("a fetch");
    assert_eq!(fetched.assets, u64::from(files));
    println!("STEP fetch: {} MiB, {:.1} s", watch.take_peak(), start.elapsed().as_secs_f64());
}

#[test]
fn a_history_of_any_number_of_files_takes_bounded_memory_on_both_sides() {
    let files: u32 = if is_long() { 3_000_000 } else { 60_000 };
    let folder = tempfile::tempdir().expect("a temporary folder");
    for step in ["make", "fetch"] {
        let output = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "scale_sharing::work_on_many_files", "--ignored", "--nocapture"])
            .env(STEP, step)
            .env(FILES, files.to_string())
            .env(FOLDER, folder.path())
            .output()
            .expect("this program once more");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
        let Some((_, line)) = text.lines().find_map(|line| line.split_once("STEP ")) else { continue };
        eprintln!("{files} files, {line}");
        let peak = line.split([':', ' ']).find_map(|word| word.parse::<u64>().ok()).expect("a number");
        assert!(peak < MEMORY_MAX_MIB, "{line}");
    }
}
