//! Why something could not be stored or had back.

use std::io;
use std::path::{Path, PathBuf};

use crate::base::codec::DecodeError;
use crate::base::id::{ChunkId, PackId};
use crate::base::size::human_bytes;
use crate::store::txlog::LogFault;

/// Result of store operations.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// What can go wrong in the store. Every variant is something that a caller can act on.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no repository here.
    #[error("{} holds no repository", path.display())]
    NotARepository { path: PathBuf },
    /// There is a repository here already.
    #[error("{} holds a repository already", path.display())]
    AlreadyExists { path: PathBuf },
    /// The repository belongs to another user and was not allowed on purpose.
    #[error("{} belongs to another user (uid {owner})", path.display())]
    ForeignOwner { path: PathBuf, owner: u32 },
    /// The repository needs something that this program does not know.
    #[error("the repository needs the feature {feature:?}, which this program does not know")]
    UnknownFeature { feature: String },
    /// The repository is of another format version.
    #[error("the repository has format {found}, this program knows format {known}")]
    UnknownFormat { found: String, known: u32 },
    /// The `format` file cannot be made sense of.
    #[error("{} is damaged at line {line}", path.display())]
    FormatFile { path: PathBuf, line: usize },
    /// The settings record in the database cannot be made sense of.
    #[error("the settings of the repository are damaged")]
    Settings { source: DecodeError },
    /// The store was opened for reading only.
    #[error("the repository is open for reading only")]
    ReadOnly,
    /// The file system is full.
    #[error("the disk is full{}", shortage(*needed, *available))]
    DiskFull { path: PathBuf, needed: u64, available: u64 },
    /// A chunk is in no pack.
    #[error("chunk {chunk} is not in the repository")]
    MissingChunk { chunk: ChunkId },
    /// A pack that the database names is not there.
    #[error("pack {pack} is missing")]
    MissingPack { pack: PackId },
    /// A pack is shorter than the database says.
    #[error("pack {pack} is cut short: {actual} bytes of {expected}")]
    PackTruncated { pack: PackId, expected: u64, actual: u64 },
    /// Bytes of a pack are not what was written.
    #[error("pack {pack} is damaged at byte {offset}: {damage}")]
    PackDamaged { pack: PackId, offset: u64, chunk: Option<ChunkId>, damage: Damage },
    /// A pack uses encryption or names that this program does not know.
    #[error("pack {pack} uses a feature that this program does not know")]
    PackFeature { pack: PackId },
    /// A chunk or a block is larger than format 1 allows.
    #[error("a chunk of {length} bytes exceeds the limit of {limit}")]
    ChunkTooLarge { length: usize, limit: usize },
    /// The user asked to stop.
    #[error("stopped on request")]
    Cancelled,
    /// A write of this writer failed before; what it holds can no longer be published.
    #[error("an earlier write failed")]
    WriterFailed,
    /// The database file is damaged.
    #[error("the database is damaged: {detail}")]
    DatabaseDamaged { detail: String },
    /// The database is an old copy: its transaction log has transactions that it lacks.
    #[error("the database is older than its transaction log, which has {transactions} transactions more")]
    DatabaseBehind { transactions: u64 },
    /// Bytes of the transaction log are not what was written.
    #[error("the transaction log {} is damaged: {fault}", path.display())]
    LogDamaged { path: PathBuf, fault: LogFault },
    /// A record is larger than the transaction log takes.
    #[error("a record of {length} bytes exceeds the limit of {limit}")]
    RecordTooLarge { length: usize, limit: usize },
    /// The database could not do what was asked.
    #[error("the database failed")]
    Database { source: Box<redb::Error> },
    /// A file operation failed.
    #[error("{action} {} failed", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
}

/// What is wrong with bytes of a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    #[error("the pack header is not one")]
    PackHeader,
    #[error("the pack is named for another id")]
    PackName,
    #[error("no block begins here")]
    Marker,
    #[error("an unknown codec")]
    Codec,
    #[error("lengths that no writer writes")]
    Lengths,
    #[error("the checksum of the block header differs")]
    HeaderChecksum,
    #[error("the block ends past the end of the pack")]
    BlockLength,
    #[error("the compressed bytes cannot be unpacked")]
    Compression,
    #[error("the index points to a chunk that is not there")]
    Index,
    #[error("the bytes have another hash")]
    Content,
    #[error("the footer is not one")]
    Footer,
    #[error("the disk cannot read it")]
    Unreadable,
}

/// How much room is missing, when that was found out before the system refused.
fn shortage(needed: u64, available: u64) -> String {
    if needed == 0 {
        return String::new();
    }
    format!(": {} are needed and {} are free", human_bytes(needed), human_bytes(available))
}

/// Attaches what was being done, and to which file, to an input/output error.
pub(crate) trait IoContext<T> {
    /// Names the action (`reading`, `writing`) and the file.
    fn during(self, action: &'static str, path: &Path) -> Result<T>;
}

impl<T> IoContext<T> for io::Result<T> {
    fn during(self, action: &'static str, path: &Path) -> Result<T> {
        self.map_err(|source| {
            if is_full(&source) {
                return StoreError::DiskFull { path: path.to_owned(), needed: 0, available: 0 };
            }
            StoreError::Io { action, path: path.to_owned(), source }
        })
    }
}

/// Whether an error says that no space, or none within the quota, is left.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Turns an error of the database into one of the store.
pub(crate) fn database_error(error: impl Into<redb::Error>) -> StoreError {
    match error.into() {
        redb::Error::Io(source) if is_full(&source) => {
            StoreError::DiskFull { path: PathBuf::from("db.redb"), needed: 0, available: 0 }
        }
        // Bytes that are no database, or end where they should go on.
        redb::Error::Io(source)
            if matches!(source.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) =>
        {
            StoreError::DatabaseDamaged { detail: source.to_string() }
        }
        redb::Error::Corrupted(detail) => StoreError::DatabaseDamaged { detail },
        source => StoreError::Database { source: Box::new(source) },
    }
}

/// Maps the many error types of the database.
pub(crate) trait DatabaseContext<T> {
    /// As a [`StoreError`].
    fn stored(self) -> Result<T>;
}

impl<T, E: Into<redb::Error>> DatabaseContext<T> for std::result::Result<T, E> {
    fn stored(self) -> Result<T> {
        self.map_err(database_error)
    }
}
