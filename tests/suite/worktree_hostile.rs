//! Names, files and trees made to do harm, and changes made at the worst moment.

use crate::worktree_support::{Studio, path, want, want_gone};
use pentimento::base::monitor::SilentMonitor;
use pentimento::object::tree::Content;
use pentimento::rules::ignore::IgnoreStack;
use pentimento::worktree::checkout::Failure;
use pentimento::worktree::probe::{ContentProbe, HashProbe, ProbeError, Probed};
use pentimento::worktree::status::{Measure, StatusInput, What, status};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;

#[test]
fn names_of_every_kind_survive_commit_status_and_checkout() {
    let mut studio = Studio::new();
    let names: Vec<Vec<u8>> = vec![
        b"not-utf8-\xff\xfe".to_vec(),
        vec![b'n'; 255],
        b"line\nbreak".to_vec(),
        b"escape\x1b[31m".to_vec(),
        "bidi\u{202e}gpj.exe".as_bytes().to_vec(),
        b" leading and trailing ".to_vec(),
        b"back\\slash".to_vec(),
        b"CON".to_vec(),
        b"*?<>|\":".to_vec(),
        b"-rf".to_vec(),
        b"deep/\xff/ \t/x".to_vec(),
    ];
    for name in &names {
        studio.write(name, name);
    }
    studio.commit();
    assert!(studio.changes().is_empty());
    for name in &names {
        let new = studio.file([name.as_slice(), b"!"].concat());
        studio.checkout(&[want(name, new)]);
        assert_eq!(studio.read(name), Some([name.as_slice(), b"!"].concat()));
    }
    assert!(studio.displaced().is_empty());
    let plan = studio.plan(&[want_gone("x")]);
    assert!(plan.hazards.is_empty());
    let new = studio.file("x");
    assert_eq!(studio.plan(&[want("CON", new)]).hazards.len(), 1);
}

#[test]
fn no_tree_writes_into_the_repository_under_any_name() {
    let mut studio = Studio::new();
    let evil = studio.file("evil");
    let names = [
        ".pent/config.toml",
        ".PENT/config.toml",
        ".pent",
        "pent~1/x",
        "a/.Pent/x",
        ".pent./x",
        ".pe\u{200c}nt/x",
        ".pent:x",
        "a\\.pent\\config.toml",
        "\u{ff0e}pent/x",
    ];
    let wanted: Vec<_> = names.iter().map(|name| want(name, evil.clone())).collect();
    let plan = studio.plan(&wanted);
    assert!(plan.is_empty());
    assert_eq!(plan.refused.len(), names.len());
    let plan = studio.plan(&[want_gone(".pent/worktree")]);
    assert!(plan.is_empty());
}

#[test]
fn look_alikes_of_the_repository_on_disk_are_told_and_never_entered() {
    let studio = Studio::new();
    studio.write(".PENT/config.toml", "x");
    studio.write("sub/.pent", "a file");
    assert_eq!(studio.changes(), [".PENT refused", "sub/.pent refused"]);
}

#[test]
fn a_tree_that_tracks_the_repository_itself_shows_nothing_of_it() {
    let mut studio = Studio::new();
    let inner = studio.objects.put_directory([pentimento::object::tree::TreeEntry {
        name: b"config.toml".to_vec(),
        asset: Some(pentimento::base::id::AssetId::from_bytes([1; 16])),
        metadata: None,
        content: Content::File { id: crate::worktree_support::file_id(b""), size: 0, executable: false },
    }]);
    let top = studio.objects.put_directory([pentimento::object::tree::TreeEntry {
        name: b".pent".to_vec(),
        asset: None,
        metadata: None,
        content: Content::Directory { id: inner },
    }]);
    studio.index = Some(studio.build_index(top, None, &[]));
    fs::write(studio.pent().join("config.toml"), "secret = 1").expect("written");
    assert!(studio.changes().is_empty());
}

#[test]
fn links_out_of_the_tree_are_seen_as_links_and_not_followed() {
    let outside = tempfile::tempdir().expect("a folder");
    fs::write(outside.path().join("secret"), "x").expect("written");
    let mut studio = Studio::new();
    symlink(outside.path(), studio.at("way")).expect("linked");
    symlink("nowhere", studio.at("dangling")).expect("linked");
    symlink("loop", studio.at("loop")).expect("linked");
    assert_eq!(studio.changes(), ["dangling new", "loop new", "way new"]);
    studio.commit();
    let evil = studio.file("evil");
    studio.checkout(&[want("way/secret", evil)]);
    assert_eq!(fs::read(outside.path().join("secret")).expect("read"), b"x");
    assert_eq!(studio.read("way/secret"), Some(b"evil".to_vec()));
    assert!(fs::symlink_metadata(studio.at("way")).expect("there").is_dir());
}

#[test]
fn a_folder_swapped_for_a_link_after_the_plan_was_made_leads_nowhere() {
    let outside = tempfile::tempdir().expect("a folder");
    fs::write(outside.path().join("logo.svg"), "theirs").expect("written");
    let mut studio = Studio::new();
    studio.write("brand/logo.svg", "<svg/>");
    studio.write("brand/old.svg", "<old/>");
    studio.commit();
    let evil = studio.file("evil");
    let plan = studio.plan(&[
        want("brand/logo.svg", evil.clone()),
        want("brand/new.svg", evil),
        want_gone("brand/old.svg"),
    ]);
    fs::rename(studio.at("brand"), studio.at("brand.away")).expect("renamed");
    symlink(outside.path(), studio.at("brand")).expect("linked");
    let report = studio.execute(&plan);
    assert!(!report.failed.is_empty());
    assert_eq!(fs::read(outside.path().join("logo.svg")).expect("read"), b"theirs");
    assert_eq!(fs::read_dir(outside.path()).expect("readable").count(), 1);
    assert_eq!(studio.read("brand.away/logo.svg"), Some(b"<svg/>".to_vec()));
}

#[test]
fn a_file_that_changes_after_the_plan_was_made_is_kept() {
    let mut studio = Studio::new();
    for name in ["edited", "replaced", "removed", "appeared-not"] {
        studio.write(name, "before");
    }
    studio.commit();
    let new = studio.file("after");
    let plan = studio.plan(&[
        want("edited", new.clone()),
        want("replaced", new.clone()),
        want_gone("removed"),
        want("appeared", new),
    ]);
    assert_eq!(plan.kept().count(), 0);
    studio.write("edited", "edited meanwhile");
    fs::remove_file(studio.at("replaced")).expect("removed");
    studio.write("replaced", "BEFORE");
    studio.write("removed", "still at work");
    studio.write("appeared", "out of nowhere");
    let report = studio.execute(&plan);
    assert!(report.failed.is_empty(), "{:?}", report.failed);
    let kept = studio.displaced();
    let expected = [
        ("appeared", "out of nowhere"),
        ("edited", "edited meanwhile"),
        ("removed", "still at work"),
        ("replaced", "BEFORE"),
    ];
    assert_eq!(kept, expected.map(|(path, bytes)| (path.to_owned(), bytes.as_bytes().to_vec())));
    assert_eq!(studio.read("appeared"), Some(b"after".to_vec()));
    assert_eq!(studio.read("removed"), None);
}

#[test]
fn a_folder_that_appears_in_the_place_of_a_file_is_kept_whole() {
    let mut studio = Studio::new();
    studio.write("a", "before");
    studio.commit();
    let new = studio.file("after");
    let plan = studio.plan(&[want("a", new.clone()), want("b", new)]);
    fs::remove_file(studio.at("a")).expect("removed");
    studio.write("a/inner", "work");
    studio.write("b/inner", "work");
    let report = studio.execute(&plan);
    assert!(report.failed.is_empty(), "{:?}", report.failed);
    let kept: Vec<_> = studio.displaced().into_iter().map(|(path, _)| path).collect();
    assert_eq!(kept, ["a", "b"]);
    assert_eq!(studio.read("a"), Some(b"after".to_vec()));
}

#[test]
fn pipes_sockets_and_devices_are_told_and_never_opened() {
    let mut studio = Studio::new();
    studio.write("was-file", "x");
    studio.commit();
    let make = |name: &str| {
        let mode = rustix::fs::Mode::RWXU;
        rustix::fs::mknodat(rustix::fs::CWD, studio.at(name), rustix::fs::FileType::Fifo, mode, 0)
            .expect("made");
    };
    make("pipe");
    fs::remove_file(studio.at("was-file")).expect("removed");
    make("was-file");
    let _socket = std::os::unix::net::UnixListener::bind(studio.at("socket")).expect("bound");
    // Opening a pipe without a writer would never return.
    let told = studio.status_measured(Measure::All);
    let told: Vec<_> = told.changes.iter().map(|change| (change.path.to_string(), &change.what)).collect();
    assert!(told.iter().all(|(_, what)| matches!(what, What::Special { .. })), "{told:?}");
    assert_eq!(told.len(), 3);
    let new = studio.file("after");
    let report = studio.execute(&studio.plan(&[want("pipe", new)]));
    assert!(report.failed.is_empty(), "{:?}", report.failed);
    assert_eq!(studio.read("pipe"), Some(b"after".to_vec()));
}

/// Appends to every file while it is read.
struct Meddler<'a>(&'a Studio);

impl ContentProbe for Meddler<'_> {
    fn probe(
        &self,
        file: &File,
        path: &pentimento::base::path::AssetPath,
        measure: bool,
    ) -> Result<Probed, ProbeError> {
        let probed = HashProbe.probe(file, path, measure)?;
        let mut grow = File::options().append(true).open(self.0.at(path.as_bytes()))?;
        grow.write_all(b"more")?;
        Ok(probed)
    }
}

#[test]
fn a_file_that_grows_whenever_it_is_read_is_told_as_busy_and_not_remembered() {
    let studio = Studio::new();
    studio.write("growing.mov", "frames");
    let input = StatusInput {
        worktree: &studio.worktree(),
        index: None,
        state_dir: &studio.state(),
        ignore: &IgnoreStack::none(),
        within: &[],
        moves: &[],
        claims: &BTreeMap::new(),
        is_unwritten: &|_, _| false,
        probe: &Meddler(&studio),
        measure: Measure::All,
    };
    let told = status(&input, &SilentMonitor).expect("a status");
    assert_eq!(told.changes[0].what, What::Busy);
    assert_eq!(told.changes[0].file_id, None);
    assert!(!studio.state().join("seen").exists());
}

#[test]
fn twins_by_case_and_normalisation_live_side_by_side_where_the_system_lets_them() {
    let mut studio = Studio::new();
    let names = ["Logo.psd", "logo.psd", "caf\u{e9}", "cafe\u{301}"];
    for name in names {
        studio.write(name, name);
    }
    studio.commit();
    let wanted: Vec<_> = names
        .iter()
        .map(|name| {
            let content = studio.file(format!("{name} new"));
            want(name, content)
        })
        .collect();
    studio.checkout(&wanted);
    for name in names {
        assert_eq!(studio.read(name), Some(format!("{name} new").into_bytes()));
    }
    let twins = pentimento::rules::portable::find_twins(names.iter().map(|name| name.as_bytes()));
    assert_eq!(twins.len(), 2);
}

#[test]
fn a_hostile_ignore_file_costs_nothing_and_hides_only_what_it_says() {
    let studio = Studio::new();
    studio.write(
        ".pentignore",
        [b"\xff\xfe[\n!!\n\\\n/\n**/**/**\n[z-a]\n".as_slice(), &vec![b'*'; 100_000]].concat(),
    );
    studio.write("work.psd", "x");
    let names: Vec<_> = studio.status().changes.iter().map(|change| change.path.to_string()).collect();
    assert!(names.contains(&"work.psd".to_owned()) || names.is_empty(), "{names:?}");
    fs::remove_file(studio.at(".pentignore")).expect("removed");
    symlink("/etc/passwd", studio.at(".pentignore")).expect("linked");
    assert_eq!(studio.changes(), [".pentignore new", "work.psd new"]);
}

#[test]
fn a_path_deeper_than_a_repository_can_have_is_told_and_does_not_stop_the_rest() {
    let studio = Studio::new();
    studio.write("work.psd", "x");
    let mut folder = studio.worktree().open_dir(b"").expect("opened");
    for _ in 0..600 {
        rustix::fs::mkdirat(&folder, "d", rustix::fs::Mode::RWXU).expect("made");
        let flags = rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::RDONLY;
        folder = rustix::fs::openat(&folder, "d", flags, rustix::fs::Mode::empty()).expect("opened");
    }
    let told = studio.status();
    assert_eq!(told.changes.len(), 2);
    assert!(matches!(told.changes[0].what, What::Unreadable { .. }));
    assert_eq!(told.changes[1].path, path("work.psd"));
}

/// Set for the child process that runs without privileges; holds the folder it may use.
const UNPRIVILEGED: &str = "PENTIMENTO_TEST_UNPRIVILEGED";
const NOBODY: u32 = 65_534;

/// Permissions mean nothing to the superuser, so the test runs itself as somebody else then.
fn without_privileges(test: &str, body: fn()) {
    if std::env::var_os(UNPRIVILEGED).is_some() || !rustix::process::geteuid().is_root() {
        return body();
    }
    let place = tempfile::tempdir().expect("a folder");
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).expect("set");
    let program = place.path().join("test");
    fs::copy(std::env::current_exe().expect("this program"), &program).expect("copied");
    let work = place.path().join("work");
    fs::create_dir(&work).expect("made");
    std::os::unix::fs::chown(&work, Some(NOBODY), Some(NOBODY)).expect("given");
    let output = std::process::Command::new(&program)
        .args(["--exact", test, "--nocapture"])
        .env_clear()
        .env(UNPRIVILEGED, "1")
        .env("TMPDIR", &work)
        .current_dir(&work)
        .uid(NOBODY)
        .gid(NOBODY)
        .output()
        .expect("started");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn set_mode(studio: &Studio, name: &str, mode: u32) {
    fs::set_permissions(studio.at(name), fs::Permissions::from_mode(mode)).expect("set");
}

#[test]
fn what_cannot_be_read_is_told_and_its_tracked_files_are_not_called_removed() {
    without_privileges(
        "worktree_hostile::what_cannot_be_read_is_told_and_its_tracked_files_are_not_called_removed",
        || {
            let mut studio = Studio::new();
            studio.write("closed/tracked", "x");
            studio.write("file", "x");
            studio.write("other", "x");
            studio.commit();
            set_mode(&studio, "closed", 0o000);
            studio.write("file", "y");
            set_mode(&studio, "file", 0o000);
            let told = studio.status();
            set_mode(&studio, "closed", 0o755);
            let kinds: Vec<_> =
                told.changes.iter().map(|change| (change.path.to_string(), &change.what)).collect();
            assert_eq!(kinds.len(), 2, "{kinds:?}");
            assert!(kinds.iter().all(|(_, what)| matches!(what, What::Unreadable { .. })), "{kinds:?}");
            assert_eq!(told.tallies.unchanged_files, 1);
        },
    );
}

#[test]
fn a_read_only_folder_fails_alone_and_the_rest_is_written() {
    without_privileges("worktree_hostile::a_read_only_folder_fails_alone_and_the_rest_is_written", || {
        let mut studio = Studio::new();
        studio.write("locked/a", "x");
        studio.write("open/a", "x");
        studio.commit();
        set_mode(&studio, "locked", 0o555);
        let new = studio.file("after");
        let plan =
            studio.plan(&[want("locked/a", new.clone()), want("locked/b", new.clone()), want("open/a", new)]);
        let report = studio.execute(&plan);
        set_mode(&studio, "locked", 0o755);
        assert_eq!(report.failed.len(), 2);
        assert!(report.failed.iter().all(|failed| matches!(failed.failure, Failure::Io(_))));
        assert_eq!(studio.read("locked/a"), Some(b"x".to_vec()));
        assert_eq!(studio.read("open/a"), Some(b"after".to_vec()));
    });
}

#[test]
fn where_the_state_cannot_be_written_the_status_is_told_all_the_same() {
    without_privileges(
        "worktree_hostile::where_the_state_cannot_be_written_the_status_is_told_all_the_same",
        || {
            let mut studio = Studio::new();
            studio.write("a", "x");
            studio.commit();
            studio.write("a", "y");
            set_mode(&studio, ".pent/worktree", 0o555);
            let told = studio.changes();
            set_mode(&studio, ".pent/worktree", 0o755);
            assert_eq!(told, ["a changed"]);
        },
    );
}

#[test]
fn a_worktree_whose_path_is_not_text_works() {
    let place = tempfile::tempdir().expect("a folder");
    let root = place.path().join(OsStr::from_bytes(b"client \xff\n"));
    fs::create_dir(&root).expect("made");
    fs::write(root.join("a"), "x").expect("written");
    let worktree = pentimento::worktree::root::Worktree::open(&root).expect("opened");
    assert!(worktree.open_file(&path("a")).is_ok());
}
