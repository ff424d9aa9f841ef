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
use std::collections::HashSet;

/// Insists that everything that new commits bring is the caller's to bring.
pub fn insist_on_possession(
    receiver: &Receiver<'_>,
    found: &Found,
    sent: &HashSet<ChunkId>,
    readable: &Readable,
) -> SyncResult<()> {
    let mut brought = Vec::new();
    for id in &found.commits {
        each_file(&receiver.source(), *id, &mut |placed| {
            brought.push(placed);
            Ok(())
        })?;
    }
    let mut check = Check { view: receiver.view(), sent, readable, accepted: HashSet::new() };
    // What stood there before may be new itself, whatever the order of the clocks.
    loop {
        let waiting = brought.len();
        let mut left = Vec::new();
        for placed in brought {
            if check.is_theirs(&placed)? {
                check.accepted.insert(placed.file);
            } else {
                left.push(placed);
            }
        }
        match left.first() {
            None => return Ok(()),
            Some(first) if left.len() == waiting => return Err(refusal(first)),
            Some(_) => brought = left,
        }
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
