//! Long objects in parts: several of them travel at a time, and one that is lost on the way is sent again by itself.
//!
//! A store keeps the parts of an upload that nobody finishes, asks money for them and does not list them. So each
//! upload is noted beside the repository while it lasts, and whoever comes after a kill gives it up.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{Error, PutPayload};

/// Length of a part in bytes. Stores take 10,000 parts of an object, of 5 MiB at least but the last.
const PART_BYTES: usize = 8 << 20;
/// Parts that are on their way at a time.
const PARTS_AT_A_TIME: usize = 4;
/// How often a part is sent whose way fails, beyond what the library tries by itself.
const ATTEMPTS: u32 = 3;
/// How long to wait before the second attempt.
const PAUSE: Duration = Duration::from_millis(200);
/// End of the names of notes.
const NOTE_END: &str = "upload";
/// Longest note in bytes.
const NOTE_BYTES_MAX: u64 = 1 << 14;

/// Sends the parts of an upload.
pub(super) async fn send_parts(
    store: &dyn MultipartStore,
    path: &Path,
    upload: &String,
    bytes: &[u8],
) -> Result<Vec<PartId>, Error> {
    let send = |(number, part): (usize, &[u8])| {
        let part = part.to_vec();
        async move { send_part(store, path, upload, number, PutPayload::from(part)).await }
    };
    let parts = bytes.chunks(PART_BYTES).enumerate();
    futures_util::stream::iter(parts).map(send).buffered(PARTS_AT_A_TIME).try_collect().await
}

async fn send_part(
    store: &dyn MultipartStore,
    path: &Path,
    upload: &String,
    number: usize,
    payload: PutPayload,
) -> Result<PartId, Error> {
    let mut attempt = 1;
    loop {
        match store.put_part(path, upload, number, payload.clone()).await {
            Err(error) if attempt < ATTEMPTS && may_pass(&error) => {
                tokio::time::sleep(PAUSE * attempt).await;
                attempt += 1;
            }
            outcome => return outcome,
        }
    }
}

/// Whether another attempt may do better.
fn may_pass(error: &Error) -> bool {
    matches!(error, Error::Generic { .. } | Error::JoinError { .. }) && !super::is_in_vain(error)
}

/// Where uploads are noted that were begun; nowhere without a folder.
#[derive(Debug, Default)]
pub(super) struct Uploads {
    folder: Option<PathBuf>,
    is_swept: AtomicBool,
}

/// The note of an upload, as long as its process lives: the file is locked.
#[derive(Debug)]
pub(super) struct Noted {
    path: PathBuf,
    _locked: File,
}

/// An upload that somebody left behind who is not there any more.
#[derive(Debug)]
pub(super) struct Left {
    noted: Noted,
    pub(super) path: Path,
    pub(super) upload: String,
}

impl Uploads {
    pub(super) fn in_folder(folder: PathBuf) -> Self {
        Self { folder: Some(folder), is_swept: AtomicBool::new(false) }
    }

    /// Notes an upload. Without a note nothing is wrong but that nobody will know what it left.
    pub(super) fn note(&self, path: &Path, upload: &str) -> Option<Noted> {
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
            && file.write_all(format!("{path}\n{upload}\n").as_bytes()).is_ok()
            && fs::rename(&new, &place).is_ok();
        if !written {
            let _ = fs::remove_file(&new);
            return None;
        }
        Some(Noted { path: place, _locked: file })
    }

    /// The uploads that were left behind; asked once, since only what ended before counts.
    pub(super) fn left(&self) -> Vec<Left> {
        let Some(folder) = &self.folder else { return Vec::new() };
        if self.is_swept.swap(true, Ordering::Relaxed) {
            return Vec::new();
        }
        let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
        let paths = entries.flatten().map(|entry| entry.path());
        paths
            .filter(|path| path.extension().is_some_and(|end| end == NOTE_END))
            .filter_map(read_left)
            .collect()
    }
}

impl Noted {
    /// Forgets it: there is nothing of it any more.
    pub(super) fn done(self) {
        // A note too many costs a request the next time.
        let _ = fs::remove_file(&self.path);
    }
}

impl Left {
    /// Forgets it.
    pub(super) fn given_up(self) {
        self.noted.done();
    }
}

/// Reads a note whose process is gone; `None` while it is there.
fn read_left(note: PathBuf) -> Option<Left> {
    let mut file = File::open(&note).ok()?;
    file.try_lock().ok()?;
    let mut text = String::new();
    let read = std::io::Read::by_ref(&mut file).take(NOTE_BYTES_MAX).read_to_string(&mut text);
    let noted = Noted { path: note, _locked: file };
    let mut lines = text.lines();
    let parts = (|| {
        read.ok()?;
        Some((Path::parse(lines.next()?).ok()?, lines.next()?.to_owned()))
    })();
    match parts {
        Some((path, upload)) => Some(Left { noted, path, upload }),
        None => {
            noted.done();
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uploads_are_left_only_by_whoever_is_gone() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let place = folder.path().join("remote");
        let path = Path::from("brand/packs/aa/one.pack");
        let mine = Uploads::in_folder(place.clone());
        let done = mine.note(&path, "first").expect("a note");
        let kept = mine.note(&path, "second").expect("a note");
        done.done();
        assert!(Uploads::in_folder(place.clone()).left().is_empty(), "whoever sends it is there");
        drop(kept);
        let others = Uploads::in_folder(place.clone());
        let left = others.left();
        assert_eq!(left.len(), 1);
        assert_eq!((left[0].path.as_ref(), &*left[0].upload), ("brand/packs/aa/one.pack", "second"));
        assert!(Uploads::in_folder(place.clone()).left().is_empty(), "somebody gives it up already");
        assert!(others.left().is_empty(), "it is asked once");
        left.into_iter().for_each(Left::given_up);
        fs::write(place.join("0.upload"), "nothing that could be read").expect("a note");
        assert!(Uploads::in_folder(place.clone()).left().is_empty());
        assert_eq!(fs::read_dir(&place).expect("a folder").count(), 0);
        assert!(Uploads::default().note(&path, "x").is_none());
    }
}
