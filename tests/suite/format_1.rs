//! A repository that format 1 once wrote is read by this and every later version.

use pentimento::app::{cat, draft, log, repair};
use pentimento::base::id::RepositoryId;
use pentimento::base::monitor::SilentMonitor;
use pentimento::base::path::AssetPath;
use pentimento::base::time::{FixedClock, Timestamp};
use pentimento::object::source::ObjectSource;
use pentimento::object::tree_walk::TreeWalk;
use pentimento::repo::Repository;
use pentimento::store::Access;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const CLOCK: FixedClock = FixedClock(Timestamp { unix_ms: 1_775_000_000_000, offset_minutes: 60 });
/// The names that the list uses, as revisions.
const REVISIONS: &[(&str, &str)] =
    &[("first", "main~4"), ("second", "main~2"), ("draft", "draft/night"), ("merged", "main")];

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a new folder");
    for entry in fs::read_dir(from).expect("a fixture folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a copied file");
        }
    }
}

/// The fixture in a folder of its own, since opening may write locks.
fn opened() -> (tempfile::TempDir, Repository, String) {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/format-1");
    let folder = tempfile::tempdir().expect("a temporary folder");
    copy_folder(&fixture.join("pent"), &folder.path().join(".pent"));
    let repository = Repository::open(folder.path(), Access::ReadWrite).expect("an opened repository");
    let expected = fs::read_to_string(fixture.join("expected.txt")).expect("the list");
    (folder, repository, expected)
}

#[test]
fn every_file_of_every_revision_reads_back_as_b3sum_saw_it() {
    let (_folder, repository, expected) = opened();
    let view = repository.view().expect("a view");
    for (name, revision) in REVISIONS {
        let commit = view.resolve(revision, CLOCK.0).expect("a revision").commit;
        let tree = view.commit(commit).expect("a commit").tree;
        let mut found = BTreeSet::new();
        for item in TreeWalk::new(&view, tree, AssetPath::root()) {
            let (path, entry) = item.expect("an entry");
            let Some(id) = entry.content.file_id() else { continue };
            let mut bytes = Vec::new();
            let options =
                cat::Options { path: path.clone(), revision: Some((*revision).to_owned()), side: None };
            cat::run(&repository, &options, &mut bytes, &CLOCK, &SilentMonitor).expect("its bytes");
            assert_eq!(blake3::hash(&bytes).to_hex().to_string(), id.to_string(), "{path}");
            if path.as_bytes() != b"logo-link" {
                found.insert(format!("{name} {id} {path}"));
            }
        }
        let wanted: BTreeSet<String> =
            expected.lines().filter(|line| line.split(' ').next() == Some(name)).map(str::to_owned).collect();
        assert_eq!(found, wanted, "{revision}");
    }
}

#[test]
fn history_versions_and_metadata_are_as_they_were() {
    let (_folder, repository, _) = opened();
    let path = AssetPath::from_bytes("brand/logo.svg").expect("a path");
    let options = log::Options { path: Some(path), ..log::Options::default() };
    let report = log::run(&repository, &options, &CLOCK, &SilentMonitor).expect("a log");
    let story: Vec<(String, &str, Option<u64>)> = report
        .commits
        .iter()
        .map(|entry| {
            let change = entry.change.as_ref().expect("a change");
            (entry.commit.message.clone(), change.what, change.version)
        })
        .collect();
    let expected = [
        ("Night version", "changed", Some(3)),
        ("Words about the logo", "metadata", Some(2)),
        ("Second state", "changed", Some(2)),
        ("First state", "added", Some(1)),
    ];
    assert_eq!(story, expected.map(|(message, what, version)| (message.to_owned(), what, version)));
}

#[test]
fn it_gets_a_transaction_log_with_its_next_change_and_then_survives_the_loss_of_its_database() {
    let (folder, repository, _) = opened();
    let names = repository.view().expect("a view").references().expect("names");
    let id = repository.id();
    assert!(!folder.path().join(".pent/transactions").exists());
    draft::create(&repository, "later", None, &CLOCK).expect("a draft");
    drop(repository);
    fs::remove_file(folder.path().join(".pent/db.redb")).expect("a removal");
    let options = repair::Options {
        root: folder.path().to_owned(),
        search: Vec::new(),
        new_id: RepositoryId::from_bytes([9; 16]),
    };
    let report = repair::run(&options, &CLOCK, &SilentMonitor).expect("a repair");
    assert!(report.sound && report.lost.is_empty(), "{report:?}");
    let repository = Repository::open(folder.path(), Access::ReadWrite).expect("a repository");
    assert_eq!(repository.id(), id);
    let after = repository.view().expect("a view").references().expect("names");
    assert_eq!(after.len(), names.len() + 1);
    assert!(names.iter().all(|name| after.contains(name)));
}
