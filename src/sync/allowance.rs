//! Which parcels of a publication brought what it needs: what others brought counts on against whoever sent
//! them, since it takes up room and nothing leads to it.

use crate::base::id::{ChunkId, CommitId, FileId, ManifestNodeId, MetadataId, PackId, TreeId};
use crate::object::manifest::ChunkEntry;
use crate::repo::{RepoError, View};
use crate::sync::content::{Parts, new_parts};
use crate::sync::error::SyncResult;
use crate::sync::incoming::Incoming;
use crate::sync::listed::{Listed, Record};
use crate::sync::receive::manifest_nodes;
use crate::sync::remote::{Kind, ObjectKey, ParcelKind, Proposal};
use crate::sync::walk::{Found, NewFile};
use std::collections::HashSet;
use std::hash::Hash;

/// A bundle and what it had, with lengths in bytes.
pub(super) type Brought = (PackId, Vec<(ObjectKey, u64)>);

/// The parcels of a proposal that brought little or nothing of what it needs.
pub(super) fn unneeded(
    view: &View,
    incoming: &Incoming,
    (found, files): (&Found, &Listed<NewFile>),
    (proposal, brought): (&Proposal, &[Brought]),
) -> SyncResult<HashSet<PackId>> {
    let need = Need::of(view, found, files)?;
    let bundles = brought.iter().filter(|(_, objects)| !need.is_worth(objects)).map(|(id, _)| *id);
    let mut unneeded: HashSet<PackId> = bundles.collect();
    for pack in proposal.parcels.iter().filter(|parcel| parcel.kind == ParcelKind::Pack) {
        if !need.has_chunk_of(&incoming.chunks(pack.id)) {
            unneeded.insert(pack.id);
        }
    }
    Ok(unneeded)
}

/// What a publication needs.
struct Need {
    commits: HashSet<CommitId>,
    trees: HashSet<TreeId>,
    metadata: HashSet<MetadataId>,
    files: HashSet<FileId>,
    content: Content,
}

#[derive(Default)]
struct Content {
    nodes: HashSet<ManifestNodeId>,
    chunks: HashSet<ChunkId>,
}

impl Need {
    /// What commits that were found and their files need, as far as it is new.
    fn of(view: &View, found: &Found, files: &Listed<NewFile>) -> SyncResult<Self> {
        let (mut content, mut ids) = (Content::default(), HashSet::new());
        for block in files.blocks() {
            for file in block?.iter() {
                ids.insert(file.id);
                content.chunks.insert(file.id.into());
                if let Some(manifest) = view.manifest(file.id)? {
                    let before = file.before.map(|before| view.manifest(before)).transpose()?.flatten();
                    new_parts(&manifest_nodes(view), &manifest, before.as_ref(), &mut content)?;
                }
            }
        }
        let commits = found.commits.iter().copied().collect();
        let (trees, metadata) = (all(&found.trees)?, all(&found.metadata)?);
        Ok(Self { commits, trees, metadata, files: ids, content })
    }

    /// Whether half of a bundle at least, by length, is needed. Logs keep what counts in them and have limits
    /// of their own; what an import left belongs to commits.
    fn is_worth(&self, brought: &[(ObjectKey, u64)]) -> bool {
        let all: u64 = brought.iter().map(|(_, length)| length).sum();
        let needed = brought.iter().filter(|(key, _)| self.has(key));
        needed.map(|(_, length)| length).sum::<u64>() >= all.div_ceil(2)
    }

    /// Whether any chunk of a pack is needed.
    fn has_chunk_of(&self, chunks: &[ChunkId]) -> bool {
        chunks.is_empty() || chunks.iter().any(|chunk| self.content.chunks.contains(chunk))
    }

    fn has(&self, key: &ObjectKey) -> bool {
        match key.kind {
            Kind::Commit => self.commits.contains(&CommitId::from_bytes(key.id)),
            Kind::Tree => self.trees.contains(&TreeId::from_bytes(key.id)),
            Kind::Metadata => self.metadata.contains(&MetadataId::from_bytes(key.id)),
            Kind::Manifest | Kind::Tombstone => self.files.contains(&FileId::from_bytes(key.id)),
            Kind::ManifestNode => self.content.nodes.contains(&ManifestNodeId::from_bytes(key.id)),
            Kind::Chunk => self.content.chunks.contains(&ChunkId::from_bytes(key.id)),
            kind if kind.is_of_logs() => true,
            _ => !self.commits.is_empty(),
        }
    }
}

fn all<T: Record + Eq + Hash>(list: &Listed<T>) -> SyncResult<HashSet<T>> {
    let mut found = HashSet::new();
    for block in list.blocks() {
        found.extend(block?.iter().copied());
    }
    Ok(found)
}

impl Parts<RepoError> for Content {
    fn node(&mut self, id: ManifestNodeId) -> Result<(), RepoError> {
        self.nodes.insert(id);
        Ok(())
    }

    fn chunk(&mut self, entry: ChunkEntry) -> Result<(), RepoError> {
        self.chunks.insert(entry.id);
        Ok(())
    }

    fn absent(&mut self, _: ManifestNodeId) -> Result<(), RepoError> {
        Ok(())
    }
}
