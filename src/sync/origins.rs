//! What imports left beside history: originals byte for byte, the forms of Git trees, ties of foreign
//! content. It travels with the commits that it belongs to, so that any clone can give history back to Git
//! under the ids that it had there.
//!
//! | kind | key | bytes |
//! |---|---|---|
//! | Git commit | commit id | commit id, the Git commit |
//! | Git object | its Git id, zeros | 1 for a tag or 0 for a blob, the object |
//! | form of a Git tree | its Git id, zeros | Git id, the form |
//! | Git LFS digest | file id | file id, SHA-256 |
//! | tie | its digest, zeros | algorithm, digest, file id, size |
//!
//! Git commits and objects are compared with their ids when they come. Forms and digests cannot be: whoever
//! exports compares what comes of them. A tie counts when the content was hashed by its algorithm.

use crate::base::codec::{DecodeError, DecodeErrorKind, Decoder, Encoder};
use crate::base::id::{CommitId, FileId, GitId};
use crate::object::tree::ForeignAlgorithm;
use crate::repo::imports::{TreeForm, git_commit_of, git_tree_entries, git_tree_of, object_id};
use crate::repo::refs::RefKind;
use crate::repo::{RepoError, View};
use crate::store::Space;
use crate::sync::error::SyncResult;
use crate::sync::remote::{Kind, ObjectKey};
use crate::sync::walk::Found;
use gix::objs::Kind as GitKind;
use std::collections::HashSet;

/// Hashes by which foreign content is known.
const ALGORITHMS: [ForeignAlgorithm; 3] =
    [ForeignAlgorithm::Sha256, ForeignAlgorithm::GitBlobSha1, ForeignAlgorithm::GitBlobSha256];

/// The tie of foreign content to a file, as it travels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tie {
    /// By which hash the content is known.
    pub algorithm: ForeignAlgorithm,
    /// That hash.
    pub digest: Vec<u8>,
    /// The file.
    pub file: FileId,
    /// Its length in bytes.
    pub size: u64,
}

impl Tie {
    /// The bytes that travel.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::default();
        out.u8(self.algorithm.tag()).raw(&self.digest).raw(self.file.as_bytes()).uint(self.size);
        out.finish()
    }

    /// Reads bytes that travelled.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Decoder::new("tie", bytes);
        let algorithm = ForeignAlgorithm::from_tag(input.u8()?);
        let algorithm = algorithm.ok_or_else(|| input.error(DecodeErrorKind::Tag))?;
        let digest = input.raw(algorithm.digest_bytes())?.to_vec();
        let tie = Self { algorithm, digest, file: FileId::from_bytes(input.array()?), size: input.uint()? };
        input.finish()?;
        Ok(tie)
    }
}

/// Whether objects of this kind are what imports left.
pub const fn is_origin(kind: Kind) -> bool {
    matches!(kind, Kind::GitCommit | Kind::GitObject | Kind::GitTreeForm | Kind::LfsDigest | Kind::Tie)
}

fn padded(id: GitId) -> [u8; 32] {
    let mut key = [0; 32];
    key[..GitId::SIZE].copy_from_slice(id.as_bytes());
    key
}

fn git_id(key: &ObjectKey) -> GitId {
    let mut id = [0; GitId::SIZE];
    id.copy_from_slice(&key.id[..GitId::SIZE]);
    GitId::from_bytes(id)
}

/// The key of a tie: its digest, and zeros.
fn tie_key(digest: &[u8]) -> ObjectKey {
    let mut id = [0; 32];
    let length = digest.len().min(id.len());
    id[..length].copy_from_slice(&digest[..length]);
    ObjectKey::new(Kind::Tie, id)
}

/// The id of an object of these kinds, from its bytes; `None` when it is none.
pub fn identify(kind: Kind, bytes: &[u8]) -> Option<[u8; 32]> {
    match kind {
        Kind::GitCommit => Some(*split_commit(bytes)?.0.as_bytes()),
        Kind::GitObject => {
            let (tag, object) = bytes.split_first()?;
            let kind = match tag {
                0 => GitKind::Blob,
                1 => GitKind::Tag,
                _ => return None,
            };
            Some(padded(object_id(kind, object)?))
        }
        Kind::GitTreeForm => {
            let (id, form) = split_form(bytes)?;
            TreeForm::decode(form).ok()?;
            Some(padded(id))
        }
        Kind::LfsDigest => Some(*split_digest(bytes)?.0.as_bytes()),
        Kind::Tie => {
            let tie = Tie::decode(bytes).ok()?;
            Some(tie_key(&tie.digest).id)
        }
        _ => None,
    }
}

/// Takes a Git commit on its way apart.
pub fn split_commit(bytes: &[u8]) -> Option<(CommitId, &[u8])> {
    let (id, original) = bytes.split_at_checked(CommitId::SIZE)?;
    Some((CommitId::from_slice(id)?, original))
}

/// Takes the form of a Git tree on its way apart.
pub fn split_form(bytes: &[u8]) -> Option<(GitId, &[u8])> {
    let (id, form) = bytes.split_at_checked(GitId::SIZE)?;
    Some((GitId::from_slice(id)?, form))
}

/// Takes the digest of Git LFS on its way apart.
pub fn split_digest(bytes: &[u8]) -> Option<(FileId, [u8; 32])> {
    let (id, digest) = bytes.split_at_checked(FileId::SIZE)?;
    Some((FileId::from_slice(id)?, digest.try_into().ok()?))
}

/// The bytes of an object of these kinds as they travel, if it is here.
pub fn object(view: &View, key: &ObjectKey) -> SyncResult<Option<Vec<u8>>> {
    let joined = |id: &[u8], bytes: Option<Vec<u8>>| bytes.map(|bytes| [id, &bytes[..]].concat());
    Ok(match key.kind {
        Kind::GitCommit => joined(&key.id, view.git_original(CommitId::from_bytes(key.id))?),
        Kind::GitObject => {
            let id = git_id(key);
            let tag_of = |bytes: &[u8]| {
                let is = |kind| object_id(kind, bytes) == Some(id);
                if is(GitKind::Tag) { Some(1) } else { is(GitKind::Blob).then_some(0) }
            };
            // One that was damaged at rest is as good as missing.
            view.git_object(id)?.and_then(|bytes| Some([&[tag_of(&bytes)?][..], &bytes[..]].concat()))
        }
        Kind::GitTreeForm => {
            let id = git_id(key);
            joined(id.as_bytes(), view.git_tree_form(id)?.map(|form| form.encode()))
        }
        Kind::LfsDigest => {
            joined(&key.id, view.lfs_digest(FileId::from_bytes(key.id))?.map(|digest| digest.to_vec()))
        }
        Kind::Tie => {
            for algorithm in ALGORITHMS {
                let digest = &key.id[..algorithm.digest_bytes()];
                if let Some((file, size)) = view.tie(algorithm, digest)? {
                    return Ok(Some(Tie { algorithm, digest: digest.to_vec(), file, size }.encode()));
                }
            }
            None
        }
        _ => None,
    })
}

/// Whether imports left anything at all.
pub fn are_there(view: &View) -> SyncResult<bool> {
    Ok(view.snapshot().scan_prefix(Space::Origins, b"")?.next().is_some())
}

/// What imports left of a file.
pub fn key_of_file(view: &View, file: FileId) -> SyncResult<Option<ObjectKey>> {
    Ok(view.lfs_digest(file)?.map(|_| ObjectKey::new(Kind::LfsDigest, *file.as_bytes())))
}

/// What imports left of the commits that were found, and of tags that lead to them.
pub fn keys_for(view: &View, found: &Found) -> SyncResult<Vec<ObjectKey>> {
    let mut collector = Collector { view, keys: Vec::new(), seen: HashSet::new() };
    for id in &found.commits {
        let commit = crate::object::source::ObjectSource::commit(view, *id)?;
        if git_commit_of(&commit).is_none() {
            continue;
        }
        if let Some(original) = view.git_original(*id)? {
            collector.keys.push(ObjectKey::new(Kind::GitCommit, *id.as_bytes()));
            collector.git_objects(git_tree_of(&original).into_iter().collect())?;
        }
    }
    let commits: HashSet<CommitId> = found.commits.iter().copied().collect();
    for (_, record) in view.git_references(crate::repo::imports::Scope::default())? {
        if record.commit.is_some_and(|commit| commits.contains(&commit)) {
            collector.git_objects(vec![record.git])?;
        }
    }
    // Whoever imported knows which tag object a name stood for; a clone goes by what the objects say.
    let tags = view.git_tags_by_name()?;
    for (name, target) in view.references()? {
        let git_name = format!("refs/tags/{}", name.name()).into_bytes();
        if name.kind() == RefKind::Tag
            && commits.contains(&target.commit)
            && let Some(id) = tags.get(&git_name)
        {
            collector.git_objects(vec![*id])?;
        }
    }
    Ok(collector.keys)
}

/// The keys of ties of foreign content.
pub fn tie_keys(view: &View, foreign: &[(ForeignAlgorithm, Vec<u8>)]) -> SyncResult<Vec<ObjectKey>> {
    let mut keys = Vec::new();
    for (algorithm, digest) in foreign {
        if view.tie(*algorithm, digest)?.is_some() {
            keys.push(tie_key(digest));
        }
    }
    Ok(keys)
}

struct Collector<'a> {
    view: &'a View,
    keys: Vec<ObjectKey>,
    seen: HashSet<GitId>,
}

impl Collector<'_> {
    /// Follows Git ids to everything that is kept about them.
    fn git_objects(&mut self, mut waiting: Vec<GitId>) -> Result<(), RepoError> {
        while let Some(id) = waiting.pop() {
            if !self.seen.insert(id) {
                continue;
            }
            match self.view.git_tree_form(id)? {
                Some(form) => {
                    self.keys.push(ObjectKey::new(Kind::GitTreeForm, padded(id)));
                    match form {
                        TreeForm::Verbatim(bytes) => waiting.extend(git_tree_entries(&bytes)),
                        TreeForm::Marked { ids, .. } => waiting.extend(ids.into_iter().map(|(_, id)| id)),
                    }
                }
                None => {
                    if let Some(bytes) = self.view.git_object(id)? {
                        self.keys.push(ObjectKey::new(Kind::GitObject, padded(id)));
                        waiting.extend(crate::repo::imports::git_tag_target(&bytes));
                    }
                }
            }
        }
        Ok(())
    }
}

/// Objects of these kinds for the fuzz target: the number of the kind, then the bytes.
#[cfg(any(test, fuzzing))]
pub fn fuzz_seeds() -> Vec<Vec<u8>> {
    let tie = Tie {
        algorithm: ForeignAlgorithm::Sha256,
        digest: vec![3; 32],
        file: FileId::from_bytes([1; 32]),
        size: 300,
    };
    let form = TreeForm::Marked { pointers: vec![1], ids: vec![(2, GitId::from_bytes([4; 20]))] };
    let with = |kind: Kind, bytes: Vec<u8>| [&[kind.number()][..], &bytes[..]].concat();
    vec![
        with(Kind::Tie, tie.encode()),
        with(Kind::GitTreeForm, [&[7; 20][..], &form.encode()[..]].concat()),
        with(Kind::GitObject, b"\x01object 0000000000000000000000000000000000000000\ntype commit\n".to_vec()),
        with(Kind::GitCommit, [&[9; 32][..], b"tree 0000000000000000000000000000000000000000\n"].concat()),
        with(Kind::LfsDigest, vec![5; 64]),
    ]
}

/// Finds the id of an object, and writes a tie again.
#[cfg(any(test, fuzzing))]
pub fn fuzz_run(bytes: &[u8]) -> crate::base::fuzz::Verdict {
    use crate::base::fuzz::Verdict;
    let Some((number, bytes)) = bytes.split_first() else { return Verdict::Refused };
    let Some(kind) = Kind::from_number(*number).filter(|kind| is_origin(*kind)) else {
        return Verdict::Refused;
    };
    if identify(kind, bytes).is_none() {
        return Verdict::Refused;
    }
    match (kind, Tie::decode(bytes)) {
        (Kind::Tie, Ok(tie)) if tie.encode() != bytes => Verdict::Wrong(format!("{tie:?} is written anew")),
        _ => Verdict::Understood,
    }
}
