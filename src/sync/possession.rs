//! Nobody gets at content by naming it: who may not read everything has to send what they commit.
//!
//! Names and ids of files are no secret, so an id in a commit proves nothing. Content counts as
//! theirs when it was sent with this very publication, may be read already, or stood at the same
//! path before.

use crate::base::id::{ChunkId, FileId};
use crate::repo::View;
use crate::sync::error::{SyncError, SyncResult};
use crate::sync::paths::{PlacedFile, each_file};
use crate::sync::readable::{Readable, chunks_of, manifest_chunks};
use crate::sync::receive::Receiver;
use crate::sync::walk::Found;
use std::cell::Cell;
use std::collections::HashSet;

/// Folders and files, as often as they stand somewhere, that one publication may bring of those who may not read
/// everything: each file is kept in mind, and a few small folders can stand at more paths than anybody can visit.
const PLACES_MAX: u64 = 2 << 20;
/// Files that wait for one that is said to have stood at their path before.
const WAITING_MAX: usize = 1 << 16;

/// Insists that everything that new commits bring is the caller's to bring.
pub fn insist_on_possession(
    receiver: &Receiver<'_>,
    found: &Found,
    sent: &HashSet<ChunkId>,
    readable: &Readable,
) -> SyncResult<()> {
    let mut check = Check { view: receiver.view(), sent, readable, accepted: HashSet::new() };
    let mut waiting = Vec::new();
    let places = Places::default();
    for id in &found.commits {
        each_file(&receiver.source(), *id, &mut || places.count(), &mut |placed| {
            places.count()?;
            if check.is_theirs(&placed)? {
                check.accepted.insert(placed.file);
            } else if waiting.len() < WAITING_MAX {
                waiting.push(placed);
            } else {
                return Err(refusal(&placed));
            }
            Ok(())
        })?;
    }
    // What stood there before may be new itself, whatever the order of the clocks.
    while let Some(first) = waiting.first() {
        let (before, refused) = (waiting.len(), refusal(first));
        let mut left = Vec::new();
        for placed in waiting {
            if check.is_theirs(&placed)? {
                check.accepted.insert(placed.file);
            } else {
                left.push(placed);
            }
        }
        if left.len() == before {
            return Err(refused);
        }
        waiting = left;
    }
    Ok(())
}

/// Counts what was visited.
#[derive(Default)]
struct Places(Cell<u64>);

impl Places {
    fn count(&self) -> SyncResult<()> {
        self.0.set(self.0.get() + 1);
        if self.0.get() <= PLACES_MAX {
            return Ok(());
        }
        let detail = format!(
            "it brings files to more than {PLACES_MAX} places, which is more than may come at once of whoever may not \
             read everything there; push fewer commits at a time"
        );
        Err(SyncError::TurnedDown { what: "the push".to_owned(), detail })
    }
}

fn refusal(placed: &PlacedFile) -> SyncError {
    let what = format!(
        "bring {} to {}: its content was not sent, and is not yours to read",
        placed.file, placed.path
    );
    SyncError::NotAllowed { what }
}

struct Check<'a> {
    view: &'a View,
    sent: &'a HashSet<ChunkId>,
    readable: &'a Readable,
    accepted: HashSet<FileId>,
}

impl Check<'_> {
    fn is_theirs(&self, placed: &PlacedFile) -> SyncResult<bool> {
        if placed.size == 0 || self.may_read(placed.file)? {
            return Ok(true);
        }
        // Whichever of them turns out to be true: each has to be made of what is theirs.
        let manifests = match self.view.manifest(placed.file)? {
            Some(manifest) => vec![manifest],
            None => self.view.claims(placed.file)?,
        };
        let mut needed = HashSet::new();
        if manifests.is_empty() || self.view.snapshot().has_chunk(placed.file.into())? {
            needed.insert(placed.file.into());
        }
        for manifest in &manifests {
            needed.extend(manifest_chunks(self.view, manifest)?);
        }
        needed.retain(|chunk| !self.sent.contains(chunk));
        if needed.is_empty() {
            return Ok(true);
        }
        if let Some(before) = placed.before.filter(|before| *before != placed.file)
            && self.may_read(before)?
        {
            let had = chunks_of(self.view, before, &needed)?;
            needed.retain(|chunk| !had.contains(chunk));
        }
        for chunk in &needed {
            if !self.may_read(FileId::from_bytes(*chunk.as_bytes()))? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn may_read(&self, file: FileId) -> SyncResult<bool> {
        Ok(self.accepted.contains(&file) || self.readable.of(self.view, [file])?.contains(&file))
    }
}
