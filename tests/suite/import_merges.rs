//! Merges that were made in Git say about assets what a merge made here would say.

use crate::git_support::{Git, Here, assert_round_trip, assert_same_states};
use pentimento::base::id::AssetId;
use pentimento::base::path::AssetPath;
use pentimento::object::commit::{AssetNote, Commit};
use pentimento::object::source::ObjectSource;
use pentimento::object::tree_walk::entry_at;
use pentimento::repo::versions::asset_line;

fn new(name: &str) -> (tempfile::TempDir, Git) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let git = Git::init(&folder.path().join(name));
    git.write("base.txt", b"base");
    git.commit("base");
    (folder, git)
}

fn branch(git: &Git, name: &str) {
    git.run(&["checkout", "-q", "-b", name, "main"]);
}

fn commit_here(here: &Here, git: &Git, revision: &str) -> Commit {
    let id = here.by_git_id()[&git.run(&["rev-parse", revision])];
    here.view().commit(id).expect("a commit")
}

fn asset(here: &Here, git: &Git, revision: &str, path: &str) -> AssetId {
    let view = here.view();
    let at = AssetPath::from_bytes(path.as_bytes()).expect("a path");
    let tree = commit_here(here, git, revision).tree;
    let entry = entry_at(&view, tree, &at).expect("a tree").unwrap_or_else(|| panic!("{path} in {revision}"));
    entry.asset.expect("an asset")
}

fn aliases(commit: &Commit) -> Vec<(AssetId, AssetId)> {
    let alias = |note: &AssetNote| match note {
        AssetNote::AliasOf { asset, other } => Some((*asset, *other)),
        AssetNote::CopiedFrom { .. } => None,
    };
    commit.notes.iter().filter_map(alias).collect()
}

/// Both branches add the same path; says what main and side had before, and what the merge has.
fn added_by_both(ours: &[u8], theirs: &[u8], merged: &[u8]) {
    let (_folder, git) = new("source");
    branch(&git, "side");
    git.write("logo.svg", theirs);
    git.commit("side adds it");
    git.run(&["checkout", "-q", "main"]);
    git.write("other.txt", b"so that the parents differ");
    git.commit("main goes on");
    git.write("logo.svg", ours);
    git.commit("main adds it, too");
    // Git stops at a conflict where the contents differ.
    let _ = git.command(&["merge", "-q", "--no-ff", "-m", "both", "side"]).output();
    if git.dir.join(".git/MERGE_HEAD").exists() {
        git.write("logo.svg", merged);
        git.commit("both");
    }
    assert_eq!(git.run(&["rev-list", "--parents", "-1", "main"]).split(' ').count(), 3, "a merge");
    let (here, _) = Here::of(&git.dir);
    let (main, side) = (asset(&here, &git, "main~1", "logo.svg"), asset(&here, &git, "side", "logo.svg"));
    assert_ne!(main, side);
    let (smaller, larger) = (main.min(side), main.max(side));
    assert_eq!(asset(&here, &git, "main", "logo.svg"), smaller);
    assert_eq!(aliases(&commit_here(&here, &git, "main")), [(smaller, larger)]);
    assert_same_states(&git, &here);
    assert_round_trip(&git, &here);
}

#[test]
fn of_two_assets_that_branches_added_at_one_path_the_smaller_id_stays_and_the_other_is_on_record() {
    added_by_both(b"ours", b"theirs", b"merged by hand");
    added_by_both(b"ours", b"theirs", b"ours");
    added_by_both(b"ours", b"theirs", b"theirs");
    added_by_both(b"the same", b"the same", b"the same");
}

#[test]
fn versions_of_main_keep_their_numbers_whichever_id_a_merge_keeps() {
    // The ids follow from the history: with some of these the one of the branch is the smaller.
    let mut kept = std::collections::BTreeSet::new();
    for number in 0..12 {
        let (_folder, git) = new("source");
        branch(&git, "side");
        git.write("logo.svg", format!("side {number}").as_bytes());
        git.commit("side adds it");
        git.run(&["checkout", "-q", "main"]);
        git.write("other.txt", format!("{number}").as_bytes());
        git.commit("main goes on");
        for version in 1..=3 {
            git.write("logo.svg", format!("main {version}").as_bytes());
            git.commit("main");
        }
        let _ = git.command(&["merge", "-q", "--no-ff", "-m", "both", "side"]).output();
        git.write("logo.svg", b"merged");
        git.commit("both");
        let (here, _) = Here::of(&git.dir);
        let view = here.view();
        let tip = here.by_git_id()[&git.run(&["rev-parse", "main"])];
        let path = AssetPath::from_bytes(b"logo.svg".to_vec()).expect("a path");
        let line = asset_line(&view, tip, &path).expect("a line");
        let versions: Vec<u64> = line.iter().map(|change| change.version).collect();
        assert_eq!(versions, [4, 3, 2, 1]);
        kept.insert(asset(&here, &git, "main", "logo.svg") == asset(&here, &git, "main~1", "logo.svg"));
        if kept.len() == 2 {
            return;
        }
    }
    panic!("one side was never kept: {kept:?}");
}

#[test]
fn a_later_merge_of_the_same_branch_keeps_what_was_decided() {
    let (_folder, git) = new("source");
    branch(&git, "side");
    git.write("logo.svg", b"same");
    git.commit("side");
    git.run(&["checkout", "-q", "main"]);
    git.write("x", b"x");
    git.commit("main goes on");
    git.write("logo.svg", b"same");
    git.commit("main");
    git.run(&["merge", "-q", "--no-ff", "-m", "first", "side"]);
    git.run(&["checkout", "-q", "side"]);
    git.write("logo.svg", b"changed on side");
    git.commit("side goes on");
    git.run(&["checkout", "-q", "main"]);
    git.run(&["merge", "-q", "--no-ff", "-m", "second", "side"]);
    let (here, _) = Here::of(&git.dir);
    let kept = asset(&here, &git, "main~1", "logo.svg");
    assert_eq!(asset(&here, &git, "main", "logo.svg"), kept);
    assert_eq!(aliases(&commit_here(&here, &git, "main~1")).len(), 1);
    assert!(aliases(&commit_here(&here, &git, "main")).is_empty(), "it is on record already");
}

#[test]
fn a_path_that_one_side_moved_something_to_is_no_alias() {
    let (_folder, git) = new("source");
    git.write("draft.svg", b"a drawing");
    git.commit("draft");
    branch(&git, "side");
    git.write("logo.svg", b"theirs");
    git.commit("side adds logo");
    git.run(&["checkout", "-q", "main"]);
    git.run(&["mv", "draft.svg", "logo.svg"]);
    git.commit("main renames draft to logo");
    let _ = git.command(&["merge", "-q", "--no-ff", "-m", "both", "side"]).output();
    git.write("logo.svg", b"merged");
    git.run(&["rm", "-q", "--ignore-unmatch", "-f", "draft.svg"]);
    git.commit("both");
    let (here, _) = Here::of(&git.dir);
    let moved = asset(&here, &git, "main~1", "logo.svg");
    assert_eq!(moved, asset(&here, &git, "main~2", "draft.svg"), "a move");
    assert_eq!(asset(&here, &git, "main", "logo.svg"), moved);
    assert!(aliases(&commit_here(&here, &git, "main")).is_empty());
}

#[test]
fn an_octopus_keeps_the_smallest_of_all_and_says_the_rest() {
    let (_folder, git) = new("source");
    for name in ["one", "two", "three"] {
        branch(&git, name);
        git.write(&format!("{name}.txt"), name.as_bytes());
        git.commit(&format!("{name} goes on"));
        git.write("shared/logo.svg", b"the same everywhere");
        git.commit(&format!("{name} adds it"));
    }
    git.run(&["checkout", "-q", "main"]);
    git.write("main.txt", b"main");
    git.commit("main goes on");
    git.run(&["merge", "-q", "--no-ff", "-m", "octopus", "one", "two", "three"]);
    let (here, _) = Here::of(&git.dir);
    let mut ids: Vec<AssetId> =
        ["one", "two", "three"].iter().map(|name| asset(&here, &git, name, "shared/logo.svg")).collect();
    ids.sort();
    assert_eq!(asset(&here, &git, "main", "shared/logo.svg"), ids[0]);
    let mut expected = vec![(ids[0], ids[1]), (ids[0], ids[2])];
    expected.sort();
    assert_eq!(aliases(&commit_here(&here, &git, "main")), expected);
    assert_round_trip(&git, &here);
}

#[test]
fn an_asset_never_stands_at_two_paths_of_a_merge() {
    let (_folder, git) = new("source");
    git.write("logo.svg", b"a drawing");
    git.commit("logo");
    branch(&git, "side");
    git.run(&["mv", "logo.svg", "brand.svg"]);
    git.commit("side renames it");
    git.run(&["checkout", "-q", "main"]);
    git.write("x", b"x");
    git.commit("main goes on");
    // Somebody merged by hand and kept both.
    git.run(&["merge", "-q", "--no-ff", "--no-commit", "side"]);
    git.write("logo.svg", b"a drawing");
    git.commit("both");
    let (here, _) = Here::of(&git.dir);
    assert_ne!(asset(&here, &git, "main", "logo.svg"), asset(&here, &git, "main", "brand.svg"));
    assert_eq!(asset(&here, &git, "main", "logo.svg"), asset(&here, &git, "main~1", "logo.svg"));
    assert_same_states(&git, &here);
}
