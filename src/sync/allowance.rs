//! Which parcels of a publication brought what it needs: what others brought counts on against whoever sent
//! them, since it takes up room and nothing leads to it.

use crate::base::id::{ChunkId, ManifestNodeId, PackId};
use crate::object::manifest::ChunkEntry;
use crate::repo::{RepoError, View};
use crate::sync::content::{Parts, new_parts};
use crate::sync::error::SyncResult;
use crate::sync::incoming::Incoming;
use crate::sync::listed::{Listed, Record};
use crate::sync::receive::manifest_nodes;
use crate::sync::remote::{Kind, ObjectKey, ParcelKind, Proposal};
use crate::sync::walk::{Found, NewFile};
use std::collections::{HashMap, HashSet};

/// Ids that are kept in memory to tell what is needed.
const SAMPLE_MAX: usize = 1 << 21;

/// An object that a bundle brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Brought {
    /// The position of the bundle among the parcels of the publication.
    pub parcel: u32,
    /// The object.
    pub key: ObjectKey,
    /// Its length in bytes.
    pub length: u32,
}

impl Record for Brought {
    const BYTES: usize = 4 + 1 + 32 + 4;

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.parcel.to_le_bytes());
        out.push(self.key.kind.number());
        out.extend_from_slice(&self.key.id);
        out.extend_from_slice(&self.length.to_le_bytes());
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (parcel, rest) = bytes.split_first_chunk::<4>()?;
        let (kind, rest) = rest.split_first()?;
        let (id, length) = rest.split_first_chunk::<32>()?;
        Some(Self {
            parcel: u32::from_le_bytes(*parcel),
            key: ObjectKey::new(Kind::from_number(*kind)?, *id),
            length: u32::from_le_bytes(length.try_into().ok()?),
        })
    }
}

/// The parcels of a proposal that brought little or nothing of what it needs.
pub(super) fn unneeded(
    view: &View,
    incoming: &Incoming,
    (found, files): (&Found, &Listed<NewFile>),
    (proposal, brought): (&Proposal, &Listed<Brought>),
) -> SyncResult<HashSet<PackId>> {
    let need = Need::of(view, found, files)?;
    let mut unneeded = HashSet::new();
    for (number, (all, needed)) in need.sums_of(brought)? {
        // Half of a bundle at least, by length, has to be needed.
        if needed < all.div_ceil(2)
            && let Some(parcel) = proposal.parcels.get(number as usize)
        {
            unneeded.insert(parcel.id);
        }
    }
    for pack in proposal.parcels.iter().filter(|parcel| parcel.kind == ParcelKind::Pack) {
        if !need.has_chunk_of(&incoming.chunks(pack.id)) {
            unneeded.insert(pack.id);
        }
    }
    Ok(unneeded)
}

/// Ids, as many as memory has room for: when there are more, those of a part of all that exist. Which part that
/// is nobody can know beforehand, so what is so of the part is so of all as a rule.
struct Sample {
    salt: [u8; 32],
    /// One of 2 to this power is in the part.
    halvings: u32,
    most: usize,
    kept: HashSet<[u8; 16]>,
}

impl Sample {
    fn up_to(most: usize) -> Self {
        let mut salt = [0; 32];
        // Without chance it is a part that can be known, and nothing worse.
        let _ = getrandom::fill(&mut salt);
        Self { salt, halvings: 0, most, kept: HashSet::new() }
    }

    fn short(&self, kind: Kind, id: &[u8; 32]) -> [u8; 16] {
        let mut bytes = [kind.number(); 33];
        bytes[1..].copy_from_slice(id);
        let mut short = [0; 16];
        short.copy_from_slice(&blake3::keyed_hash(&self.salt, &bytes).as_bytes()[..16]);
        short
    }

    fn is_in_part(&self, short: [u8; 16]) -> bool {
        u128::from_le_bytes(short).trailing_zeros() >= self.halvings
    }

    fn add(&mut self, kind: Kind, id: &[u8; 32]) {
        let short = self.short(kind, id);
        if !self.is_in_part(short) {
            return;
        }
        self.kept.insert(short);
        while self.kept.len() > self.most {
            self.halvings += 1;
            let halvings = self.halvings;
            self.kept.retain(|short| u128::from_le_bytes(*short).trailing_zeros() >= halvings);
        }
    }

    /// Whether an id was added; `None` when it is not in the part.
    fn has(&self, kind: Kind, id: &[u8; 32]) -> Option<bool> {
        let short = self.short(kind, id);
        self.is_in_part(short).then(|| self.kept.contains(&short))
    }
}

/// What a publication needs.
struct Need {
    has_commits: bool,
    ids: Sample,
}

impl Need {
    /// What commits that were found and their files need, as far as it is new.
    fn of(view: &View, found: &Found, files: &Listed<NewFile>) -> SyncResult<Self> {
        let mut ids = Sample::up_to(SAMPLE_MAX);
        found.commits.iter().for_each(|id| ids.add(Kind::Commit, id.as_bytes()));
        for block in found.trees.blocks() {
            block?.iter().for_each(|id| ids.add(Kind::Tree, id.as_bytes()));
        }
        for block in found.metadata.blocks() {
            block?.iter().for_each(|id| ids.add(Kind::Metadata, id.as_bytes()));
        }
        for block in files.blocks() {
            for file in block?.iter() {
                ids.add(Kind::Manifest, file.id.as_bytes());
                ids.add(Kind::Chunk, file.id.as_bytes());
                if let Some(manifest) = view.manifest(file.id)? {
                    let before = file.before.map(|before| view.manifest(before)).transpose()?.flatten();
                    new_parts(&manifest_nodes(view), &manifest, before.as_ref(), &mut ids)?;
                }
            }
        }
        Ok(Self { has_commits: !found.commits.is_empty(), ids })
    }

    /// For each bundle, the bytes of what it brought and of what of that is needed.
    fn sums_of(&self, brought: &Listed<Brought>) -> SyncResult<HashMap<u32, (u64, u64)>> {
        let mut sums: HashMap<u32, (u64, u64)> = HashMap::new();
        for block in brought.blocks() {
            for object in block?.iter() {
                let Some(is_needed) = self.has(&object.key) else { continue };
                let (all, needed) = sums.entry(object.parcel).or_default();
                *all += u64::from(object.length);
                *needed += if is_needed { u64::from(object.length) } else { 0 };
            }
        }
        Ok(sums)
    }

    /// Whether any chunk of a pack is needed.
    fn has_chunk_of(&self, chunks: &[ChunkId]) -> bool {
        let mut known =
            chunks.iter().filter_map(|chunk| self.ids.has(Kind::Chunk, chunk.as_bytes())).peekable();
        known.peek().is_none() || known.any(|is_needed| is_needed)
    }

    /// Whether an object is needed; `None` when that is not known. Logs keep what counts in them and have limits of
    /// their own; what an import left belongs to commits.
    fn has(&self, key: &ObjectKey) -> Option<bool> {
        match key.kind {
            Kind::Commit
            | Kind::Tree
            | Kind::Metadata
            | Kind::ManifestNode
            | Kind::Chunk
            | Kind::Manifest => self.ids.has(key.kind, &key.id),
            Kind::Tombstone => self.ids.has(Kind::Manifest, &key.id),
            kind if kind.is_of_logs() => Some(true),
            _ => Some(self.has_commits),
        }
    }
}

impl Parts<RepoError> for Sample {
    fn node(&mut self, id: ManifestNodeId) -> Result<(), RepoError> {
        self.add(Kind::ManifestNode, id.as_bytes());
        Ok(())
    }

    fn chunk(&mut self, entry: ChunkEntry) -> Result<(), RepoError> {
        self.add(Kind::Chunk, entry.id.as_bytes());
        Ok(())
    }

    fn absent(&mut self, _: ManifestNodeId) -> Result<(), RepoError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u64) -> [u8; 32] {
        *blake3::hash(&number.to_le_bytes()).as_bytes()
    }

    #[test]
    fn of_more_ids_than_there_is_room_for_a_part_is_kept_and_answers_for_all() {
        for count in [100, 50_000] {
            let mut sample = Sample::up_to(1000);
            (0..count).for_each(|number| sample.add(Kind::Tree, &id(number)));
            assert!(sample.kept.len() <= 1000 && (count > 1000 || sample.halvings == 0));
            let answers = |ids: std::ops::Range<u64>, kind| -> Vec<bool> {
                ids.filter_map(|number| sample.has(kind, &id(number))).collect()
            };
            let there = answers(0..count, Kind::Tree);
            assert!(there.iter().all(|had| *had), "whatever was added counts, as far as it is known");
            assert!(there.len() > if count == 100 { 99 } else { 200 }, "{} of {count}", there.len());
            for strangers in [answers(count..2 * count, Kind::Tree), answers(0..count, Kind::Chunk)] {
                assert!(!strangers.is_empty() && strangers.iter().all(|had| !had));
            }
        }
    }

    #[test]
    fn parcels_are_told_apart_by_what_is_known_of_them() {
        let mut ids = Sample::up_to(1000);
        (0..40_000).for_each(|number| ids.add(Kind::Tree, &id(number)));
        (0..2000).for_each(|number| ids.add(Kind::Chunk, &id(number)));
        let need = Need { has_commits: true, ids };
        let mut brought = Listed::new(None);
        for number in 0..20_000 {
            let object =
                |parcel, kind, number| Brought { parcel, key: ObjectKey::new(kind, id(number)), length: 100 };
            brought.push(object(0, Kind::Tree, number));
            brought.push(object(1, Kind::Tree, 100_000 + number));
            brought.push(object(2, Kind::Action, number));
        }
        let sums = need.sums_of(&brought).expect("sums");
        let share =
            |number| sums.get(&number).map(|(all, needed): &(u64, u64)| (*needed * 100 / *all, *all >= 100));
        assert_eq!((share(0), share(1), share(2)), (Some((100, true)), Some((0, true)), Some((100, true))));
        let chunks = |range: std::ops::Range<u64>| -> Vec<ChunkId> {
            range.map(|number| ChunkId::from_bytes(id(number))).collect()
        };
        assert!(need.has_chunk_of(&chunks(0..2000)) && !need.has_chunk_of(&chunks(50_000..52_000)));
        assert!(need.has_chunk_of(&[]), "of nothing nothing bad is known");
    }
}
