//! What callers have put and not published yet: a folder for each of them, inside `.pent`.
//!
//! A bundle lies there as it came, behind its length (u64), with a hole up to what it has unpacked. Of a pack only the ids of its chunks do, the chunks themselves being
//! stored: their number (u32), 32 bytes each, and a hole up to the length of the pack, so that the lengths
//! of the files say how much somebody has sent. What of it nothing that was published needs, and what has to
//! be sent again, is only a hole from then on: it counts until it is old.

use crate::base::id::{ChunkId, PackId};
use crate::base::size::human_bytes;
use crate::sync::error::{SyncError, SyncResult};
use crate::sync::remote::ParcelKind;
use crate::sync::room::bytes_free;
use std::fs;
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The folder.
const INCOMING_DIR: &str = "incoming";
/// Age at which a parcel that nobody published is removed: twice what clients remember.
const AGE_MAX: Duration = Duration::from_secs(6 * 24 * 3600);
/// Room that stays free whatever anybody sends, in bytes.
const ROOM_MIN: u64 = 64 << 20;

/// The parcels of one caller.
pub(super) struct Incoming {
    all: PathBuf,
    own: PathBuf,
    most: Option<u64>,
}

impl Incoming {
    /// Those of a caller, who may have `most` bytes of them; with `None`, as much as is left free.
    pub(super) fn of(pent_dir: &Path, caller: &str, most: Option<u64>) -> Self {
        let all = pent_dir.join(INCOMING_DIR);
        Self { own: all.join(caller), all, most }
    }

    pub(super) fn path(&self, id: PackId, kind: ParcelKind) -> PathBuf {
        let end = match kind {
            ParcelKind::Pack => "pack",
            ParcelKind::Bundle => "bundle",
        };
        self.own.join(format!("{id}.{end}"))
    }

    /// Whether a parcel is there.
    pub(super) fn has(&self, id: PackId, kind: ParcelKind) -> bool {
        self.path(id, kind).exists()
    }

    /// The bytes of a bundle.
    pub(super) fn bundle(&self, id: PackId) -> std::io::Result<Vec<u8>> {
        let mut file = fs::File::open(self.path(id, ParcelKind::Bundle))?;
        let mut length = [0; 8];
        file.read_exact(&mut length)?;
        let length = u64::from_le_bytes(length);
        let mut bytes = Vec::new();
        file.take(length).read_to_end(&mut bytes)?;
        if bytes.len() as u64 == length { Ok(bytes) } else { Err(std::io::ErrorKind::UnexpectedEof.into()) }
    }

    /// The chunks of a pack; none of one that is gone.
    pub(super) fn chunks(&self, id: PackId) -> Vec<ChunkId> {
        let file = fs::File::open(self.path(id, ParcelKind::Pack));
        file.and_then(|mut file| read_ids(&mut file)).unwrap_or_default()
    }

    /// Refuses a parcel for which there is no room.
    pub(super) fn insist_on_room(&self, length: u64) -> SyncResult<()> {
        let held = self.held_bytes();
        let (free, _) = bytes_free(self.all.parent().unwrap_or(&self.all));
        let (held_text, free_text) = (human_bytes(held), human_bytes(free));
        let detail = if self.most.is_some_and(|most| held.saturating_add(length) > most) {
            let most = human_bytes(self.most.unwrap_or_default());
            format!("what you have sent and not published takes {held_text}, and {most} are allowed")
        } else if held.saturating_add(length).saturating_add(ROOM_MIN) > free {
            format!("what you have sent and not published takes {held_text}, and {free_text} are free")
        } else {
            return Ok(());
        };
        Err(SyncError::NoRoom { detail })
    }

    fn held_bytes(&self) -> u64 {
        let files = fs::read_dir(&self.own).into_iter().flatten().flatten();
        files.filter_map(|file| Some(file.metadata().ok()?.len())).sum()
    }

    /// Keeps a bundle, which has `raw` bytes unpacked, until it is published.
    pub(super) fn hold_bundle(&self, id: PackId, bytes: &[u8], raw: u64) -> SyncResult<()> {
        let framed = [&(bytes.len() as u64).to_le_bytes(), bytes].concat();
        self.hold(id, ParcelKind::Bundle, &framed, raw.max(framed.len() as u64))
    }

    /// Keeps the ids of a pack's chunks until it is published.
    pub(super) fn hold_pack(&self, id: PackId, chunks: &[ChunkId], length: u64) -> SyncResult<()> {
        let bytes = ids_bytes(chunks);
        let length = length.max(bytes.len() as u64);
        self.hold(id, ParcelKind::Pack, &bytes, length)
    }

    fn hold(&self, id: PackId, kind: ParcelKind, bytes: &[u8], length: u64) -> SyncResult<()> {
        let path = self.path(id, kind);
        let mut nonce = [0u8; 16];
        // Two that put the same parcel at once write the same bytes.
        let _ = getrandom::fill(&mut nonce);
        let temporary = path.with_extension(PackId::from_bytes(nonce).to_string());
        let write = || -> std::io::Result<()> {
            fs::create_dir_all(&self.own)?;
            let mut file = fs::File::create(&temporary)?;
            file.write_all(bytes)?;
            file.set_len(length)?;
            file.sync_all()?;
            fs::rename(&temporary, &path)?;
            fs::File::open(&self.own)?.sync_all()
        };
        let _ = fs::remove_file(self.hole(id, kind));
        write().map_err(|source| {
            // One that stays is removed with what is old.
            let _ = fs::remove_file(&temporary);
            SyncError::Io { action: "writing", path: path.clone(), source }
        })
    }

    fn hole(&self, id: PackId, kind: ParcelKind) -> PathBuf {
        let mut path = self.path(id, kind).into_os_string();
        path.push("-hole");
        path.into()
    }

    /// Drops what a parcel brought and lets its length count on, as if it still waited.
    pub(super) fn empty(&self, id: PackId, kind: ParcelKind) {
        let path = self.path(id, kind);
        let (Ok(found), hole) = (path.metadata(), self.hole(id, kind)) else { return };
        let made = fs::File::create(&hole).and_then(|file| file.set_len(found.len()));
        // Where no hole can be made, the parcel itself goes on counting until it is old.
        if made.is_ok() {
            self.forget(id, kind);
        }
    }

    /// Forgets a parcel. What stays is removed with everything else that is old.
    pub(super) fn forget(&self, id: PackId, kind: ParcelKind) {
        let _ = fs::remove_file(self.path(id, kind));
    }

    /// Removes what was put long ago and never published, by anybody: whoever put it has forgotten it.
    pub(super) fn forget_old(&self) {
        let callers = fs::read_dir(&self.all).into_iter().flatten().flatten();
        let files = callers.filter_map(|caller| fs::read_dir(caller.path()).ok()).flatten().flatten();
        for file in files {
            let age = file.metadata().and_then(|data| data.modified()).ok().and_then(|at| at.elapsed().ok());
            if age.is_some_and(|age| age > AGE_MAX) {
                // One that stays is removed the next time.
                let _ = fs::remove_file(file.path());
            }
        }
    }
}

/// The ids of a pack's chunks as they lie there, without the hole.
fn ids_bytes(chunks: &[ChunkId]) -> Vec<u8> {
    let mut bytes = (chunks.len() as u32).to_le_bytes().to_vec();
    chunks.iter().for_each(|chunk| bytes.extend_from_slice(chunk.as_bytes()));
    bytes
}

/// Reads them. One that is cut short has lost what follows.
fn read_ids(input: &mut dyn Read) -> std::io::Result<Vec<ChunkId>> {
    let mut count = [0; 4];
    input.read_exact(&mut count)?;
    let most = u64::from(u32::from_le_bytes(count)) * ChunkId::SIZE as u64;
    let mut ids = Vec::new();
    input.take(most).read_to_end(&mut ids)?;
    Ok(ids.chunks_exact(ChunkId::SIZE).filter_map(ChunkId::from_slice).collect())
}

/// Lists for the fuzz target.
#[cfg(any(test, fuzzing))]
pub(super) fn fuzz_seeds() -> Vec<Vec<u8>> {
    let list = ids_bytes(&[ChunkId::from_bytes([3; 32]), ChunkId::from_bytes([4; 32])]);
    vec![[list.as_slice(), &[0; 40]].concat(), list]
}

/// Reads a list and writes it again.
#[cfg(any(test, fuzzing))]
pub(super) fn fuzz_run(bytes: &[u8]) -> crate::base::fuzz::Verdict {
    use crate::base::fuzz::Verdict;
    let Ok(ids) = read_ids(&mut &*bytes) else { return Verdict::Refused };
    let is_same = bytes.get(4..).is_some_and(|rest| rest.starts_with(&ids_bytes(&ids)[4..]));
    if is_same { Verdict::Understood } else { Verdict::Wrong("other ids than are there".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_counts_until_it_is_forgotten_and_each_has_their_own() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let incoming = |name: &str| Incoming::of(folder.path(), name, Some(10_000));
        let (anna, ben) = (incoming("anna"), incoming("ben"));
        let (one, two) = (PackId::from_bytes([1; 16]), PackId::from_bytes([2; 16]));
        let chunks = [ChunkId::from_bytes([3; 32]), ChunkId::from_bytes([4; 32])];
        anna.hold_pack(one, &chunks, 6_000).expect("kept");
        anna.hold_bundle(two, &[7; 1_000], 3_000).expect("kept");
        assert_eq!((anna.chunks(one), anna.chunks(two)), (chunks.to_vec(), Vec::new()));
        assert_eq!(anna.bundle(two).expect("bytes"), [7; 1_000], "and it counts as what it unpacks to");
        assert!(anna.insist_on_room(1_000).is_ok() && ben.insist_on_room(10_000).is_ok());
        let refused = anna.insist_on_room(1_001).expect_err("no room");
        assert!(refused.to_string().contains("not published"), "{refused}");
        anna.forget(one, ParcelKind::Pack);
        assert!(anna.insist_on_room(7_000).is_ok());
        assert!(!anna.has(one, ParcelKind::Pack) && anna.has(two, ParcelKind::Bundle));
        // What has to be sent again counts once, and until then as before.
        anna.empty(two, ParcelKind::Bundle);
        assert!(!anna.has(two, ParcelKind::Bundle) && anna.insist_on_room(7_001).is_err());
        anna.hold_bundle(two, &[7; 1_000], 3_000).expect("kept");
        assert!(anna.has(two, ParcelKind::Bundle) && anna.insist_on_room(7_000).is_ok());
    }
}
