//! Public packages, fetched by name with the ordinary programs (`npm pack`, `apt-get download`) and kept outside of
//! the clone, in `PENT_TEST_CACHE` or the user's cache folder.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where a package comes from.
pub enum Source {
    /// A version of the registry of npm.
    Npm(&'static str),
    /// Of these there is one version at a time: whichever the system's own release has.
    Debian,
}

/// Where packages are kept.
pub fn cache() -> PathBuf {
    let named = std::env::var_os("PENT_TEST_CACHE").map(PathBuf::from);
    let usual = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
    let usual = usual.or(home).unwrap_or_else(std::env::temp_dir);
    named.unwrap_or_else(|| usual.join("pentimento-tests"))
}

/// Runs a program that has to succeed.
fn run(folder: &Path, program: &str, arguments: &[&OsStr]) {
    let output = Command::new(program).args(arguments).current_dir(folder).output();
    let output = output.unwrap_or_else(|error| panic!("{program} cannot be started: {error}"));
    assert!(
        output.status.success(),
        "{program} {arguments:?} failed. Real input needs a network, or its cache at {}; PENT_OFFLINE=1 leaves it \
         out.\n{}",
        cache().display(),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The archive of one version, fetched unless it is there already.
fn archive(name: &str, version: &Source) -> PathBuf {
    let flat = name.trim_start_matches('@').replace('/', "-");
    let (group, file) = match version {
        Source::Npm(version) => ("npm", format!("{flat}-{version}.tgz")),
        Source::Debian => ("debian", format!("{flat}.deb")),
    };
    let folder = cache().join(group);
    let place = folder.join(&file);
    if place.is_file() {
        return place;
    }
    fs::create_dir_all(&folder).expect("a folder for the cache");
    let draft = tempfile::tempdir_in(&folder).expect("a folder in the cache");
    match version {
        Source::Npm(version) => {
            let wanted = format!("{name}@{version}");
            run(draft.path(), "npm", &["pack".as_ref(), "--silent".as_ref(), wanted.as_ref()]);
        }
        Source::Debian => run(draft.path(), "apt-get", &["download".as_ref(), name.as_ref()]),
    }
    let fetched = fs::read_dir(draft.path()).expect("a folder").next().expect("a fetched archive");
    fs::rename(fetched.expect("an entry").path(), &place).expect("a place in the cache");
    place
}

/// Unpacks a version into a new folder.
pub fn unpack(name: &str, version: &Source, into: &Path) {
    fs::create_dir_all(into).expect("a new folder");
    let archive = archive(name, version);
    match version {
        Source::Npm(_) => run(
            into,
            "tar",
            &[
                "-xzf".as_ref(),
                archive.as_os_str(),
                "--strip-components=1".as_ref(),
                "--no-same-owner".as_ref(),
            ],
        ),
        Source::Debian => run(into, "dpkg-deb", &["-x".as_ref(), archive.as_os_str(), ".".as_ref()]),
    }
}
