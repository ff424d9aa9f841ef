//! Hostile repositories end in a clear error or in an entry that is left out and named.

use crate::git_support::{Git, Here, Stands, assert_same_states, chain, import_error, tree_entry};
use pentimento::import::ImportError;
use std::path::Path;

fn source() -> (tempfile::TempDir, Git) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let git = Git::init(&folder.path().join("source"));
    (folder, git)
}

fn commit_of(git: &Git, tree: &str) -> String {
    let text = format!("tree {tree}\nauthor a <b> 1 +0000\ncommitter a <b> 1 +0000\n\nhostile\n");
    let commit = git.object("commit", text.as_bytes());
    git.run(&["update-ref", "refs/heads/main", &commit]);
    commit
}

#[test]
fn a_sha256_repository_and_what_is_none_are_told_apart() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path().join("sha256");
    std::fs::create_dir(&dir).expect("a folder");
    let git = Git::at(&dir);
    git.run(&["init", "-q", "--object-format=sha256"]);
    git.commit("one");
    let error = import_error(Here::new().import(&dir));
    assert!(
        matches!(&error, ImportError::ObjectFormat { format, .. } if format == "sha256"),
        "{}",
        chain(&error)
    );
    let bundle = folder.path().join("sha256.bundle");
    git.run(&["bundle", "create", "-q", bundle.to_str().expect("a path"), "--all"]);
    assert!(matches!(import_error(Here::new().import(&bundle)), ImportError::ObjectFormat { .. }));
    let error = import_error(Here::new().import(folder.path()));
    assert!(matches!(error, ImportError::NoGit { .. }), "{}", chain(&error));
    assert!(matches!(import_error(Here::new().import(Path::new("/dev/null"))), ImportError::NoGit { .. }));
}

#[test]
fn folders_nested_without_end_are_cut_and_named() {
    let (_folder, git) = source();
    let blob = git.object("blob", b"deep");
    let mut tree = git.object("tree", &tree_entry("100644", b"file", &blob));
    let mut input = Vec::new();
    for _ in 0..600 {
        input = tree_entry("40000", b"d", &tree);
        tree = git.object("tree", &input);
    }
    assert!(!input.is_empty());
    let commit = commit_of(&git, &tree);
    let (here, report) = Here::of(&git.dir);
    assert!(here.state(here.by_git_id()[&commit]).is_empty());
    assert_eq!(report.skipped.len(), 1);
}

#[test]
fn a_tree_that_unfolds_to_billions_of_files_is_refused() {
    let (_folder, git) = source();
    let blob = git.object("blob", b"x");
    let mut tree: Vec<u8> = Vec::new();
    for number in 0..40 {
        tree.extend(tree_entry("100644", format!("f{number:02}").as_bytes(), &blob));
    }
    let mut id = git.object("tree", &tree);
    for _ in 0..6 {
        let mut tree = Vec::new();
        for number in 0..40 {
            tree.extend(tree_entry("40000", format!("d{number:02}").as_bytes(), &id));
        }
        id = git.object("tree", &tree);
    }
    commit_of(&git, &id);
    let error = import_error(Here::new().import(&git.dir));
    assert!(matches!(error, ImportError::TooManyFiles { .. }), "{}", chain(&error));
}

#[test]
fn borrowed_objects_are_read_and_loops_of_borrowing_are_an_error() {
    let (folder, git) = source();
    git.write("a", b"a");
    git.commit("one");
    let borrower = folder.path().join("borrower");
    git.run(&[
        "clone",
        "-q",
        "--shared",
        git.dir.to_str().expect("a path"),
        borrower.to_str().expect("a path"),
    ]);
    let (here, _) = Here::of(&borrower);
    assert_same_states(&Git::at(&borrower), &here);
    let back = format!("{}\n", borrower.join(".git/objects").display());
    std::fs::write(git.dir.join(".git/objects/info/alternates"), back).expect("a file");
    let error = import_error(Here::new().import(&borrower));
    assert!(chain(&error).contains("cycle"), "{}", chain(&error));
}

#[test]
fn flipped_bits_in_a_pack_never_come_in_unnoticed() {
    let (_folder, git) = source();
    for number in 0..12u32 {
        git.write("data.bin", &number.to_le_bytes().repeat(2000));
        git.write(&format!("f{number}"), format!("file {number}\n").repeat(50).as_bytes());
        git.commit(&format!("commit {number}"));
    }
    git.run(&["repack", "-q", "-a", "-d"]);
    let (whole, _) = Here::of(&git.dir);
    let good = whole.by_git_id();
    let packs = git.dir.join(".git/objects/pack");
    let pack = std::fs::read_dir(&packs)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .find(|path| path.extension().is_some_and(|extension| extension == "pack"))
        .expect("a pack");
    let bytes = std::fs::read(&pack).expect("a pack");
    let step = (bytes.len() / 40).max(1);
    let mut noticed = 0;
    for at in (0..bytes.len()).step_by(step) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x40;
        let _ = std::fs::remove_file(&pack);
        std::fs::write(&pack, &damaged).expect("a file");
        let here = Here::new();
        match here.import(&git.dir) {
            Ok(report) => {
                noticed += usize::from(!report.missing.is_empty());
                for (git_id, commit) in here.by_git_id() {
                    let state = here.state(commit);
                    let expected = whole.state(good[&git_id]);
                    for (name, stands) in state {
                        let sound = stands == expected[&name] || matches!(stands, Stands::Foreign(_));
                        assert!(sound, "byte {at}: {} in {git_id}", String::from_utf8_lossy(&name));
                    }
                }
            }
            Err(error) => {
                noticed += 1;
                assert!(!chain(&error).is_empty());
            }
        }
    }
    assert!(noticed > 10, "most flips damage some object: {noticed}");
}

#[test]
fn truncated_and_missing_objects_are_errors_that_name_them() {
    let (_folder, git) = source();
    git.write("a", b"a");
    let commit = git.commit("one");
    let tree = git.run(&["rev-parse", "HEAD^{tree}"]);
    let path = git.dir.join(".git/objects").join(&tree[..2]).join(&tree[2..]);
    let bytes = std::fs::read(&path).expect("an object");
    std::fs::remove_file(&path).expect("gone");
    let error = import_error(Here::new().import(&git.dir));
    assert!(chain(&error).contains(&tree), "{}", chain(&error));
    std::fs::write(&path, &bytes[..bytes.len() / 2]).expect("a file");
    let error = import_error(Here::new().import(&git.dir));
    assert!(chain(&error).contains(&tree), "{}", chain(&error));
    std::fs::remove_file(&path).expect("gone");
    std::fs::write(&path, &bytes).expect("a file");
    let (here, _) = Here::of(&git.dir);
    assert!(here.by_git_id().contains_key(&commit));
}

#[test]
fn an_object_that_says_to_be_huge_is_left_out() {
    let (_folder, git) = source();
    let blob = git.object("blob", b"small");
    let path = git.dir.join(".git/objects").join(&blob[..2]).join(&blob[2..]);
    let mut packed = Vec::new();
    {
        use std::io::Write as _;
        let mut out = gix::zlib::stream::deflate::Write::new(&mut packed, gix::zlib::Compression::BEST_SPEED);
        out.write_all(b"blob 99999999999999\0small").expect("written");
        out.flush().expect("written");
    }
    std::fs::remove_file(&path).expect("gone");
    std::fs::write(&path, packed).expect("a file");
    let tree = git.object("tree", &tree_entry("100644", b"huge", &blob));
    let commit = commit_of(&git, &tree);
    let (here, report) = Here::of(&git.dir);
    assert_eq!(report.missing.len(), 1);
    let state = here.state(here.by_git_id()[&commit]);
    assert!(matches!(&state[b"huge".as_slice()], Stands::Foreign(_)));
}

#[test]
fn links_and_names_never_lead_outside_the_worktree() {
    let (folder, git) = source();
    let outside = folder.path().join("outside");
    std::fs::create_dir(&outside).expect("a folder");
    let target = git.object("blob", outside.to_str().expect("a path").as_bytes());
    let blob = git.object("blob", b"evil");
    let inner = git.object("tree", &tree_entry("100644", b"evil", &blob));
    let mut bytes = tree_entry("120000", b"out", &target);
    bytes.extend(tree_entry("40000", b"out", &inner));
    bytes.extend(tree_entry("40000", b"..", &inner));
    bytes.extend(tree_entry("40000", b".pent", &inner));
    bytes.extend(tree_entry("40000", b".PENT ", &inner));
    let tree = git.object("tree", &bytes);
    commit_of(&git, &tree);
    let (here, report) = Here::of(&git.dir);
    assert_eq!(report.skipped.len(), 4, "{:?}", report.skipped);
    assert_eq!(std::fs::read_dir(&outside).expect("a folder").count(), 0);
    assert!(!here.folder.path().join(".pent/evil").exists());
    assert!(!here.folder.path().parent().expect("a parent").join("evil").exists());
}

/// A pipe, which makes whoever opens it wait.
fn pipe(path: &Path) {
    let _ = std::fs::remove_file(path);
    let made = std::process::Command::new("mkfifo").arg(path).status().expect("mkfifo is installed");
    assert!(made.success());
}

#[test]
fn pipes_devices_and_huge_files_are_not_opened() {
    let (folder, git) = source();
    git.write("a", b"a");
    git.commit("one");
    git.run(&["branch", "other"]);
    let linked = folder.path().join("linked");
    git.run(&["worktree", "add", "-q", linked.to_str().expect("a path"), "other"]);
    let loose = git.run(&["rev-parse", "HEAD:a"]);
    let object = format!("objects/{}/{}", &loose[..2], &loose[2..]);
    let dir = git.dir.join(".git");
    let borrowed = folder.path().join("borrowed");
    std::fs::create_dir_all(borrowed.join("pack")).expect("a folder");
    let refused = |path: &Path, file: &str| {
        let error = import_error(Here::new().import(path));
        assert!(matches!(error, ImportError::NotOrdinary { .. }), "{file}: {}", chain(&error));
    };
    let places = [
        "HEAD",
        "config",
        "config.worktree",
        "index",
        "shallow",
        "packed-refs",
        "info/grafts",
        "refs/heads/other",
        "refs/heads/odd/name",
        "objects/info/alternates",
        "objects/info/commit-graph",
        "objects/pack/pack-0.idx",
        "worktrees/linked/index",
        "worktrees/linked/gitdir",
        &object,
    ];
    for place in places {
        let file = dir.join(place);
        let kept = std::fs::read(&file).ok();
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        pipe(&file);
        refused(&git.dir, place);
        std::fs::remove_file(&file).expect("gone");
        std::os::unix::fs::symlink("/dev/zero", &file).expect("a link");
        refused(&git.dir, place);
        std::fs::remove_file(&file).expect("gone");
        kept.into_iter().for_each(|bytes| std::fs::write(&file, bytes).expect("a file"));
    }
    // What is borrowed from counts, too, and so do linked worktrees.
    std::fs::write(dir.join("objects/info/alternates"), format!("{}\n", borrowed.display())).expect("a file");
    pipe(&borrowed.join("pack/pack-0.pack"));
    refused(&git.dir, "a pack that is borrowed from");
    refused(&linked, "a linked worktree");
    std::fs::remove_file(borrowed.join("pack/pack-0.pack")).expect("gone");
    // A file that has a terabyte of nothing.
    let shallow = std::fs::File::create(dir.join("shallow")).expect("a file");
    shallow.set_len(1 << 40).expect("a length");
    refused(&git.dir, "shallow");
    std::fs::remove_file(dir.join("shallow")).expect("gone");
    pipe(&folder.path().join("odd"));
    std::fs::create_dir(folder.path().join("worktree")).expect("a folder");
    pipe(&folder.path().join("worktree/.git"));
    refused(&folder.path().join("worktree"), ".git");
    let (here, _) = Here::of(&git.dir);
    assert_same_states(&git, &here);
}
