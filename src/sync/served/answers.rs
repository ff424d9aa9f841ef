//! What a repository answers: which objects it has, and the bundles that have them.

use super::ANSWER_BYTES;
use crate::base::id::{ChunkId, FileId, LogEntryId, PersonId};
use crate::object::action::Action;
use crate::object::manifest::verified_key;
use crate::repo::View;
use crate::repo::review_log::ActionRecord;
use crate::repo::sets::{LogSet, SHARED_LOG};
use crate::repo::shared_log::LogHead;
use crate::store::Space;
use crate::sync::bundle::BundleBuilder;
use crate::sync::error::SyncResult;
use crate::sync::logs::{all_of_set, log_object_bytes, person_key};
use crate::sync::origins::{is_origin, object};
use crate::sync::push::candidates::object_bytes;
use crate::sync::readable::{Readable, chunks_of};
use crate::sync::receive::space_of;
use crate::sync::remote::{BundleSink, HistoryWants, Kind, ObjectKey};
use std::collections::HashSet;

/// Entries of the shared log that come along with the one that is asked for.
const ENTRIES_ALONG: u64 = 255;

/// Whether a repository has an object.
pub(super) fn has(view: &View, key: &ObjectKey) -> SyncResult<bool> {
    Ok(match key.kind {
        Kind::Chunk => view.snapshot().has_chunk(ChunkId::from_bytes(key.id))?,
        kind if is_origin(kind) => object(view, key)?.is_some(),
        Kind::Tombstone => view.tombstone_or_excuse(FileId::from_bytes(key.id))?.is_some(),
        Kind::Manifest => {
            view.snapshot().contains(Space::Manifests, &verified_key(FileId::from_bytes(key.id)))?
        }
        Kind::Person => {
            let id = PersonId::from_slice(&key.id[..PersonId::SIZE]);
            let known = id.map(|id| view.person(id)).transpose()?.flatten();
            known.is_some() && object_bytes(view, *key).is_ok()
        }
        kind if kind.is_of_logs() => log_object_bytes(view, *key)?.is_some(),
        kind => match space_of(kind) {
            Some(space) => view.snapshot().contains(space, &key.id)?,
            None => false,
        },
    })
}

/// The same for somebody from whom content is withheld: of content, what they may read is there. The
/// chunks of a file that is asked about along with them count too.
pub(super) fn have_of(view: &View, keys: &[ObjectKey], readable: &Readable) -> SyncResult<Vec<bool>> {
    let files = keys.iter().filter(|key| key.kind == Kind::Manifest).map(|key| FileId::from_bytes(key.id));
    let files: Vec<FileId> = files.collect();
    let ids = keys.iter().filter(|key| key.kind == Kind::Chunk).map(|key| ChunkId::from_bytes(key.id));
    let chunks = readable_chunks(view, &files, &ids.collect::<Vec<_>>(), readable)?;
    let files = readable.of(view, files)?;
    let answer = |key: &ObjectKey| {
        let may = match key.kind {
            Kind::Chunk => chunks.contains(&ChunkId::from_bytes(key.id)),
            Kind::Manifest => files.contains(&FileId::from_bytes(key.id)),
            // Parts of a manifest say no more than that it is here.
            Kind::ManifestNode => false,
            _ => true,
        };
        Ok(may && has(view, key)?)
    };
    keys.iter().map(answer).collect()
}

/// Of these chunks, and of the chunks of these files, what may be read.
pub(super) fn readable_chunks(
    view: &View,
    files: &[FileId],
    chunks: &[ChunkId],
    readable: &Readable,
) -> SyncResult<HashSet<ChunkId>> {
    let alone = readable.of(view, chunks.iter().map(|id| FileId::from_bytes(*id.as_bytes())))?;
    let mut found: HashSet<ChunkId> = alone.into_iter().map(ChunkId::from).collect();
    let asked: HashSet<ChunkId> = chunks.iter().copied().collect();
    for file in readable.of(view, files.iter().copied())? {
        found.extend(chunks_of(view, file, &asked)?);
    }
    Ok(found)
}

/// Puts objects into bundles and sends these on.
pub(super) struct Answer<'s, 'b> {
    view: &'s View,
    builder: BundleBuilder,
    sink: &'s mut BundleSink<'b>,
}

impl<'s, 'b> Answer<'s, 'b> {
    pub(super) fn new(view: &'s View, sink: &'s mut BundleSink<'b>) -> Self {
        Self { view, builder: BundleBuilder::default(), sink }
    }

    pub(super) fn add(&mut self, key: ObjectKey) -> SyncResult<()> {
        self.builder.push(key, &object_bytes(self.view, key)?)?;
        if self.builder.len() >= ANSWER_BYTES { self.send() } else { Ok(()) }
    }

    pub(super) fn send(&mut self) -> SyncResult<()> {
        let builder = std::mem::take(&mut self.builder);
        if builder.is_empty() { Ok(()) } else { (self.sink)(&builder.finish(&[0; 16])?.bytes) }
    }
}

/// With an action goes the record of whoever acted.
pub(super) fn add_actor(view: &View, key: ObjectKey, answer: &mut Answer<'_, '_>) -> SyncResult<()> {
    if key.kind != Kind::Action {
        return Ok(());
    }
    let record = log_object_bytes(view, key)?.and_then(|bytes| ActionRecord::decode(&bytes).ok());
    let action = record.and_then(|record| Action::decode(&record.statement).ok());
    let person = action.map(|action| person_key(view, action.actor)).transpose()?.flatten();
    person.map_or(Ok(()), |person| answer.add(person))
}

/// What the caller lacks of logs: entries of the shared log after those that it has, and of a set
/// of which it has nothing all that there is.
pub(super) fn add_logs(view: &View, wants: &HistoryWants, answer: &mut Answer<'_, '_>) -> SyncResult<()> {
    let theirs = wants.logs.get(SHARED_LOG).and_then(|bytes| LogHead::decode(bytes).ok());
    let had = match theirs {
        Some(head) => view.log_entry(head.sequence)?.filter(|entry| entry.id() == head.id).map(|_| head),
        None => None,
    };
    // Whoever has another log asks for its entries one by one.
    if theirs.is_none() || had.is_some() {
        for entry in view.log_entries(had.map_or(1, |head| head.sequence + 1))? {
            answer.add(ObjectKey::new(Kind::LogEntry, *entry?.id().as_bytes()))?;
        }
    }
    for set in LogSet::ALL.into_iter().filter(|set| !wants.logs.contains_key(set.name())) {
        for key in all_of_set(view, set)? {
            answer.add(key)?;
        }
    }
    Ok(())
}

/// Entries are asked for from the newest back: those before one come along.
pub(super) fn add_entries_before(view: &View, id: LogEntryId, answer: &mut Answer<'_, '_>) -> SyncResult<()> {
    let Some(sequence) = view.log_sequence(id)? else { return Ok(()) };
    for before in sequence.saturating_sub(ENTRIES_ALONG).max(1)..sequence {
        if let Some(entry) = view.log_entry(before)? {
            answer.add(ObjectKey::new(Kind::LogEntry, *entry.id().as_bytes()))?;
        }
    }
    Ok(())
}
