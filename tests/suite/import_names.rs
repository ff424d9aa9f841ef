//! What becomes of branches and tags when an import is run again: they follow Git for as long as nobody
//! has done anything with them here.

use crate::app_flow::anna;
use crate::git_support::{Git, Here, assert_round_trip, clock};
use crate::review_kit::House;
use crate::trust_kit::ONE_EDITOR;
use pentimento::app::import_git::{self, Report};
use pentimento::app::{commit, draft, switch};
use pentimento::base::id::CommitId;
use pentimento::base::monitor::SilentMonitor;
use pentimento::import::git::run::Wish;
use pentimento::repo::refs::{RefName, RefTarget};

fn source() -> (tempfile::TempDir, Git) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let git = Git::init(&folder.path().join("source"));
    git.write("a", b"a");
    git.commit("one");
    (folder, git)
}

fn branch(name: &str) -> RefName {
    RefName::branch(name).expect("a name")
}

fn tip(here: &Here, name: &RefName) -> Option<CommitId> {
    here.view().reference(name).expect("names").map(|target| target.commit)
}

fn outcome(report: &Report, git_name: &str) -> (Option<String>, &'static str) {
    let line = report.names.iter().find(|line| line.git_name == git_name).expect("a line");
    (line.name.as_ref().map(|name| name.name().to_owned()), line.outcome)
}

/// What became of the commit that a revision names in Git.
fn id_of(here: &Here, git: &Git, revision: &str) -> CommitId {
    here.by_git_id()[&git.run(&["rev-parse", revision])]
}

/// A commit made here, on the branch that the worktree is on.
fn commit_here(here: &Here, name: &str) {
    std::fs::write(here.folder.path().join(name), name).expect("a file");
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

fn go_to(here: &Here, name: &RefName) {
    switch::run(&here.repository, name.name(), &clock(), &SilentMonitor).expect("a switch");
}

#[test]
fn work_that_stands_beside_is_never_moved_either() {
    let (_folder, git) = source();
    let (here, _) = Here::of(&git.dir);
    commit_here(&here, "mine");
    git.write("a", b"b");
    git.commit("two");
    let report = here.import(&git.dir).expect("an import");
    assert_eq!(outcome(&report, "refs/heads/main"), (Some("git/main".into()), "beside"));
    // It moves on with Git while nobody touches it.
    git.write("a", b"c");
    git.run(&["commit", "-q", "--amend", "-a", "-m", "another two"]);
    let report = here.import(&git.dir).expect("an import");
    assert_eq!(outcome(&report, "refs/heads/main"), (Some("git/main".into()), "beside"));
    let id = |here: &Here, revision: &str| here.by_git_id()[&git.run(&["rev-parse", revision])];
    assert_eq!(tip(&here, &branch("git/main")), Some(id(&here, "main")));
    // Once somebody has worked there, it stays, and the next comes beside it.
    let mine = tip(&here, &branch("main"));
    go_to(&here, &branch("git/main"));
    commit_here(&here, "mine, too");
    let own = tip(&here, &branch("git/main"));
    git.write("a", b"d");
    git.commit("three");
    let report = here.import(&git.dir).expect("an import");
    assert_eq!(outcome(&report, "refs/heads/main"), (Some("git/main-2".into()), "beside"));
    assert_eq!(tip(&here, &branch("git/main")), own);
    assert_eq!(tip(&here, &branch("main")), mine);
    assert_eq!(tip(&here, &branch("git/main-2")), Some(id(&here, "main")));
}

#[test]
fn a_tag_that_was_set_here_stays_and_so_does_what_another_repository_brought() {
    let (folder, git) = source();
    let (here, _) = Here::of(&git.dir);
    let first = tip(&here, &branch("main")).expect("a commit");
    let tag = RefName::tag("v1").expect("a name");
    let mut edit = here.repository.edit().expect("an edit");
    edit.set_reference(&tag, None, Some(RefTarget::plain(first))).expect("a tag");
    edit.commit().expect("a change");
    git.write("a", b"b");
    git.commit("two");
    git.run(&["tag", "v1"]);
    let report = here.import(&git.dir).expect("an import");
    assert_eq!(outcome(&report, "refs/tags/v1"), (Some("git/v1".into()), "beside"));
    assert_eq!(tip(&here, &tag), Some(first));
    // Another repository has a branch of the same name and nothing in common.
    let before = tip(&here, &branch("main"));
    let other = Git::init(&folder.path().join("other"));
    other.write("other", b"other");
    other.commit("other");
    let report = here.import(&other.dir).expect("an import");
    assert_eq!(outcome(&report, "refs/heads/main"), (Some("git/main".into()), "beside"));
    assert_eq!(tip(&here, &branch("main")), before);
    // And the first one's names are not taken for removed.
    assert!(report.names.iter().all(|line| !line.outcome.starts_with("gone")), "{:?}", report.names);
    assert_eq!(tip(&here, &tag), Some(first));
}

#[test]
fn two_names_in_git_that_are_one_here_both_come() {
    let (_folder, git) = source();
    git.run(&["branch", "origin/main"]);
    git.write("a", b"b");
    let two = git.commit("two");
    git.run(&["update-ref", "refs/remotes/origin/main", &two]);
    let here = Here::new();
    let wish = Wish { remotes: true, ..Wish::default() };
    let report = here.import_with(&git.dir, wish, &SilentMonitor).expect("an import");
    assert_eq!(outcome(&report, "refs/heads/origin/main"), (Some("origin/main".into()), "new"));
    assert_eq!(outcome(&report, "refs/remotes/origin/main"), (Some("git/origin/main".into()), "beside"));
}

#[test]
fn a_branch_that_was_rewritten_in_git_is_followed() {
    let (_folder, git) = source();
    git.write("a", b"b");
    git.commit("two");
    let (here, _) = Here::of(&git.dir);
    git.write("a", b"c");
    git.run(&["commit", "-q", "--amend", "-a", "-m", "another two"]);
    let report = here.import(&git.dir).expect("an import");
    assert_eq!(outcome(&report, "refs/heads/main"), (Some("main".into()), "rewritten"));
    assert_eq!(std::fs::read(here.folder.path().join("a")).expect("a file"), b"c");
    // And so is one that was set back there.
    git.run(&["reset", "-q", "--hard", "HEAD~1"]);
    let report = here.import(&git.dir).expect("an import");
    assert_eq!(outcome(&report, "refs/heads/main"), (Some("main".into()), "rewritten"));
    assert_eq!(std::fs::read(here.folder.path().join("a")).expect("a file"), b"a");
}

#[test]
fn an_older_copy_sets_nothing_back() {
    let (folder, git) = source();
    git.run(&["tag", "v1"]);
    git.run(&["notes", "add", "-m", "a note", "HEAD"]);
    let stale = folder.path().join("stale");
    git.run(&["clone", "-q", "--mirror", git.dir.to_str().expect("a path"), stale.to_str().expect("a path")]);
    let bundle = folder.path().join("old.bundle");
    git.run(&["bundle", "create", "-q", bundle.to_str().expect("a path"), "--all"]);
    git.write("a", b"b");
    git.commit("two");
    git.run(&["tag", "-f", "v1"]);
    git.run(&["notes", "add", "-m", "another note", "HEAD"]);
    let (here, _) = Here::of(&git.dir);
    let names = || here.view().references().expect("names");
    let before = (names(), here.view().kept_git_references().expect("names"));
    for old in [&stale, &bundle] {
        let report = here.import(old).expect("an import");
        for name in ["refs/heads/main", "refs/tags/v1", "refs/notes/commits"] {
            assert_eq!(outcome(&report, name).1, "older", "{}", old.display());
        }
        assert_eq!((names(), here.view().kept_git_references().expect("names")), before);
        assert_eq!(std::fs::read(here.folder.path().join("a")).expect("a file"), b"b");
    }
    assert_round_trip(&git, &here);
    // What has gone another way in the copy is put beside.
    let copy = Git::at(&folder.path().join("copy"));
    git.run(&["clone", "-q", stale.to_str().expect("a path"), copy.dir.to_str().expect("a path")]);
    copy.write("b", b"b");
    copy.commit("another two");
    copy.run(&["tag", "-f", "v1"]);
    let report = here.import(&copy.dir).expect("an import");
    assert_eq!(outcome(&report, "refs/heads/main"), (Some("git/main".into()), "beside"));
    assert_eq!(outcome(&report, "refs/tags/v1"), (Some("git/v1".into()), "beside"));
    assert_eq!(tip(&here, &branch("git/main")), Some(id_of(&here, &copy, "main")));
    // And stays there whatever older copies say.
    copy.write("b", b"c");
    copy.commit("and three");
    here.import(&copy.dir).expect("an import");
    let newest = tip(&here, &branch("git/main"));
    assert_eq!(newest, Some(id_of(&here, &copy, "main")));
    copy.run(&["update-ref", "refs/heads/main", "main~1"]);
    let bundle = folder.path().join("middle.bundle");
    copy.run(&["bundle", "create", "-q", bundle.to_str().expect("a path"), "main"]);
    let report = here.import(&bundle).expect("an import");
    assert_eq!(outcome(&report, "refs/heads/main"), (Some("git/main".into()), "older"));
    assert_eq!(tip(&here, &branch("git/main")), newest);
    // The repository that is followed goes on as if nothing had been.
    git.write("a", b"c");
    git.commit("three");
    let report = here.import(&git.dir).expect("an import");
    assert_eq!(outcome(&report, "refs/heads/main"), (Some("main".into()), "moved"));
    git.run(&["reset", "-q", "--hard", "HEAD~1"]);
    let report = here.import(&git.dir).expect("an import");
    assert_eq!(outcome(&report, "refs/heads/main"), (Some("main".into()), "rewritten"));
}

#[test]
fn names_that_git_has_no_longer_go_unless_somebody_works_on_them() {
    let (folder, git) = source();
    for name in ["untouched", "worked", "present"] {
        git.run(&["branch", name]);
    }
    git.run(&["tag", "v1"]);
    git.run(&["notes", "add", "-m", "a note", "HEAD"]);
    let (here, _) = Here::of(&git.dir);
    go_to(&here, &branch("worked"));
    commit_here(&here, "mine");
    go_to(&here, &branch("present"));
    let worked = tip(&here, &branch("worked"));
    let bundle = folder.path().join("main.bundle");
    git.run(&["bundle", "create", "-q", bundle.to_str().expect("a path"), "main"]);
    for name in ["untouched", "worked", "present"] {
        git.run(&["branch", "-q", "-D", name]);
    }
    git.run(&["tag", "-d", "v1"]);
    git.run(&["update-ref", "-d", "refs/notes/commits"]);
    // A bundle, and an import of something else, say nothing about them.
    let report = here.import(&bundle).expect("an import");
    assert_eq!(report.names.len(), 1);
    let wish = Wish { names: vec!["main".into()], ..Wish::default() };
    let report = here.import_with(&git.dir, wish, &SilentMonitor).expect("an import");
    assert_eq!(report.names.len(), 1, "{:?}", report.names);
    let report = here.import(&git.dir).expect("an import");
    assert_eq!(outcome(&report, "refs/heads/untouched").1, "gone");
    assert_eq!(outcome(&report, "refs/tags/v1").1, "gone");
    assert_eq!(outcome(&report, "refs/notes/commits"), (None, "gone"));
    assert_eq!(outcome(&report, "refs/heads/worked").1, "gone-kept");
    assert_eq!(outcome(&report, "refs/heads/present").1, "gone-kept");
    assert_eq!(tip(&here, &branch("untouched")), None);
    assert_eq!(tip(&here, &RefName::tag("v1").expect("a name")), None);
    assert_eq!(tip(&here, &branch("worked")), worked);
    assert!(tip(&here, &branch("present")).is_some());
    // Told once.
    let report = here.import(&git.dir).expect("an import");
    assert_eq!(report.names.len(), 1, "{:?}", report.names);
    let exported = here.export(&folder.path().join("back.git"));
    assert!(!exported.names.contains_key("refs/notes/commits"));
}

#[test]
fn a_protected_branch_is_left_and_the_way_there_is_open() {
    let (_folder, git) = source();
    let house = House::empty();
    let import = || {
        let options =
            import_git::Options { source: git.dir.clone(), wish: Wish::default(), lfs_storage: Vec::new() };
        import_git::run(&house.repository, &options, &house.clock, &SilentMonitor).expect("an import")
    };
    import();
    let first = house.tip("main");
    house.set_policy(ONE_EDITOR, 1);
    git.write("a", b"b");
    git.commit("two");
    git.run(&["branch", "free"]);
    let report = import();
    assert_eq!(outcome(&report, "refs/heads/main"), (Some("git/main".into()), "protected"));
    assert_eq!(outcome(&report, "refs/heads/free"), (Some("free".into()), "new"));
    assert_eq!(house.tip("main"), first);
    assert_eq!(house.tip("git/main"), house.tip("free"));
    assert_eq!(house.text("a").as_deref(), Some("a"), "the worktree stays with its branch");
    assert_eq!(outcome(&import(), "refs/heads/main"), (Some("git/main".into()), "protected"));
    // The way there: a draft of it is submitted, approved and landed.
    draft::create(&house.repository, "from-git", Some("git/main"), &house.clock).expect("a draft");
    house.submit(1, "draft/from-git");
    house.approve(2, "draft/from-git");
    house.land(2, "draft/from-git").expect("it lands");
    assert_eq!(house.text("a").as_deref(), Some("b"));
}

#[test]
fn an_import_of_less_leaves_rules_and_settings_as_they_are() {
    let (_folder, git) = source();
    git.write(".gitignore", b"*.cache\n");
    git.write(".gitattributes", b"*.bin filter=lfs lockable\n");
    git.commit("rules");
    git.run(&["checkout", "-q", "--orphan", "docs"]);
    git.write(".gitignore", b"other\n");
    git.write(".gitattributes", b"*.txt lockable\n");
    git.commit("docs");
    git.run(&["checkout", "-q", "main"]);
    let (here, report) = Here::of(&git.dir);
    assert_eq!((report.settings.lockable, report.settings_kept_from), (vec!["*.bin".to_owned()], None));
    let rules = || std::fs::read_to_string(here.folder.path().join(".pent/ignore")).expect("rules");
    let config = || std::fs::read_to_string(here.folder.path().join(".pent/config.toml")).expect("settings");
    let before = (rules(), config());
    let docs = Wish { names: vec!["docs".into()], ..Wish::default() };
    let report = here.import_with(&git.dir, docs.clone(), &SilentMonitor).expect("an import");
    assert_eq!(report.settings_kept_from.as_deref(), Some("refs/heads/main"));
    assert_eq!((rules(), config()), before);
    let paths = Wish {
        paths: vec![pentimento::base::path::AssetPath::from_bytes(b"a".to_vec()).expect("a path")],
        ..Wish::default()
    };
    let report = here.import_with(&git.dir, paths, &SilentMonitor).expect("an import");
    assert_eq!(report.settings_kept_from.as_deref(), Some("refs/heads/main"));
    assert_eq!((rules(), config()), before);
    // The same branch alone says what it says now.
    git.write(".gitignore", b"*.cache\n*.log\n");
    git.commit("more rules");
    let main = Wish { names: vec!["main".into()], ..Wish::default() };
    here.import_with(&git.dir, main, &SilentMonitor).expect("an import");
    assert!(rules().contains("*.log"), "{}", rules());
    // A first import of less takes what that says.
    let other = Here::new();
    let report = other.import_with(&git.dir, docs, &SilentMonitor).expect("an import");
    assert_eq!(report.settings.lockable, ["*.txt"]);
}
