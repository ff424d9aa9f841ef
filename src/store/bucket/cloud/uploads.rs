//! Uploads in parts that were begun and not finished: noted beside the repository while they last, so that
//! whoever comes after a kill goes on with them, or gives them up.
//!
//! A store keeps the parts of an upload that nobody finishes, asks money for them and does not list them. The
//! note of an upload is a file of lines, locked as long as its process lives: the object's path, the upload's id,
//! and then for each part that has arrived its number, its length and what the store calls it.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use object_store::multipart::PartId;
use object_store::path::Path;

/// End of the names of notes.
const NOTE_END: &str = "upload";
/// Longest note in bytes: ten thousand parts.
const NOTE_BYTES_MAX: u64 = 8 << 20;

/// Where uploads are noted that were begun; nowhere without a folder.
#[derive(Debug, Default)]
pub(super) struct Uploads {
    folder: Option<PathBuf>,
    /// What is left of earlier processes and attempts; `None` before anybody looked.
    left: Mutex<Option<HashMap<Path, Upload>>>,
}

/// An upload that was begun.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) path: Path,
    pub(super) id: String,
    note: Option<Note>,
    arrived: Mutex<BTreeMap<usize, Arrived>>,
}

/// The note of an upload, as long as its process lives: the file is locked.
#[derive(Debug)]
struct Note {
    path: PathBuf,
    locked: File,
}

/// A part that has arrived.
#[derive(Debug)]
struct Arrived {
    length: usize,
    content_id: String,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Uploads {
    pub(super) fn in_folder(folder: PathBuf) -> Self {
        Self { folder: Some(folder), left: Mutex::default() }
    }

    /// Whether what was begun is noted, so that somebody can go on with it.
    pub(super) const fn are_noted(&self) -> bool {
        self.folder.is_some()
    }

    /// Notes an upload that begins. Without a note nothing is wrong but that nobody will know what it left.
    pub(super) fn begin(&self, path: &Path, id: String) -> Upload {
        let note = self.note(path, &id);
        Upload { path: path.clone(), id, note, arrived: Mutex::default() }
    }

    fn note(&self, path: &Path, id: &str) -> Option<Note> {
        let folder = self.folder.as_ref()?;
        let mut random = [0u8; 8];
        getrandom::fill(&mut random).ok()?;
        let name = u64::from_le_bytes(random);
        let (new, place) =
            (folder.join(format!("{name:016x}.new")), folder.join(format!("{name:016x}.{NOTE_END}")));
        fs::create_dir_all(folder).ok()?;
        let mut file = File::create_new(&new).ok()?;
        // It has its name only when it is locked: nobody takes it for one that was left.
        let written = file.try_lock().is_ok()
            && file.write_all(format!("{path}\n{id}\n").as_bytes()).is_ok()
            && fs::rename(&new, &place).is_ok();
        if !written {
            let _ = fs::remove_file(&new);
            return None;
        }
        Some(Note { path: place, locked: file })
    }

    /// What is left of the upload of an object, for its next attempt.
    pub(super) fn take(&self, path: &Path) -> Option<Upload> {
        self.left().as_mut()?.remove(path)
    }

    /// Everything that is left, to be given up.
    pub(super) fn take_all(&self) -> Vec<Upload> {
        self.left().take().unwrap_or_default().into_values().collect()
    }

    /// Leaves an upload to the next attempt. `None` when it is noted now; else the upload, which nobody would
    /// find.
    pub(super) fn leave(&self, upload: Upload) -> Option<Upload> {
        if upload.note.is_none() {
            return Some(upload);
        }
        self.left().get_or_insert_default().insert(upload.path.clone(), upload)
    }

    /// What is left, with what processes left that are gone by now.
    fn left(&self) -> MutexGuard<'_, Option<HashMap<Path, Upload>>> {
        let mut left = locked(&self.left);
        if left.is_none() {
            let found = self.folder.iter().flat_map(|folder| fs::read_dir(folder).into_iter().flatten());
            let notes = found
                .flatten()
                .map(|entry| entry.path())
                .filter(|path| path.extension().is_some_and(|end| end == NOTE_END));
            *left = Some(notes.filter_map(read).map(|upload| (upload.path.clone(), upload)).collect());
        }
        left
    }
}

impl Upload {
    /// The part of this number, if it has arrived.
    pub(super) fn part(&self, number: usize, length: usize) -> Option<PartId> {
        let arrived = locked(&self.arrived);
        let part = arrived.get(&number).filter(|part| part.length == length)?;
        Some(PartId { content_id: part.content_id.clone() })
    }

    /// Notes that a part has arrived. Whatever cannot be noted is sent again.
    pub(super) fn note_part(&self, number: usize, length: usize, part: &PartId) {
        let content_id = part.content_id.clone();
        let mut arrived = locked(&self.arrived);
        if let Some(note) = &self.note
            && !content_id.contains(['\n', '\r'])
        {
            let _ = (&note.locked).write_all(format!("{number} {length} {content_id}\n").as_bytes());
        }
        arrived.insert(number, Arrived { length, content_id });
    }

    /// Forgets it: there is nothing of it any more.
    pub(super) fn forget(self) {
        if let Some(note) = self.note {
            // A note too many costs a request the next time.
            let _ = fs::remove_file(&note.path);
        }
    }
}

/// Reads the note of an upload whose process is gone; `None` while it is there.
fn read(path: PathBuf) -> Option<Upload> {
    let mut file = OpenOptions::new().read(true).append(true).open(&path).ok()?;
    file.try_lock().ok()?;
    let mut text = String::new();
    let read = std::io::Read::by_ref(&mut file).take(NOTE_BYTES_MAX).read_to_string(&mut text);
    let note = Note { path, locked: file };
    // A last line without an end was cut short.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let mut lines = whole.lines();
    let begun = (|| {
        read.ok()?;
        Some((Path::parse(lines.next()?).ok()?, lines.next()?.to_owned()))
    })();
    let Some((path, id)) = begun else {
        let _ = fs::remove_file(&note.path);
        return None;
    };
    let arrived = lines.map_while(read_part).collect();
    Some(Upload { path, id, note: Some(note), arrived: Mutex::new(arrived) })
}

fn read_part(line: &str) -> Option<(usize, Arrived)> {
    let mut words = line.splitn(3, ' ');
    let (number, length) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    Some((number, Arrived { length, content_id: words.next()?.to_owned() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(id: &str) -> PartId {
        PartId { content_id: id.to_owned() }
    }

    #[test]
    fn uploads_are_left_only_by_whoever_is_gone() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let place = folder.path().join("remote");
        let path = Path::from("brand/packs/aa/one.pack");
        let mine = Uploads::in_folder(place.clone());
        let done = mine.begin(&Path::from("other"), "first".to_owned());
        let kept = mine.begin(&path, "second".to_owned());
        kept.note_part(2, 8, &part("\"tag two\""));
        done.forget();
        assert!(Uploads::in_folder(place.clone()).take(&path).is_none(), "whoever sends it is there");
        drop(kept);
        let others = Uploads::in_folder(place.clone());
        let left = others.take(&path).expect("what was left");
        assert_eq!((left.path.as_ref(), &*left.id), ("brand/packs/aa/one.pack", "second"));
        assert_eq!(left.part(2, 8).expect("a part").content_id, "\"tag two\"");
        assert!(left.part(2, 9).is_none() && left.part(1, 8).is_none());
        left.note_part(0, 8, &part("<a>b c</a>"));
        assert!(Uploads::in_folder(place.clone()).take(&path).is_none(), "somebody goes on with it already");
        assert!(others.leave(left).is_none(), "it is noted");
        assert!(others.take(&path).is_some_and(|left| left.part(0, 8).is_some()), "and dropped here");
        let left = Uploads::in_folder(place.clone()).take_all().pop().expect("what was left");
        assert_eq!(left.part(0, 8).expect("a part").content_id, "<a>b c</a>");
        left.forget();
        fs::write(place.join("0.upload"), "nothing that could be read").expect("a note");
        assert!(Uploads::in_folder(place.clone()).take_all().is_empty());
        assert_eq!(fs::read_dir(&place).expect("a folder").count(), 0);
        assert!(Uploads::default().leave(Uploads::default().begin(&path, "x".to_owned())).is_some());
    }

    #[test]
    fn a_note_that_was_cut_short_notes_what_it_still_says() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let note = folder.path().join("1.upload");
        fs::write(&note, "brand/one\nid\n0 8 tag\n1 8 ta").expect("a note");
        let left = Uploads::in_folder(folder.path().to_owned()).take(&Path::from("brand/one"));
        let left = left.expect("what was left");
        assert!(left.part(0, 8).is_some() && left.part(1, 8).is_none());
    }
}
