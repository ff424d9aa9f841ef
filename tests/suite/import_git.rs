//! History from Git: every revision compared with what Git itself makes of it, and taken back.

use crate::git_support::{
    Git, Here, Stands, archived, assert_round_trip, assert_same_states, chain, clock, import_error, on_disk,
    tree_entry,
};
use pentimento::base::monitor::{Advance, Monitor, Phase, Problem, SilentMonitor};
use pentimento::base::path::AssetPath;
use pentimento::import::ImportError;
use pentimento::import::git::run::Wish;
use pentimento::object::source::ObjectSource;
use pentimento::object::tree_walk::entry_at;
use pentimento::repo::refs::RefName;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// A repository with a bit of everything that Git can do.
pub fn varied(dir: &Path) -> Git {
    use std::os::unix::fs::PermissionsExt as _;
    let git = Git::init(dir);
    git.write("brand/logo.svg", b"<svg/>");
    git.write("brand/deep/er/still.txt", b"deep\n");
    git.write("run.sh", b"#!/bin/sh\n");
    git.commit("first\n\nwith a body\n\nReviewed-by: Bo <bo@example.org>");
    git.run(&["tag", "light"]);
    std::os::unix::fs::symlink("brand/logo.svg", dir.join("link")).expect("a link");
    std::fs::set_permissions(dir.join("run.sh"), std::fs::Permissions::from_mode(0o755)).expect("a mode");
    git.commit("mode and link");
    git.run(&["mv", "brand/logo.svg", "logo.svg"]);
    git.commit("rename");
    for branch in ["one", "two", "three"] {
        git.run(&["checkout", "-q", "-b", branch, "main"]);
        git.write(&format!("{branch}.txt"), branch.as_bytes());
        git.commit(branch);
    }
    git.run(&["checkout", "-q", "main"]);
    git.run(&["merge", "-q", "--no-ff", "-m", "octopus", "one", "two", "three"]);
    git.run(&["commit", "-q", "--allow-empty", "-m", "empty"]);
    git.run(&["checkout", "-q", "--orphan", "rootless"]);
    git.run(&["rm", "-q", "-rf", "."]);
    git.write("other.txt", b"another beginning");
    git.commit("rootless");
    git.run(&["checkout", "-q", "main"]);
    git.run(&["merge", "-q", "--allow-unrelated-histories", "-m", "both beginnings", "rootless"]);
    unusual(&git, dir);
    git.run(&["tag", "-a", "-m", "annotated", "v1"]);
    git.run(&["tag", "-a", "-m", "a tag of a tag", "v1-again", "v1"]);
    git.run(&["notes", "add", "-m", "a note", "HEAD~1"]);
    git
}

/// Names and messages that are no UTF-8, a submodule, a file that becomes a folder and back.
fn unusual(git: &Git, dir: &Path) {
    use std::os::unix::ffi::OsStrExt as _;
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9.txt");
    std::fs::write(dir.join(name), b"latin").expect("a file");
    git.run(&["add", "-A"]);
    let message = dir.join(".git/message");
    std::fs::write(&message, b"gr\xfc\xdfe\n").expect("a file");
    let message = message.to_str().expect("a path");
    git.run(&["-c", "i18n.commitEncoding=ISO-8859-1", "commit", "-q", "-F", message]);
    std::fs::write(message, b"no encoding \xff\xfe\n").expect("a file");
    git.run(&["commit", "-q", "--allow-empty", "-F", message]);
    let head = git.run(&["rev-parse", "HEAD"]);
    git.run(&["update-index", "--add", "--cacheinfo", &format!("160000,{head},vendor/lib")]);
    git.run(&["commit", "-q", "-m", "submodule"]);
    git.run(&["rm", "-q", "-r", "--cached", "brand"]);
    std::fs::remove_dir_all(dir.join("brand")).expect("gone");
    std::fs::write(dir.join("brand"), b"a file now").expect("a file");
    git.run(&["add", "brand"]);
    git.run(&["commit", "-q", "-m", "folder becomes file"]);
    std::fs::remove_file(dir.join("brand")).expect("gone");
    git.write("brand/back.txt", b"a folder again");
    git.run(&["add", "brand"]);
    git.run(&["commit", "-q", "-m", "file becomes folder"]);
}

#[test]
fn every_revision_is_what_git_archive_makes_of_it_and_goes_back_with_its_id() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let git = varied(&folder.path().join("source"));
    let (here, report) = Here::of(&git.dir);
    let compared = assert_same_states(&git, &here);
    assert_eq!(report.commits as usize, compared);
    assert!(report.missing.is_empty() && report.skipped.is_empty(), "{report:?}");
    assert_round_trip(&git, &here);
}

#[test]
fn messages_people_and_times_are_understood() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let git = varied(&folder.path().join("source"));
    let (here, _) = Here::of(&git.dir);
    let view = here.view();
    let by_id = here.by_git_id();
    let find = |revision: &str| view.commit(by_id[&git.run(&["rev-parse", revision])]).expect("a commit");
    let first = find("light");
    assert_eq!(first.message, "first\n\nwith a body\n\nReviewed-by: Bo <bo@example.org>");
    assert_eq!(first.author.time.rfc3339(), "2023-11-15T03:43:20+05:30");
    assert_eq!(first.committer.time.rfc3339(), "2023-11-14T19:45:00-02:30");
    let person = view.person(first.author.person).expect("a record").expect("a person");
    assert_eq!((person.name.as_str(), person.email.as_str()), ("Ana Lind", "ana@example.org"));
    assert_eq!(find("main~4").message, "grüße");
    assert!(find("main~3").message.starts_with("no encoding"));
    let tag = view.reference(&RefName::tag("v1").expect("a name")).expect("names").expect("a tag");
    assert_eq!(tag.annotation.expect("words").message, "annotated");
    let merge = find("main~5");
    assert_eq!((merge.message.as_str(), merge.parents.len()), ("both beginnings", 2));
}

#[test]
fn an_asset_keeps_its_id_through_renames_and_merges() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let git = varied(&folder.path().join("source"));
    let (here, _) = Here::of(&git.dir);
    let by_id = here.by_git_id();
    let asset = |revision: &str, path: &str| {
        let view = here.view();
        let commit = view.commit(by_id[&git.run(&["rev-parse", revision])]).expect("a commit");
        let path = AssetPath::from_bytes(path.as_bytes()).expect("a path");
        entry_at(&view, commit.tree, &path)
            .expect("a tree")
            .unwrap_or_else(|| panic!("{path} in {revision}"))
            .asset
    };
    assert_eq!(asset("light", "brand/logo.svg"), asset("main", "logo.svg"), "through a rename");
    assert_eq!(asset("two", "two.txt"), asset("main", "two.txt"), "through a merge");
    assert_eq!(asset("rootless", "other.txt"), asset("main", "other.txt"), "through a second parent");
}

#[test]
fn importing_again_elsewhere_gives_the_same_ids() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let git = varied(&folder.path().join("source"));
    let (one, _) = Here::of(&git.dir);
    let (two, _) = Here::of(&git.dir);
    assert_eq!(one.by_git_id(), two.by_git_id());
    let back = folder.path().join("back.git");
    one.export(&back);
    let (three, _) = Here::of(&back);
    assert_eq!(one.by_git_id(), three.by_git_id(), "what was exported is the same history");
}

#[test]
fn signed_commits_and_tags_verify_after_the_way_there_and_back() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let git = Git::init(&folder.path().join("source"));
    let key = folder.path().join("key");
    let made = std::process::Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f"])
        .arg(&key)
        .status()
        .expect("ssh-keygen is installed");
    assert!(made.success());
    let public = std::fs::read_to_string(key.with_extension("pub")).expect("a key");
    let signers = folder.path().join("signers");
    std::fs::write(&signers, format!("bo@example.org {public}")).expect("a file");
    for (name, value) in [
        ("gpg.format", "ssh"),
        ("user.signingkey", key.to_str().expect("a path")),
        ("gpg.ssh.allowedSignersFile", signers.to_str().expect("a path")),
    ] {
        git.run(&["config", name, value]);
    }
    git.write("a", b"a");
    git.run(&["add", "a"]);
    git.run(&["commit", "-q", "-S", "-m", "signed"]);
    git.run(&["tag", "-s", "-m", "signed tag", "v1"]);
    git.run(&["checkout", "-q", "-b", "side", "HEAD"]);
    git.write("b", b"b");
    git.run(&["add", "b"]);
    git.run(&["commit", "-q", "-S", "-m", "side"]);
    git.run(&["tag", "-s", "-m", "to be merged", "v2"]);
    git.run(&["checkout", "-q", "main"]);
    git.run(&["merge", "-q", "--no-ff", "-S", "-m", "a merge of a signed tag", "v2"]);
    assert!(git.run(&["cat-file", "commit", "HEAD"]).contains("mergetag"), "the merge embeds the tag");
    let (here, _) = Here::of(&git.dir);
    assert_round_trip(&git, &here);
    let back = folder.path().join("back.git");
    here.export(&back);
    let back = Git::at(&back);
    back.run(&["config", "gpg.format", "ssh"]);
    back.run(&["config", "gpg.ssh.allowedSignersFile", signers.to_str().expect("a path")]);
    for commit in back.commits() {
        back.run(&["verify-commit", &commit]);
    }
    back.run(&["verify-tag", "v1"]);
    let tag = here.view().reference(&RefName::tag("v1").expect("a name")).expect("names").expect("a tag");
    assert_eq!(tag.annotation.expect("words").message, "signed tag", "without the signature's armour");
    let by_id = here.by_git_id();
    let head = git.run(&["rev-parse", "HEAD"]);
    let original = here.view().git_original(by_id[&head]).expect("a store").expect("the original");
    assert_eq!(original, git.bytes(&["cat-file", "commit", &head]));
}

#[test]
fn replaced_objects_are_not_followed_and_go_back() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let git = Git::init(&folder.path().join("source"));
    git.write("a", b"old");
    let old = git.commit("old");
    git.write("a", b"new");
    let new = git.commit("new");
    git.run(&["replace", &new, &old]);
    let (here, _) = Here::of(&git.dir);
    let state = here.state(here.by_git_id()[&new]);
    assert_eq!(state[b"a".as_slice()], Stands::File { bytes: b"new".to_vec(), executable: false });
    assert_round_trip(&git, &here);
}

#[test]
fn shallow_and_partial_clones_bare_ones_worktrees_and_bundles_are_taken() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let git = varied(&folder.path().join("source"));
    git.run(&["config", "uploadpack.allowFilter", "true"]);
    let url = format!("file://{}", git.dir.display());
    let at = |name: &str| folder.path().join(name);
    let clone = |name: &str, options: &[&str]| {
        let target = at(name);
        let arguments: Vec<&str> = ["clone", "-q"]
            .iter()
            .chain(options)
            .copied()
            .chain([url.as_str(), target.to_str().expect("a path")])
            .collect();
        git.run(&arguments);
        Git::at(&target)
    };
    let mirror = clone("mirror.git", &["--mirror"]);
    let (here, _) = Here::of(&mirror.dir);
    assert_same_states(&mirror, &here);

    let shallow = clone("shallow", &["--depth", "2", "--no-tags"]);
    let (here, report) = Here::of(&shallow.dir);
    assert_same_states(&Git::at(&shallow.dir), &here);
    assert!(report.absent_parents > 0, "that history was cut off is told");
    let back = at("shallow-back.git");
    here.export(&back);
    assert_eq!(Git::at(&back).run(&["rev-parse", "main"]), shallow.run(&["rev-parse", "main"]));

    let partial = clone("partial.git", &["--bare", "--filter=blob:none"]);
    let (here, report) = Here::of(&partial.dir);
    assert!(!report.missing.is_empty());
    let state = here.state(here.by_git_id()[&git.run(&["rev-parse", "main"])]);
    assert!(
        state
            .values()
            .any(|stands| matches!(stands, Stands::Foreign(what) if what.starts_with("GitBlobSha1")))
    );

    let linked = at("linked");
    git.run(&["worktree", "add", "-q", linked.to_str().expect("a path"), "one"]);
    let (here, _) = Here::of(&linked);
    assert_same_states(&git, &here);

    let bundle = at("all.bundle");
    git.run(&["bundle", "create", "-q", bundle.to_str().expect("a path"), "--all"]);
    let (here, _) = Here::of(&bundle);
    assert_same_states(&git, &here);
    let thin = at("thin.bundle");
    git.run(&["bundle", "create", "-q", thin.to_str().expect("a path"), "main~2..main"]);
    assert!(matches!(import_error(Here::new().import(&thin)), ImportError::Thin { .. }));
}

#[test]
fn a_blob_that_a_partial_clone_lacked_is_tied_later_without_changing_an_id() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let git = Git::init(&folder.path().join("source"));
    git.write("a", b"content");
    git.commit("one");
    git.run(&["config", "uploadpack.allowFilter", "true"]);
    let partial = folder.path().join("partial.git");
    let url = format!("file://{}", git.dir.display());
    git.run(&["clone", "-q", "--bare", "--filter=blob:none", &url, partial.to_str().expect("a path")]);
    let (here, report) = Here::of(&partial);
    assert_eq!(report.missing.len(), 1);
    let before = here.by_git_id();
    let report = here.import(&git.dir).expect("an import");
    assert_eq!((report.found_again, report.commits), (1, 0));
    assert_eq!(here.by_git_id(), before);
    assert_same_states(&git, &here);
    let written = on_disk(here.folder.path());
    assert_eq!(written[b"a".as_slice()], Stands::File { bytes: b"content".to_vec(), executable: false });
}

#[test]
fn the_worktree_of_a_new_repository_goes_to_the_branch_that_git_is_on() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let git = varied(&folder.path().join("source"));
    git.run(&["checkout", "-q", "two"]);
    let (here, report) = Here::of(&git.dir);
    assert_eq!(here.view().state().expect("a state").branch.name(), "two");
    assert_eq!(on_disk(here.folder.path()), archived(&git, "two"));
    assert!(report.worktree.expect("files").problems.is_empty());
    let status = pentimento::app::status::run(&here.repository, &Default::default(), &SilentMonitor)
        .expect("a status");
    assert!(status.changes.is_empty(), "{:?}", status.changes);
}

#[test]
fn only_what_is_new_is_read_and_branches_follow() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let git = varied(&folder.path().join("source"));
    let (here, _) = Here::of(&git.dir);
    let again = here.import(&git.dir).expect("an import");
    assert_eq!((again.commits, again.files), (0, 0));
    assert!(again.names.iter().all(|name| matches!(name.outcome, "unchanged" | "kept")), "{:?}", again.names);
    git.write("more.txt", b"more");
    git.commit("more");
    git.run(&["branch", "-f", "one", "main"]);
    let more = here.import(&git.dir).expect("an import");
    assert_eq!((more.commits, more.files), (1, 1));
    assert_same_states(&git, &here);
    assert_eq!(on_disk(here.folder.path()), archived(&git, "main"), "the worktree follows");
    let (fresh, _) = Here::of(&git.dir);
    assert_eq!(fresh.by_git_id(), here.by_git_id());
}

#[test]
fn work_of_ones_own_is_never_moved_by_an_import() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let git = Git::init(&folder.path().join("source"));
    git.write("a", b"a");
    git.commit("one");
    let (here, _) = Here::of(&git.dir);
    std::fs::write(here.folder.path().join("mine"), b"uncommitted").expect("a file");
    git.write("a", b"b");
    git.commit("two");
    let report = here.import(&git.dir).expect("an import");
    let main = RefName::branch("main").expect("a name");
    assert_eq!(report.waiting, Some(main));
    let beside = RefName::branch("git/main").expect("a name");
    let there = here.view().reference(&beside).expect("names").expect("a branch");
    assert_eq!(there.commit, here.by_git_id()[&git.run(&["rev-parse", "main"])]);
    assert_eq!(std::fs::read(here.folder.path().join("a")).expect("a file"), b"a");
    assert_eq!(std::fs::read(here.folder.path().join("mine")).expect("a file"), b"uncommitted");
}

/// Asks to stop once so many commits are done.
struct StopAfter {
    commits: u64,
    seen: AtomicU64,
}

impl Monitor for StopAfter {
    fn phase(&self, _: Phase) {}
    fn advance(&self, _: Advance) {}
    fn commits(&self, done: u64, total: u64) {
        // While history is read nobody knows how much there is.
        if total > 0 {
            self.seen.store(done, Ordering::Relaxed);
        }
    }
    fn problem(&self, _: Problem) {}
    fn is_cancelled(&self) -> bool {
        self.seen.load(Ordering::Relaxed) >= self.commits
    }
}

#[test]
fn an_import_that_was_stopped_goes_on_and_gives_the_same() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let git = Git::init(&folder.path().join("source"));
    let mut stream = String::new();
    for number in 0..120 {
        stream.push_str(&format!("commit refs/heads/main\nmark :{}\n", number + 1));
        stream.push_str("committer A <a@b> 1700000000 +0000\ndata 1\nx\n");
        stream.push_str(&format!(
            "M 644 inline f{}\ndata {}\n{number}\n",
            number % 7,
            number.to_string().len()
        ));
    }
    git.feed(&["fast-import", "--quiet"], stream.as_bytes());
    let here = Here::new();
    for commits in [1, 20, 70] {
        let monitor = StopAfter { commits, seen: AtomicU64::new(0) };
        let error = import_error(here.import_with(&git.dir, Wish::default(), &monitor));
        assert!(matches!(error, ImportError::Cancelled | ImportError::Content(_)), "{}", chain(&error));
        assert!(here.view().references().expect("names").is_empty(), "names move at the end");
    }
    let report = here.import(&git.dir).expect("an import");
    assert!(report.commits < 120, "what was done is not done again: {}", report.commits);
    let (fresh, _) = Here::of(&git.dir);
    assert_eq!(fresh.by_git_id(), here.by_git_id());
    assert!(here.view().unfinished_imports().expect("a record").is_empty());
    assert_same_states(&git, &here);
}

#[test]
fn names_and_paths_can_be_narrowed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let git = varied(&folder.path().join("source"));
    let here = Here::new();
    let path = AssetPath::from_bytes(b"brand".to_vec()).expect("a path");
    let wish = Wish { names: vec!["t*".to_owned()], remotes: false, paths: vec![path] };
    let report = here.import_with(&git.dir, wish.clone(), &SilentMonitor).expect("an import");
    let names: Vec<&str> =
        report.names.iter().filter_map(|line| line.name.as_ref()).map(RefName::name).collect();
    assert_eq!(names, ["three", "two"]);
    let view = here.view();
    let head =
        view.reference(&RefName::branch("two").expect("a name")).expect("names").expect("a branch").commit;
    let state = here.state(head);
    assert_eq!(
        state.keys().map(|name| String::from_utf8_lossy(name).into_owned()).collect::<Vec<_>>(),
        ["brand/deep/er/still.txt"]
    );
    let none = Wish { names: vec!["nothing".to_owned()], ..Wish::default() };
    assert!(matches!(
        import_error(here.import_with(&git.dir, none, &SilentMonitor)),
        ImportError::NothingToImport { .. }
    ));
}

#[test]
fn paths_at_which_nothing_ever_stood_are_an_error_and_those_of_old_are_none() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let git = Git::init(&folder.path().join("source"));
    for number in 0..20u8 {
        git.write("now.txt", &[number]);
        git.write(if number < 2 { "old/logo.svg" } else { "other.txt" }, &[number]);
        if number == 2 {
            std::fs::remove_dir_all(git.dir.join("old")).expect("gone");
        }
        git.commit("a commit");
    }
    let wish = |paths: &[&str]| Wish {
        paths: paths.iter().map(|path| AssetPath::from_bytes(*path).expect("a path")).collect(),
        ..Wish::default()
    };
    let here = Here::new();
    for paths in [&["old/logo.psd"][..], &["now.txt", "now.txt/x"], &["logo.svg"]] {
        let error = import_error(here.import_with(&git.dir, wish(paths), &SilentMonitor));
        let wrong = paths.last().expect("a path");
        match error {
            ImportError::NothingAtPaths { paths } => assert_eq!(paths[0].to_string(), *wrong),
            other => panic!("{}", chain(&other)),
        }
        assert!(here.view().references().expect("names").is_empty());
    }
    let report = here.import_with(&git.dir, wish(&["old"]), &SilentMonitor).expect("an import");
    assert_eq!((report.commits, report.files), (20, 2));
    // Later, there may well be nothing new at a path.
    git.write("now.txt", b"later");
    git.commit("later");
    let report = here.import_with(&git.dir, wish(&["old"]), &SilentMonitor).expect("an import");
    assert_eq!((report.commits, report.files), (1, 0));
}

#[test]
fn what_openpgp_has_signed_verifies_after_the_way_there_and_back() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let home = folder.path().join("gpg");
    std::fs::create_dir(&home).expect("a folder");
    std::fs::set_permissions(&home, std::os::unix::fs::PermissionsExt::from_mode(0o700)).expect("a mode");
    let with_keys = |mut command: std::process::Command| {
        let output = command.env("GNUPGHOME", &home).output().expect("gpg and git are installed");
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let mut make = std::process::Command::new("gpg");
    make.args(["--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""]);
    make.args(["--quick-generate-key", "Bo Ek <bo@example.org>", "ed25519", "sign", "0"]);
    with_keys(make);
    let git = Git::init(&folder.path().join("source"));
    git.run(&["config", "user.signingkey", "bo@example.org"]);
    git.write("a", b"a");
    git.run(&["add", "a"]);
    with_keys(git.command(&["commit", "-q", "-S", "-m", "signed"]));
    with_keys(git.command(&["tag", "-s", "-m", "a signed tag", "v1"]));
    let commit = git.bytes(&["cat-file", "commit", "HEAD"]);
    assert!(String::from_utf8_lossy(&commit).contains("BEGIN PGP SIGNATURE"));
    let (here, _) = Here::of(&git.dir);
    assert_round_trip(&git, &here);
    let back = folder.path().join("back.git");
    here.export(&back);
    let back = Git::at(&back);
    with_keys(back.command(&["verify-commit", "main"]));
    with_keys(back.command(&["verify-tag", "v1"]));
    let by_id = here.by_git_id();
    let original = here.view().git_original(by_id[&git.run(&["rev-parse", "HEAD"])]).expect("a store");
    assert_eq!(original.expect("the original"), commit);
    let tag = RefName::tag("v1").expect("a name");
    let target = here.view().reference(&tag).expect("names").expect("a tag");
    assert_eq!(target.annotation.expect("words").message, "a signed tag", "without the signature's armour");
    let original = here.view().git_tag_original(&tag).expect("a store").expect("the original");
    assert_eq!(original, git.bytes(&["cat-file", "tag", "v1"]));
    let mut stop = std::process::Command::new("gpgconf");
    stop.args(["--kill", "all"]);
    with_keys(stop);
}

#[test]
fn unusual_trees_come_in_as_far_as_they_can_and_go_back_whole() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let git = Git::init(&folder.path().join("source"));
    let blob = git.object("blob", b"content");
    let inner = git.object("tree", &tree_entry("100664", b"group-writable", &blob));
    let mut bytes = Vec::new();
    for (mode, name) in [
        ("100644", b"z".as_slice()),
        ("100664", b"b"),
        ("100644", b"b"),
        ("100755", b".pent"),
        ("100644", b".git"),
        ("100644", b".GIT"),
        ("100644", b".."),
        ("100644", b"a/b"),
        ("10644", b"mode"),
    ] {
        bytes.extend(tree_entry(mode, name, &blob));
    }
    bytes.extend(tree_entry("40000", b"inner", &inner));
    bytes.extend(tree_entry("40000", b"empty", "4b825dc642cb6eb9a060e54bf8d69288fbee4904"));
    git.object("tree", b"");
    let tree = git.object("tree", &bytes);
    let commit = git.object("commit", format!("tree {tree}\nauthor odd\n\nodd").as_bytes());
    git.run(&["update-ref", "refs/heads/main", &commit]);
    let (here, report) = Here::of(&git.dir);
    let state = here.state(here.by_git_id()[&commit]);
    let names: Vec<&[u8]> = state.keys().map(Vec::as_slice).collect();
    assert_eq!(names, [b"b".as_slice(), b"inner/group-writable", b"z"]);
    let skipped: Vec<&str> = report.skipped.iter().map(|line| line.path.as_str()).collect();
    for name in [".pent", ".git", ".GIT", "..", "mode"] {
        assert!(skipped.contains(&name), "{name} in {skipped:?}");
    }
    let back = folder.path().join("back.git");
    here.export(&back);
    assert_eq!(Git::at(&back).run(&["rev-parse", "main"]), commit);
}

#[test]
fn gc_spares_what_imports_rest_on_and_a_cut_off_import_goes_on_after_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let git = varied(&folder.path().join("source"));
    let (here, _) = Here::of(&git.dir);
    let now = pentimento::app::gc::Options { grace_days: 0, dry_run: false, accept_losses: false };
    pentimento::app::gc::run(&here.repository, &now, &clock(), &SilentMonitor).expect("a sweep");
    assert_same_states(&git, &here);
    assert_round_trip(&git, &here);

    let cut = Here::new();
    let monitor = StopAfter { commits: 3, seen: AtomicU64::new(0) };
    import_error(cut.import_with(&git.dir, Wish::default(), &monitor));
    pentimento::app::gc::run(&cut.repository, &now, &clock(), &SilentMonitor).expect("a sweep");
    cut.import(&git.dir).expect("an import");
    assert_eq!(cut.by_git_id(), here.by_git_id());
    assert_same_states(&git, &cut);
}
