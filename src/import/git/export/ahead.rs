//! Reads, hashes and packs the new files of a commit on all cores, before its trees are made one by one.

use crate::base::id::FileId;
use crate::base::monitor::Advance;
use crate::base::path::AssetPath;
use crate::import::error::ImportError;
use crate::import::git::export::pack::Packed;
use crate::import::git::export::trees::SMALL_BYTES_MAX;
use crate::import::git::export::{Exporter, Written};
use crate::import::git::merges::compare;
use crate::import::git::objects::Kind;
use crate::object::commit::Commit;
use crate::object::tree::{Content, TreeEntry, TreeNode};
use crate::repo::RepoError;
use rayon::prelude::*;
use std::collections::HashSet;

/// Bytes that are read at once, and files.
const BYTES_AT_ONCE: u64 = 32 << 20;
const FILES_AT_ONCE: usize = 8_192;

impl Exporter<'_> {
    /// Writes small files that the commit has and its first parent has not, and what goes into Git LFS. What may
    /// be a pointer, or is not at hand, waits until its tree is made.
    pub(super) fn read_ahead(
        &mut self,
        commit: &Commit,
        parent: Option<&Written>,
        is_native: bool,
    ) -> Result<(), ImportError> {
        let before = parent.map_or_else(TreeNode::empty_id, |parent| parent.tree.tree);
        let (mut waiting, mut seen, mut failed) = (Vec::new(), HashSet::new(), None);
        let (mut bytes, view, mut large) = (0, self.view, Vec::new());
        let mut see = |path: &AssetPath, entry: &TreeEntry, _: Option<&TreeEntry>| {
            let (Content::File { id, size, .. } | Content::Symlink { id, size }) = entry.content else {
                return;
            };
            if self.lfs.takes(path, size) || (is_native && self.lfs.takes_native(path)) {
                let is_file = matches!(entry.content, Content::File { .. });
                if is_file && !self.lfs_objects.contains_key(&id) && seen.insert(id) {
                    large.push((id, size));
                }
                return;
            }
            let is_known = size > SMALL_BYTES_MAX || self.blobs.contains_key(&id) || !seen.insert(id);
            if failed.is_some() || is_known {
                return;
            }
            waiting.push((id, size));
            bytes += size;
            if bytes >= BYTES_AT_ONCE || waiting.len() >= FILES_AT_ONCE {
                bytes = 0;
                failed = self.write_small(std::mem::take(&mut waiting)).err();
            }
        };
        compare(view, &AssetPath::root(), (commit.tree, before), true, &mut see).map_err(RepoError::from)?;
        if let Some(error) = failed {
            return Err(error);
        }
        self.write_small(waiting)?;
        let mut unnamed = Vec::with_capacity(large.len());
        for (file, size) in large {
            if view.lfs_digest(file)?.is_none() && !view.is_erased(file)? {
                unnamed.push((file, size));
            }
        }
        self.write_unnamed(&unnamed)
    }

    fn write_small(&mut self, files: Vec<(FileId, u64)>) -> Result<(), ImportError> {
        self.check_cancelled()?;
        let (view, extractor) = (self.view, &self.extractor);
        let packed: Vec<Option<(FileId, u64, Packed)>> = files
            .into_par_iter()
            .map(|(file, size)| {
                if view.lfs_digest(file)?.is_some() || view.is_erased(file)? {
                    return Ok(None);
                }
                let mut bytes = Vec::new();
                extractor.write_file(file, size, &mut bytes)?;
                Ok(Some((file, size, Packed::new(Kind::Blob, &bytes)?)))
            })
            .collect::<Result<_, ImportError>>()?;
        for (file, size, packed) in packed.into_iter().flatten() {
            self.blobs.insert(file, packed.id);
            self.pack.put_packed(packed)?;
            self.report.files += 1;
            self.report.bytes += size;
            self.monitor.advance(Advance { files: 1, ..Advance::default() });
        }
        Ok(())
    }
}
