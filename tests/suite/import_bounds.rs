//! What is too large or unfolds without end costs bounded time and memory, and says so.

use crate::git_support::{Git, Here, Stands, assert_round_trip, chain, import_error, tree_entry};
use pentimento::import::ImportError;
use std::time::{Duration, Instant};

fn source() -> (tempfile::TempDir, Git) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let git = Git::init(&folder.path().join("source"));
    (folder, git)
}

fn commit_of(git: &Git, tree: &str, parents: &[String]) -> String {
    let parents: String = parents.iter().map(|parent| format!("parent {parent}\n")).collect();
    let text = format!("tree {tree}\n{parents}author a <b> 1 +0000\ncommitter a <b> 1 +0000\n\nhostile\n");
    let commit = git.object("commit", text.as_bytes());
    git.run(&["update-ref", "refs/heads/main", &commit]);
    commit
}

/// Folders in folders, `width` of the same in each, with `inner` at the bottom.
fn bomb(git: &Git, inner: &str, width: usize, depth: usize) -> String {
    let mut id = inner.to_owned();
    for _ in 0..depth {
        let mut tree = Vec::new();
        for number in 0..width {
            tree.extend(tree_entry("40000", format!("d{number:02}").as_bytes(), &id));
        }
        id = git.object("tree", &tree);
    }
    id
}

#[test]
fn folders_that_unfold_to_billions_of_nothing_cost_nothing() {
    let (_folder, git) = source();
    let empty = git.object("tree", b"");
    let blob = git.object("blob", b"x");
    let bomb = bomb(&git, &empty, 60, 9);
    let mut top = tree_entry("40000", b"bomb", &bomb);
    top.extend(tree_entry("100644", b"file", &blob));
    let tree = git.object("tree", &top);
    let commit = commit_of(&git, &tree, &[]);
    let began = Instant::now();
    let (here, _) = Here::of(&git.dir);
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    let state = here.state(here.by_git_id()[&commit]);
    assert_eq!(state.len(), 1);
    assert_round_trip(&git, &here);
}

#[test]
fn folders_that_unfold_to_billions_of_what_is_left_out_are_refused_in_time() {
    let (_folder, git) = source();
    let blob = git.object("blob", b"x");
    let odd = git.object("tree", &tree_entry("100644", b".git", &blob));
    let tree = bomb(&git, &odd, 60, 9);
    commit_of(&git, &tree, &[]);
    let began = Instant::now();
    let result = Here::new().import(&git.dir);
    assert!(began.elapsed() < Duration::from_secs(120), "{:?}", began.elapsed());
    // It is told as far as anybody can read it, or refused; it never runs on.
    if let Err(error) = &result {
        assert!(chain(error).contains("unfolds"), "{}", chain(error));
    }
}

#[test]
fn commits_and_tags_of_a_size_that_none_has_are_refused() {
    let (_folder, git) = source();
    let blob = git.object("blob", b"x");
    let tree = git.object("tree", &tree_entry("100644", b"file", &blob));
    let words = "x".repeat(5 << 20);
    let text = format!("tree {tree}\nauthor a <b> 1 +0000\ncommitter a <b> 1 +0000\n\n{words}\n");
    let commit = git.object("commit", text.as_bytes());
    git.run(&["update-ref", "refs/heads/main", &commit]);
    let error = import_error(Here::new().import(&git.dir));
    assert!(matches!(&error, ImportError::TooLarge { id, .. } if id.to_string() == commit), "{error:?}");
    let good = commit_of(&git, &tree, &[]);
    let tag = git.object("tag", format!("object {good}\ntype commit\ntag big\n\n{words}\n").as_bytes());
    git.run(&["update-ref", "refs/tags/big", &tag]);
    let error = import_error(Here::new().import(&git.dir));
    assert!(matches!(error, ImportError::TooLarge { .. }), "{error:?}");
}

#[test]
fn a_commit_may_have_thousands_of_parents() {
    let (_folder, git) = source();
    let blob = git.object("blob", b"x");
    let tree = git.object("tree", &tree_entry("100644", b"file", &blob));
    let mut stream = String::new();
    for number in 1..=1500 {
        stream
            .push_str(&format!("reset refs/heads/b{number}\ncommit refs/heads/b{number}\nmark :{number}\n"));
        stream.push_str(&format!("committer A <a@b> {number} +0000\ndata 1\nx\n"));
        stream.push_str("M 644 inline file\ndata 1\nx\n");
    }
    git.feed(&["fast-import", "--quiet"], stream.as_bytes());
    let parents: Vec<String> = git
        .run(&["for-each-ref", "--format=%(objectname)", "refs/heads/"])
        .lines()
        .map(str::to_owned)
        .collect();
    assert_eq!(parents.len(), 1500);
    let commit = commit_of(&git, &tree, &parents);
    let names: Vec<String> = (1..=1500).map(|number| format!("delete refs/heads/b{number}\n")).collect();
    git.feed(&["update-ref", "--stdin"], names.concat().as_bytes());
    let (here, report) = Here::of(&git.dir);
    assert_eq!(report.commits, 1501);
    use pentimento::object::source::ObjectSource as _;
    let view = here.view();
    assert_eq!(view.commit(here.by_git_id()[&commit]).expect("a commit").parents.len(), 1500);
    assert_round_trip(&git, &here);
}

#[test]
fn a_long_row_of_differences_is_put_together_in_files() {
    let (_folder, git) = source();
    let mut bytes = vec![0; 9 << 20];
    blake3::Hasher::new().update(b"film").finalize_xof().fill(&mut bytes);
    let mut commits = Vec::new();
    for number in 0..5u8 {
        bytes[3_000_000 + usize::from(number)] ^= 0x55;
        bytes.extend_from_slice(&[number; 300]);
        git.write("film.mov", &bytes);
        commits.push((git.commit(&format!("{number}")), bytes.clone()));
    }
    git.run(&["repack", "-q", "-a", "-d", "-f", "--depth=50", "--window=10"]);
    let (here, report) = Here::of(&git.dir);
    assert!(report.missing.is_empty(), "{:?}", report.missing);
    for (commit, bytes) in commits {
        let state = here.state(here.by_git_id()[&commit]);
        assert!(state[b"film.mov".as_slice()] == Stands::File { bytes, executable: false }, "{commit}");
    }
    // One that is broken costs itself.
    let scratch = here.folder.path().join(".pent/tmp");
    assert!(std::fs::read_dir(&scratch).map_or(0, Iterator::count) == 0, "nothing is left over");
}
