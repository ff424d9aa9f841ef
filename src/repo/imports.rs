//! What imports leave behind: originals byte for byte, and which of them became what here.
//!
//! A commit that came from Git carries the Git id in an extension field ([`GIT_COMMIT`]), so its own id
//! vouches for the original. The original itself stands beside it, in [`Space::Origins`]: it holds
//! names and addresses, and what holds those must be erasable without changing an id. Everything in
//! [`Space::Imports`] only saves work and can be made again by another import. The exact bytes are
//! in `docs/format/imports.md`.

use crate::base::codec::{DecodeError, DecodeErrorKind, Decoder, Encoder};
use crate::base::id::{CommitId, FileId, GitId};
use crate::object::commit::Commit;
use crate::object::tree::{Content, ForeignAlgorithm};
use crate::repo::error::RepoError;
use crate::repo::refs::RefName;
use crate::repo::view::View;
use crate::store::Space;
use std::collections::HashMap;

/// Key of the commit extension that names the Git commit which a commit was made from: 20 bytes.
pub const GIT_COMMIT: &str = "git-commit";
/// Key of the commit extension that lists the paths to which an import was narrowed.
pub const GIT_PATHS: &str = "git-paths";
/// Key of the names that the last commits of an unfinished import are kept alive by.
pub const UNFINISHED_KEY: &[u8] = b"p";
/// Key of the note that commits of imports came from another clone, and no records of them.
pub const STALE_KEY: &[u8] = b"x";
/// The note itself; any other value says that the records are there.
pub const STALE: &[u8] = &[1];
const VERSION: u8 = 1;
/// Most entries and longest bytes of one record.
const RECORD_MAX: usize = 1 << 28;

/// Tells imports of the same history apart that were narrowed to different paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scope([u8; 8]);

impl Scope {
    /// The scope of an import of everything, or of the given paths.
    pub fn of(paths: &[Vec<u8>]) -> Self {
        if paths.is_empty() {
            return Self::default();
        }
        let mut hasher = blake3::Hasher::new_derive_key("pentimento import scope v1");
        for path in paths {
            hasher.update(&(path.len() as u64).to_le_bytes()).update(path);
        }
        let mut scope = [0; 8];
        scope.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
        Self(scope)
    }
}

/// Under which keys records lie.
pub mod key {
    use super::{FileId, ForeignAlgorithm, GitId, Scope};

    fn join(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let mut key = vec![tag];
        parts.iter().for_each(|part| key.extend_from_slice(part));
        key
    }

    /// Git commit to commit.
    pub fn commit(scope: Scope, id: GitId) -> Vec<u8> {
        join(b'c', &[&scope.0, id.as_bytes()])
    }

    /// All keys of [`commit`].
    pub fn commits(scope: Scope) -> Vec<u8> {
        join(b'c', &[&scope.0])
    }

    /// Git commit that came without some of its parents.
    pub fn cut(scope: Scope, id: GitId) -> Vec<u8> {
        join(b's', &[&scope.0, id.as_bytes()])
    }

    /// All keys of [`cut`].
    pub fn cuts(scope: Scope) -> Vec<u8> {
        join(b's', &[&scope.0])
    }

    /// Git blob to content.
    pub fn blob(id: GitId) -> Vec<u8> {
        join(b'b', &[id.as_bytes()])
    }

    /// All keys of [`blob`].
    pub const BLOBS: &[u8] = b"b";

    /// Git tree to what of it does not follow from the tree here.
    pub fn tree(id: GitId) -> Vec<u8> {
        join(b't', &[id.as_bytes()])
    }

    /// All keys of [`tree`].
    pub const TREES: &[u8] = b"t";

    /// File to the SHA-256 by which Git LFS names it.
    pub fn lfs(file: FileId) -> Vec<u8> {
        join(b'l', &[file.as_bytes()])
    }

    /// All keys of [`lfs`].
    pub const LFS: &[u8] = b"l";

    /// Git reference to the source that it was last imported from.
    pub fn source(scope: Scope, name: &[u8]) -> Vec<u8> {
        join(b'f', &[&scope.0, name])
    }

    /// Name of a branch or tag here to where an import last put it beside one that has work of its own.
    pub fn beside(name: &[u8]) -> Vec<u8> {
        join(b'o', &[name])
    }

    /// Git reference to where it pointed when it was last imported.
    pub fn reference(scope: Scope, name: &[u8]) -> Vec<u8> {
        join(b'r', &[&scope.0, name])
    }

    /// All keys of [`reference`].
    pub fn references(scope: Scope) -> Vec<u8> {
        join(b'r', &[&scope.0])
    }

    /// Git reference that is neither a branch nor a tag here: kept for the way back.
    pub fn kept(name: &[u8]) -> Vec<u8> {
        join(b'k', &[name])
    }

    /// All keys of [`kept`].
    pub const KEPT: &[u8] = b"k";

    /// Foreign content that no import has found yet.
    pub fn missing(algorithm: ForeignAlgorithm, digest: &[u8]) -> Vec<u8> {
        join(b'm', &[&[algorithm.tag()], digest])
    }

    /// All keys of [`missing`].
    pub const MISSING: &[u8] = b"m";

    /// In the space of originals: a Git tag or blob, byte for byte.
    pub fn original(id: GitId) -> Vec<u8> {
        join(b'g', &[id.as_bytes()])
    }

    /// All keys of [`original`].
    pub const ORIGINALS: &[u8] = b"g";

    /// In the space of foreign content: the hash by which it is known.
    pub fn tie(algorithm: ForeignAlgorithm, digest: &[u8]) -> Vec<u8> {
        join(algorithm.tag(), &[digest])
    }
}

/// A byte that is 0 or 1.
fn flag(input: &mut Decoder<'_>) -> Result<bool, DecodeError> {
    match input.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(input.error(DecodeErrorKind::Value)),
    }
}

/// What a Git blob became.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlobRecord {
    /// Content as it is.
    File { file: FileId, size: u64 },
    /// A Git LFS pointer whose content was at hand. `plain` says that the pointer's text follows from
    /// hash and size.
    Lfs { file: FileId, size: u64, sha256: [u8; 32], plain: bool },
    /// Content that was not at hand: a pointer without its object, a blob that a partial clone lacks.
    Foreign { algorithm: ForeignAlgorithm, digest: Vec<u8>, size: u64, plain: bool },
}

impl BlobRecord {
    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::with_version(VERSION);
        match self {
            Self::File { file, size } => out.u8(0).raw(file.as_bytes()).uint(*size),
            Self::Lfs { file, size, sha256, plain } => {
                out.u8(1).raw(file.as_bytes()).uint(*size).raw(sha256).u8(u8::from(*plain))
            }
            Self::Foreign { algorithm, digest, size, plain } => {
                out.u8(2).u8(algorithm.tag()).bytes(digest).uint(*size).u8(u8::from(*plain))
            }
        };
        out.finish()
    }

    /// Reads canonical bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Decoder::new("blob record", bytes);
        input.version(VERSION)?;
        let record = match input.u8()? {
            0 => Self::File { file: FileId::from_bytes(input.array()?), size: input.uint()? },
            1 => Self::Lfs {
                file: FileId::from_bytes(input.array()?),
                size: input.uint()?,
                sha256: input.array()?,
                plain: flag(&mut input)?,
            },
            2 => {
                let algorithm = ForeignAlgorithm::from_tag(input.u8()?);
                let algorithm = algorithm.ok_or_else(|| input.error(DecodeErrorKind::Tag))?;
                let digest = input.bytes(algorithm.digest_bytes())?.to_vec();
                Self::Foreign { algorithm, digest, size: input.uint()?, plain: flag(&mut input)? }
            }
            _ => return Err(input.error(DecodeErrorKind::Tag)),
        };
        input.finish()?;
        Ok(record)
    }

    /// The content of an entry of a tree that has this blob.
    pub fn content(&self, executable: bool) -> Content {
        match self {
            Self::File { file, size } | Self::Lfs { file, size, .. } => {
                Content::File { id: *file, size: *size, executable }
            }
            Self::Foreign { algorithm, digest, size, .. } => {
                Content::Foreign { algorithm: *algorithm, digest: digest.clone(), size: *size, executable }
            }
        }
    }
}

/// What of a Git tree does not follow from the tree that was made of it. Trees that follow have no
/// such record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TreeForm {
    /// The Git tree byte for byte: other modes, another order, entries that were left out.
    Verbatim(Vec<u8>),
    /// The differences, by position among the entries here.
    Marked {
        /// Files that stand there as Git LFS pointers.
        pointers: Vec<u64>,
        /// Entries that have another object id there: pointers of unusual form, folders with a form
        /// of their own.
        ids: Vec<(u64, GitId)>,
    },
}

impl TreeForm {
    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::with_version(VERSION);
        match self {
            Self::Verbatim(bytes) => {
                out.u8(0).bytes(bytes);
            }
            Self::Marked { pointers, ids } => {
                out.u8(1).uint(pointers.len() as u64);
                let mut next = 0;
                for position in pointers {
                    out.uint(position - next);
                    next = position + 1;
                }
                out.uint(ids.len() as u64);
                for (position, id) in ids {
                    out.uint(*position).raw(id.as_bytes());
                }
            }
        }
        out.finish()
    }

    /// Reads canonical bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Decoder::new("tree form", bytes);
        input.version(VERSION)?;
        let form = match input.u8()? {
            0 => Self::Verbatim(input.bytes(RECORD_MAX)?.to_vec()),
            1 => {
                let (mut pointers, mut ids, mut next) = (Vec::new(), Vec::new(), 0u64);
                for _ in 0..input.count(RECORD_MAX)? {
                    let gap = input.uint()?;
                    let position = next.checked_add(gap).filter(|at| *at < u64::MAX);
                    let position = position.ok_or_else(|| input.error(DecodeErrorKind::Number))?;
                    pointers.push(position);
                    next = position + 1;
                }
                for _ in 0..input.count(RECORD_MAX)? {
                    ids.push((input.uint()?, GitId::from_bytes(input.array()?)));
                }
                Self::Marked { pointers, ids }
            }
            _ => return Err(input.error(DecodeErrorKind::Tag)),
        };
        input.finish()?;
        Ok(form)
    }
}

/// Where a Git reference pointed when it was last imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReferenceRecord {
    /// What it named: a commit or an annotated tag.
    pub git: GitId,
    /// The commit here; `None` when it named no commit.
    pub commit: Option<CommitId>,
}

impl ReferenceRecord {
    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::with_version(VERSION);
        out.raw(self.git.as_bytes()).u8(u8::from(self.commit.is_some()));
        if let Some(commit) = &self.commit {
            out.raw(commit.as_bytes());
        }
        out.finish()
    }

    /// Reads canonical bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Decoder::new("reference record", bytes);
        input.version(VERSION)?;
        let git = GitId::from_bytes(input.array()?);
        let commit = if flag(&mut input)? { Some(CommitId::from_bytes(input.array()?)) } else { None };
        input.finish()?;
        Ok(Self { git, commit })
    }
}

/// Foreign content that was not at hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingRecord {
    /// Its size in bytes, as far as it is known.
    pub size: u64,
    /// A path at which it stood, as bytes.
    pub path: Vec<u8>,
}

impl MissingRecord {
    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::with_version(VERSION);
        out.uint(self.size).bytes(&self.path);
        out.finish()
    }

    /// Reads canonical bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Decoder::new("missing content record", bytes);
        input.version(VERSION)?;
        let record = Self { size: input.uint()?, path: input.bytes(RECORD_MAX)?.to_vec() };
        input.finish()?;
        Ok(record)
    }
}

/// The Git commit that a commit was made from, unless only some paths of it were taken.
pub fn git_commit_of(commit: &Commit) -> Option<GitId> {
    let field = |key: &str| commit.extensions.iter().find(|(name, _)| name == key);
    if field(GIT_PATHS).is_some() {
        return None;
    }
    GitId::from_slice(&field(GIT_COMMIT)?.1)
}

/// The id of a Git object; `None` for bytes that were made to have the id of others.
pub fn object_id(kind: gix::objs::Kind, bytes: &[u8]) -> Option<GitId> {
    let id = gix::objs::compute_hash(gix::hash::Kind::Sha1, kind, bytes).ok()?;
    GitId::from_slice(id.as_bytes())
}

/// The tree that a Git commit names.
pub fn git_tree_of(commit: &[u8]) -> Option<GitId> {
    let line = commit.split(|byte| *byte == b'\n').next()?;
    hex_id(line.strip_prefix(b"tree ")?)
}

/// What an annotated Git tag names; `None` for what is no tag.
pub fn git_tag_target(tag: &[u8]) -> Option<GitId> {
    let line = tag.split(|byte| *byte == b'\n').next()?;
    hex_id(line.strip_prefix(b"object ")?)
}

/// The ids of the entries of a Git tree, as far as it can be read.
pub fn git_tree_entries(tree: &[u8]) -> Vec<GitId> {
    let (mut ids, mut rest) = (Vec::new(), tree);
    while let Some(end) = rest.iter().position(|byte| *byte == 0) {
        let Some((id, after)) = rest[end + 1..].split_at_checked(GitId::SIZE) else { break };
        ids.extend(GitId::from_slice(id));
        rest = after;
    }
    ids
}

fn hex_id(text: &[u8]) -> Option<GitId> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Encodes the tie of foreign content to a file.
pub fn encode_tie(file: FileId, size: u64) -> Vec<u8> {
    let mut out = Encoder::with_version(VERSION);
    out.raw(file.as_bytes()).uint(size);
    out.finish()
}

fn decode_tie(bytes: &[u8]) -> Result<(FileId, u64), DecodeError> {
    let mut input = Decoder::new("tie", bytes);
    input.version(VERSION)?;
    let tie = (FileId::from_bytes(input.array()?), input.uint()?);
    input.finish()?;
    Ok(tie)
}

fn damaged(kind: &'static str, id: impl std::fmt::Display) -> impl FnOnce(DecodeError) -> RepoError {
    let id = id.to_string();
    move |source| RepoError::Damaged { kind, id, source }
}

impl View {
    /// The original bytes of the Git commit that a commit was made from; `None` when they were erased
    /// or never came along.
    pub fn git_original(&self, id: CommitId) -> Result<Option<Vec<u8>>, RepoError> {
        Ok(self.snapshot().get(Space::Origins, id.as_bytes())?)
    }

    /// The commit that an import made last of a Git commit.
    pub fn git_commit_here(&self, scope: Scope, id: GitId) -> Result<Option<CommitId>, RepoError> {
        let bytes: Option<Vec<u8>> = self.snapshot().get(Space::Imports, &key::commit(scope, id))?;
        let Some(commit) = bytes.as_deref().and_then(CommitId::from_slice) else { return Ok(None) };
        let found: Option<Vec<u8>> = self.snapshot().get(Space::Commits, commit.as_bytes())?;
        Ok(found.map(|_| commit))
    }

    /// The original bytes of an annotated Git tag, or of a Git blob that nothing else tells.
    pub fn git_object(&self, id: GitId) -> Result<Option<Vec<u8>>, RepoError> {
        Ok(self.snapshot().get(Space::Origins, &key::original(id))?)
    }

    /// What of a Git tree does not follow from the tree here.
    pub fn git_tree_form(&self, id: GitId) -> Result<Option<TreeForm>, RepoError> {
        let bytes: Option<Vec<u8>> = self.snapshot().get(Space::Imports, &key::tree(id))?;
        bytes.map(|bytes| TreeForm::decode(&bytes)).transpose().map_err(damaged("Git tree form", id))
    }

    /// The SHA-256 by which Git LFS knows a file, when an import has met it.
    pub fn lfs_digest(&self, file: FileId) -> Result<Option<[u8; 32]>, RepoError> {
        let bytes: Option<Vec<u8>> = self.snapshot().get(Space::Imports, &key::lfs(file))?;
        Ok(bytes.and_then(|bytes| bytes.try_into().ok()))
    }

    /// Where Git references pointed when they were last imported, by their full names.
    pub fn git_references(&self, scope: Scope) -> Result<Vec<(Vec<u8>, ReferenceRecord)>, RepoError> {
        self.references_below(&key::references(scope))
    }

    /// The annotated Git tags that are here, by the full names that they say they have.
    pub fn git_tags_by_name(&self) -> Result<HashMap<Vec<u8>, GitId>, RepoError> {
        let mut tags = HashMap::new();
        for row in self.snapshot().scan_prefix(Space::Origins, b"g")? {
            let (key, bytes) = row?;
            // Commits are kept in the same space, under ids of another length.
            let Some(id) = GitId::from_slice(&key[1..]) else { continue };
            let mut lines = bytes.split(|byte| *byte == b'\n');
            let name = lines
                .find_map(|line| line.strip_prefix(b"tag "))
                .filter(|_| git_tag_target(&bytes).is_some());
            if let Some(name) = name {
                tags.insert([b"refs/tags/", name].concat(), id);
            }
        }
        Ok(tags)
    }

    /// Where an import last put a name that stands beside another with work of its own.
    pub fn put_beside(&self, name: &RefName) -> Result<Option<CommitId>, RepoError> {
        let key = key::beside(name.as_str().as_bytes());
        let bytes: Option<Vec<u8>> = self.snapshot().get(Space::Imports, &key)?;
        Ok(bytes.as_deref().and_then(CommitId::from_slice))
    }

    /// Git references that are neither a branch nor a tag here, by their full names.
    pub fn kept_git_references(&self) -> Result<Vec<(Vec<u8>, ReferenceRecord)>, RepoError> {
        self.references_below(key::KEPT)
    }

    fn references_below(&self, prefix: &[u8]) -> Result<Vec<(Vec<u8>, ReferenceRecord)>, RepoError> {
        let mut all = Vec::new();
        for row in self.snapshot().scan_prefix(Space::Imports, prefix)? {
            let (key, bytes) = row?;
            let name = key[prefix.len()..].to_vec();
            let shown = String::from_utf8_lossy(&name).into_owned();
            let record = ReferenceRecord::decode(&bytes).map_err(damaged("Git reference", shown))?;
            all.push((name, record));
        }
        Ok(all)
    }

    /// The newest commits of imports that were cut off: what lies behind them is to stay.
    pub fn unfinished_imports(&self) -> Result<Vec<CommitId>, RepoError> {
        let bytes = self.snapshot().get(Space::Imports, UNFINISHED_KEY)?.unwrap_or_default();
        Ok(bytes.chunks_exact(CommitId::SIZE).filter_map(CommitId::from_slice).collect())
    }

    /// The file that foreign content was found to be, with its size.
    pub fn tie(
        &self,
        algorithm: ForeignAlgorithm,
        digest: &[u8],
    ) -> Result<Option<(FileId, u64)>, RepoError> {
        self.tie_at(&key::tie(algorithm, digest))
    }

    /// The tie under a key of the space of foreign content.
    pub fn tie_at(&self, key: &[u8]) -> Result<Option<(FileId, u64)>, RepoError> {
        let bytes: Option<Vec<u8>> = self.snapshot().get(Space::Foreign, key)?;
        let tie = bytes.map(|bytes| decode_tie(&bytes)).transpose();
        tie.map_err(damaged("tie of foreign content", "of an import"))
    }

    /// Whether any foreign content was found to be a file.
    pub fn has_ties(&self) -> Result<bool, RepoError> {
        Ok(self.snapshot().scan_prefix(Space::Foreign, b"")?.next().is_some())
    }

    /// The content itself where it is known: a foreign entry that was tied to a file is that file.
    pub fn at_hand(&self, content: Content) -> Result<Content, RepoError> {
        let Content::Foreign { algorithm, digest, executable, .. } = &content else { return Ok(content) };
        Ok(match self.tie(*algorithm, digest)? {
            Some((id, size)) => Content::File { id, size, executable: *executable },
            None => content,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_decode_to_themselves_and_have_their_frozen_bytes() {
        let file = FileId::from_bytes([1; 32]);
        let records = [
            BlobRecord::File { file, size: 300 },
            BlobRecord::Lfs { file, size: 5, sha256: [2; 32], plain: true },
            BlobRecord::Foreign {
                algorithm: ForeignAlgorithm::GitBlobSha1,
                digest: vec![3; 20],
                size: 0,
                plain: true,
            },
        ];
        for record in records {
            assert_eq!(BlobRecord::decode(&record.encode()), Ok(record));
        }
        let form = TreeForm::Marked { pointers: vec![0, 1, 7], ids: vec![(2, GitId::from_bytes([4; 20]))] };
        let bytes = form.encode();
        assert_eq!(bytes[..8], [1, 1, 3, 0, 0, 5, 1, 2]);
        assert_eq!(TreeForm::decode(&bytes), Ok(form));
        let verbatim = TreeForm::Verbatim(b"100664 a\0".to_vec());
        assert_eq!(TreeForm::decode(&verbatim.encode()), Ok(verbatim));
        let reference =
            ReferenceRecord { git: GitId::from_bytes([5; 20]), commit: Some(CommitId::from_bytes([6; 32])) };
        assert_eq!(ReferenceRecord::decode(&reference.encode()), Ok(reference));
        let missing = MissingRecord { size: 9, path: b"a/b".to_vec() };
        assert_eq!(MissingRecord::decode(&missing.encode()), Ok(missing));
    }

    #[test]
    fn a_narrowed_import_vouches_for_no_git_commit() {
        assert_ne!(Scope::of(&[b"a".to_vec()]), Scope::of(&[]));
        assert_ne!(Scope::of(&[b"a".to_vec()]), Scope::of(&[b"b".to_vec()]));
    }
}
