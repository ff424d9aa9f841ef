//! A clone of a repository that came from Git can give history back to Git as well as the first one.

use crate::git_support::{Git, Here, Stands, clock};
use crate::import_git::varied;
use crate::import_lfs::{copy_folder, with_lfs};
use pentimento::app::common::remotes::Reach;
use pentimento::app::error::AppError;
use pentimento::app::{clone, pull, push, remote};
use pentimento::base::monitor::SilentMonitor;
use pentimento::repo::Repository;
use pentimento::store::Access;
use pentimento::sync::address::Address;
use std::path::Path;

fn address(path: &Path) -> Address {
    Address::Folder { path: path.to_owned() }
}

/// Pushes everything to a folder.
pub fn push_all(here: &Here, nas: &Path) {
    let reach = Reach::default();
    let known = remote::list(&here.repository).expect("remotes").remotes;
    if known.is_empty() {
        remote::add(&here.repository, "origin", &address(nas), &reach).expect("a remote");
    }
    let options = push::Options { all: true, ..push::Options::default() };
    push::run(
        &here.repository,
        &options,
        &|| Err(AppError::NoIdentity),
        &reach,
        &mut |_| {},
        &clock(),
        &SilentMonitor,
    )
    .expect("a push");
}

/// A clone of what was pushed.
pub fn clone_of(nas: &Path, lazy: bool) -> Here {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let options = clone::Options {
        address: address(nas),
        folder: folder.path().join("clone"),
        branch: Some("main".to_owned()),
        expected: None,
        lazy,
        sparse: Vec::new(),
    };
    clone::run(&options, &Reach::default(), &clock(), &SilentMonitor).expect("a clone");
    let repository = Repository::open(&folder.path().join("clone"), Access::ReadWrite).expect("a repository");
    Here { folder, repository }
}

/// Insists that an export of the clone has the branch and the tags of the source, ids and all.
fn gives_back_the_same(git: &Git, clone: &Here) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let target = folder.path().join("back.git");
    let exported = clone.export(&target);
    assert_eq!(exported.commits_changed, 0);
    let back = Git::at(&target);
    let theirs = git.refs();
    for line in back.refs().lines() {
        assert!(theirs.lines().any(|other| other == line), "{line} is not in\n{theirs}");
    }
    assert_eq!(
        back.refs().lines().count(),
        git.run(&["for-each-ref", "refs/tags", "refs/heads/main"]).lines().count()
    );
    let commits = |git: &Git| git.run(&["rev-list", "main", "--tags", "--date-order"]);
    assert_eq!(commits(&back), commits(git));
    back.run(&["fsck", "--full", "--connectivity-only"]);
}

#[test]
fn a_clone_gives_git_the_same_commits_trees_and_tags() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let git = varied(&folder.path().join("source"));
    let (here, _) = Here::of(&git.dir);
    let nas = folder.path().join("nas");
    push_all(&here, &nas);
    let clone = clone_of(&nas, false);
    gives_back_the_same(&git, &clone);
    // And so does a clone of the clone's own push.
    let second = folder.path().join("second");
    let reach = Reach::default();
    remote::add(&clone.repository, "second", &address(&second), &reach).expect("a remote");
    let options = push::Options { remote: Some("second".to_owned()), all: true, ..push::Options::default() };
    push::run(
        &clone.repository,
        &options,
        &|| Err(AppError::NoIdentity),
        &reach,
        &mut |_| {},
        &clock(),
        &SilentMonitor,
    )
    .expect("a push");
    gives_back_the_same(&git, &clone_of(&second, false));
}

#[test]
fn later_imports_travel_with_the_next_push() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let git = varied(&folder.path().join("source"));
    let (here, _) = Here::of(&git.dir);
    let nas = folder.path().join("nas");
    push_all(&here, &nas);
    let clone = clone_of(&nas, false);
    git.write("later.txt", b"later");
    git.commit("later");
    git.run(&["tag", "-a", "-m", "words", "v-later"]);
    here.import(&git.dir).expect("an import");
    push_all(&here, &nas);
    let reach = Reach::default();
    let options = pull::Options { remote: None, identity: Some(crate::app_flow::anna()) };
    pull::run(&clone.repository, &options, &|| Err(AppError::NoIdentity), &reach, &clock(), &SilentMonitor)
        .expect("a pull");
    gives_back_the_same(&git, &clone);
}

#[test]
fn pointers_and_content_that_was_found_later_travel_too() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let git = with_lfs(&folder.path().join("source"));
    let (here, _) = Here::of(&git.dir);
    let nas = folder.path().join("nas");
    push_all(&here, &nas);
    gives_back_the_same(&git, &clone_of(&nas, false));
    // Content that was found after its pointer had been imported.
    let mirror = folder.path().join("mirror.git");
    let (from, to) = (git.dir.to_str().expect("a path"), mirror.to_str().expect("a path"));
    git.run(&["clone", "-q", "--mirror", from, to]);
    let (late, report) = Here::of(&mirror);
    assert_eq!(report.missing.len(), 2);
    copy_folder(&git.dir.join(".git/lfs"), &mirror.join("lfs"));
    late.import(&mirror).expect("an import");
    let place = folder.path().join("late");
    push_all(&late, &place);
    for lazy in [false, true] {
        let clone = clone_of(&place, lazy);
        let head = clone.by_git_id()[&git.run(&["rev-parse", "main"])];
        if !lazy {
            let state = clone.state(head);
            assert!(
                matches!(&state[b"brand/renamed.bin".as_slice()], Stands::File { .. }),
                "{:?}",
                state.keys()
            );
        }
        let view = clone.view();
        assert!(view.has_ties().expect("ties"), "what foreign content is came along");
    }
}
