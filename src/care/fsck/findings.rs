//! What was found to be wrong, one line each, and what that makes unreadable.

use crate::base::id::{ChunkId, FileId, MetadataId, PackId};
use crate::repo::reach::MissingObject;
use serde::Serialize;
use std::collections::{BTreeSet, HashSet};

/// Lines that are kept; what is unreadable is always known in full.
const LINES_MAX: usize = 10_000;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FindingKind {
    /// Pages of the database.
    Database,
    /// The transaction log, which is the second copy of the records.
    TransactionLog,
    /// A pack is not there, cut short, or not the one that it is named for.
    Pack,
    /// The list at the end of a pack. The pack can be read without it.
    PackFooter,
    /// The header of a block.
    Block,
    /// The bytes of a chunk.
    Chunk,
    /// The index points to the wrong place, or to none.
    Index,
    /// A commit, folder, description or file record.
    Object,
    /// Something that is needed is not there.
    Missing,
    /// A name of a branch or tag.
    Name,
    /// A record of this clone alone: journal, worktree state, a person, a tombstone.
    Record,
    /// A file beside the database that can be made anew.
    Sidecar,
    /// The settings of this repository.
    Settings,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What kind of thing.
    pub kind: FindingKind,
    /// In which pack.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pack: Option<PackId>,
    /// Where in it, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// Which chunk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chunk: Option<ChunkId>,
    /// What is wrong, as a sentence without its full stop.
    pub message: String,
}

impl Finding {
    /// Something that lies in no pack.
    pub fn of(kind: FindingKind, message: impl Into<String>) -> Self {
        Self { kind, pack: None, offset: None, chunk: None, message: message.into() }
    }

    /// Something in a pack.
    pub fn in_pack(kind: FindingKind, pack: PackId, offset: Option<u64>, message: impl Into<String>) -> Self {
        Self { pack: Some(pack), offset, ..Self::of(kind, message) }
    }

    /// A chunk, in a pack as far as is known.
    pub fn chunk(
        kind: FindingKind,
        pack: Option<PackId>,
        offset: Option<u64>,
        chunk: ChunkId,
        message: impl Into<String>,
    ) -> Self {
        Self { pack, offset, chunk: Some(chunk), ..Self::of(kind, message) }
    }

    /// An object that is not there.
    pub fn missing(object: &MissingObject) -> Self {
        Self::of(FindingKind::Missing, format!("{} {} is missing", object.kind, object.id))
    }
}

/// Everything that is wrong.
#[derive(Debug, Default)]
pub struct Findings {
    lines: Vec<Finding>,
    total: u64,
    /// Chunks whose bytes cannot be had.
    chunks: HashSet<ChunkId>,
    /// Files that have neither a manifest nor a chunk.
    files: HashSet<FileId>,
    /// Descriptions that are not there or cannot be read.
    metadata: HashSet<MetadataId>,
    /// Packs that something is wrong with.
    packs: BTreeSet<PackId>,
    concerns_content: bool,
}

impl Findings {
    /// The lines, at most ten thousand.
    pub fn lines(&self) -> &[Finding] {
        &self.lines
    }

    /// How many things are wrong.
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// Whether nothing is wrong.
    pub const fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// Whether content or records of history are concerned.
    pub const fn concerns_content(&self) -> bool {
        self.concerns_content
    }

    /// Chunks whose bytes cannot be had.
    pub const fn chunks(&self) -> &HashSet<ChunkId> {
        &self.chunks
    }

    /// Packs that something is wrong with.
    pub const fn packs(&self) -> &BTreeSet<PackId> {
        &self.packs
    }

    /// Whether a file has nothing that says how to put it together.
    pub fn has_file(&self, file: FileId) -> bool {
        self.files.contains(&file)
    }

    /// Whether a description is not there or cannot be read.
    pub fn has_metadata(&self, id: MetadataId) -> bool {
        self.metadata.contains(&id)
    }

    /// Takes note of something.
    pub fn add(&mut self, finding: Finding) {
        self.total += 1;
        self.packs.extend(finding.pack);
        self.concerns_content |= !matches!(
            finding.kind,
            FindingKind::PackFooter
                | FindingKind::TransactionLog
                | FindingKind::Name
                | FindingKind::Record
                | FindingKind::Sidecar
                | FindingKind::Settings
        );
        if self.lines.len() < LINES_MAX {
            self.lines.push(finding);
        }
    }

    /// Takes note of a chunk whose bytes cannot be had; says it once.
    pub fn add_chunk(&mut self, finding: Finding) {
        if finding.chunk.is_some_and(|chunk| self.chunks.insert(chunk)) {
            self.add(finding);
        }
    }

    /// Takes note of a file that nothing says how to put together.
    pub fn add_missing_file(&mut self, file: FileId) {
        if self.chunks.contains(&file.into()) {
            return;
        }
        if self.files.insert(file) {
            self.add(Finding::of(FindingKind::Missing, format!("the content of file {file} is missing")));
        }
    }

    /// Takes note of a description that is not there.
    pub fn add_missing_metadata(&mut self, id: MetadataId) {
        if self.metadata.insert(id) {
            self.add(Finding::of(FindingKind::Missing, format!("metadata {id} is missing")));
        }
    }

    /// Takes note of a description that cannot be read.
    pub fn add_damaged_metadata(&mut self, id: MetadataId, message: String) {
        self.metadata.insert(id);
        self.add(Finding::of(FindingKind::Object, message));
    }
}
