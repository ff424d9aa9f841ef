//! Real asset packages, several versions of each: committed in turn, brought back, compared byte for
//! byte, and their ids with what others compute.
//!
//! Packages are fetched by name with the ordinary programs (`npm pack`, `apt-get download`) and kept
//! outside of the clone, in `PENT_TEST_CACHE` or the user's cache folder. Without a network and
//! without that cache the test fails and says so; `PENT_OFFLINE=1` leaves it out on purpose.
//! `PENT_CI=long` takes all packages, some 1.2 GB to fetch; else it is a few MB.

use crate::support::World;
use crate::support::blake3_reference::blake3_hex;
use crate::support::packages::Source::{self, Debian, Npm};
use crate::support::packages::unpack;
use pentimento::base::path::AssetPath;
use pentimento::base::time::Timestamp;
use pentimento::object::source::ObjectSource;
use pentimento::object::tree_walk::TreeWalk;
use pentimento::repo::Repository;
use pentimento::store::Access;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// A package with what its versions are fetched by.
struct Package {
    name: &'static str,
    versions: &'static [Source],
}

const SMALL: &[Package] = &[
    Package { name: "flag-icons", versions: &[Npm("7.1.0"), Npm("7.2.0"), Npm("7.2.3")] },
    Package { name: "@fontsource/ibm-plex-sans", versions: &[Npm("5.0.20"), Npm("5.1.0")] },
];

const LARGE: &[Package] = &[
    Package { name: "openmoji", versions: &[Npm("15.1.0"), Npm("16.0.0"), Npm("17.0.0")] },
    Package { name: "@ibm/plex", versions: &[Npm("6.3.0"), Npm("6.4.0"), Npm("6.4.1")] },
    Package { name: "emoji-datasource-google", versions: &[Npm("15.1.1"), Npm("15.1.2"), Npm("16.0.0")] },
    Package {
        name: "@webxr-input-profiles/assets",
        versions: &[Npm("1.0.14"), Npm("1.0.19"), Npm("1.0.20")],
    },
    Package { name: "krita-data", versions: &[Debian] },
    Package { name: "plasma-workspace-wallpapers", versions: &[Debian] },
    Package { name: "openclipart-svg", versions: &[Debian] },
];

/// What stands at a path.
#[derive(Debug, PartialEq, Eq)]
enum Thing {
    File { bytes: Vec<u8>, executable: bool },
    Link(Vec<u8>),
}

fn collect(root: &Path, folder: &Path, into: &mut BTreeMap<Vec<u8>, Thing>) {
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        let name = path.strip_prefix(root).expect("a path below").as_os_str().as_bytes().to_vec();
        let metadata = path.symlink_metadata().expect("an entry");
        if metadata.is_symlink() {
            let target = fs::read_link(&path).expect("a link");
            into.insert(name, Thing::Link(target.as_os_str().as_bytes().to_vec()));
        } else if metadata.is_dir() {
            if name != b".pent" {
                collect(root, &path, into);
            }
        } else {
            let executable = metadata.permissions().mode() & 0o100 != 0;
            into.insert(name, Thing::File { bytes: fs::read(&path).expect("a readable file"), executable });
        }
    }
}

fn things(root: &Path) -> BTreeMap<Vec<u8>, Thing> {
    let mut into = BTreeMap::new();
    collect(root, root, &mut into);
    into
}

/// Fails unless both have the same things, naming the first that differ and never printing their bytes.
fn assert_same(expected: &BTreeMap<Vec<u8>, Thing>, found: &BTreeMap<Vec<u8>, Thing>, what: &str) {
    let names = expected.keys().chain(found.keys());
    let different: Vec<String> = names
        .filter(|name| expected.get(*name) != found.get(*name))
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .collect();
    assert!(different.is_empty(), "{what}: {} paths differ, first {:?}", different.len(), different.first());
    assert!(!expected.is_empty(), "{what}: nothing was compared");
}

/// Replaces everything in the worktree.
fn put(studio: &Path, package: &Package, version: &Source) {
    for entry in fs::read_dir(studio).expect("a readable folder") {
        let path = entry.expect("an entry").path();
        if path.file_name() != Some(OsStr::new(".pent")) {
            fs::remove_dir_all(&path).or_else(|_| fs::remove_file(&path)).expect("an emptied worktree");
        }
    }
    unpack(package.name, version, &studio.join("package"));
}

/// What everybody else computes for the bytes of a version: with the program `b3sum` where there is
/// one, and with a reference of our own - for all in the long run, else for some.
fn sums(root: &Path, things: &BTreeMap<Vec<u8>, Thing>) -> BTreeMap<Vec<u8>, String> {
    let mut sums = b3sums(root, things);
    for (number, (name, thing)) in things.iter().enumerate() {
        let (Thing::File { bytes, .. } | Thing::Link(bytes)) = thing;
        // Plain as it is compiled for tests, the reference does some MB a second.
        if is_long() || !sums.contains_key(name) || (number % 50 == 0 && bytes.len() < 1 << 16) {
            let sum = blake3_hex(bytes);
            let other = sums.insert(name.clone(), sum.clone());
            assert!(other.is_none_or(|other| other == sum), "{}", String::from_utf8_lossy(name));
        }
    }
    sums
}

/// What the program `b3sum` says of all files; nothing where it is not installed.
fn b3sums(root: &Path, things: &BTreeMap<Vec<u8>, Thing>) -> BTreeMap<Vec<u8>, String> {
    let mut sums = BTreeMap::new();
    if Command::new("b3sum").arg("--version").output().is_err() {
        assert!(!is_long(), "b3sum is not installed, and the long run compares with it");
        return sums;
    }
    let files = things.iter().filter(|(_, thing)| matches!(thing, Thing::File { .. }));
    let files: Vec<&Vec<u8>> = files.map(|(name, _)| name).collect();
    for names in files.chunks(500) {
        let arguments = names.iter().map(|name| OsStr::from_bytes(name));
        let output = Command::new("b3sum").arg("--no-names").args(arguments).current_dir(root).output();
        let output = output.expect("b3sum runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).expect("text");
        assert_eq!(text.lines().count(), names.len());
        sums.extend(names.iter().map(|name| name.to_vec()).zip(text.lines().map(str::to_owned)));
    }
    sums
}

/// The ids that a commit has for its files are those sums.
fn check_ids(studio: &Path, revision: &str, expected: &BTreeMap<Vec<u8>, String>) {
    let repository = Repository::open(studio, Access::ReadOnly).expect("a repository");
    let view = repository.view().expect("a readable repository");
    let commit = view.resolve(revision, Timestamp::utc(0)).expect("a revision").commit;
    let tree = view.commit(commit).expect("a commit").tree;
    let mut found = BTreeMap::new();
    for item in TreeWalk::new(&view, tree, AssetPath::root()) {
        let (path, entry) = item.expect("an entry");
        if let Some(id) = entry.content.file_id() {
            found.insert(path.as_bytes().to_vec(), id.to_string());
        }
    }
    let different = expected.iter().find(|(name, sum)| found.get(*name) != Some(sum));
    assert!(different.is_none() && found.len() == expected.len(), "{revision}: {different:?}");
}

fn is_long() -> bool {
    std::env::var("PENT_CI").as_deref() == Ok("long")
}

fn try_package(package: &Package) {
    let world = World::new();
    world.ok(&["init"]);
    world.ok(&["config", "user.name", "Anna Lind"]);
    let mut states = Vec::new();
    for version in package.versions {
        put(&world.studio(), package, version);
        world.ok(&["commit", "-m", package.name]);
        let state = things(&world.studio());
        let sums = sums(&world.studio(), &state);
        states.push((state, sums));
    }
    for (back, (expected, sums)) in states.iter().rev().enumerate() {
        let (revision, what) = (format!("@~{back}"), format!("{} {back} versions back", package.name));
        let out = world.home().join(format!("out-{back}"));
        world.ok(&["export", &revision, &out.to_string_lossy()]);
        assert_same(expected, &things(&out), &what);
        world.ok(&["restore", ".", "--exact", "-r", &revision]);
        assert_same(expected, &things(&world.studio()), &what);
        check_ids(&world.studio(), &revision, sums);
    }
    world.ok(&["fsck"]);
}

#[test]
fn real_packages_come_back_byte_for_byte() {
    if std::env::var("PENT_OFFLINE").as_deref() == Ok("1") {
        eprintln!("real input was NOT tested: PENT_OFFLINE=1 says that there is no network");
        return;
    }
    for package in SMALL.iter().chain(if is_long() { LARGE } else { &[] }) {
        try_package(package);
    }
}
