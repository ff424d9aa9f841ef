//! Fetching: takes in what the names of a remote reach, and then notes where they point.
//!
//! ```text
//! describe -> history (bundles) -> walk: what is missing? -> by key, until nothing is
//!          -> chunks of the new files -> files confirmed -> commits stored -> rules asked -> names noted
//! ```
//!
//! Whatever has come stays when the process ends; the next fetch asks only for the rest.

use crate::base::id::{ChunkId, CommitId, FileId};
use crate::base::monitor::{Advance, Monitor, Phase};
use crate::repo::refs::{RefKind, RefName, RefTarget};
use crate::repo::{RepoError, Repository, View};
use crate::rules::pattern::Pattern;
use crate::store::Space;
use crate::sync::accept::Judge;
use crate::sync::error::{SyncError, SyncResult};
use crate::sync::paths::{each_file, is_hidden};
use crate::sync::receive::{Needed, Receiver};
use crate::sync::remote::{Description, HistoryWants, ObjectKey, RefChange, Remote};
use crate::sync::tracking::{RemoteRecord, put_remote_record, remote_record};
use crate::sync::walk::{Found, NewFile};
use serde::Serialize;
use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};

/// How often what is missing is asked for before the remote counts as incomplete: the deepest tree,
/// and then some.
const ROUNDS_MAX: usize = 600;
/// Files that are named along with a question for chunks.
const FILES_NAMED_MAX: usize = 1024;

/// What to fetch.
pub struct Fetch<'a> {
    /// The repository.
    pub repository: &'a Repository,
    /// Where from.
    pub remote: &'a dyn Remote,
    /// What this repository calls it.
    pub name: &'a str,
    /// Whether the content of the files comes along.
    pub content: bool,
    /// The rules that names must keep to.
    pub judge: &'a dyn Judge,
}

/// What came.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Fetched {
    /// Commits that are new here.
    pub commits: u64,
    /// Files that are new here.
    pub assets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes of content that were here already.
    pub bytes_shared: u64,
    /// Bytes of blocks and bundles that came.
    pub bytes_received: u64,
    /// Files whose content the remote withholds: they stand at paths that one may not read there.
    pub withheld: u64,
    /// Names that moved.
    pub moved: Vec<MovedName>,
    /// Names that were not taken over, and why.
    pub refused: Vec<RefusedName>,
}

/// A name of the remote that points elsewhere than when it was seen last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MovedName {
    /// The name as the remote has it.
    pub name: RefName,
    /// Where it was seen last.
    pub before: Option<CommitId>,
    /// Where it points.
    pub after: Option<CommitId>,
}

/// A name that was not taken over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RefusedName {
    /// The name as the remote has it.
    pub name: RefName,
    /// Why not.
    pub reasons: Vec<String>,
}

impl Fetch<'_> {
    /// Fetches.
    pub fn run(&self, monitor: &dyn Monitor) -> SyncResult<Fetched> {
        monitor.phase(Phase { name: "Asking the remote", files_total: None, bytes_total: None });
        let description = self.remote.describe()?;
        if description.repository != self.repository.id() {
            return Err(SyncError::OtherRepository {
                expected: self.repository.id(),
                found: description.repository,
            });
        }
        let view = self.repository.view()?;
        let wants = wants(&view, &description)?;
        let mut fetched = Fetched::default();
        if !wants.is_empty() {
            self.receive(&view, &description, wants, &mut fetched, monitor)?;
        }
        self.note_names(&description, &mut fetched)?;
        Ok(fetched)
    }

    fn receive(
        &self,
        view: &View,
        description: &Description,
        wants: Vec<CommitId>,
        fetched: &mut Fetched,
        monitor: &dyn Monitor,
    ) -> SyncResult<()> {
        let mut receiver = Receiver::new(self.repository, monitor)?;
        let mut received = 0;
        let record = remote_record(view, self.name)?;
        let since = record.filter(|record| record.epoch == description.epoch).and_then(|record| record.mark);
        let haves = view.references()?.into_iter().map(|(_, target)| target.commit).collect();
        monitor.phase(Phase { name: "Receiving history", files_total: None, bytes_total: None });
        let history = HistoryWants { wants: wants.clone(), haves, since };
        self.remote.fetch_history(&history, &mut |bundle| {
            received += bundle.len() as u64;
            receiver.take_bundle(bundle)
        })?;
        let found = self.complete(&mut receiver, &wants, description, &mut received, monitor)?;
        receiver.keep_only(&found.commits);
        fetched.commits = found.commits.len() as u64;
        fetched.assets = found.files.len() as u64;
        fetched.bytes = found.files.iter().map(|file| file.size).sum();
        if self.content {
            let sizes = (found.files.len() as u64, fetched.bytes);
            monitor.phase(phase("Receiving", sizes));
            let files = readable_files(&receiver, &found, &description.hidden)?;
            fetched.withheld = (found.files.len() - files.len()) as u64;
            let taken = receive_content(self.remote, &mut receiver, &files, description, monitor)?;
            fetched.bytes_shared = taken.bytes_shared;
            received += taken.bytes_received;
            monitor.phase(phase("Checking", sizes));
            insist_on_content(&receiver, &files)?;
        }
        fetched.bytes_received = received;
        let mut edit = self.repository.edit()?;
        receiver.store_commits(&mut edit)?;
        Ok(edit.commit()?)
    }

    /// Asks by key for what the history left out, until nothing is missing.
    fn complete(
        &self,
        receiver: &mut Receiver<'_>,
        wants: &[CommitId],
        description: &Description,
        received: &mut u64,
        monitor: &dyn Monitor,
    ) -> SyncResult<Found> {
        monitor.phase(Phase { name: "Looking for what is new", files_total: None, bytes_total: None });
        let mut asked: HashSet<ObjectKey> = HashSet::new();
        for _ in 0..ROUNDS_MAX {
            receiver.settle()?;
            let found = receiver.find_new(wants)?;
            if found.missing.is_empty() {
                return Ok(found);
            }
            if let Some(key) = found.missing.iter().find(|key| asked.contains(key)) {
                return Err(SyncError::Missing { kind: key.kind.name(), id: key.id_text() });
            }
            asked.extend(found.missing.iter().copied());
            for keys in found.missing.chunks(description.limits.keys_max) {
                self.remote.fetch_objects(keys, &mut |bundle| {
                    *received += bundle.len() as u64;
                    receiver.take_bundle(bundle)
                })?;
            }
        }
        Err(SyncError::Invalid { what: "a history", detail: "it is deeper than any can be".to_owned() })
    }

    /// Notes where the remote's names point: branches beside ours, tags among ours where their names
    /// are free. What the rules forbid is not taken over.
    fn note_names(&self, description: &Description, fetched: &mut Fetched) -> SyncResult<()> {
        let view = self.repository.view()?;
        let mut edit = self.repository.edit()?;
        for (name, target) in &description.refs {
            let Some(here) = here(self.name, name)? else { continue };
            let before = edit.reference(&here)?.map(|target| target.commit);
            if before == Some(target.commit) || (before.is_some() && name.kind() == RefKind::Tag) {
                continue;
            }
            let change = RefChange { name: name.clone(), expected: before, target: Some(target.clone()) };
            let mut reasons = self.judge.judge(&view, &change)?;
            if reasons.is_empty() {
                match edit.set_reference(&here, before, Some(kept(name, target))) {
                    Err(error @ RepoError::Protected { .. }) => reasons.push(error.to_string()),
                    outcome => outcome?,
                }
            }
            if reasons.is_empty() {
                let after = Some(target.commit);
                fetched.moved.push(MovedName { name: name.clone(), before, after });
            } else {
                fetched.refused.push(RefusedName { name: name.clone(), reasons });
            }
        }
        for (here, target) in view.references()? {
            let Some((remote, branch)) = here.remote_parts() else { continue };
            let name = RefName::branch(branch)?;
            if remote == self.name && !description.refs.contains_key(&name) {
                edit.set_reference(&here, Some(target.commit), None)?;
                fetched.moved.push(MovedName { name, before: Some(target.commit), after: None });
            }
        }
        if let Some(record) = remote_record(&view, self.name)? {
            let (mark, epoch) = (Some(description.mark), description.epoch);
            put_remote_record(&mut edit, self.name, Some(&RemoteRecord { mark, epoch, ..record }))?;
        }
        Ok(edit.commit()?)
    }
}

fn phase(name: &'static str, (files, bytes): (u64, u64)) -> Phase {
    Phase { name, files_total: Some(files), bytes_total: Some(bytes) }
}

/// The commits that the remote's names point to and that are not here.
fn wants(view: &View, description: &Description) -> SyncResult<Vec<CommitId>> {
    let mut wants = Vec::new();
    for target in description.refs.values() {
        if !view.snapshot().contains(Space::Commits, target.commit.as_bytes())?
            && !wants.contains(&target.commit)
        {
            wants.push(target.commit);
        }
    }
    Ok(wants)
}

/// The name under which a name of a remote is kept; `None` for names that are nobody else's business.
fn here(remote: &str, name: &RefName) -> SyncResult<Option<RefName>> {
    match name.kind() {
        RefKind::Branch => Ok(Some(RefName::remote(remote, name)?)),
        RefKind::Tag => Ok(Some(name.clone())),
        RefKind::Remote => Ok(None),
    }
}

fn kept(name: &RefName, target: &RefTarget) -> RefTarget {
    match name.kind() {
        RefKind::Tag => target.clone(),
        RefKind::Branch | RefKind::Remote => RefTarget::plain(target.commit),
    }
}

/// How much content came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Taken {
    /// Bytes of blocks and bundles.
    pub bytes_received: u64,
    /// Bytes that were here already.
    pub bytes_shared: u64,
}

/// The new files without those that stand only at paths whose content is withheld.
fn readable_files(receiver: &Receiver<'_>, found: &Found, hidden: &[Pattern]) -> SyncResult<Vec<NewFile>> {
    if hidden.is_empty() {
        return Ok(found.files.clone());
    }
    let (mut shown, mut withheld) = (HashSet::new(), HashSet::new());
    for id in &found.commits {
        each_file(&receiver.source(), *id, &mut |placed| {
            let group = if is_hidden(hidden, &placed.path) { &mut withheld } else { &mut shown };
            group.insert(placed.file);
            Ok(())
        })?;
    }
    let is_readable = |file: &&NewFile| shown.contains(&file.id) || !withheld.contains(&file.id);
    Ok(found.files.iter().filter(is_readable).copied().collect())
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
    for chunks in needed.chunks.chunks(description.limits.chunks_max) {
        if monitor.is_cancelled() {
            return Err(SyncError::Cancelled);
        }
        let wanted: HashSet<ChunkId> = chunks.iter().copied().collect();
        remote.fetch_chunks_of(named, chunks, &|block| {
            received.fetch_add(block.len() as u64, Ordering::Relaxed);
            let bytes = receiver.take_block(block, &wanted)?;
            monitor.advance(Advance { bytes, ..Advance::default() });
            Ok(())
        })?;
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
        for keys in open.chunks(description.limits.keys_max) {
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
fn insist_on_content(receiver: &Receiver<'_>, files: &[NewFile]) -> SyncResult<()> {
    match receiver.confirm(files)?.first() {
        None => Ok(()),
        Some(file) => Err(SyncError::Missing { kind: "the content of file", id: file.id.to_string() }),
    }
}
