//! What is said of files, written into exported copies of them, so that it travels with them.

use crate::app::common::problem::ProblemLine;
use crate::app::error::AppError;
use crate::app::sidecars::{Said, said_of_commit};
use crate::base::id::TreeId;
use crate::base::monitor::{Monitor, Phase};
use crate::base::path::AssetPath;
use crate::media::embedding::{self, Edit};
use crate::media::format::Format;
use crate::media::input::Input;
use crate::media::sniff::sniff;
use crate::media::worker::Workers;
use crate::repo::Repository;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

/// What came of it.
#[derive(Debug, Default)]
pub struct Embedded {
    /// Copies that have it in them now.
    pub written: u64,
    /// Files of kinds that take nothing in.
    pub left: u64,
    /// Copies that stayed as they were, each with its reason.
    pub problems: Vec<ProblemLine>,
}

/// Writes what a commit says of files into their copies below a folder.
pub fn embed(
    repository: &Repository,
    tree: TreeId,
    paths: &[AssetPath],
    to: &Path,
    workers: &Workers,
    monitor: &dyn Monitor,
) -> Result<Embedded, AppError> {
    let said = said_of_commit(repository, tree, paths, to, monitor)?;
    let files_total = Some(said.len() as u64);
    monitor.phase(Phase { name: "Writing fields into copies", files_total, bytes_total: None });
    let mut done = Embedded::default();
    for Said { path, place, packet } in said {
        if monitor.is_cancelled() {
            return Err(AppError::Cancelled);
        }
        match put_into(&path, &place, &packet, workers)? {
            Outcome::Gone => {}
            Outcome::Written => done.written += 1,
            Outcome::TakesNone => done.left += 1,
            Outcome::Fault(message) => done.problems.push(ProblemLine { path, message }),
        }
    }
    Ok(done)
}

enum Outcome {
    /// There is no copy.
    Gone,
    Written,
    TakesNone,
    Fault(String),
}

fn put_into(path: &AssetPath, place: &Path, packet: &str, workers: &Workers) -> Result<Outcome, AppError> {
    // What could not be exported has been told.
    match fs::symlink_metadata(place) {
        Ok(found) if found.is_file() => {}
        Ok(_) | Err(_) => return Ok(Outcome::Gone),
    }
    let fault = |error: io::Error| Ok(Outcome::Fault(error.to_string()));
    let (mut file, format) = match open(path, place) {
        Ok(opened) => opened,
        Err(error) => return fault(error),
    };
    if !embedding::takes(format) {
        return Ok(Outcome::TakesNone);
    }
    let asked = match with_packet(&mut file, place, packet) {
        Ok(asked) => asked,
        Err(error) => return fault(error),
    };
    let edits = match workers.embedding(asked, format, packet.len() as u64) {
        Ok(edits) => edits,
        Err(error) => return AppError::of_decoder(path, error).map(Outcome::Fault),
    };
    match replace(&mut file, place, &edits) {
        Ok(()) => Ok(Outcome::Written),
        Err(error) => fault(error),
    }
}

fn open(path: &AssetPath, place: &Path) -> io::Result<(File, &'static Format)> {
    let mut file = File::open(place)?;
    let format = sniff(&mut Input::new(&mut file)?, path.name())?;
    file.rewind()?;
    Ok((file, format))
}

/// A file without a name: the copy, and behind it the packet. So nobody else sees what is written.
fn with_packet(file: &mut File, place: &Path, packet: &str) -> io::Result<File> {
    let name = beside(place, "ask");
    let mut asked = OpenOptions::new().read(true).write(true).create_new(true).open(&name)?;
    fs::remove_file(&name)?;
    io::copy(file, &mut asked)?;
    asked.write_all(packet.as_bytes())?;
    asked.rewind()?;
    Ok(asked)
}

fn beside(place: &Path, what: &str) -> std::path::PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(place.file_name().unwrap_or_default());
    name.push(format!(".{}.{what}", std::process::id()));
    place.with_file_name(name)
}

/// Puts the edited file in the place of the copy, with its rights and its time.
fn replace(file: &mut File, place: &Path, edits: &[Edit]) -> io::Result<()> {
    let new = beside(place, "new");
    let written = (|| {
        let mut out = OpenOptions::new().write(true).create_new(true).open(&new)?;
        let found = file.metadata()?;
        file.rewind()?;
        let mut at = 0;
        for edit in edits {
            let kept = edit.at - at;
            if io::copy(&mut (&*file).take(kept), &mut out)? != kept {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            out.write_all(&edit.inserted)?;
            at = edit.at + edit.removed;
            file.seek(SeekFrom::Start(at))?;
        }
        io::copy(file, &mut out)?;
        out.set_permissions(found.permissions())?;
        out.set_modified(found.modified()?)?;
        out.sync_all()
    })();
    let replaced = written.and_then(|()| fs::rename(&new, place));
    if replaced.is_err() {
        // The first error says what went wrong.
        let _ = fs::remove_file(&new);
    }
    replaced
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_leave_the_rest_as_it_was() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path().join("a");
        fs::write(&place, b"0123456789").expect("written");
        let mut file = File::open(&place).expect("open");
        let edits = [
            Edit { at: 0, removed: 1, inserted: b"ab".to_vec() },
            Edit { at: 4, removed: 0, inserted: b"-".to_vec() },
            Edit { at: 4, removed: 2, inserted: Vec::new() },
            Edit { at: 10, removed: 0, inserted: b"!".to_vec() },
        ];
        replace(&mut file, &place, &edits).expect("replaced");
        assert_eq!(fs::read(&place).expect("read"), b"ab123-6789!");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }
}
