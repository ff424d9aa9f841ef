//! Packs that have set out to a place that goes on with what was cut off. Each is noted before it sets out, so that
//! whoever comes after a kill makes the very same pack again, and only what of it had not arrived has to travel.

use crate::base::id::{ChunkId, PackId};
use crate::store::bucket::head::Token;
use crate::sync::error::SyncResult;
use crate::sync::push::records::{decode, encode, note_files, read_recent, write_file};
use crate::sync::push::send::Job;
use crate::sync::remote::{ParcelKind, ParcelRecord};
use std::fs;
use std::path::{Path, PathBuf};

/// End of the names of notes.
const NOTE_END: &str = "begun";

/// A pack that had set out and was not taken yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BegunPack {
    /// What is in it, and where.
    pub(super) record: ParcelRecord,
    /// What its id was made with.
    salt: Token,
}

impl BegunPack {
    /// The same pack once more, as long as its blocks lie here as they did.
    pub(super) fn job(&self) -> SyncResult<Job> {
        let entries = self.record.entries.load()?;
        let chunks = entries.iter().map(|(key, _, _)| ChunkId::from_bytes(key.id)).collect();
        Ok(Job::Again { chunks, salt: self.salt, stored_bytes: self.record.length })
    }
}

fn note_path(folder: &Path, id: PackId) -> PathBuf {
    folder.join(format!("{id}.{NOTE_END}"))
}

/// Notes that a pack sets out.
pub(super) fn note_begun(folder: &Path, record: &ParcelRecord, salt: &Token) -> SyncResult<()> {
    let bytes = [&salt[..], &encode(record)?].concat();
    write_file(folder, &note_path(folder, record.id), &bytes)
}

/// Forgets that a pack set out.
pub(super) fn forget_begun(folder: &Path, id: PackId) {
    // A note too many has a pack looked for that is there.
    let _ = fs::remove_file(note_path(folder, id));
}

/// The packs that had set out. Notes that are damaged or too old go.
pub(super) fn begun_packs(folder: &Path) -> Vec<BegunPack> {
    let mut packs = Vec::new();
    for path in note_files(folder, NOTE_END) {
        match read_recent(&path).and_then(|bytes| read_begun(&bytes)) {
            Some(pack) => packs.push(pack),
            None => drop(fs::remove_file(&path)),
        }
    }
    packs
}

fn read_begun(bytes: &[u8]) -> Option<BegunPack> {
    let (salt, record) = bytes.split_first_chunk()?;
    let record = decode(record).ok().filter(|record| record.kind == ParcelKind::Pack)?;
    Some(BegunPack { record, salt: *salt })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::remote::ObjectKey;

    #[test]
    fn what_set_out_comes_back_until_it_is_forgotten() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let key = ObjectKey::chunk(ChunkId::from_bytes([1; 32]));
        let record = ParcelRecord {
            id: PackId::from_bytes([9; 16]),
            kind: ParcelKind::Pack,
            length: 300,
            entries: vec![(key, 64, 200)].into(),
        };
        note_begun(folder.path(), &record, &[5; 16]).expect("a note");
        let pack = BegunPack { record: record.clone(), salt: [5; 16] };
        assert_eq!(begun_packs(folder.path()), [pack]);
        let path = note_path(folder.path(), record.id);
        let bytes = fs::read(&path).expect("a note");
        fs::write(&path, &bytes[..bytes.len() - 1]).expect("a note that is cut short");
        assert!(begun_packs(folder.path()).is_empty() && !path.exists());
        note_begun(folder.path(), &record, &[5; 16]).expect("a note");
        forget_begun(folder.path(), record.id);
        assert!(begun_packs(folder.path()).is_empty());
    }
}
