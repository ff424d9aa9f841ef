//! The keyed byte spaces of the store and the tables behind them.

use redb::TableDefinition;

use crate::base::id::PackId;
use crate::store::error::{Result, StoreError};

/// A keyed space of bytes. What keys and values mean is the business of the floors above.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Space {
    /// Directories and nodes of large ones.
    Trees,
    /// Metadata objects.
    Metadata,
    /// Commits.
    Commits,
    /// Nodes of manifests.
    ManifestNodes,
    /// Roots of manifests, by file id.
    Manifests,
    /// Branches, tags and other refs.
    Refs,
    /// What this clone did.
    Journal,
    /// People's names and addresses.
    People,
    /// What the worktree stands on.
    WorktreeState,
    /// Settings kept by the repository.
    Settings,
    /// Permissions to remove bytes for good.
    Tombstones,
    /// File ids found for foreign content.
    Foreign,
    /// The shared log.
    SharedLog,
    /// The review log.
    ReviewLog,
    /// What nothing reached any more, and since when.
    Condemned,
    /// What imports know of other systems: which of their objects became what here.
    Imports,
    /// Objects of other systems, byte for byte.
    Origins,
    /// Signatures of commits, by commit and key.
    CommitSignatures,
    /// Trees of sets that travel; follows from other spaces.
    Sets,
}

impl Space {
    /// All spaces.
    pub const ALL: [Self; 19] = [
        Self::Trees,
        Self::Metadata,
        Self::Commits,
        Self::ManifestNodes,
        Self::Manifests,
        Self::Refs,
        Self::Journal,
        Self::People,
        Self::WorktreeState,
        Self::Settings,
        Self::Tombstones,
        Self::Foreign,
        Self::SharedLog,
        Self::ReviewLog,
        Self::Condemned,
        Self::Imports,
        Self::Origins,
        Self::CommitSignatures,
        Self::Sets,
    ];

    /// Name of the table in the database.
    pub const fn table_name(self) -> &'static str {
        match self {
            Self::Trees => "trees",
            Self::Metadata => "metadata",
            Self::Commits => "commits",
            Self::ManifestNodes => "manifest-nodes",
            Self::Manifests => "manifests",
            Self::Refs => "refs",
            Self::Journal => "journal",
            Self::People => "people",
            Self::WorktreeState => "worktree-state",
            Self::Settings => "settings",
            Self::Tombstones => "tombstones",
            Self::Foreign => "foreign",
            Self::SharedLog => "shared-log",
            Self::ReviewLog => "review-log",
            Self::Condemned => "condemned",
            Self::Imports => "imports",
            Self::Origins => "origins",
            Self::CommitSignatures => "commit-signatures",
            Self::Sets => "sets",
        }
    }

    /// The number that stands for it in the transaction log; none is ever given another meaning.
    pub(crate) const fn tag(self) -> u8 {
        match self {
            Self::Trees => 1,
            Self::Metadata => 2,
            Self::Commits => 3,
            Self::ManifestNodes => 4,
            Self::Manifests => 5,
            Self::Refs => 6,
            Self::Journal => 7,
            Self::People => 8,
            Self::WorktreeState => 9,
            Self::Settings => 10,
            Self::Tombstones => 11,
            Self::Foreign => 12,
            Self::SharedLog => 13,
            Self::ReviewLog => 14,
            Self::Condemned => 15,
            Self::Imports => 16,
            Self::Origins => 17,
            Self::CommitSignatures => 18,
            Self::Sets => 19,
        }
    }

    /// The space that a number stands for.
    pub(crate) fn of_tag(tag: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|space| space.tag() == tag)
    }

    /// Whether its changes go into the transaction log. The list of what nothing reached is found again
    /// by the next collection, and the trees of sets are made again.
    pub(crate) const fn is_logged(self) -> bool {
        !matches!(self, Self::Condemned | Self::Sets)
    }

    pub(crate) const fn table(self) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
        TableDefinition::new(self.table_name())
    }

    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

/// The chunk index: chunk id to place.
pub(crate) const CHUNKS: TableDefinition<'static, &[u8; 32], &[u8; 20]> = TableDefinition::new("chunks");
/// The packs, by local number.
pub(crate) const PACKS: TableDefinition<'static, u32, &[u8; 48]> = TableDefinition::new("packs");
/// What the store keeps about itself.
pub(crate) const STORE: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("store");
/// Key of the settings record in [`STORE`].
pub(crate) const SETTINGS_KEY: &str = "settings";

/// Where a chunk lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChunkLocation {
    /// Local number of the pack.
    pub pack: u32,
    /// Offset of the block in the pack in bytes.
    pub block_offset: u32,
    /// Offset of the chunk in the raw bytes of the block.
    pub raw_offset: u32,
    /// Raw length of the chunk in bytes.
    pub length: u32,
    /// Length of the block, header included, in bytes.
    pub block_length: u32,
}

impl ChunkLocation {
    pub(crate) fn encode(&self) -> [u8; 20] {
        let mut bytes = [0u8; 20];
        let fields = [self.pack, self.block_offset, self.raw_offset, self.length, self.block_length];
        for (slot, field) in bytes.chunks_exact_mut(4).zip(fields) {
            slot.copy_from_slice(&field.to_le_bytes());
        }
        bytes
    }

    pub(crate) fn decode(bytes: &[u8; 20]) -> Self {
        let field = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        Self {
            pack: field(0),
            block_offset: field(4),
            raw_offset: field(8),
            length: field(12),
            block_length: field(16),
        }
    }
}

/// What the database records of a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackRecord {
    /// Names the file.
    pub id: PackId,
    /// Bytes of the file that count, footer included when sealed.
    pub length: u64,
    /// Raw bytes of all chunks ever put into it.
    pub raw_bytes: u64,
    /// Blocks in it.
    pub blocks: u32,
    /// Chunks ever put into it.
    pub chunks: u32,
    /// Whether it has its footer and will not grow.
    pub sealed: bool,
}

impl PackRecord {
    pub(crate) fn encode(&self) -> [u8; 48] {
        let mut bytes = [0u8; 48];
        bytes[..16].copy_from_slice(self.id.as_bytes());
        bytes[16..24].copy_from_slice(&self.length.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.raw_bytes.to_le_bytes());
        bytes[32..36].copy_from_slice(&self.blocks.to_le_bytes());
        bytes[36..40].copy_from_slice(&self.chunks.to_le_bytes());
        bytes[40] = u8::from(self.sealed);
        bytes
    }

    /// Reads a row. One that no writer of format 1 would write is damage.
    pub(crate) fn decode(bytes: &[u8; 48]) -> Result<Self> {
        let mut id = [0u8; 16];
        id.copy_from_slice(&bytes[..16]);
        let long = |at: usize| {
            let mut field = [0u8; 8];
            field.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(field)
        };
        let record = Self {
            id: PackId::from_bytes(id),
            length: long(16),
            raw_bytes: long(24),
            blocks: long(32) as u32,
            chunks: (long(32) >> 32) as u32,
            sealed: bytes[40] == 1,
        };
        if record.encode() == *bytes {
            return Ok(record);
        }
        let detail = format!("the record of pack {} has bytes that nobody writes", record.id);
        Err(StoreError::DatabaseDamaged { detail })
    }
}
