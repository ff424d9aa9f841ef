//! Notes of the parcels that a remote has taken and that nobody has published yet: one small file
//! for each, written after the remote has said that it has the parcel.

use crate::base::codec::{DecodeError, DecodeErrorKind, Decoder, Encoder};
use crate::base::id::PackId;
use crate::sync::entries::{Entries, Entry};
use crate::sync::error::{SyncError, SyncResult};
use crate::sync::push::begun::{BegunPack, begun_packs, forget_begun};
use crate::sync::remote::{Kind, ObjectKey, ParcelKind, ParcelRecord, Remote};
use crate::sync::sorted::{ShortKey, Sorted, Sorter};
use std::collections::{HashMap, HashSet, VecDeque};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

const VERSION: u8 = 1;
/// End of the names of notes.
const NOTE_END: &str = "parcel";
/// Most objects of one parcel.
const ENTRIES_MAX: usize = 1 << 24;
/// Age after which a parcel is taken for lost: half of the least grace of a bucket's gc.
const AGE_MAX: Duration = Duration::from_secs(3 * 24 * 3600);

/// By how much a note may be younger than now.
const CLOCKS_APART: Duration = Duration::from_secs(60);

fn short(key: &ObjectKey) -> ShortKey {
    let mut bytes = [key.kind.number(); 33];
    bytes[1..].copy_from_slice(&key.id);
    let mut short = [0; 16];
    short.copy_from_slice(&blake3::hash(&bytes).as_bytes()[..16]);
    short
}

/// The parcels of earlier attempts that the remote still has.
#[derive(Debug)]
pub(super) struct SentParcels {
    folder: PathBuf,
    parcels: Vec<ParcelRecord>,
    places: Sorted,
    used: HashSet<usize>,
    begun: Begun,
}

/// Packs that had set out and were not taken: no more than travel at a time.
#[derive(Debug, Default)]
struct Begun {
    packs: Vec<BegunPack>,
    places: HashMap<ObjectKey, usize>,
    used: HashSet<usize>,
    needed: VecDeque<usize>,
}

impl Begun {
    fn new(packs: Vec<BegunPack>) -> SyncResult<Self> {
        let mut places = HashMap::new();
        for (position, pack) in packs.iter().enumerate() {
            places.extend(pack.record.entries.load()?.iter().map(|(key, _, _)| (*key, position)));
        }
        Ok(Self { packs, places, ..Self::default() })
    }

    /// Whether an object is in one of them, which then has to be sent.
    fn has(&mut self, key: &ObjectKey) -> bool {
        let Some(position) = self.places.get(key) else { return false };
        self.needed.extend(self.used.insert(*position).then_some(*position));
        true
    }

    fn next_needed(&mut self) -> Option<&BegunPack> {
        let position = self.needed.pop_front()?;
        self.packs.get(position)
    }

    fn begin_again(&mut self) {
        self.used.clear();
        self.needed.clear();
    }
}

impl SentParcels {
    /// Reads the notes, and asks the remote which of the parcels it still has.
    pub(super) fn open(folder: &Path, remote: &dyn Remote) -> SyncResult<Self> {
        let mut parcels: Vec<ParcelRecord> = Vec::new();
        for path in note_files(folder, NOTE_END) {
            match read_note(&path) {
                Some(record) => parcels.push(ParcelRecord { entries: Entries::Noted(path), ..record }),
                // A note that was cut short, or is too old, notes nothing.
                None => drop(fs::remove_file(&path)),
            }
        }
        // What had set out may have arrived without anybody hearing of it.
        let mut begun = begun_packs(folder);
        let asked: Vec<(PackId, ParcelKind)> = parcels
            .iter()
            .chain(begun.iter().map(|pack| &pack.record))
            .map(|record| (record.id, record.kind))
            .collect();
        if !asked.is_empty() {
            let mut held = remote.holds(&asked)?.into_iter();
            parcels.retain(|_| held.next().unwrap_or(false));
            let arrived = begun.extract_if(.., |_| held.next().unwrap_or(false));
            parcels.extend(arrived.map(|pack| pack.record));
        }
        let mut places = Sorter::new(folder);
        for (position, parcel) in (0..).zip(&parcels) {
            // What another push has published meanwhile is no note any more.
            let Ok(entries) = parcel.entries.load() else { continue };
            entries.iter().for_each(|(key, _, _)| places.push(short(key), position));
        }
        let begun = Begun::new(begun)?;
        Ok(Self { folder: folder.to_owned(), parcels, places: places.finish()?, used: HashSet::new(), begun })
    }

    /// Whether an object is in one of them, which then has to be published. Gives the parcel's length
    /// when it is the first object that needs it.
    pub(super) fn use_object(&mut self, key: &ObjectKey) -> SyncResult<Option<u64>> {
        let Some(position) = self.places.find(&short(key))? else {
            return Ok(self.begun.has(key).then_some(0));
        };
        let position = position as usize;
        let is_first = self.used.insert(position);
        Ok(Some(if is_first { self.parcels[position].length } else { 0 }))
    }

    /// The next pack that had set out and is needed: it is to be sent once more.
    pub(super) fn next_begun(&mut self) -> Option<&BegunPack> {
        self.begun.next_needed()
    }

    /// Forgets which of them are needed.
    pub(super) fn begin_again(&mut self) {
        self.used.clear();
        self.begun.begin_again();
    }

    /// The parcels that are needed and that it has.
    pub(super) fn used(&self) -> Vec<ParcelRecord> {
        let mut used: Vec<usize> = self.used.iter().copied().collect();
        used.sort_unstable();
        used.into_iter().map(|position| self.parcels[position].clone()).collect()
    }

    /// Removes the notes of parcels that were published.
    pub(super) fn forget(&self, published: &[ParcelRecord]) {
        for parcel in published {
            // A note too many costs a question the next time.
            let _ = fs::remove_file(note_path(&self.folder, parcel.id));
            forget_begun(&self.folder, parcel.id);
        }
        self.begun.packs.iter().for_each(|pack| forget_begun(&self.folder, pack.record.id));
    }
}

fn note_path(folder: &Path, id: PackId) -> PathBuf {
    folder.join(format!("{id}.{NOTE_END}"))
}

/// The notes whose names end so.
pub(super) fn note_files(folder: &Path, name_end: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.flatten().map(|entry| entry.path());
    paths.filter(|path| path.extension().is_some_and(|end| end == name_end)).collect()
}

fn read_note(path: &Path) -> Option<ParcelRecord> {
    decode(&read_recent(path)?).ok()
}

/// The bytes of a note that is not too old.
pub(super) fn read_recent(path: &Path) -> Option<Vec<u8>> {
    let age = match fs::metadata(path).ok()?.modified().ok()?.elapsed() {
        Ok(age) => age,
        // Written a moment ago, by a clock that ticks a little differently.
        Err(ahead) if ahead.duration() < CLOCKS_APART => Duration::ZERO,
        // The clock was wrong then or is now: nobody knows how old it is.
        Err(_) => return None,
    };
    if age > AGE_MAX { None } else { fs::read(path).ok() }
}

/// What a note says that is in its parcel.
pub(in crate::sync) fn noted_entries(path: &Path) -> SyncResult<Vec<Entry>> {
    let read = || -> std::io::Result<Vec<Entry>> {
        let record = decode(&fs::read(path)?).map_err(std::io::Error::other)?;
        match record.entries {
            Entries::Here(entries) => Ok(entries),
            Entries::Noted(_) => Ok(Vec::new()),
        }
    };
    read().map_err(|source| match source.kind() {
        // Another push of this clone has published it: the remote has it, so ask again.
        std::io::ErrorKind::NotFound => SyncError::Outdated,
        _ => SyncError::Io { action: "reading", path: path.to_owned(), source },
    })
}

/// Notes that a remote has taken a parcel; gives where.
pub(super) fn write_note(folder: &Path, record: &ParcelRecord) -> SyncResult<PathBuf> {
    let path = note_path(folder, record.id);
    write_file(folder, &path, &encode(record)?)?;
    Ok(path)
}

/// Writes a note whole or not at all.
pub(super) fn write_file(folder: &Path, path: &Path, bytes: &[u8]) -> SyncResult<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}.new", std::process::id()));
    let write = || -> std::io::Result<()> {
        fs::create_dir_all(folder)?;
        let mut file = fs::File::create(&temporary)?;
        file.write_all(bytes)?;
        fs::rename(&temporary, path)
    };
    write().map_err(|source| {
        let _ = fs::remove_file(&temporary);
        SyncError::Io { action: "writing", path: path.to_owned(), source }
    })
}

pub(super) fn encode(record: &ParcelRecord) -> SyncResult<Vec<u8>> {
    let entries = record.entries.load()?;
    Ok(encode_with(record, &entries))
}

fn encode_with(record: &ParcelRecord, entries: &[Entry]) -> Vec<u8> {
    let mut out = Encoder::with_version(VERSION);
    out.raw(record.id.as_bytes()).u8(record.kind.number()).uint(record.length);
    out.uint(entries.len() as u64);
    for (key, offset, length) in entries {
        out.u8(key.kind.number()).raw(&key.id).uint(u64::from(*offset)).uint(u64::from(*length));
    }
    let sum = blake3::hash(&out.clone().finish());
    out.raw(&sum.as_bytes()[..8]);
    out.finish()
}

pub(super) fn decode(bytes: &[u8]) -> Result<ParcelRecord, DecodeError> {
    let (body, sum) = bytes.split_at(bytes.len().saturating_sub(8));
    let mut input = Decoder::new("parcel note", body);
    let wrong = || DecodeError { object: "parcel note", offset: 0, kind: DecodeErrorKind::Value };
    if blake3::hash(body).as_bytes()[..8] != *sum {
        return Err(wrong());
    }
    input.version(VERSION)?;
    let id = PackId::from_bytes(input.array()?);
    let kind = ParcelKind::from_number(input.u8()?).ok_or_else(wrong)?;
    let length = input.uint()?;
    let mut entries = Vec::new();
    for _ in 0..input.count(ENTRIES_MAX)? {
        let kind = Kind::from_number(input.u8()?).ok_or_else(wrong)?;
        let key = ObjectKey::new(kind, input.array()?);
        let place = |value: u64| u32::try_from(value).map_err(|_| wrong());
        entries.push((key, place(input.uint()?)?, place(input.uint()?)?));
    }
    input.finish()?;
    Ok(ParcelRecord { id, kind, length, entries: entries.into() })
}

/// Notes for the fuzz target.
#[cfg(any(test, fuzzing))]
pub fn fuzz_seeds() -> Vec<Vec<u8>> {
    let key = ObjectKey::new(Kind::Tree, [7; 32]);
    let record = ParcelRecord {
        id: PackId::from_bytes([1; 16]),
        kind: ParcelKind::Bundle,
        length: 99,
        entries: Entries::default(),
    };
    vec![encode_with(&record, &[(key, 8, 20), (key, 28, 300)])]
}

/// Reads a note and writes it again.
#[cfg(any(test, fuzzing))]
pub fn fuzz_run(bytes: &[u8]) -> crate::base::fuzz::Verdict {
    crate::base::fuzz::canonical(decode(bytes), |record| match &record.entries {
        Entries::Here(entries) => encode_with(record, entries),
        Entries::Noted(_) => Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_come_back_and_damaged_ones_note_nothing() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let record = ParcelRecord {
            id: PackId::from_bytes([9; 16]),
            kind: ParcelKind::Bundle,
            length: 300,
            entries: vec![(ObjectKey::new(Kind::Tree, [1; 32]), 16, 200)].into(),
        };
        write_note(folder.path(), &record).expect("a note");
        let path = note_files(folder.path(), NOTE_END).pop().expect("one note");
        assert_eq!(read_note(&path), Some(record));
        let ahead = std::time::SystemTime::now() + Duration::from_secs(3600);
        let set = |moment| {
            let file = fs::File::options().write(true).open(&path).expect("the note");
            file.set_modified(moment).expect("another moment");
        };
        set(ahead);
        assert_eq!(read_note(&path), None, "of a clock that was ahead");
        set(std::time::SystemTime::now());
        assert!(read_note(&path).is_some());
        let mut bytes = fs::read(&path).expect("bytes");
        bytes.truncate(bytes.len() - 1);
        fs::write(&path, bytes).expect("a damaged note");
        assert_eq!(read_note(&path), None);
    }
}
