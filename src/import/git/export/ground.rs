//! What an incremental bundle rests on: commits that an import brought before, made again as Git has them, with
//! their folders. Their files are only looked up where a difference in the bundle is one to them.

use crate::base::id::{CommitId, FileId, GitId};
use crate::base::monitor::Monitor;
use crate::base::path::AssetPath;
use crate::import::error::ImportError;
use crate::import::git::export::pack::PackSpool;
use crate::import::git::export::trees::Origin;
use crate::import::git::export::{Exporter, LfsRule, hash_of};
use crate::import::git::lfs::pointer_text;
use crate::import::git::objects::{Kind, Objects, git_id};
use crate::import::git::parse;
use crate::import::git::run::on_deep_stacks;
use crate::object::source::ObjectSource;
use crate::object::tree::{Content, ForeignAlgorithm};
use crate::object::tree_walk::TreeWalk;
use crate::repo::extract::Extractor;
use crate::repo::imports::{BlobRecord, git_commit_of, key};
use crate::repo::{RepoError, Repository, View};
use crate::store::{ChunkReader, Space};
use std::collections::{HashMap, HashSet};
use std::path::Path;

/// Longest file that a difference may be one to, in bytes.
const BASE_BYTES_MAX: u64 = 1 << 30;
/// A commit has one Git id, so more than one found is one too many.
const FOUND_MAX: usize = 2;

/// What earlier imports brought, for what rests on it.
pub struct Ground<'a> {
    reader: ChunkReader,
    view: View,
    monitor: &'a dyn Monitor,
}

impl<'a> Ground<'a> {
    /// Takes the repository as it is now.
    pub fn new(repository: &Repository, monitor: &'a dyn Monitor) -> Result<Self, ImportError> {
        let (reader, view) = (repository.store().chunk_reader()?, repository.view()?);
        Ok(Self { reader, view, monitor })
    }

    /// Makes commits again, with their folders, in a folder of objects. Gives the first of them that no import
    /// of everything brought, if there is one; then nothing is made.
    pub fn lay(&self, commits: &[GitId], objects: &Path) -> Result<Option<GitId>, ImportError> {
        let mut found = Vec::with_capacity(commits.len());
        for git in commits {
            match self.commit_of(*git)? {
                Some((commit, original)) => found.push((*git, commit, original)),
                None => return Ok(Some(*git)),
            }
        }
        on_deep_stacks(|| self.lay_found(&found, objects))?;
        Ok(None)
    }

    fn commit_of(&self, git: GitId) -> Result<Option<(CommitId, Vec<u8>)>, ImportError> {
        for id in self.view.commits_from_git(&git.to_string(), FOUND_MAX)? {
            if git_commit_of(&self.view.commit(id)?) != Some(git) {
                continue;
            }
            if let Some(original) = self.view.git_original(id)?
                && hash_of(Kind::Commit, &original)? == git
            {
                return Ok(Some((id, original)));
            }
        }
        Ok(None)
    }

    fn lay_found(&self, found: &[(GitId, CommitId, Vec<u8>)], objects: &Path) -> Result<(), ImportError> {
        let extractor = Extractor::new(&self.reader, &self.view, self.monitor);
        let pack = PackSpool::begin(&objects.join("pack"))?;
        let rule = LfsRule::default();
        let mut exporter = Exporter::new(&self.view, extractor, self.monitor, objects, &rule, pack);
        exporter.is_ground = true;
        exporter.blobs = self.blobs_of(found)?;
        for (git, id, original) in found {
            let commit = self.view.commit(*id)?;
            let expected = parse::commit_links(original).0.ok_or(ImportError::Missing { id: *git })?;
            let made = exporter.tree(&AssetPath::root(), commit.tree, Origin::Was(expected))?;
            if made != expected {
                return Err(ImportError::Differs { commit: *git, expected, found: made });
            }
            exporter.pack.put(Kind::Commit, original)?;
        }
        exporter.pack.finish()
    }

    /// What the files of commits are called in Git, so that they need not be read.
    fn blobs_of(&self, found: &[(GitId, CommitId, Vec<u8>)]) -> Result<HashMap<FileId, GitId>, ImportError> {
        let mut wanted: HashSet<FileId> = HashSet::new();
        for (_, id, _) in found {
            let tree = self.view.commit(*id)?.tree;
            for item in TreeWalk::new(&self.view, tree, AssetPath::root()) {
                let (_, entry) = item.map_err(RepoError::from)?;
                if let Content::File { id, .. } | Content::Symlink { id, .. } = entry.content {
                    wanted.insert(id);
                }
            }
        }
        let mut blobs = HashMap::with_capacity(wanted.len());
        for row in self.view.snapshot().scan_prefix(Space::Imports, key::BLOBS)? {
            let (key, bytes) = row?;
            if let (Some(id), Ok(BlobRecord::File { file, .. })) =
                (GitId::from_slice(&key[1..]), BlobRecord::decode(&bytes))
                && wanted.contains(&file)
            {
                blobs.insert(file, id);
            }
        }
        Ok(blobs)
    }

    /// What differences may be to: what lies in a folder of objects, and all files.
    pub(in crate::import::git) fn bases(
        &self,
        objects: &Path,
        scratch: &Path,
    ) -> Result<Bases<'_>, ImportError> {
        let extractor = Extractor::new(&self.reader, &self.view, self.monitor);
        Ok(Bases { view: &self.view, extractor, laid: Objects::open(objects, Vec::new(), scratch)? })
    }
}

/// Finds Git objects among what was imported.
pub(in crate::import::git) struct Bases<'a> {
    view: &'a View,
    extractor: Extractor<'a>,
    laid: Objects,
}

impl Bases<'_> {
    fn find(&self, id: GitId, into: &mut Vec<u8>) -> Result<Option<Kind>, ImportError> {
        if let Some(kind) = self.laid.with_reader(|reader| reader.find_small(id, into))? {
            return Ok(Some(kind));
        }
        into.clear();
        let row: Option<Vec<u8>> = self.view.snapshot().get(Space::Imports, &key::blob(id))?;
        let record = row.and_then(|bytes| BlobRecord::decode(&bytes).ok());
        match record {
            Some(BlobRecord::File { file, size }) if size <= BASE_BYTES_MAX => {
                self.extractor.write_file(file, size, into)?;
            }
            Some(BlobRecord::Lfs { sha256, size, plain: true, .. }) => {
                into.extend(pointer_text(&sha256, size));
            }
            Some(BlobRecord::Foreign { algorithm: ForeignAlgorithm::Sha256, digest, size, plain: true }) => {
                let Ok(sha256) = <[u8; 32]>::try_from(digest) else { return Ok(None) };
                into.extend(pointer_text(&sha256, size));
            }
            _ => match self.view.git_object(id)? {
                Some(bytes) => into.extend(bytes),
                None => return Ok(None),
            },
        }
        for kind in [Kind::Blob, Kind::Tag] {
            if hash_of(kind, into)? == id {
                return Ok(Some(kind));
            }
        }
        Ok(None)
    }
}

impl gix::objs::Find for Bases<'_> {
    fn try_find<'b>(
        &self,
        id: &gix::oid,
        buffer: &'b mut Vec<u8>,
    ) -> gix::Result<Option<gix::objs::Data<'b>>> {
        // What cannot be had is missing: then the bundle cannot be unpacked, and that is told.
        let kind = git_id(id).and_then(|id| self.find(id, buffer).ok().flatten());
        Ok(kind.map(|kind| gix::objs::Data::new(buffer, kind, gix::hash::Kind::Sha1)))
    }
}
