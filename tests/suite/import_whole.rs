//! What is large, what costs nothing, what has no place here, and that an export is always the same.

use crate::git_support::{
    Git, Here, Stands, archived, assert_round_trip, assert_same_states, clock, hex, on_disk,
};
use crate::support::World;
use pentimento::base::id::PersonId;
use pentimento::base::monitor::SilentMonitor;
use pentimento::import::git::export::{ExportWish, LfsRule};
use pentimento::repo::people::{Identity, Person};
use std::path::Path;

fn source() -> (tempfile::TempDir, Git) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let git = Git::init(&folder.path().join("source"));
    (folder, git)
}

fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

/// A commit that was made here.
fn commit_here(here: &Here, message: &str) {
    let person = Person { name: "Ana".into(), email: "a@b".into() };
    let options = pentimento::app::commit::Options {
        message: Some(message.into()),
        paths: Vec::new(),
        identity: Some(Identity { id: PersonId::from_bytes([5; 16]), person }),
        author: None,
        date: None,
        signing: None,
    };
    pentimento::app::commit::run(&here.repository, &options, &clock(), &SilentMonitor).expect("a commit");
}

fn loose(git: &Git, id: &str) -> std::path::PathBuf {
    git.dir.join(".git/objects").join(&id[..2]).join(&id[2..])
}

#[test]
fn blobs_larger_than_threads_hold_come_as_streams_loose_or_packed_and_from_memory_as_differences() {
    let (_folder, git) = source();
    let mut bytes = noise(1, 17 << 20);
    git.write("film.mov", &bytes);
    git.commit("one");
    bytes[5_000_000] ^= 1;
    git.write("film.mov", &bytes);
    git.commit("two");
    let check = |what: &str| {
        let (here, report) = Here::of(&git.dir);
        assert!(report.missing.is_empty(), "{what}: {:?}", report.missing);
        assert_same_states(&git, &here);
        here
    };
    check("loose");
    git.run(&["-c", "core.bigFileThreshold=1m", "repack", "-q", "-a", "-d"]);
    let here = check("packed as they are");
    assert_round_trip(&git, &here);
    git.run(&["repack", "-q", "-a", "-d", "-F"]);
    let listed = git.run(&["verify-pack", "-v", &newest_index(&git)]);
    assert!(listed.contains("chain length = 1"), "one is a difference to the other: {listed}");
    check("as differences");
}

fn newest_index(git: &Git) -> String {
    let packs = std::fs::read_dir(git.dir.join(".git/objects/pack")).expect("a folder");
    let mut names = packs.map(|entry| entry.expect("an entry").path());
    let index = names.find(|path| path.extension().is_some_and(|extension| extension == "idx"));
    index.expect("an index").to_str().expect("a path").to_owned()
}

#[test]
fn a_large_blob_that_is_damaged_stays_foreign() {
    let (_folder, git) = source();
    git.write("film.mov", &noise(1, 17 << 20));
    let commit = git.commit("one");
    let blob = git.run(&["rev-parse", "HEAD:film.mov"]);
    let mut bytes = std::fs::read(loose(&git, &blob)).expect("an object");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    std::fs::remove_file(loose(&git, &blob)).expect("gone");
    std::fs::write(loose(&git, &blob), &bytes).expect("a file");
    let (here, report) = Here::of(&git.dir);
    assert_eq!(report.missing.len(), 1);
    assert!(report.missing[0].reason.starts_with("it is damaged"), "{:?}", report.missing);
    let state = here.state(here.by_git_id()[&commit]);
    assert_eq!(state[b"film.mov".as_slice()], Stands::Foreign(format!("GitBlobSha1 {blob}")));
}

#[test]
fn each_blob_is_read_once_and_a_rename_costs_nothing() {
    let (_folder, git) = source();
    git.write("brand/logo.psd", &noise(1, 300_000));
    git.write("brand/copy.psd", &noise(1, 300_000));
    git.write("a.txt", b"a");
    git.commit("one");
    git.write("a.txt", b"b");
    git.commit("two");
    git.write("a.txt", b"a");
    git.commit("back again");
    let (here, report) = Here::of(&git.dir);
    assert_eq!((report.files, report.bytes), (3, 300_002), "each once, wherever and whenever it stands");
    git.run(&["mv", "brand", "identity"]);
    git.commit("renamed");
    let report = here.import(&git.dir).expect("an import");
    assert_eq!((report.commits, report.files, report.bytes_new, report.bytes_stored), (1, 0, 0, 0));
    assert_same_states(&git, &here);
}

#[test]
fn submodules_are_on_record_by_their_commits() {
    let (_folder, git) = source();
    git.write("a", b"a");
    let id = git.commit("one");
    git.run(&["update-index", "--add", "--cacheinfo", &format!("160000,{id},vendor/lib")]);
    git.run(&["commit", "-q", "-m", "submodule"]);
    let (here, report) = Here::of(&git.dir);
    assert!(report.missing.is_empty(), "a submodule misses nothing");
    let state = here.state(here.by_git_id()[&git.run(&["rev-parse", "main"])]);
    assert_eq!(state[b"vendor/lib".as_slice()], Stands::Foreign(format!("GitCommitSha1 {id}")));
    assert_round_trip(&git, &here);
}

#[test]
fn commits_are_named_by_their_git_ids_and_shown_as_git_has_them() {
    let world = World::new();
    let git = Git::init(&world.studio().join("old"));
    git.write("a", b"a");
    let one = git.commit("one");
    git.run(&["tag", "-a", "-m", "first", "v1"]);
    let tag = git.run(&["rev-parse", "v1"]);
    git.run(&["update-index", "--add", "--cacheinfo", &format!("160000,{one},sub")]);
    git.run(&["commit", "-q", "-m", "two"]);
    let two = git.run(&["rev-parse", "HEAD"]);
    world.ok(&["init", "new"]);
    world.ok(&["-C", "new", "import", "git", "--branches", "main", "--branches", "v1", "../old"]);
    world.ok(&["-C", "new", "remote", "add", "origin", "../nas"]);
    world.ok(&["-C", "new", "push", "--all"]);
    world.ok(&["clone", "nas", "copy"]);
    for place in ["new", "copy"] {
        let here = |arguments: &[&str]| world.ok(&[&["-C", place], arguments].concat());
        let log = world.json(&["-C", place, "log"]);
        assert_eq!(log["commits"][0]["git"], two.as_str(), "{place}");
        let shown = here(&["show", &one[..8]]);
        assert!(shown.contains("one") && shown.contains(&one), "{shown}");
        assert!(here(&["show", &tag]).contains("one"), "{place}");
        assert!(here(&["diff", &one, &two]).contains("sub"), "{place}");
        let original = |git_kind: &str, word: &str, arguments: &[&str]| {
            assert_eq!(here(arguments).into_bytes(), git.bytes(&["cat-file", git_kind, word]), "{place}");
        };
        original("commit", &two, &["show", "--original"]);
        original("commit", &one, &["show", &one, "--original"]);
        original("tag", "v1", &["show", "v1", "--original"]);
        original("tag", "v1", &["show", &tag, "--original"]);
        // A submodule is told from content that is missing.
        let sub = here(&["show", "@", "sub"]);
        assert!(sub.contains("submodule") && sub.contains(&one), "{sub}");
        let shown = here(&["show", "--names"]);
        assert!(shown.contains("sub") && !shown.contains("0 B"), "{shown}");
        let cat = world.pent(&["-C", place, "cat", "sub"]);
        assert!(cat.stderr.contains(&format!("sub is a submodule: commit {one}")), "{}", cat.stderr);
    }
    let none = world.pent(&["-C", "new", "show", "0123456789abcdef0123456789abcdef01234567"]);
    assert_ne!(none.code, 0);
}

#[test]
fn names_that_have_no_place_here_are_told() {
    use std::os::unix::ffi::OsStrExt as _;
    let world = World::new();
    let git = Git::init(&world.studio().join("old"));
    git.write("a", b"a");
    git.commit("one");
    git.run(&["symbolic-ref", "refs/heads/alias", "refs/heads/main"]);
    let heads = git.dir.join(".git/refs/heads");
    let odd = heads.join(std::ffi::OsStr::from_bytes(b"caf\xe9"));
    std::fs::copy(heads.join("main"), odd).expect("a name");
    world.ok(&["init", "new"]);
    let run = world.pent(&["-C", "new", "import", "git", "../old"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    let told = "refs/heads/caf%E9  cannot be called so here; it is kept for the way back to Git";
    assert!(run.stdout.contains(told), "{}", run.stdout);
    let hint = "refs/heads/alias: only another word for a branch or tag, and left out";
    assert!(run.stderr.contains(hint), "{}", run.stderr);
}

#[test]
fn names_of_blobs_go_back_and_names_of_trees_are_told() {
    let (folder, git) = source();
    git.write("a", b"a");
    git.commit("one");
    let key = git.object("blob", b"a public key\n");
    git.run(&["tag", "-a", "-m", "signing key", "key", &key]);
    git.run(&["update-ref", "refs/tags/plain-key", &key]);
    let (here, _) = Here::of(&git.dir);
    assert_round_trip(&git, &here);
    git.run(&["tag", "-a", "-m", "a tree", "tree", "HEAD^{tree}"]);
    git.run(&["update-ref", "refs/pull/7/head", "HEAD"]);
    let report = here.import(&git.dir).expect("an import");
    let line = report.names.iter().find(|line| line.git_name == "refs/tags/tree").expect("a line");
    assert_eq!(line.outcome, "left-out");
    assert_eq!(report.names_left_out, ["refs/pull/7/head"]);
    let exported = here.export(&folder.path().join("back.git"));
    let left: Vec<&str> = exported.left_out.iter().map(|left| left.name.as_str()).collect();
    assert_eq!(left, ["refs/tags/tree"]);
    assert!(exported.names.contains_key("refs/tags/key"));
}

#[test]
fn notes_are_left_out_and_told_where_ids_change() {
    let (folder, git) = source();
    git.write("a.psd", &noise(1, 1000));
    git.commit("one");
    git.run(&["notes", "add", "-m", "a note", "HEAD"]);
    let (here, _) = Here::of(&git.dir);
    let lfs = LfsRule { patterns: vec!["*.psd".into()], ..LfsRule::default() };
    let wish = ExportWish { names: Vec::new(), lfs };
    let exported = here.export_with(&folder.path().join("back.git"), &wish);
    assert_eq!(exported.commits_changed, 1);
    assert_eq!(exported.left_out[0].name, "refs/notes/commits");
}

#[test]
fn an_export_is_always_the_same_and_comes_in_as_the_same_trees() {
    let (folder, git) = source();
    git.write("brand/logo.svg", b"<svg/>");
    git.commit("one");
    let (here, _) = Here::of(&git.dir);
    std::fs::write(here.folder.path().join("brand/logo.svg"), b"<svg>new</svg>").expect("a file");
    std::fs::write(here.folder.path().join("film.mov"), noise(3, 3 << 20)).expect("a file");
    commit_here(&here, "made here");
    let packs = |target: &Path| {
        here.export(target);
        let entries = std::fs::read_dir(target.join("objects/pack")).expect("a folder");
        let mut files: Vec<(String, Vec<u8>)> = entries
            .map(|entry| entry.expect("an entry"))
            .map(|entry| {
                let bytes = std::fs::read(entry.path()).expect("a file");
                (entry.file_name().to_string_lossy().into_owned(), bytes)
            })
            .collect();
        files.sort();
        files
    };
    let (one, two) = (folder.path().join("one.git"), folder.path().join("two.git"));
    assert!(packs(&one) == packs(&two), "two exports are the same bytes");
    let back = Git::at(&one);
    back.run(&["fsck", "--full", "--strict"]);
    for index in std::fs::read_dir(one.join("objects/pack")).expect("a folder") {
        let index = index.expect("an entry").path();
        if index.extension().is_some_and(|extension| extension == "idx") {
            back.run(&["verify-pack", index.to_str().expect("a path")]);
        }
    }
    let (again, report) = Here::of(&one);
    assert_eq!(report.commits, 2);
    assert_same_states(&back, &again);
    assert_eq!(on_disk(again.folder.path()), on_disk(here.folder.path()));
    assert_eq!(archived(&back, "main"), on_disk(here.folder.path()));
}

#[test]
fn new_work_in_a_folder_whose_attributes_say_so_goes_on_in_git_lfs() {
    let (folder, git) = source();
    git.run(&["lfs", "install", "--local"]);
    git.write(
        "video/.gitattributes",
        b"*.mov filter=lfs diff=lfs merge=lfs -text\nraw.mov !filter !diff !merge text\n",
    );
    git.write("video/old.mov", &noise(1, 5000));
    git.commit("one");
    let (here, report) = Here::of(&git.dir);
    assert_eq!(report.settings.lfs, ["/video/**/*.mov", "!/video/**/raw.mov"]);
    for name in ["video/new.mov", "video/deep/new.mov", "video/raw.mov", "new.mov"] {
        let place = here.folder.path().join(name);
        std::fs::create_dir_all(place.parent().expect("a parent")).expect("a folder");
        std::fs::write(place, noise(9, 5000)).expect("a file");
    }
    commit_here(&here, "made here");
    let back = folder.path().join("back.git");
    here.export_git(&back);
    let back = Git::at(&back);
    let is_pointer = |name: &str| {
        back.bytes(&["cat-file", "blob", &format!("main:{name}")]).starts_with(b"version https://git-lfs")
    };
    assert!(is_pointer("video/old.mov"));
    assert!(is_pointer("video/new.mov") && is_pointer("video/deep/new.mov"));
    // The same content is in Git LFS elsewhere; where attributes do not ask for it, it is a file.
    assert!(!is_pointer("video/raw.mov") && !is_pointer("new.mov"));
    let clone = folder.path().join("clone");
    let from = format!("file://{}", back.dir.display());
    git.run(&["clone", "-q", "--no-checkout", &from, clone.to_str().expect("a path")]);
    let clone = Git::at(&clone);
    clone.run(&["lfs", "install", "--local"]);
    clone.run(&["checkout", "-q", "main"]);
    assert_eq!(clone.run(&["status", "--porcelain"]), "", "Git finds nothing to change");
    assert_eq!(on_disk(&clone.dir), on_disk(here.folder.path()));
}

#[test]
fn the_command_says_what_is_missing_where_it_was_expected_and_what_git_lfs_holds() {
    let world = World::new();
    let git = Git::init(&world.studio().join("old"));
    git.run(&["lfs", "install", "--local"]);
    git.write(".gitattributes", b"*.bin filter=lfs diff=lfs merge=lfs -text\n");
    git.write("kept.bin", &noise(1, 300_000));
    git.commit("one");
    git.write("kept.bin", &noise(2, 200_000));
    git.write("other.bin", &noise(2, 200_000));
    git.commit("two");
    let lost = git.run(&["lfs", "ls-files", "--long", "HEAD~1"]);
    let lost = &lost[..64];
    let place = git.dir.join(".git/lfs/objects").join(&lost[..2]).join(&lost[2..4]).join(lost);
    let kept = std::fs::read(&place).expect("an object");
    std::fs::remove_file(&place).expect("gone");
    world.ok(&["init", "new"]);
    let run = world.pent(&["-C", "new", "import", "git", "../old"]);
    assert_eq!(run.code, 1, "{}{}", run.stdout, run.stderr);
    for line in [
        "2 commits are new",
        "The content of 1 file is not at hand; a later import can bring it:",
        "  kept.bin: its Git LFS object is not at hand",
        &format!("old/.git/lfs/objects/{}/{}/{lost}", &lost[..2], &lost[2..4]),
        "Git LFS holds 200 kB of it",
    ] {
        assert!(run.stdout.contains(line), "{line:?} in\n{}", run.stdout);
    }
    for advice in ["git lfs fetch --all", "git lfs env", "--lfs-storage"] {
        assert!(run.stderr.contains(advice), "{advice:?} in\n{}", run.stderr);
    }
    let again = world.pent(&["-C", "new", "import", "git", "../old"]);
    assert_eq!(again.code, 1, "{}{}", again.stdout, again.stderr);
    for line in ["The content of 1 file is still not at hand:", "  kept.bin: its Git LFS object is still not"]
    {
        assert!(again.stdout.contains(line), "{line:?} in\n{}", again.stdout);
    }
    std::fs::write(&place, kept).expect("a file");
    let found = world.ok(&["-C", "new", "import", "git", "../old"]);
    assert!(found.contains("1 file that earlier imports missed was found."), "{found}");
    assert_eq!(
        hex(&noise(2, 4)),
        hex(&std::fs::read(world.studio().join("new/kept.bin")).expect("a file")[..4])
    );
}
