//! Files whose content is known although the index does not say so: replacing them loses nothing, and
//! writing the same again would be for nothing.

use crate::app::common::session::Session;
use crate::base::id::FileId;
use crate::base::path::AssetPath;
use crate::object::tree::Content;
use crate::worktree::checkout::{KnownContent, Wanted};
use crate::worktree::clock::{FsClock, read_stably};
use crate::worktree::index::Fresh;
use crate::worktree::probe::{ContentProbe as _, HashProbe};
use crate::worktree::seen::Seen;
use crate::worktree::stat::{FileStat, Node, NodeKind};
use crate::worktree::status::SEEN_FILE;
use rayon::prelude::*;
use std::collections::HashMap;

/// Files whose content is known to be in the store although the index does not say so: those that
/// were taken in a moment ago.
#[derive(Debug, Default)]
pub struct KnownFiles {
    files: HashMap<AssetPath, (FileStat, FileId)>,
    /// Whether the store was just given all of them, whatever it says it has.
    taken_in: bool,
}

impl KnownFiles {
    /// Takes what a snapshot took in, as far as every later edit would show.
    pub fn taken_in(fresh: &[Fresh]) -> Self {
        let settled = fresh.iter().filter(|seen| seen.settled);
        let known: Self = settled.map(|seen| (seen.path.clone(), seen.stat, seen.id)).collect();
        Self { taken_in: true, ..known }
    }

    /// Reads the files at the places of `targets` of which the index does not know what they hold, and
    /// knows those that hold one of the contents that may stand there. A file of another size is not
    /// read.
    pub fn by_reading(
        session: &Session<'_>,
        targets: &[Wanted],
        contents: &(dyn Fn(&Wanted) -> Vec<Option<Content>> + Sync),
    ) -> Self {
        let state_dir = session.state_dir();
        let reading = Reading {
            session,
            seen: Seen::open(&state_dir.join(SEEN_FILE)),
            clock: FsClock::new(&state_dir),
        };
        let read = |target: &Wanted| {
            let node = session.worktree.look(&target.path).ok().flatten()?;
            if reading.is_in_index(&target.path, &node) {
                return None;
            }
            let contents = contents(target).into_iter().flatten().filter(|content| fits(content, &node));
            let contents: Vec<FileId> = contents.filter_map(|content| content.file_id()).collect();
            if contents.is_empty() {
                return None;
            }
            let (stat, id) = reading.read(&target.path, &node)?;
            contents.contains(&id).then(|| (target.path.clone(), stat, id))
        };
        let known: Vec<_> = targets.par_iter().filter_map(read).collect();
        known.into_iter().collect()
    }

    /// What a file that stands somewhere holds. `is_held` says of content that was not taken in just now
    /// whether the repository has it.
    pub fn find(
        &self,
        path: &AssetPath,
        node: &Node,
        is_held: impl Fn(FileId, u64) -> bool,
    ) -> Option<KnownContent> {
        let (stat, id) = self.files.get(path)?;
        let known = || KnownContent { id: *id, is_held: self.taken_in || is_held(*id, stat.size) };
        (*stat == node.stat).then(known)
    }
}

impl FromIterator<(AssetPath, FileStat, FileId)> for KnownFiles {
    fn from_iter<T: IntoIterator<Item = (AssetPath, FileStat, FileId)>>(files: T) -> Self {
        Self {
            files: files.into_iter().map(|(path, stat, id)| (path, (stat, id))).collect(),
            taken_in: false,
        }
    }
}

/// Reads files to find out what they hold.
struct Reading<'a> {
    session: &'a Session<'a>,
    seen: Option<Seen>,
    clock: FsClock,
}

impl Reading<'_> {
    fn is_in_index(&self, path: &AssetPath, node: &Node) -> bool {
        let record = self.session.index.as_ref().and_then(|index| index.find(path).ok().flatten());
        record.is_some_and(|record| record.stat() == Some(node.stat))
    }

    fn read(&self, path: &AssetPath, node: &Node) -> Option<(FileStat, FileId)> {
        if let Some(seen) = self.seen.as_ref().and_then(|seen| seen.find(path, &node.stat)) {
            return Some((node.stat, seen.id));
        }
        let worktree = &self.session.worktree;
        if node.kind == NodeKind::Symlink {
            let is_settled = self.clock.settle(&node.stat);
            let target = worktree.read_link(path).ok()?;
            let probed = HashProbe.probe_link(&target, path).ok()?;
            return is_settled.then_some((node.stat, probed.id));
        }
        let open = || worktree.open_file(path);
        let read = read_stably(&self.clock, open, |file, _| HashProbe.probe(file, path, false)).ok()?;
        read.settled.then_some((read.node.stat, read.value.id))
    }
}

/// Whether something on disk may hold a content, as far as can be said without reading it. One that was
/// made executable since, or no longer is, is another.
fn fits(content: &Content, node: &Node) -> bool {
    match (content, node.kind) {
        (Content::File { executable, size, .. }, NodeKind::File { executable: now }) => {
            *executable == now && *size == node.stat.size
        }
        (Content::Symlink { .. }, NodeKind::Symlink) => true,
        _ => false,
    }
}
