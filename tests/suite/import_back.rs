//! The way back to Git after work was done here: what was not touched stays as it was, and the new
//! repository is there as a whole or not at all.

use crate::app_flow::anna;
use crate::git_support::{Git, Here, assert_round_trip, clock, tree_entry};
use crate::import_lfs::with_lfs;
use pentimento::app::{commit, merge};
use pentimento::base::monitor::{Advance, Monitor, Phase, Problem, SilentMonitor};
use pentimento::import::ImportError;
use pentimento::import::git::export::{ExportWish, export};
use std::collections::BTreeMap;
use std::path::Path;

fn source() -> (tempfile::TempDir, Git) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let git = Git::init(&folder.path().join("source"));
    (folder, git)
}

fn commit_here(here: &Here, name: &str, bytes: &[u8]) {
    let place = here.folder.path().join(name);
    std::fs::create_dir_all(place.parent().expect("a parent")).expect("a folder");
    std::fs::write(place, bytes).expect("a file");
    let options = commit::Options {
        message: Some(name.into()),
        paths: Vec::new(),
        identity: Some(anna()),
        author: None,
        date: None,
        signing: None,
    };
    commit::run(&here.repository, &options, &clock(), &SilentMonitor).expect("a commit");
}

/// Every entry of a commit: mode and id by path, folders included.
fn entries(git: &Git, commit: &str) -> BTreeMap<String, String> {
    let listed = git.run(&["ls-tree", "-r", "-t", "-z", commit]);
    let mut entries = BTreeMap::new();
    for line in listed.split('\0').filter(|line| !line.is_empty()) {
        let (what, path) = line.split_once('\t').expect("an entry");
        entries.insert(path.to_owned(), what.to_owned());
    }
    entries
}

#[test]
fn the_first_commit_made_here_changes_what_it_touches_and_nothing_else() {
    let (folder, git) = source();
    let blob = git.object("blob", b"content");
    let empty = git.object("tree", b"");
    let odd = git.object("tree", &tree_entry("100664", b"group-writable", &blob));
    let mut untouched = tree_entry("100664", b"also", &blob);
    untouched.extend(tree_entry("40000", b"empty", &empty));
    let untouched = git.object("tree", &untouched);
    let mut brand = tree_entry("100664", b"a", &blob);
    brand.extend(tree_entry("100644", b"b", &blob));
    brand.extend(tree_entry("40000", b"nothing", &empty));
    brand.extend(tree_entry("40000", b"odd", &odd));
    brand.extend(tree_entry("100644", b".pent", &blob));
    let brand = git.object("tree", &brand);
    let mut top = tree_entry("40000", b"brand", &brand);
    top.extend(tree_entry("40000", b"untouched", &untouched));
    let tree = git.object("tree", &top);
    let text = format!("tree {tree}\nauthor a <b> 1 +0000\ncommitter a <b> 1 +0000\n\nodd\n");
    let commit = git.object("commit", text.as_bytes());
    git.run(&["update-ref", "refs/heads/main", &commit]);
    let (here, _) = Here::of(&git.dir);
    commit_here(&here, "brand/b", b"changed here");
    commit_here(&here, "brand/new/c", b"new here");
    let target = folder.path().join("back.git");
    let exported = here.export(&target);
    assert_eq!((exported.commits_same, exported.commits), (1, 3));
    let back = Git::at(&target);
    let (mut was, mut now) = (entries(&back, &commit), entries(&back, "main"));
    for path in ["brand", "brand/b", "brand/new", "brand/new/c"] {
        was.remove(path);
        assert!(now.remove(path).is_some(), "{path} is there");
    }
    assert_eq!(now, was);
    assert_eq!(back.run(&["diff", "--name-only", &commit, "main"]), "brand/b\nbrand/new/c");
    // What was exported comes in again, and goes back once more.
    let (again, _) = Here::of(&target);
    assert_round_trip(&back, &again);
}

#[test]
fn pointers_keep_their_form_whatever_is_done_beside_them() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let git = with_lfs(&folder.path().join("source"));
    let pointer = git.run(&["cat-file", "blob", "HEAD:brand/renamed.bin"]);
    let odd = git.object("blob", format!("{}\r\n", pointer.replace('\n', "\r\n")).as_bytes());
    git.run(&["update-index", "--add", "--cacheinfo", &format!("100644,{odd},brand/odd.bin")]);
    // The same content stands elsewhere as a file, since nothing says that it is in Git LFS there.
    std::fs::copy(git.dir.join("brand/renamed.bin"), git.dir.join("brand/plain.dat")).expect("a copy");
    git.run(&["add", "brand/plain.dat"]);
    git.run(&["commit", "-q", "-m", "odd"]);
    let head = git.run(&["rev-parse", "HEAD"]);
    // Content that is not at hand stays foreign.
    let lost = git.object(
        "blob",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0000000000000000000000000000000000000000000000000000000000000001\nsize 5\n",
    );
    git.run(&["update-index", "--add", "--cacheinfo", &format!("100755,{lost},brand/lost.bin")]);
    git.run(&["commit", "-q", "-m", "lost"]);
    let (here, report) = Here::of(&git.dir);
    assert_eq!(report.missing.len(), 1);
    commit_here(&here, "brand/beside.txt", b"beside");
    commit_here(&here, "brand/renamed.bin", b"a new version of what is in Git LFS");
    let target = folder.path().join("back.git");
    here.export_git(&target);
    let back = Git::at(&target);
    let (mut was, mut now) = (entries(&git, "main"), entries(&back, "main"));
    for path in ["brand", "brand/renamed.bin", "brand/beside.txt"] {
        was.remove(path);
        now.remove(path);
    }
    assert_eq!(now, was);
    assert!(entries(&git, &head)["brand/plain.dat"] == was["brand/plain.dat"]);
    let renamed = back.run(&["cat-file", "blob", "main:brand/renamed.bin"]);
    assert!(renamed.starts_with("version https://git-lfs"), "{renamed}");
    assert_eq!(back.run(&["diff", "--name-only", "main~2", "main"]), "brand/beside.txt\nbrand/renamed.bin");
}

#[test]
fn a_merge_made_here_takes_each_entry_as_the_side_had_it() {
    let (folder, git) = source();
    git.write("base", b"base");
    git.commit("base");
    let (here, _) = Here::of(&git.dir);
    commit_here(&here, "mine", b"mine");
    let blob = git.object("blob", b"theirs");
    git.run(&["checkout", "-q", "main"]);
    let inner = git.object("tree", &tree_entry("100664", b"theirs", &blob));
    let base = git.run(&["rev-parse", "HEAD:base"]);
    let mut top = tree_entry("100644", b"base", &base);
    top.extend(tree_entry("40000", b"folder", &inner));
    top.extend(tree_entry("100664", b"odd", &blob));
    let tree = git.object("tree", &top);
    let parent = git.run(&["rev-parse", "HEAD"]);
    let text =
        format!("tree {tree}\nparent {parent}\nauthor a <b> 2 +0000\ncommitter a <b> 2 +0000\n\ntheirs\n");
    let theirs = git.object("commit", text.as_bytes());
    git.run(&["update-ref", "refs/heads/main", &theirs]);
    here.import(&git.dir).expect("an import");
    let options = merge::Options { name: "git/main".into(), identity: Some(anna()), message: None };
    merge::run(&here.repository, &options, &clock(), &SilentMonitor).expect("a merge");
    let target = folder.path().join("back.git");
    here.export(&target);
    let back = Git::at(&target);
    let (there, merged) = (entries(&git, &theirs), entries(&back, "main"));
    for path in ["folder", "folder/theirs", "odd", "base"] {
        assert_eq!(merged[path], there[path], "{path}");
    }
    assert!(merged.contains_key("mine"));
}

/// Asks to stop after so many commits.
struct StopAt(u64, std::sync::atomic::AtomicU64);

impl Monitor for StopAt {
    fn phase(&self, _: Phase) {}
    fn advance(&self, _: Advance) {}
    fn commits(&self, done: u64, total: u64) {
        if total > 0 {
            self.1.store(done, std::sync::atomic::Ordering::Relaxed);
        }
    }
    fn problem(&self, _: Problem) {}
    fn is_cancelled(&self) -> bool {
        self.1.load(std::sync::atomic::Ordering::Relaxed) >= self.0
    }
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn an_export_is_there_as_a_whole_or_not_at_all() {
    let (_folder, git) = source();
    for number in 0..5 {
        git.write("a", format!("{number}").as_bytes());
        git.commit(&format!("{number}"));
    }
    let (here, _) = Here::of(&git.dir);
    let place = tempfile::tempdir().expect("a temporary folder");
    let target = place.path().join("back.git");
    let stop = StopAt(3, Default::default());
    let result = export(&here.repository, &target, &ExportWish::default(), &stop);
    assert!(matches!(result, Err(ImportError::Cancelled)));
    assert_eq!(names_in(place.path()), [""; 0], "nothing is left of it");
    // What somebody else has there stays.
    std::fs::create_dir(&target).expect("a folder");
    std::fs::write(target.join("mine"), b"mine").expect("a file");
    let result = export(&here.repository, &target, &ExportWish::default(), &SilentMonitor);
    assert!(matches!(result, Err(ImportError::TargetTaken { .. })));
    assert_eq!(names_in(&target), ["mine"]);
    std::fs::remove_file(target.join("mine")).expect("gone");
    here.export(&target);
    assert_eq!(names_in(place.path()), ["back.git"]);
    Git::at(&target).run(&["fsck", "--strict"]);
}

#[test]
fn an_earlier_export_is_replaced_and_one_that_was_worked_in_is_not() {
    let (_folder, git) = source();
    git.write("a", b"a");
    git.commit("one");
    let (here, _) = Here::of(&git.dir);
    let place = tempfile::tempdir().expect("a temporary folder");
    let target = place.path().join("back.git");
    here.export(&target);
    git.write("a", b"b");
    let two = git.commit("two");
    here.import(&git.dir).expect("an import");
    here.export(&target);
    let back = Git::at(&target);
    assert_eq!(back.run(&["rev-parse", "main"]), two);
    assert_eq!(names_in(place.path()), ["back.git"]);
    // An export of another repository does not take its place.
    let (other, _) = Here::of(&git.dir);
    let elsewhere = tempfile::tempdir().expect("a temporary folder");
    let options = pentimento::app::init::Options {
        folder: elsewhere.path().to_owned(),
        id: pentimento::base::id::RepositoryId::from_bytes([9; 16]),
    };
    pentimento::app::init::run(&options).expect("a new repository");
    drop(other);
    let other = Here {
        repository: pentimento::repo::Repository::open(
            elsewhere.path(),
            pentimento::store::Access::ReadWrite,
        )
        .expect("a repository"),
        folder: elsewhere,
    };
    other.import(&git.dir).expect("an import");
    let result = export(&other.repository, &target, &ExportWish::default(), &SilentMonitor);
    assert!(matches!(result, Err(ImportError::TargetChanged { .. })));
    // Somebody pushes into it.
    let clone = Git::at(&place.path().join("clone"));
    git.run(&["clone", "-q", target.to_str().expect("a path"), clone.dir.to_str().expect("a path")]);
    clone.write("theirs", b"theirs");
    let pushed = clone.commit("pushed");
    clone.run(&["push", "-q", "origin", "main"]);
    let result = export(&here.repository, &target, &ExportWish::default(), &SilentMonitor);
    assert!(matches!(result, Err(ImportError::TargetChanged { .. })));
    assert_eq!(back.run(&["rev-parse", "main"]), pushed);
}
