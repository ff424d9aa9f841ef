//! Reads the files that have to be read, in parallel, and asks the memory first.

use crate::base::id::FileId;
use crate::base::monitor::{Advance, Monitor, Phase};
use crate::base::path::AssetPath;
use crate::worktree::clock::{FsClock, StableError, read_stably};
use crate::worktree::error::{Result, WorktreeError};
use crate::worktree::probe::{ContentProbe, ProbeError, Probed};
use crate::worktree::root::Worktree;
use crate::worktree::scan::{Found, ScanItem};
use crate::worktree::seen::Seen;
use crate::worktree::stat::{FileStat, Node, NodeKind};
use rayon::prelude::*;
use std::io;

/// What a file's content is.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    /// The content.
    pub id: FileId,
    /// The file as it was when it was read.
    pub node: Node,
    /// Whether what the system says of it can be trusted later.
    pub settled: bool,
    /// Bytes that are new to the repository, when measured.
    pub new_bytes: Option<u64>,
    /// Whether this was known without reading.
    pub remembered: bool,
}

/// How reading one file went.
#[derive(Debug, Clone, Copy)]
pub enum Answer {
    /// It was read, or known.
    Read(Reading),
    /// It went away or became something else since the scan.
    Gone,
    /// It kept changing.
    Busy,
    /// It could not be read.
    Failed(io::ErrorKind),
}

/// Reads files.
pub struct Reader<'a, P> {
    pub worktree: &'a Worktree,
    pub clock: &'a FsClock,
    pub probe: &'a P,
    pub seen: Option<&'a Seen>,
    pub measure: bool,
    /// Whether the remembered numbers of new bytes still hold.
    pub new_bytes_known: bool,
    pub monitor: &'a dyn Monitor,
}

impl<P: ContentProbe> Reader<'_, P> {
    /// Says how much there is to be read.
    pub fn announce(&self, items: &[ScanItem], wanted: &[bool]) {
        let bytes_total = bytes_of(items, wanted);
        if bytes_total > 0 {
            let jobs = items.iter().zip(wanted).filter(|(item, wanted)| **wanted && node_of(item).is_some());
            let files_total = Some(jobs.count() as u64);
            self.monitor.phase(Phase { name: "Reading", files_total, bytes_total: Some(bytes_total) });
        }
    }

    /// Reads the items that are wanted; the answers stand at the positions of the items.
    pub fn read(&self, items: &[ScanItem], wanted: &[bool]) -> Result<Vec<Option<Answer>>> {
        items
            .par_iter()
            .zip(wanted.par_iter())
            .map(|(item, wanted)| {
                let Some(node) = node_of(item) else { return Ok(None) };
                // A link is as cheap to read as to look at.
                let is_link = node.kind == NodeKind::Symlink;
                if *wanted || is_link {
                    self.read_one(&item.path, node).map(Some)
                } else {
                    Ok(self.recall(&item.path, node).map(Answer::Read))
                }
            })
            .collect()
    }

    fn read_one(&self, path: &AssetPath, node: &Node) -> Result<Answer> {
        if self.monitor.is_cancelled() {
            return Err(WorktreeError::Cancelled);
        }
        if let Some(known) = self.recall(path, node) {
            return Ok(Answer::Read(known));
        }
        let answer = match node.kind {
            NodeKind::Symlink => self.read_link(path, node)?,
            _ => self.read_file(path)?,
        };
        self.monitor.advance(Advance { files: 1, ..Advance::default() });
        Ok(answer)
    }

    fn recall(&self, path: &AssetPath, node: &Node) -> Option<Reading> {
        let seen = self.seen?.find(path, &node.stat)?;
        let new_bytes = seen.new_bytes.filter(|_| self.new_bytes_known);
        if self.measure && new_bytes.is_none() {
            return None;
        }
        Some(Reading { id: seen.id, node: *node, settled: true, new_bytes, remembered: true })
    }

    fn read_link(&self, path: &AssetPath, node: &Node) -> Result<Answer> {
        let settled = self.clock.settle(&node.stat);
        let target = match self.worktree.read_link(path) {
            Ok(target) => target,
            Err(error) => return Ok(failed(&error)),
        };
        let probed = match self.probe.probe_link(&target, path) {
            Ok(probed) => probed,
            Err(ProbeError::Io(error)) => return Ok(failed(&error)),
            Err(ProbeError::Repository(source)) => return Err(WorktreeError::Source { source }),
            Err(ProbeError::Cancelled) => return Err(WorktreeError::Cancelled),
        };
        let stat = FileStat { size: probed.size, ..node.stat };
        let (id, new_bytes) = (probed.id, probed.new_bytes);
        Ok(Answer::Read(Reading { id, node: Node { stat, ..*node }, settled, new_bytes, remembered: false }))
    }

    fn read_file(&self, path: &AssetPath) -> Result<Answer> {
        let open = || self.worktree.open_file(path);
        let outcome = read_stably(self.clock, open, |file, _| self.probe.probe(file, path, self.measure));
        Ok(match outcome {
            Ok(stable) if stable.value.size != stable.node.stat.size => Answer::Busy,
            Ok(stable) => {
                let Probed { id, new_bytes, .. } = stable.value;
                let (node, settled) = (stable.node, stable.settled);
                Answer::Read(Reading { id, node, settled, new_bytes, remembered: false })
            }
            Err(StableError::Busy) => Answer::Busy,
            Err(StableError::Open(error) | StableError::Read(ProbeError::Io(error))) => failed(&error),
            Err(StableError::Read(ProbeError::Repository(source))) => {
                return Err(WorktreeError::Source { source });
            }
            Err(StableError::Read(ProbeError::Cancelled)) => return Err(WorktreeError::Cancelled),
        })
    }
}

/// Bytes of the items that are wanted.
pub fn bytes_of(items: &[ScanItem], wanted: &[bool]) -> u64 {
    let wanted = items.iter().zip(wanted).filter(|(_, wanted)| **wanted);
    wanted.filter_map(|(item, _)| node_of(item)).map(|node| node.stat.size).sum()
}

fn failed(error: &io::Error) -> Answer {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Answer::Gone,
        kind => Answer::Failed(kind),
    }
}

/// The file or link of an item that has one to be read.
fn node_of(item: &ScanItem) -> Option<&Node> {
    match &item.found {
        Found::New { node } | Found::Suspect { node, .. } => Some(node),
        _ => None,
    }
}
