//! Makes again what only saves work, from what travels: a clone has the commits, trees and ties of an
//! import, and finds out from them what each Git object became - so that the next import there reads
//! only what is new, and makes the same of it as the first repository would.

use crate::base::id::{CommitId, FileId, GitId};
use crate::base::monitor::{Monitor, Phase};
use crate::import::error::ImportError;
use crate::import::git::lfs::{parse_pointer, pointer_text};
use crate::import::git::objects::{Kind, hash};
use crate::object::commit::Commit;
use crate::object::tree::{Content, ForeignAlgorithm, TreeNode};
use crate::repo::imports::{BlobRecord, GIT_COMMIT, GIT_PATHS, MissingRecord, STALE, STALE_KEY, Scope, key};
use crate::repo::{Repository, View};
use crate::store::{ChunkWriter, Space};
use std::collections::{HashMap, HashSet};

/// Makes records of commits and pointers that came from other clones, when there are such.
pub fn rebuild(
    repository: &Repository,
    writer: &ChunkWriter<'_>,
    scope: Scope,
    monitor: &dyn Monitor,
) -> Result<(), ImportError> {
    let view = repository.view()?;
    if !is_stale(&view, scope)? {
        return Ok(());
    }
    monitor.phase(Phase { name: "Reading what others imported", files_total: None, bytes_total: None });
    commits(&view, writer, monitor)?;
    pointers(&view, writer, monitor)?;
    writer.put_object(Space::Imports, STALE_KEY, &[])?;
    Ok(writer.publish()?)
}

/// Whether commits of imports are here and no records of them.
fn is_stale(view: &View, scope: Scope) -> Result<bool, ImportError> {
    let snapshot = view.snapshot();
    let has = |space, prefix: &[u8]| -> Result<bool, ImportError> {
        Ok(snapshot.scan_prefix(space, prefix)?.next().is_some())
    };
    let marked: Option<Vec<u8>> = snapshot.get(Space::Imports, STALE_KEY)?;
    Ok(match marked {
        Some(mark) => mark == STALE,
        None => has(Space::Origins, b"")? && !has(Space::Imports, &key::commits(scope))?,
    })
}

fn step(monitor: &dyn Monitor) -> Result<(), ImportError> {
    if monitor.is_cancelled() { Err(ImportError::Cancelled) } else { Ok(()) }
}

/// What Git commits became. Where one became two, the one with more history counts.
fn commits(view: &View, writer: &ChunkWriter<'_>, monitor: &dyn Monitor) -> Result<(), ImportError> {
    let mut found: HashMap<(Vec<u8>, GitId), (CommitId, usize)> = HashMap::new();
    for row in view.snapshot().scan_prefix(Space::Commits, b"")? {
        step(monitor)?;
        let (id, bytes) = row?;
        let (Some(id), Ok(commit)) = (CommitId::from_slice(&id), Commit::decode(&bytes)) else { continue };
        let field = |key: &str| {
            commit.extensions.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_slice())
        };
        let Some(git) = field(GIT_COMMIT).and_then(GitId::from_slice) else { continue };
        let paths: Vec<Vec<u8>> = match field(GIT_PATHS) {
            Some(paths) => paths.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect(),
            None => Vec::new(),
        };
        let row = key::commit(Scope::of(&paths), git);
        if view.snapshot().contains(Space::Imports, &row)? {
            continue;
        }
        let this = (id, commit.parents.len());
        let kept = found.entry((row, git)).or_insert(this);
        if kept.1 < this.1 {
            *kept = this;
        }
    }
    for ((row, _), (id, _)) in found {
        writer.put_object(Space::Imports, &row, id.as_bytes())?;
    }
    Ok(())
}

/// What pointers became, and which content is still missing, from the trees.
fn pointers(view: &View, writer: &ChunkWriter<'_>, monitor: &dyn Monitor) -> Result<(), ImportError> {
    let mut digests: HashMap<FileId, [u8; 32]> = HashMap::new();
    for row in view.snapshot().scan_prefix(Space::Imports, key::LFS)? {
        let (key, digest) = row?;
        if let (Some(file), Ok(digest)) = (FileId::from_slice(&key[1..]), digest.try_into()) {
            digests.insert(file, digest);
        }
    }
    let mut pointers = Pointers { view, writer, done: HashSet::new(), files: HashMap::new() };
    for row in view.snapshot().scan_prefix(Space::Trees, b"")? {
        step(monitor)?;
        let Ok(TreeNode::Leaf(entries)) = TreeNode::decode(&row?.1) else { continue };
        for entry in entries {
            match entry.content {
                Content::File { id, size, .. } => {
                    if let Some(sha256) = digests.get(&id) {
                        pointers.files.insert(*sha256, (id, size));
                    }
                }
                Content::Foreign { algorithm, digest, size, .. } => {
                    pointers.foreign(algorithm, digest, size, &entry.name)?;
                }
                Content::Directory { .. } | Content::Symlink { .. } => {}
            }
        }
    }
    pointers.known()
}

struct Pointers<'a> {
    view: &'a View,
    writer: &'a ChunkWriter<'a>,
    /// Blobs of which it is known what they became.
    done: HashSet<GitId>,
    /// Content that Git LFS knows.
    files: HashMap<[u8; 32], (FileId, u64)>,
}

impl Pointers<'_> {
    fn put(&mut self, id: GitId, record: &BlobRecord) -> Result<(), ImportError> {
        if self.done.insert(id) && !self.view.snapshot().contains(Space::Imports, &key::blob(id))? {
            self.writer.put_object(Space::Imports, &key::blob(id), &record.encode())?;
        }
        Ok(())
    }

    /// Content that was not at hand when it came stays foreign, here as there.
    fn foreign(
        &mut self,
        algorithm: ForeignAlgorithm,
        digest: Vec<u8>,
        size: u64,
        name: &[u8],
    ) -> Result<(), ImportError> {
        let blob = match (algorithm, <&[u8; 32]>::try_from(digest.as_slice())) {
            (ForeignAlgorithm::Sha256, Ok(sha256)) => hash(Kind::Blob, &pointer_text(sha256, size)),
            (ForeignAlgorithm::GitBlobSha1, _) => GitId::from_slice(&digest),
            _ => None,
        };
        let Some(blob) = blob.filter(|blob| !self.done.contains(blob)) else { return Ok(()) };
        if self.view.tie(algorithm, &digest)?.is_none() {
            let record = MissingRecord { size, path: name.to_vec() };
            self.writer.put_object(Space::Imports, &key::missing(algorithm, &digest), &record.encode())?;
        }
        self.put(blob, &BlobRecord::Foreign { algorithm, digest, size, plain: true })
    }

    /// Pointers whose content was at hand, and those of unusual form.
    fn known(mut self) -> Result<(), ImportError> {
        for (sha256, (file, size)) in self.files.clone() {
            if let Some(id) = hash(Kind::Blob, &pointer_text(&sha256, size)) {
                self.put(id, &BlobRecord::Lfs { file, size, sha256, plain: true })?;
            }
        }
        let view = self.view;
        for row in view.snapshot().scan_prefix(Space::Origins, key::ORIGINALS)? {
            let (key, bytes) = row?;
            let Some(id) = GitId::from_slice(&key[1..]) else { continue };
            let Some(pointer) = parse_pointer(&bytes) else { continue };
            let record = match self.files.get(&pointer.sha256) {
                Some((file, size)) => {
                    BlobRecord::Lfs { file: *file, size: *size, sha256: pointer.sha256, plain: pointer.plain }
                }
                None => BlobRecord::Foreign {
                    algorithm: ForeignAlgorithm::Sha256,
                    digest: pointer.sha256.to_vec(),
                    size: pointer.size,
                    plain: pointer.plain,
                },
            };
            self.put(id, &record)?;
        }
        Ok(())
    }
}
