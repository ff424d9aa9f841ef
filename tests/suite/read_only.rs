//! A repository that may only be read: on a read-only medium, or somebody's archive. Every command that
//! looks works, changes nothing, and can bring files back to another place.

use crate::app_flow::noise;
use crate::kills::{studio, write};
use crate::model::things::read_folder;
use crate::support::World;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

const NOBODY: u32 = 65_534;

/// What a folder holds, names and bytes.
fn everything_in(folder: &Path) -> Vec<(PathBuf, Option<Vec<u8>>)> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let place = entry.expect("an entry").path();
            if place.is_dir() {
                found.push((place.clone(), None));
                waiting.push(place);
            } else {
                let bytes = fs::read(&place).expect("a file");
                found.push((place, Some(bytes)));
            }
        }
    }
    found.sort();
    found
}

/// Takes the right to write away from everybody, and gives everything to whoever the program will act as:
/// the superuser may write anywhere.
fn lock_away(folder: &Path, is_root: bool) {
    for (place, bytes) in everything_in(folder).into_iter().chain([(folder.to_owned(), None)]) {
        if is_root {
            chown(&place, Some(NOBODY), Some(NOBODY)).expect("given away");
        }
        let mode = if bytes.is_some() { 0o444 } else { 0o555 };
        fs::set_permissions(&place, fs::Permissions::from_mode(mode)).expect("a mode");
    }
}

/// Makes removable again what was locked away.
struct Unlock(PathBuf);

impl Drop for Unlock {
    fn drop(&mut self) {
        let mut waiting = vec![self.0.clone()];
        while let Some(folder) = waiting.pop() {
            let _ = fs::set_permissions(&folder, fs::Permissions::from_mode(0o755));
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                if entry.path().is_dir() {
                    waiting.push(entry.path());
                }
            }
        }
    }
}

/// Somebody without the right to write anything but `out`.
struct Visitor<'a> {
    world: &'a World,
    program: PathBuf,
    out: PathBuf,
    is_root: bool,
}

impl Visitor<'_> {
    fn run(&self, arguments: &[&str]) -> (i32, String) {
        let mut command = Command::new(&self.program);
        command.args(arguments).current_dir(self.world.studio()).env_clear();
        command.env("HOME", &self.out).env("TZ", "UTC").env("PENT_DATE", crate::support::NOW);
        if self.is_root {
            command.uid(NOBODY).gid(NOBODY);
        }
        let output = command.output().expect("a program that starts");
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&said).into_owned())
    }
}

fn archive() -> World {
    let world = studio();
    write(&world, "brand/logo.svg", "<svg>one</svg>");
    write(&world, "photo.raw", noise(1, 400_000));
    write(&world, "notes.txt", "first\n");
    world.ok(&["commit", "-m", "First"]);
    write(&world, "brand/logo.svg", "<svg>two</svg>");
    write(&world, "notes.txt", "second\n");
    world.ok(&["label", "photo.raw", "--add", "approved"]);
    world.ok(&["commit", "-m", "Second"]);
    world.ok(&["tag", "sent"]);
    world.ok(&["draft", "new", "schema"]);
    world.ok(&["schema", "init"]);
    world.ok(&["commit", "-m", "Schema"]);
    world.ok(&["switch", "main"]);
    world.ok(&["draft", "new", "bold"]);
    write(&world, "notes.txt", "not committed\n");
    write(&world, "new.txt", "new\n");
    world
}

#[test]
fn every_command_that_looks_works_where_nothing_may_be_written() {
    let world = archive();
    let is_root = rustix::process::geteuid().is_root();
    let top = world.studio().parent().expect("a folder").to_owned();
    let place = tempfile::tempdir().expect("a folder");
    let (program, out) = (place.path().join("pent"), place.path().join("out"));
    fs::copy(env!("CARGO_BIN_EXE_pent"), &program).expect("a copy");
    fs::create_dir(&out).expect("a folder");
    for folder in [top.as_path(), place.path()] {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).expect("a mode");
    }
    if is_root {
        chown(&out, Some(NOBODY), Some(NOBODY)).expect("given away");
    }
    let _unlock = Unlock(world.studio());
    lock_away(&world.studio(), is_root);
    let before = everything_in(&world.studio());
    let visitor = Visitor { world: &world, program, out: out.clone(), is_root };
    // A person's own settings are theirs, wherever they stand.
    assert_eq!(visitor.run(&["config", "user.name", "A visitor"]).0, 0);
    let at = |name: &str| out.join(name).to_string_lossy().into_owned();
    let looks: &[&[&str]] = &[
        &["status"],
        &["log"],
        &["log", "brand/logo.svg"],
        &["show"],
        &["show", "@~1"],
        &["diff"],
        &["diff", "@~1", "@"],
        &["cat", "notes.txt", "-r", "@~1"],
        &["info", "brand/logo.svg"],
        &["search", "logo", "label:approved OR type:svg"],
        &["search", "--at", "@~1", "notes"],
        &["search", "--list"],
        &["duplicates"],
        &["schema", "show", "-r", "schema"],
        &["meta", "get", "photo.raw"],
        &["label", "photo.raw"],
        &["journal"],
        &["tag"],
        &["draft", "list"],
        &["sparse", "list"],
        &["config"],
        &["remote"],
        &["review"],
        &["fsck"],
        &["fsck", "--sample", "50"],
        &["gc", "--dry-run"],
        &["restore", "notes.txt", "-r", "@~1", "--dry-run"],
        &["restore", ".", "-r", "@~1", "--to", &at("restored")],
        &["restore", "brand/logo.svg@1", "--to", &at("version")],
        &["export", "@~1", &at("exported")],
        &["export", "@", &at("exported.tar")],
    ];
    for arguments in looks {
        let (code, said) = visitor.run(arguments);
        assert_eq!(code, 0, "pent {}: {said}", arguments.join(" "));
    }
    let restored = read_folder(&out.join("restored"));
    assert_eq!(restored["notes.txt"].bytes(), b"first\n");
    assert_eq!(restored["photo.raw"].bytes(), noise(1, 400_000));
    assert_eq!(restored.len(), 3);
    assert_eq!(read_folder(&out.join("version"))["brand/logo.svg"].bytes(), b"<svg>one</svg>");
    assert_eq!(read_folder(&out.join("exported"))["notes.txt"].bytes(), b"first\n");
    assert!(fs::metadata(out.join("exported.tar")).expect("an archive").len() > 400_000);
    for arguments in [
        &["commit", "-m", "No"][..],
        &["tag", "late"],
        &["restore", "notes.txt"],
        &["draft", "new", "late"],
        &["mv", "notes.txt", "words.txt"],
        &["gc"],
    ] {
        let (code, said) = visitor.run(&[&["--yes"], arguments].concat());
        assert!(code == 6 || code == 7, "pent {}: {code}, {said}", arguments.join(" "));
        assert!(said.contains("right to") && said.contains("write"), "pent {}: {said}", arguments.join(" "));
    }
    assert_eq!(everything_in(&world.studio()), before, "something was written");
}
