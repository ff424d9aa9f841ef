//! What the world may do to a repository: odd names, odd files, files that change while they are read,
//! a full disk, missing rights, a clock that goes backwards. Nothing of it loses anything, and each is
//! told in words.

use crate::app_flow::{Lab, lines, noise, path};
use crate::support::World;
use pentimento::app::restore;
use pentimento::base::id::{CommitId, RepositoryId, TreeId};
use pentimento::base::monitor::SilentMonitor;
use pentimento::base::path::AssetPath;
use pentimento::object::source::ObjectSource as _;
use pentimento::store::fault::FaultDisk;
use pentimento::store::{Access, Store, StoreError, StoreOptions, StoreSettings};
use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A user who is not the administrator; what that user may not do cannot be tried as root.
const NOBODY: u32 = 65534;

fn name(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(bytes))
}

fn restore_all(lab: &Lab) -> restore::Report {
    let options = restore::Options { paths: vec![AssetPath::root()], ..restore::Options::default() };
    restore::run(&lab.repository, &options, &lab.clock, &SilentMonitor).expect("a restore")
}

#[test]
fn odd_names_are_committed_and_come_back_byte_for_byte() {
    let long = [b'n'; 255];
    let odd: [&[u8]; 20] = [
        b"caf\xe9.psd",
        b"\xff\xfe",
        b"new\nline.txt",
        b"\x1b[31mred\x1b[0m.txt",
        "\u{202e}gpj.exe".as_bytes(),
        "caf\u{e9}.txt".as_bytes(),
        "cafe\u{301}.txt".as_bytes(),
        b"Logo.svg",
        b"logo.svg",
        b"LOGO.SVG",
        b"con",
        b"nul.txt",
        b"ends with a dot.",
        b" spaces ",
        b"-rf",
        b"a\\b",
        b"c:stream",
        b"logo.svg@2",
        "\u{1f3a8}\u{200d}.png".as_bytes(),
        &long,
    ];
    let lab = Lab::new();
    for (number, bytes) in odd.iter().enumerate() {
        fs::write(lab.folder.path().join(name(bytes)), number.to_string()).expect("a written file");
    }
    let report = lab.commit("Odd names");
    assert!(report.problems.is_empty(), "{:?}", report.problems);
    assert_eq!(report.counts.new, 20);
    assert!(lab.changes().is_empty(), "{:?}", lab.changes());
    for bytes in odd {
        fs::remove_file(lab.folder.path().join(name(bytes))).expect("a removed file");
    }
    let report = restore_all(&lab);
    assert!(report.files.problems.is_empty(), "{:?}", report.files.problems);
    for (number, bytes) in odd.iter().enumerate() {
        let text = fs::read_to_string(lab.folder.path().join(name(bytes))).expect("a restored file");
        assert_eq!(text, number.to_string(), "{:?}", String::from_utf8_lossy(bytes));
    }
    assert!(lab.changes().is_empty(), "{:?}", lab.changes());
}

#[test]
fn names_that_reach_into_the_repository_are_told_and_left_alone() {
    let lab = Lab::new();
    lab.write("ok.txt", "1");
    for bad in [".PENT", ".pent.", ".Pent ", ".pent::$INDEX_ALLOCATION", "a\\.pent"] {
        fs::write(lab.at(bad), "evil").expect("a written file");
    }
    let report = lab.commit("First");
    assert_eq!(lines(&report.changes), ["new ok.txt"]);
    assert_eq!(report.problems.len(), 5, "{:?}", report.problems);
}

#[test]
fn names_never_write_to_the_terminal() {
    let world = World::new();
    world.ok(&["init"]);
    assert_eq!(
        world.pent(&["config", "user.name", "Anna \u{1b}[2JLind"]).code,
        2,
        "no name has such letters"
    );
    world.ok(&["config", "user.name", "Anna Lind"]);
    for bytes in
        [&b"\x1b]0;title\x07.txt"[..], b"two\nlines", "\u{202e}gpj.exe".as_bytes(), b"\xff.bin", b"\r\x08"]
    {
        fs::write(world.studio().join(name(bytes)), "1").expect("a written file");
    }
    let message = "A message\u{1b}[31m in red \u{202e}backwards";
    let mut shown = String::new();
    for arguments in [
        &["status"][..],
        &["commit", "-m", message, "--author", "Anna \u{202e}\u{1b}[2JLind <a@example.org>"],
        &["commit", "-m", message],
        &["log"],
        &["show"],
        &["diff"],
        &["journal"],
        &["restore", "."],
        &["undo"],
        &["cat", "no\u{1b}such"],
        &["switch", "no\u{1b}such"],
        &["fsck"],
    ] {
        let run = world.pent(arguments);
        shown.push_str(&run.stdout);
        shown.push_str(&run.stderr);
    }
    let evil = |letter: &char| {
        (letter.is_control() && *letter != '\n') || ('\u{202a}'..='\u{202e}').contains(letter)
    };
    let found: Vec<char> = shown.chars().filter(evil).collect();
    assert!(found.is_empty(), "{found:?} in\n{shown}");
    assert!(!shown.lines().any(|line| line.trim() == "lines"), "a name makes no line of its own:\n{shown}");
}

#[test]
fn a_path_longer_than_the_system_takes_at_once_is_committed_and_restored() {
    use rustix::fs::{AtFlags, CWD, Mode, OFlags, mkdirat, openat, unlinkat};
    let lab = Lab::new();
    let part = "d".repeat(200);
    let folder = OFlags::RDONLY | OFlags::DIRECTORY;
    let walk = |make: bool| {
        let mut handle = openat(CWD, lab.folder.path(), folder, Mode::empty()).expect("a folder");
        for _ in 0..25 {
            if make {
                mkdirat(&handle, part.as_str(), Mode::from_raw_mode(0o755)).expect("a new folder");
            }
            handle = openat(&handle, part.as_str(), folder, Mode::empty()).expect("a folder");
        }
        handle
    };
    let read = || {
        let file = openat(walk(false), "deep.txt", OFlags::RDONLY, Mode::empty()).expect("a file");
        std::io::read_to_string(fs::File::from(file)).expect("text")
    };
    let flags = OFlags::WRONLY | OFlags::CREATE;
    let file = openat(walk(true), "deep.txt", flags, Mode::from_raw_mode(0o644)).expect("a file");
    fs::File::from(file).write_all(b"far below").expect("a written file");
    let report = lab.commit("Deep");
    assert_eq!((report.counts.new, report.problems.len()), (1, 0), "{:?}", report.problems);
    unlinkat(walk(false), "deep.txt", AtFlags::empty()).expect("a removed file");
    assert_eq!(lab.status().counts.removed, 1);
    restore_all(&lab);
    assert_eq!(read(), "far below");
    assert!(lab.changes().is_empty());
}

#[test]
fn links_are_kept_as_links_and_never_followed() {
    let outside = tempfile::tempdir().expect("a folder");
    fs::write(outside.path().join("x.svg"), "not ours").expect("a written file");
    let lab = Lab::new();
    lab.write("assets/x.svg", "ours");
    symlink("/etc/passwd", lab.at("secret")).expect("a link");
    symlink(outside.path(), lab.at("elsewhere")).expect("a link");
    symlink("loop", lab.at("loop")).expect("a link");
    let report = lab.commit("Links");
    assert_eq!(report.counts.new, 4, "{:?}", lines(&report.changes));
    fs::remove_dir_all(lab.at("assets")).expect("a removed folder");
    symlink(outside.path(), lab.at("assets")).expect("a link");
    assert_eq!(lab.changes(), ["new assets", "removed assets/x.svg"]);
    let report = restore_all(&lab);
    assert_eq!(report.files.set_aside, [path("assets")]);
    assert_eq!(lab.text("assets/x.svg").as_deref(), Some("ours"));
    let untouched = fs::read_to_string(outside.path().join("x.svg")).expect("a file");
    assert_eq!(untouched, "not ours", "nothing is written through a link");
    assert_eq!(fs::read_link(lab.at("secret")).expect("a link"), Path::new("/etc/passwd"));
}

#[test]
fn a_pipe_in_the_place_of_a_file_is_told_kept_and_never_waited_for() {
    let lab = Lab::new();
    lab.write("a.txt", "1");
    lab.commit("Base");
    fs::remove_file(lab.at("a.txt")).expect("a removed file");
    let mode = rustix::fs::Mode::from_raw_mode(0o644);
    rustix::fs::mknodat(rustix::fs::CWD, lab.at("a.txt"), rustix::fs::FileType::Fifo, mode, 0)
        .expect("a pipe");
    let report = lab.commit("Nothing that could be committed");
    assert!(report.commit.is_none(), "{:?}", lines(&report.changes));
    assert_eq!(report.problems.len(), 1);
    restore_all(&lab);
    assert_eq!(lab.text("a.txt").as_deref(), Some("1"));
}

/// Bytes of which every beginning tells how long it is.
fn growing(length: usize) -> Vec<u8> {
    noise(99, length)
}

/// Commits again and again while `change` works on a file; every state that was committed must be
/// one that the file had: a beginning of the same bytes.
fn commit_while(change: impl Fn(&Path, &[u8], u64) + Sync) {
    let lab = Lab::new();
    let whole = growing(3_000_000);
    lab.write("render.exr", &whole[..100]);
    lab.write("still.txt", "1");
    lab.commit("Base");
    let at = lab.at("render.exr");
    let done = AtomicBool::new(false);
    let mut commits: Vec<CommitId> = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut step = 0;
            while !done.load(Ordering::Relaxed) {
                change(&at, &whole, step);
                step += 1;
            }
        });
        for number in 0..12 {
            lab.write("still.txt", number.to_string());
            let report = lab.commit("While it is written");
            assert!(
                report.changes.iter().any(|line| line.path == path("still.txt")),
                "one busy file stops no other: {:?}",
                report.problems
            );
            commits.extend(report.commit.map(|line| line.id));
        }
        done.store(true, Ordering::Relaxed);
    });
    let view = lab.repository.view().expect("a view");
    for id in commits {
        let tree = view.commit(id).expect("a commit").tree;
        let files = crate::model::world::read_tree(&lab.repository, &view, tree);
        let bytes = files["render.exr"].bytes();
        assert!(whole.starts_with(bytes), "a state of {} bytes that never was", bytes.len());
    }
}

#[test]
fn a_file_that_grows_while_it_is_read_is_never_stored_torn() {
    commit_while(|at, whole, step| {
        let start = (step as usize * 50_000) % whole.len();
        let mut file =
            fs::File::options().append(start > 0).write(true).truncate(start == 0).open(at).expect("a file");
        let end = (start + 50_000).min(whole.len());
        file.write_all(&whole[start..end]).expect("written");
        std::thread::sleep(Duration::from_millis(2));
    });
}

#[test]
fn a_file_that_shrinks_while_it_is_read_is_never_stored_torn() {
    commit_while(|at, whole, step| {
        let file = fs::File::options().write(true).open(at).expect("a file");
        file.set_len(2_000_000 / (1 + step % 5)).expect("a shorter file");
        let length = file.metadata().expect("a file").len() as usize;
        std::thread::sleep(Duration::from_millis(1));
        file.set_len(100).expect("a short file");
        let mut file = fs::File::options().append(true).open(at).expect("a file");
        file.write_all(&whole[100..length.max(200)]).expect("written");
    });
}

#[test]
fn an_edit_that_keeps_size_and_time_is_seen() {
    let lab = Lab::new();
    let when = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let set_time = |file: &str| {
        let file = fs::File::options().write(true).open(lab.at(file)).expect("a file");
        file.set_modified(when).expect("a time");
    };
    lab.write("logo.svg", "aaaa");
    lab.write("same.svg", "same");
    set_time("logo.svg");
    set_time("same.svg");
    lab.commit("Base");
    lab.write("logo.svg", "bbbb");
    set_time("logo.svg");
    assert_eq!(lab.changes(), ["changed logo.svg"]);
    // Another file of that size and time in its place, as unpacking an archive makes it.
    lab.write("other.svg", "SAME");
    set_time("other.svg");
    fs::rename(lab.at("other.svg"), lab.at("same.svg")).expect("a replaced file");
    assert_eq!(lab.changes(), ["changed logo.svg", "changed same.svg"]);
}

#[test]
fn a_file_whose_bytes_are_a_tree_or_a_commit_is_a_file_and_nothing_else() {
    let lab = Lab::new();
    lab.write("a/b.txt", "1");
    let head = lab.commit("Base").commit.expect("a commit").id;
    let (tree_bytes, commit_bytes) = {
        let view = lab.repository.view().expect("a view");
        let commit = view.commit(head).expect("a commit");
        (view.tree_node(commit.tree).expect("a tree").encode(), commit.encode())
    };
    lab.write("tree.bin", &tree_bytes);
    lab.write("commit.bin", &commit_bytes);
    lab.commit("Posing");
    let view = lab.repository.view().expect("a view");
    for bytes in [&tree_bytes, &commit_bytes] {
        let id = *blake3::hash(bytes).as_bytes();
        assert!(view.tree_node(TreeId::from_bytes(id)).is_err(), "a file is no tree");
        assert!(view.commit(CommitId::from_bytes(id)).is_err(), "a file is no commit");
    }
    for file in ["tree.bin", "commit.bin"] {
        fs::remove_file(lab.at(file)).expect("a removed file");
    }
    restore_all(&lab);
    assert_eq!(lab.read("tree.bin"), Some(tree_bytes));
    assert_eq!(lab.read("commit.bin"), Some(commit_bytes));
}

/// A world that a user without special rights works in, with the program beside it.
struct Plain {
    world: World,
    program: PathBuf,
}

impl Plain {
    fn new() -> Self {
        let world = World::new();
        let program = world.studio().parent().expect("a world").join("pent");
        fs::copy(env!("CARGO_BIN_EXE_pent"), &program).expect("a copied program");
        let plain = Self { world, program };
        plain.hand_over();
        plain
    }

    fn is_root() -> bool {
        rustix::process::geteuid().is_root()
    }

    /// Gives everything to the plain user.
    fn hand_over(&self) {
        let top = self.world.studio().parent().expect("a world").to_owned();
        fs::set_permissions(&top, fs::Permissions::from_mode(0o755)).expect("open to all");
        if Self::is_root() {
            let owner = NOBODY.to_string();
            let done = Command::new("chown").arg("-R").arg(&owner).arg(&top).status().expect("chown");
            assert!(done.success());
        }
    }

    fn run(&self, arguments: &[&str]) -> (i32, String) {
        let sealed = self.world.command(arguments);
        let mut command = Command::new(&self.program);
        command.args(arguments).current_dir(self.world.studio()).env_clear();
        command.envs(sealed.get_envs().filter_map(|(name, value)| Some((name, value?))));
        if Self::is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        let output = command.output().expect("a program that starts");
        let text = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&text).into_owned())
    }

    fn ok(&self, arguments: &[&str]) -> String {
        let (code, text) = self.run(arguments);
        assert_eq!(code, 0, "pent {}\n{text}", arguments.join(" "));
        text
    }
}

#[test]
fn one_file_that_may_not_be_read_is_told_and_stops_no_other() {
    let plain = Plain::new();
    let studio = plain.world.studio();
    plain.ok(&["init"]);
    plain.ok(&["config", "user.name", "Anna Lind"]);
    fs::write(studio.join("good.txt"), "1").expect("a written file");
    fs::write(studio.join("locked.txt"), "2").expect("a written file");
    fs::create_dir(studio.join("closed")).expect("a folder");
    plain.hand_over();
    for closed in ["locked.txt", "closed"] {
        fs::set_permissions(studio.join(closed), fs::Permissions::from_mode(0o000)).expect("no rights");
    }
    let (code, text) = plain.run(&["commit", "-m", "What can be read"]);
    assert_eq!(code, 1, "finished with problems: {text}");
    assert!(text.contains("locked.txt") && text.contains("closed"), "{text}");
    assert_eq!(plain.ok(&["cat", "good.txt"]), "1");
    fs::set_permissions(studio.join("locked.txt"), fs::Permissions::from_mode(0o644)).expect("rights");
    fs::set_permissions(studio.join("closed"), fs::Permissions::from_mode(0o755)).expect("rights");
    plain.ok(&["commit", "-m", "All of it"]);
    fs::set_permissions(studio.join("locked.txt"), fs::Permissions::from_mode(0o000)).expect("no rights");
    let text = plain.run(&["status"]).1;
    assert!(
        text.contains("locked.txt") && !text.contains("removed"),
        "what cannot be read is not gone: {text}"
    );
}

#[test]
fn a_repository_that_may_only_be_read_can_be_looked_at() {
    let plain = Plain::new();
    let studio = plain.world.studio();
    plain.ok(&["init"]);
    plain.ok(&["config", "user.name", "Anna Lind"]);
    fs::write(studio.join("logo.svg"), "<svg/>").expect("a written file");
    plain.hand_over();
    plain.ok(&["commit", "-m", "A logo"]);
    let set = |mode: &str| {
        let done = Command::new("chmod").args(["-R", mode]).arg(&studio).status().expect("chmod");
        assert!(done.success());
    };
    set("a-w");
    plain.ok(&["status"]);
    assert!(plain.ok(&["log"]).contains("A logo"));
    assert_eq!(plain.ok(&["cat", "logo.svg"]), "<svg/>");
    plain.ok(&["show"]);
    plain.ok(&["diff"]);
    plain.ok(&["draft"]);
    let (code, text) = plain.run(&["commit", "-m", "No"]);
    assert!(code > 0 && !text.contains("panicked"), "{text}");
    set("u+w");
    plain.ok(&["status"]);
}

#[test]
fn a_repository_of_somebody_else_is_not_trusted() {
    let world = World::new();
    world.ok(&["init"]);
    let pent = world.studio().join(".pent");
    if fs::metadata(&pent).expect("a folder").uid() != 0 {
        // Only the superuser can give a folder away; a disk in memory can belong to anybody.
        return a_store_of_somebody_else_is_not_trusted();
    }
    std::os::unix::fs::chown(&pent, Some(NOBODY), None).expect("given away");
    for arguments in [&["status"][..], &["log"], &["commit", "-m", "No"]] {
        let run = world.pent(arguments);
        assert!(run.code > 1, "{}{}", run.stdout, run.stderr);
        assert!(run.stderr.contains("belongs") || run.stderr.contains("own"), "{}", run.stderr);
    }
}

#[test]
fn a_store_of_somebody_else_is_not_trusted() {
    let disk = FaultDisk::new();
    let settings = StoreSettings::new(RepositoryId::from_bytes([1; 16]));
    let (dir, options) = (Path::new("/studio/.pent"), StoreOptions::default());
    drop(Store::create_on(Arc::new(disk.clone()), dir, &settings, options.clone()).expect("a store"));
    disk.set_owner(NOBODY, 1000);
    let opened = Store::open_on(Arc::new(disk.clone()), dir, Access::ReadWrite, options);
    assert!(matches!(opened, Err(StoreError::ForeignOwner { owner: NOBODY, .. })), "{opened:?}");
    let asked = StoreOptions { foreign_owner_allowed: true, ..StoreOptions::default() };
    Store::open_on(Arc::new(disk), dir, Access::ReadWrite, asked).expect("opened on request");
}

#[test]
fn a_clock_that_goes_backwards_changes_no_order() {
    let mut world = World::new();
    world.ok(&["init"]);
    world.ok(&["config", "user.name", "Anna Lind"]);
    for (number, date) in
        ["2026-03-03T12:00:00Z", "2019-01-01T00:00:00Z", "2038-02-01T00:00:00Z"].iter().enumerate()
    {
        world = world.with("PENT_DATE", date);
        fs::write(world.studio().join("a.txt"), number.to_string()).expect("a written file");
        world.ok(&["commit", "-m", &format!("Number {number}")]);
    }
    world = world.with("PENT_DATE", "2001-01-01T00:00:00Z");
    let log = world.json(&["log"]);
    let messages: Vec<&str> = log["commits"]
        .as_array()
        .expect("commits")
        .iter()
        .filter_map(|line| line["message"].as_str())
        .collect();
    assert_eq!(messages, ["Number 2", "Number 1", "Number 0"], "{log}");
    world.ok(&["restore", "a.txt@1"]);
    assert_eq!(fs::read_to_string(world.studio().join("a.txt")).expect("a file"), "0");
    world.ok(&["undo"]);
    world.ok(&["undo"]);
    world.ok(&["redo"]);
    world.ok(&["draft", "new", "x"]);
    world.ok(&["gc"]);
    world.ok(&["fsck"]);
    assert_eq!(world.ok(&["cat", "a.txt", "-r", "@~2"]), "0");
}

#[test]
fn what_a_status_saw_under_another_clock_is_looked_at_again() {
    let lab = Lab::new();
    lab.write("a.txt", "1");
    lab.commit("Base");
    lab.write("a.txt", "2");
    let future = std::time::SystemTime::now() + Duration::from_secs(100_000);
    fs::File::options()
        .write(true)
        .open(lab.at("a.txt"))
        .expect("a file")
        .set_modified(future)
        .expect("a time");
    assert_eq!(lab.changes(), ["changed a.txt"]);
    lab.commit("From the future");
    assert!(lab.changes().is_empty());
    lab.write("a.txt", "3");
    assert_eq!(lab.changes(), ["changed a.txt"]);
}
