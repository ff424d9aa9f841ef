//! Brings the content of files: what they are put together from, then the chunks that are not here.

use super::phase;
use crate::base::id::{ChunkId, FileId};
use crate::base::monitor::{Advance, Monitor};
use crate::repo::Repository;
use crate::sync::error::{SyncError, SyncResult};
use crate::sync::logs::Inbox;
use crate::sync::receive::{Needed, Receiver};
use crate::sync::remote::{Description, Kind, ObjectKey, Remote};
use crate::sync::walk::NewFile;
use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};

/// Content and files that are brought at a time: what is asked for together comes in fewer pieces, and of blocks that
/// files share each comes once. The bound on files is one on memory.
const GROUP_BYTES: u64 = 8 << 30;
const GROUP_FILES: usize = 1 << 17;
/// Files that are named along with a question for chunks.
const FILES_NAMED_MAX: usize = 1024;

/// How much content came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Taken {
    /// Bytes of blocks and bundles.
    pub bytes_received: u64,
    /// Bytes that were here already.
    pub bytes_shared: u64,
}

/// Brings the content of files of which the rest is here. Gives the files that the remote could not give.
pub fn fetch_content(
    repository: &Repository,
    remote: &dyn Remote,
    files: &[NewFile],
    monitor: &dyn Monitor,
) -> SyncResult<(Taken, Vec<NewFile>)> {
    let description = remote.describe()?;
    if description.repository != repository.id() {
        let (expected, found) = (repository.id(), description.repository);
        return Err(SyncError::OtherRepository { expected, found });
    }
    let sizes = (files.len() as u64, files.iter().map(|file| file.size).sum());
    monitor.phase(phase("Receiving content", sizes));
    let (mut taken, mut lacking) = (Taken::default(), Vec::new());
    for group in groups(files) {
        let mut receiver = Receiver::new(repository, Inbox::for_fetch(), monitor)?;
        let more = receive_content(remote, &mut receiver, group, &description, monitor)?;
        taken.bytes_received += more.bytes_received;
        taken.bytes_shared += more.bytes_shared;
        let wrong = receiver.confirm(group)?;
        lacking.extend(excuse(remote, &mut receiver, wrong)?);
    }
    Ok((taken, lacking))
}

/// Files in groups whose lists of chunks fit into memory with ease.
pub(super) fn groups(files: &[NewFile]) -> Vec<&[NewFile]> {
    let (mut groups, mut start, mut bytes) = (Vec::new(), 0, 0u64);
    for (position, file) in files.iter().enumerate() {
        bytes = bytes.saturating_add(file.size);
        if position > start && (bytes > GROUP_BYTES || position - start >= GROUP_FILES) {
            groups.push(&files[start..position]);
            (start, bytes) = (position, file.size);
        }
    }
    if start < files.len() {
        groups.push(&files[start..]);
    }
    groups
}

/// Receives the content of files. Manifest nodes that are missing come first, then the chunks.
///
/// A remote that withholds the content of some paths has to know which files are meant.
pub fn receive_content(
    remote: &dyn Remote,
    receiver: &mut Receiver<'_>,
    files: &[NewFile],
    description: &Description,
    monitor: &dyn Monitor,
) -> SyncResult<Taken> {
    if description.hidden.is_empty() {
        return receive_group(remote, receiver, files, &[], description, monitor);
    }
    let mut taken = Taken::default();
    for group in files.chunks(FILES_NAMED_MAX) {
        let ids: Vec<FileId> = group.iter().map(|file| file.id).collect();
        let part = receive_group(remote, receiver, group, &ids, description, monitor)?;
        taken.bytes_received += part.bytes_received;
        taken.bytes_shared += part.bytes_shared;
    }
    Ok(taken)
}

fn receive_group(
    remote: &dyn Remote,
    receiver: &mut Receiver<'_>,
    files: &[NewFile],
    named: &[FileId],
    description: &Description,
    monitor: &dyn Monitor,
) -> SyncResult<Taken> {
    let mut taken = Taken::default();
    let needed = complete_manifests(remote, receiver, files, description, &mut taken)?;
    taken.bytes_shared = needed.shared_bytes;
    let shared = needed.shared_bytes;
    monitor.advance(Advance { files: 0, bytes: shared, bytes_shared: shared });
    let received = AtomicU64::new(0);
    for chunks in needed.chunks.groups(description.limits.chunks()) {
        if monitor.is_cancelled() {
            return Err(SyncError::Cancelled);
        }
        let chunks = chunks?;
        let wanted: HashSet<ChunkId> = chunks.iter().copied().collect();
        let came = remote.fetch_chunks_of(named, &chunks, &|block| {
            received.fetch_add(block.len() as u64, Ordering::Relaxed);
            let bytes = receiver.take_block(block, &wanted)?;
            monitor.advance(Advance { bytes, ..Advance::default() });
            Ok(())
        });
        if let Err(error) = came {
            // What came before the line broke need not come again; if that fails too, the first error is told.
            let _ = receiver.settle();
            return Err(error);
        }
    }
    taken.bytes_received += received.into_inner();
    receiver.settle()?;
    Ok(taken)
}

/// Asks for manifests and their nodes until the chunks of all files are known.
fn complete_manifests(
    remote: &dyn Remote,
    receiver: &mut Receiver<'_>,
    files: &[NewFile],
    description: &Description,
    taken: &mut Taken,
) -> SyncResult<Needed> {
    let mut asked: HashSet<ObjectKey> = HashSet::new();
    loop {
        let needed = receiver.needed(files)?;
        let open: Vec<ObjectKey> = needed.objects.iter().filter(|key| asked.insert(**key)).copied().collect();
        if open.is_empty() {
            return Ok(needed);
        }
        for keys in open.chunks(description.limits.keys()) {
            remote.fetch_objects(keys, &mut |bundle| {
                taken.bytes_received += bundle.len() as u64;
                receiver.take_bundle(bundle)
            })?;
        }
        receiver.settle()?;
    }
}

/// Hashes the files; content that is missing or wrong is the remote's fault, and nothing that relies
/// on it is taken over.
pub(super) fn insist_on_content(
    remote: &dyn Remote,
    receiver: &mut Receiver<'_>,
    files: &[NewFile],
) -> SyncResult<()> {
    let wrong = receiver.confirm(files)?;
    insist_on_none(&excuse(remote, receiver, wrong)?)
}

pub(super) fn insist_on_none(lacking: &[NewFile]) -> SyncResult<()> {
    match lacking.first() {
        None => Ok(()),
        Some(file) => Err(SyncError::Missing { kind: "the content of file", id: file.id.to_string() }),
    }
}

/// Asks whether what did not come was erased before anybody could have it. Gives the files for which that
/// is no excuse.
pub(super) fn excuse(
    remote: &dyn Remote,
    receiver: &mut Receiver<'_>,
    lacking: Vec<NewFile>,
) -> SyncResult<Vec<NewFile>> {
    /// Files that are asked about at a time.
    const KEYS_AT_A_TIME: usize = 1 << 10;
    for files in lacking.chunks(KEYS_AT_A_TIME) {
        let key = |file: &NewFile| ObjectKey::new(Kind::Tombstone, *file.id.as_bytes());
        let keys: Vec<ObjectKey> = files.iter().map(key).collect();
        remote.fetch_objects(&keys, &mut |bundle| receiver.take_bundle(bundle))?;
    }
    receiver.excuse(lacking)
}
