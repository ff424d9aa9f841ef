//! Git LFS: pointers become content, missing content is named and found later, and it all goes back.

use crate::git_support::{Git, Here, Stands, archived, assert_round_trip, on_disk};
use pentimento::import::git::export::{ExportWish, LfsRule};
use std::path::Path;

/// A repository with files in Git LFS and two commits.
pub fn with_lfs(dir: &Path) -> Git {
    let git = Git::init(dir);
    git.run(&["lfs", "install", "--local"]);
    git.write(".gitattributes", b"*.bin filter=lfs diff=lfs merge=lfs -text lockable\n");
    git.write("brand/one.bin", &noise(1, 300_000));
    git.write("brand/empty.bin", b"");
    git.write("plain.txt", b"plain");
    git.commit("one");
    git.write("brand/one.bin", &noise(2, 200_000));
    git.write("copy-of-text.txt", b"version https://git-lfs.github.com/spec/v1\nno pointer\n");
    git.commit("two");
    git.run(&["mv", "brand/one.bin", "brand/renamed.bin"]);
    git.commit("three");
    git
}

fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

/// Insists that every commit is what Git LFS checks out.
fn assert_same_checkouts(git: &Git, here: &Here) {
    let by_id = here.by_git_id();
    let folder = tempfile::tempdir().expect("a temporary folder");
    for id in git.commits() {
        let target = folder.path().join(&id);
        git.run(&["worktree", "add", "-q", "--detach", target.to_str().expect("a path"), &id]);
        let expected = on_disk(&target);
        git.run(&["worktree", "remove", "--force", target.to_str().expect("a path")]);
        assert!(here.state(by_id[&id]) == expected, "commit {id} differs");
    }
}

#[test]
fn pointers_become_what_git_lfs_checks_out_and_go_back_as_pointers() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let git = with_lfs(&folder.path().join("source"));
    let (here, report) = Here::of(&git.dir);
    assert_eq!((report.missing.len(), report.bytes_lfs), (0, 500_000));
    assert_same_checkouts(&git, &here);
    assert_round_trip(&git, &here);
    let back = folder.path().join("back.git");
    let exported = here.export(&back);
    assert_eq!(exported.lfs_files, 2);
    let clone = folder.path().join("clone");
    git.run(&[
        "clone",
        "-q",
        "--no-checkout",
        &format!("file://{}", back.display()),
        clone.to_str().expect("a path"),
    ]);
    let clone = Git::at(&clone);
    clone.run(&["lfs", "install", "--local"]);
    clone.run(&["checkout", "-q", "main"]);
    assert_eq!(on_disk(&clone.dir), on_disk(&git.dir), "a fresh clone of the export has the content");
}

#[test]
fn content_is_found_in_other_folders_and_in_checked_out_files() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let git = with_lfs(&folder.path().join("source"));
    let storage = folder.path().join("storage");
    std::fs::rename(git.dir.join(".git/lfs"), &storage).expect("moved");
    git.run(&["config", "lfs.storage", storage.to_str().expect("a path")]);
    let (_, report) = Here::of(&git.dir);
    assert!(report.missing.is_empty(), "by lfs.storage: {:?}", report.missing);
    git.run(&["config", "--unset", "lfs.storage"]);
    let (_, report) = Here::of(&git.dir);
    assert_eq!(report.missing.len(), 1, "the checked-out file has one of two: {:?}", report.missing);
    assert_eq!(report.missing[0].size, 300_000);
    let expected: &Path = report.missing[0].expected.as_ref().expect("a place");
    assert!(
        expected.starts_with(
            git.dir.join(".git/lfs/objects").canonicalize().unwrap_or(git.dir.join(".git/lfs/objects"))
        ),
        "{expected:?}"
    );
}

#[test]
fn missing_content_stays_foreign_and_is_tied_later_without_changing_an_id() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let git = with_lfs(&folder.path().join("source"));
    let mirror = folder.path().join("mirror.git");
    git.run(&[
        "clone",
        "-q",
        "--mirror",
        git.dir.to_str().expect("a path"),
        mirror.to_str().expect("a path"),
    ]);
    let (here, report) = Here::of(&mirror);
    assert_eq!(report.missing.len(), 2);
    let before = here.by_git_id();
    let head = before[&git.run(&["rev-parse", "main"])];
    let state = here.state(head);
    assert!(matches!(&state[b"brand/renamed.bin".as_slice()], Stands::Foreign(_)));
    assert_round_trip(&Git::at(&mirror), &here);
    let again = here.import(&mirror).expect("an import");
    assert_eq!((again.commits, again.missing.len()), (0, 0));
    let known = |list: &[pentimento::import::git::blobs::MissingContent]| -> Vec<_> {
        list.iter()
            .map(|missing| (missing.path.clone(), missing.digest.clone(), missing.expected.clone()))
            .collect()
    };
    assert_eq!(known(&again.still_missing), known(&report.missing), "told for as long as it is so");
    copy_folder(&git.dir.join(".git/lfs"), &mirror.join("lfs"));
    let report = here.import(&mirror).expect("an import");
    assert_eq!((report.commits, report.found_again, report.still_missing.len()), (0, 2, 0));
    assert_eq!(here.by_git_id(), before);
    assert_same_checkouts(&git, &here);
    let status = pentimento::app::status::run(
        &here.repository,
        &Default::default(),
        &pentimento::base::monitor::SilentMonitor,
    )
    .expect("a status");
    assert!(status.changes.is_empty(), "{:?}", status.changes);
    assert_eq!(on_disk(here.folder.path()), on_disk(&git.dir), "the worktree has it, too");
    assert_round_trip(&git, &here);
    let again = here.import(&mirror).expect("an import");
    assert_eq!((again.found_again, again.still_missing.len()), (0, 0));
}

#[test]
fn content_that_is_another_than_its_pointer_says_counts_as_missing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let git = with_lfs(&folder.path().join("source"));
    std::fs::remove_file(git.dir.join("brand/renamed.bin")).expect("gone");
    let objects = git.run(&["lfs", "ls-files", "--all", "--long"]);
    for line in objects.lines() {
        let oid = line.split(' ').next().expect("an id");
        let path = git.dir.join(".git/lfs/objects").join(&oid[..2]).join(&oid[2..4]).join(oid);
        if let Ok(mut bytes) = std::fs::read(&path) {
            bytes[100] ^= 1;
            let _ = std::fs::remove_file(&path);
            std::fs::write(&path, bytes).expect("a file");
        }
    }
    let (_, report) = Here::of(&git.dir);
    assert_eq!(report.missing.len(), 2);
}

#[test]
fn pointers_of_unusual_form_go_back_byte_for_byte() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let git = with_lfs(&folder.path().join("source"));
    let pointer = git.bytes(&["cat-file", "blob", "HEAD:brand/renamed.bin"]);
    let odd = String::from_utf8(pointer).expect("text").replace('\n', "\r\n");
    let blob = git.object("blob", odd.as_bytes());
    git.run(&["update-index", "--add", "--cacheinfo", &format!("100644,{blob},odd/pointer.bin")]);
    git.run(&["commit", "-q", "-m", "odd"]);
    let (here, _) = Here::of(&git.dir);
    let head = here.by_git_id()[&git.run(&["rev-parse", "HEAD"])];
    let expected = Stands::File { bytes: noise(2, 200_000), executable: false };
    assert!(here.state(head)[b"odd/pointer.bin".as_slice()] == expected);
    assert_round_trip(&git, &here);
}

#[test]
fn large_files_can_be_put_into_git_lfs_on_the_way_out() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let git = Git::init(&folder.path().join("source"));
    git.write("big \"1\" [x].psd", &noise(3, 150_000));
    git.write("deep/small.txt", b"small");
    git.write("deep/other.psd", b"tiny");
    git.commit("one");
    let (here, _) = Here::of(&git.dir);
    for (lfs, files) in [
        (LfsRule { above: Some(100_000), ..LfsRule::default() }, 1),
        (LfsRule { patterns: vec!["*.psd".to_owned()], ..LfsRule::default() }, 2),
    ] {
        let back = tempfile::tempdir().expect("a temporary folder");
        let target = back.path().join("back.git");
        let wish = ExportWish { names: Vec::new(), lfs };
        let exported = here.export_with(&target, &wish);
        assert_eq!((exported.lfs_files, exported.commits_changed), (files, 1));
        let objects: Vec<Vec<u8>> = on_disk(&target.join("lfs/objects")).into_keys().collect();
        assert_eq!(objects.len() as u64, files, "nothing half-written is left");
        let clone = Git::at(&back.path().join("clone"));
        git.run(&[
            "clone",
            "-q",
            "--no-checkout",
            &format!("file://{}", target.display()),
            clone.dir.to_str().expect("a path"),
        ]);
        clone.run(&["lfs", "install", "--local"]);
        clone.run(&["checkout", "-q", "main"]);
        let mut state = on_disk(&clone.dir);
        state.retain(|name, _| !name.ends_with(b".gitattributes"));
        assert!(state == archived(&git, "main"));
        assert_eq!(clone.run(&["lfs", "ls-files"]).lines().count() as u64, files);
        assert_eq!(clone.run(&["status", "--porcelain"]), "");
    }
}

#[test]
fn what_gitattributes_and_gitignore_ask_for_holds_here_and_new_work_goes_on_in_git_lfs() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let git = with_lfs(&folder.path().join("source"));
    git.write(".gitignore", b"/build/\n*.cache\n");
    git.write("brand/.gitignore", b"!keep.cache\n");
    git.commit("rules");
    let (here, report) = Here::of(&git.dir);
    assert_eq!(report.settings.lfs, ["*.bin"]);
    assert_eq!(report.settings.lockable, ["*.bin"]);
    let place = |name: &str| here.folder.path().join(name);
    std::fs::create_dir(place("build")).expect("a folder");
    for name in ["build/x", "a.cache", "brand/keep.cache", "brand/new.bin"] {
        std::fs::write(place(name), noise(9, 5000)).expect("a file");
    }
    let silent = pentimento::base::monitor::SilentMonitor;
    let status =
        pentimento::app::status::run(&here.repository, &Default::default(), &silent).expect("a status");
    let changed: Vec<String> = status.changes.iter().map(|line| line.path.to_string()).collect();
    assert_eq!(changed, ["brand/keep.cache", "brand/new.bin"]);
    let person = pentimento::repo::people::Person { name: "Ana".into(), email: "a@b".into() };
    let id = pentimento::base::id::PersonId::from_bytes([5; 16]);
    let options = pentimento::app::commit::Options {
        message: Some("new work".into()),
        paths: Vec::new(),
        identity: Some(pentimento::repo::people::Identity { id, person }),
        author: None,
        date: None,
        signing: None,
    };
    pentimento::app::commit::run(&here.repository, &options, &crate::git_support::clock(), &silent)
        .expect("a commit");
    let back = folder.path().join("back.git");
    let exported = here.export_git(&back);
    assert_eq!((exported.commits_same, exported.commits_changed, exported.commits), (4, 0, 5));
    let pointer = Git::at(&back).run(&["cat-file", "blob", "main:brand/new.bin"]);
    assert!(pointer.starts_with("version https://git-lfs"), "{pointer}");
    let kept = Git::at(&back).run(&["cat-file", "blob", "main:brand/renamed.bin"]);
    assert!(kept.starts_with("version https://git-lfs"), "{kept}");
}

pub fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a kind").is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("a copy");
        }
    }
}
