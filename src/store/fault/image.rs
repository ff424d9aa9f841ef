//! What a reboot finds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::State;
use super::file::{FileOp, FileState, write_into};

/// Bytes that a disk writes all or not at all.
const SECTOR_BYTES: usize = 512;

/// What became of changes that were not synced when the machine stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// All are lost.
    Everything,
    /// All made it.
    Nothing,
    /// Each file change was lost, kept, or torn at sectors; of the changes of names an arbitrary
    /// selection was kept. The same seed gives the same outcome.
    Some {
        /// Chooses the outcome.
        seed: u64,
    },
}

/// A change of what a path names.
#[derive(Debug, Clone)]
pub(super) enum NameOp {
    Name { path: PathBuf, inode: u64 },
    Rename { from: PathBuf, to: PathBuf, inode: u64 },
    Remove { path: PathBuf },
}

impl NameOp {
    pub(super) fn apply(&self, names: &mut BTreeMap<PathBuf, u64>) {
        match self {
            Self::Name { path, inode } => {
                names.insert(path.clone(), *inode);
            }
            Self::Rename { from, to, inode } => {
                names.remove(from);
                names.insert(to.clone(), *inode);
            }
            Self::Remove { path } => {
                names.remove(path);
            }
        }
    }

    /// Whether syncing `dir` makes this durable. A rename follows the folder it goes to.
    pub(super) fn is_in(&self, dir: &Path) -> bool {
        let (Self::Name { path, .. } | Self::Rename { to: path, .. } | Self::Remove { path }) = self;
        path.parent() == Some(dir)
    }
}

/// A small generator of arbitrary choices (SplitMix64, Steele, Lea and Flood 2014).
struct Choices(u64);

impl Choices {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.next().is_multiple_of(count)
    }
}

pub(super) fn after_reboot(state: &State, loss: Loss) -> State {
    let mut choices = Choices(match loss {
        Loss::Some { seed } => seed,
        _ => 0,
    });
    let mut names = state.durable_names.clone();
    for op in &state.name_ops {
        let kept = match loss {
            Loss::Everything => false,
            Loss::Nothing => true,
            Loss::Some { .. } => choices.one_in(2),
        };
        if kept {
            op.apply(&mut names);
        }
    }
    let mut inodes: Vec<_> = state.files.iter().collect();
    inodes.sort_unstable_by_key(|(inode, _)| **inode);
    let mut files = std::collections::HashMap::new();
    for (inode, file) in inodes {
        let content = surviving(file, loss, &mut choices);
        files.insert(*inode, FileState { current: content.clone(), durable: content, pending: Vec::new() });
    }
    State {
        durable_names: names.clone(),
        names,
        files,
        inode_last: state.inode_last,
        capacity_bytes: state.capacity_bytes,
        ..State::default()
    }
}

/// The bytes of a file after a reboot.
fn surviving(file: &FileState, loss: Loss, choices: &mut Choices) -> Vec<u8> {
    let mut content = match loss {
        Loss::Everything => return file.durable.clone(),
        Loss::Nothing => return file.current.clone(),
        Loss::Some { .. } => file.durable.clone(),
    };
    for op in &file.pending {
        match op {
            FileOp::SetLen(length) if choices.one_in(2) => content.resize(*length, 0),
            FileOp::SetLen(_) => {}
            FileOp::Write { offset, bytes } => match choices.next() % 3 {
                0 => {}
                1 => write_into(&mut content, *offset, bytes),
                _ => write_torn(&mut content, *offset, bytes, choices),
            },
        }
    }
    content
}

/// Writes an arbitrary selection of the sectors.
fn write_torn(content: &mut Vec<u8>, offset: usize, bytes: &[u8], choices: &mut Choices) {
    let mut start = 0;
    while start < bytes.len() {
        let to_boundary = SECTOR_BYTES - (offset + start) % SECTOR_BYTES;
        let end = bytes.len().min(start + to_boundary);
        if choices.one_in(2) {
            write_into(content, offset + start, &bytes[start..end]);
        }
        start = end;
    }
}
