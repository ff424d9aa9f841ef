//! Imports that are run again while the Git repository lives on: it is repacked and pruned, made deeper or
//! shallower, and files were erased here meanwhile.

use crate::app_flow::anna;
use crate::git_support::{
    Git, Here, Stands, archived, assert_round_trip, assert_same_states, chain, clock, import_error,
    tree_entry,
};
use crate::import_git::varied;
use pentimento::app::erase;
use pentimento::base::id::FileId;
use pentimento::base::monitor::{Advance, Monitor, Phase, Problem, SilentMonitor};
use pentimento::import::ImportError;
use pentimento::import::git::run::Wish;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

fn source() -> (tempfile::TempDir, Git) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let git = Git::init(&folder.path().join("source"));
    (folder, git)
}

fn file(text: &str) -> Stands {
    Stands::File { bytes: text.as_bytes().to_vec(), executable: false }
}

/// A shallow clone of one commit.
fn shallow_clone(git: &Git, target: &Path) -> Git {
    let url = format!("file://{}", git.dir.display());
    git.run(&["clone", "-q", "--depth", "1", "--no-tags", &url, target.to_str().expect("a path")]);
    Git::at(target)
}

/// Commits a to e, each of which changes what stands.
fn five(git: &Git) -> Vec<String> {
    let mut commits = Vec::new();
    for (number, letter) in ["a", "b", "c", "d", "e"].into_iter().enumerate() {
        git.write("same.txt", letter.as_bytes());
        git.write(&format!("{letter}.txt"), letter.as_bytes());
        if number > 1 {
            let _ = std::fs::remove_file(git.dir.join("a.txt"));
        }
        commits.push(git.commit(letter));
    }
    commits
}

#[test]
fn what_stood_before_is_known_although_git_has_removed_it() {
    let (folder, git) = source();
    let commits = five(&git);
    git.run(&["branch", "early", &commits[1]]);
    git.run(&["checkout", "-q", "early"]);
    let (here, _) = Here::of(&git.dir);
    // A clone that has the next commit and nothing before it: no commit, no tree.
    git.run(&["checkout", "-q", "main"]);
    std::fs::remove_file(git.dir.join("b.txt")).expect("gone");
    git.write("f.txt", b"f");
    let next = git.commit("f");
    let shallow = shallow_clone(&git, &folder.path().join("shallow"));
    let missing = shallow.command(&["cat-file", "-e", &commits[4]]).output().expect("git runs");
    assert!(!missing.status.success(), "the parent is not in the shallow clone");
    let report = here.import(&shallow.dir).expect("an import");
    assert_eq!((report.commits, report.absent_parents), (1, 0));
    let by_id = here.by_git_id();
    let view = here.view();
    use pentimento::object::source::ObjectSource as _;
    assert_eq!(view.commit(by_id[&next]).expect("a commit").parents, [by_id[&commits[4]]]);
    let state = here.state(by_id[&next]);
    let names: Vec<&[u8]> = state.keys().map(Vec::as_slice).collect();
    assert_eq!(names, [&b"c.txt"[..], b"d.txt", b"e.txt", b"f.txt", b"same.txt"]);
    let (whole, _) = Here::of(&git.dir);
    assert_eq!(whole.by_git_id()[&next], by_id[&next], "the same commit as from the whole history");
    assert_round_trip(&git, &here);
}

#[test]
fn history_that_was_cut_off_is_made_anew_once_it_is_whole() {
    let (folder, git) = source();
    five(&git);
    let shallow = shallow_clone(&git, &folder.path().join("shallow"));
    let (here, report) = Here::of(&shallow.dir);
    assert_eq!((report.commits, report.absent_parents), (1, 1));
    shallow.run(&["fetch", "-q", "--unshallow"]);
    let report = here.import(&shallow.dir).expect("an import");
    assert_eq!((report.commits, report.absent_parents), (5, 0));
    let (whole, _) = Here::of(&git.dir);
    assert_eq!(whole.by_git_id(), here.by_git_id(), "as if it had been whole from the start");
    assert_eq!(here.import(&shallow.dir).expect("an import").commits, 0);
    assert_round_trip(&git, &here);
}

#[test]
fn history_that_is_made_anew_is_followed_wherever_it_lies_and_where_it_was_set_back() {
    let (folder, git) = source();
    five(&git);
    let shallow = shallow_clone(&git, &folder.path().join("shallow"));
    let (here, _) = Here::of(&shallow.dir);
    // The whole lies elsewhere, and is further on.
    git.write("f.txt", b"f");
    git.commit("f");
    let report = here.import(&git.dir).expect("an import");
    assert_eq!((report.regrown, report.names[0].outcome), (true, "moved"));
    assert_round_trip(&git, &here);
    let (here, _) = Here::of(&shallow.dir);
    shallow.run(&["fetch", "-q", "--unshallow"]);
    shallow.run(&["reset", "-q", "--hard", "HEAD~1"]);
    let report = here.import(&shallow.dir).expect("an import");
    let main = report.names.iter().find(|line| line.git_name == "refs/heads/main").expect("a line");
    assert_eq!((main.outcome, report.regrown), ("rewritten", true));
    let names: Vec<Vec<u8>> = crate::git_support::on_disk(here.folder.path()).into_keys().collect();
    assert_eq!(names.last().map(Vec::as_slice), Some(b"same.txt".as_slice()));
    assert!(!names.contains(&b"e.txt".to_vec()));
}

#[test]
fn a_parent_that_is_lost_is_an_error_and_one_that_was_cut_off_by_hand_is_none() {
    let (_folder, git) = source();
    let commits = five(&git);
    std::fs::remove_file(git.dir.join(".git/objects").join(&commits[1][..2]).join(&commits[1][2..]))
        .expect("gone");
    let error = import_error(Here::new().import(&git.dir));
    assert!(matches!(&error, ImportError::Missing { id } if id.to_string() == commits[1]), "{error:?}");
    std::fs::write(git.dir.join(".git/info/grafts"), format!("{}\n", commits[2])).expect("a file");
    let (here, report) = Here::of(&git.dir);
    assert_eq!((report.commits, report.absent_parents), (3, 1));
    assert_eq!(here.state(here.by_git_id()[&commits[2]])[b"c.txt".as_slice()], file("c"));
}

/// Lets Git repack everything as soon as the first commits are made.
struct Repacks<'a> {
    git: &'a Git,
    done: AtomicBool,
}

impl Monitor for Repacks<'_> {
    fn phase(&self, _: Phase) {}
    fn advance(&self, _: Advance) {}
    fn commits(&self, done: u64, total: u64) {
        if total > 0 && done > 0 && !self.done.swap(true, Ordering::Relaxed) {
            self.git.run(&["repack", "-a", "-d", "-q", "-f"]);
            self.git.run(&["prune-packed", "-q"]);
        }
    }
    fn problem(&self, _: Problem) {}
    fn is_cancelled(&self) -> bool {
        false
    }
}

#[test]
fn git_may_repack_while_an_import_reads() {
    let (_folder, git) = source();
    for number in 0..60u32 {
        git.write(&format!("f{}", number % 5), format!("content {number}").repeat(20).as_bytes());
        git.commit(&format!("commit {number}"));
        if number == 30 {
            // Some of it lies in a pack that goes, the rest in files that go.
            git.run(&["repack", "-a", "-d", "-q"]);
        }
    }
    let here = Here::new();
    let monitor = Repacks { git: &git, done: AtomicBool::new(false) };
    let report = here.import_with(&git.dir, Wish::default(), &monitor).expect("an import");
    assert!(monitor.done.load(Ordering::Relaxed), "Git has repacked");
    assert_eq!((report.commits, report.missing.len()), (60, 0), "{:?}", report.missing);
    assert_same_states(&git, &here);
    assert_round_trip(&git, &here);
}

#[test]
fn folders_in_which_nothing_stands_go_back() {
    let (_folder, git) = source();
    let empty = git.object("tree", b"");
    let blob = git.object("blob", b"x");
    let left_out = git.object("tree", &tree_entry("100644", b".git", &blob));
    let inner = git.object("tree", &tree_entry("40000", b"empty", &empty));
    let mut parent = String::new();
    for number in 0..6 {
        let other = git.object("blob", format!("version {number}").as_bytes());
        let mut brand = tree_entry("40000", b"deep", &inner);
        if number < 4 {
            brand.extend(tree_entry("100644", b"logo", &other));
        }
        brand.extend(tree_entry("40000", b"odd", &left_out));
        let brand = git.object("tree", &brand);
        let mut top = tree_entry("40000", b"a-empty", &empty);
        top.extend(tree_entry("40000", b"brand", &brand));
        top.extend(tree_entry("100644", b"other", &other));
        let tree = git.object("tree", &top);
        let text = format!(
            "tree {tree}\n{parent}author a <b> {number} +0000\ncommitter a <b> {number} +0000\n\n{number}\n"
        );
        let commit = git.object("commit", text.as_bytes());
        git.run(&["update-ref", "refs/heads/main", &commit]);
        parent = format!("parent {commit}\n");
        // One import for each of the later ones: what is known of trees is read again.
        if number == 1 {
            let (here, _) = Here::of(&git.dir);
            assert_round_trip(&git, &here);
        }
    }
    let (here, _) = Here::of(&git.dir);
    assert_round_trip(&git, &here);
    let step = Here::new();
    for distance in ["main~5", "main~3", "main~1", "main"] {
        let commit = git.run(&["rev-parse", distance]);
        git.run(&["update-ref", "refs/heads/step", &commit]);
        let wish = Wish { names: vec!["step".to_owned()], ..Wish::default() };
        step.import_with(&git.dir, wish, &SilentMonitor).expect("an import");
    }
    let back = git.dir.with_extension("back");
    step.export(&back);
    assert_eq!(Git::at(&back).run(&["rev-parse", "step"]), git.run(&["rev-parse", "main"]));
}

fn erase(here: &Here, content: &[u8]) -> FileId {
    let file = FileId::from_bytes(*blake3::hash(content).as_bytes());
    let which = erase::Which::File(file);
    let options =
        erase::Options { which, identity: Some(anna()), reason: "court order".into(), dry_run: false };
    erase::run(&here.repository, &options, &clock(), &SilentMonitor).expect("an erasure");
    file
}

/// Whether any of a file is in the store.
fn has(here: &Here, file: FileId) -> bool {
    let view = here.view();
    let chunk = view.snapshot().has_chunk(file.into()).expect("a store");
    chunk || view.manifest(file).expect("a store").is_some()
}

#[test]
fn what_was_erased_does_not_come_back() {
    let (folder, git) = source();
    git.run(&["lfs", "install", "--local"]);
    git.write(".gitattributes", b"*.bin filter=lfs diff=lfs merge=lfs -text\n");
    let (secret, film) = (b"a secret".to_vec(), vec![7u8; 9 << 20]);
    git.write("secret.txt", &secret);
    git.write("film.mov", &film);
    git.write("pointed.bin", b"a secret in Git LFS");
    git.commit("one");
    let (here, _) = Here::of(&git.dir);
    let files = [&secret[..], &film, b"a secret in Git LFS"].map(|content| erase(&here, content));
    git.write("copy.txt", &secret);
    git.write("copy.mov", &film);
    git.run(&["update-index", "--add", "--chmod=+x", "secret.txt"]);
    let pointer = git.bytes(&["cat-file", "blob", "HEAD:pointed.bin"]);
    let odd = String::from_utf8(pointer).expect("text").replace('\n', "\r\n");
    let odd = git.object("blob", odd.as_bytes());
    git.run(&["update-index", "--add", "--cacheinfo", &format!("100644,{odd},odd.bin")]);
    git.run(&["add", "copy.txt", "copy.mov"]);
    git.run(&["commit", "-q", "-m", "two"]);
    let report = here.import(&git.dir).expect("an import");
    assert_eq!((report.commits, report.bytes_new), (1, 0));
    for id in files {
        assert!(!has(&here, id), "{id} came back");
    }
    // Somebody who has erased nothing makes the same commits of it.
    let (other, _) = Here::of(&git.dir);
    assert_eq!(other.by_git_id(), here.by_git_id());
    // And the way back names what is missing, under the ids that it had.
    let exported = here.export(&folder.path().join("back.git"));
    assert_eq!((exported.commits_changed, exported.missing_blobs), (0, 2));
}

#[test]
fn a_clone_reads_only_what_is_new_and_makes_the_same_of_it() {
    use crate::import_travels::{clone_of, push_all};
    let folder = tempfile::tempdir().expect("a temporary folder");
    let git = varied(&folder.path().join("source"));
    git.run(&["lfs", "install", "--local"]);
    git.write(".gitattributes", b"*.bin filter=lfs diff=lfs merge=lfs -text\n");
    git.write("kept.bin", b"content that is at hand");
    git.write("lost.bin", b"content that is lost for now");
    git.commit("pointers");
    let lost = git.run(&["lfs", "ls-files", "--long", "--include", "lost.bin"])[..64].to_owned();
    let place = git.dir.join(".git/lfs/objects").join(&lost[..2]).join(&lost[2..4]).join(&lost);
    let kept = std::fs::read(&place).expect("an object");
    std::fs::remove_file(&place).expect("gone");
    std::fs::remove_file(git.dir.join("lost.bin")).expect("gone");
    let (here, report) = Here::of(&git.dir);
    assert_eq!(report.missing.len(), 1);
    let nas = folder.path().join("nas");
    push_all(&here, &nas);
    let clone = clone_of(&nas, false);
    // The content turns up, and the pointer at another path: it stays what it was.
    std::fs::write(&place, kept).expect("a file");
    let pointer = git.run(&["rev-parse", "HEAD:lost.bin"]);
    git.run(&["update-index", "--add", "--cacheinfo", &format!("100644,{pointer},again.bin")]);
    git.run(&["commit", "-q", "-m", "again"]);
    let wish = Wish { names: vec!["main".to_owned()], ..Wish::default() };
    let there = clone.import_with(&git.dir, wish, &SilentMonitor).expect("an import");
    assert_eq!((there.commits, there.files, there.found_again), (1, 0, 1), "{there:?}");
    here.import(&git.dir).expect("an import");
    let main = git.run(&["rev-parse", "main"]);
    assert_eq!(clone.by_git_id()[&main], here.by_git_id()[&main]);
}

#[test]
fn an_incremental_bundle_is_taken_where_what_it_rests_on_is_here() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let git = varied(&folder.path().join("source"));
    git.run(&["lfs", "install", "--local"]);
    git.write(".gitattributes", b"*.bin filter=lfs diff=lfs merge=lfs -text\n");
    let long = |number: u32| (0..2_000).map(|line| format!("{line} {}\n", line * number)).collect::<String>();
    for number in 0..40 {
        git.write(&format!("many/folder/of/files/{number}.txt"), long(number).as_bytes());
    }
    git.write("film.bin", &[7; 5000]);
    git.commit("much");
    let bundle = |name: &str, range: &[&str]| {
        let path = folder.path().join(name);
        git.run(&[&["bundle", "create", "-q", path.to_str().expect("a path")], range].concat());
        path
    };
    let all = bundle("all.bundle", &["--all"]);
    git.run(&["tag", "monday", "HEAD"]);
    // Small changes of what is long: the bundle has them as differences to what is not in it.
    for number in 0..5 {
        let name = format!("many/folder/of/files/{number}.txt");
        git.write(&name, format!("{}one line more\n", long(number)).as_bytes());
        git.commit("a line");
    }
    git.write("film.bin", &[8; 5000]);
    git.write("many/other.txt", b"other");
    git.commit("a film");
    let tuesday = bundle("tuesday.bundle", &["monday..main"]);
    git.run(&["tag", "-a", "-m", "words", "tuesday", "HEAD"]);
    git.write("many/folder/of/files/7.txt", format!("first\n{}", long(7)).as_bytes());
    git.commit("wednesday");
    let wednesday = bundle("wednesday.bundle", &["tuesday..main", "tuesday"]);
    let (here, _) = Here::of(&all);
    let error = import_error(here.import(&wednesday));
    assert!(matches!(error, ImportError::Thin { .. }), "{}", chain(&error));
    let report = here.import(&tuesday).expect("an import");
    assert_eq!(report.commits, 6);
    let report = here.import(&wednesday).expect("an import");
    assert_eq!(report.commits, 1);
    assert_eq!(here.import(&tuesday).expect("an import").commits, 0, "it sets nothing back");
    let main = git.run(&["rev-parse", "main"]);
    let mut state = here.state(here.by_git_id()[&main]);
    state.remove(b"film.bin".as_slice()).expect("a film");
    let mut expected = archived(&git, "main");
    expected.remove(b"film.bin".as_slice()).expect("a film");
    assert!(state == expected, "the newest state differs");
    let back = folder.path().join("back.git");
    here.export(&back);
    assert_eq!(Git::at(&back).run(&["rev-parse", "main"]), main);
    // A clone has no records of the import, and what it rests on.
    let nas = folder.path().join("nas");
    let (monday, _) = Here::of(&all);
    crate::import_travels::push_all(&monday, &nas);
    let clone = crate::import_travels::clone_of(&nas, false);
    assert_eq!(clone.import(&tuesday).expect("an import").commits, 6);
    assert_eq!(
        clone.by_git_id().get(&git.run(&["rev-parse", "tuesday^{commit}"])),
        here.by_git_id().get(&git.run(&["rev-parse", "tuesday^{commit}"]))
    );
}
