//! What would go, what stays, and why.

use crate::base::id::{ChunkId, PackId};
use crate::base::monitor::{Advance, Monitor, Phase};
use crate::care::condemned::{self, Kind, is_reached};
use crate::care::error::CareError;
use crate::care::gc::Options;
use crate::repo::reach::{Reached, Roots, reach};
use crate::repo::refs::RefKind;
use crate::repo::{Repository, View};
use crate::store::{PackRecord, StoreError};
use serde::Serialize;
use std::collections::BTreeMap;

/// A pack is rewritten when at least so much of it is not needed.
pub const WASTE_PERCENT: u64 = 10;

/// Things and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// How many commits, folders, descriptions and file records.
    pub objects: u64,
    /// How many chunks of content.
    pub chunks: u64,
    /// Raw bytes of these chunks.
    pub bytes: u64,
}

/// What is to happen to a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PackAction {
    /// Nothing of it is needed: it goes.
    Remove,
    /// What is needed moves to another pack.
    Rewrite,
    /// It stays as it is.
    Keep,
}

/// One pack that does not stay as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PackLine {
    /// Its id; also the name of its file.
    pub pack: PackId,
    /// Length in bytes.
    pub bytes: u64,
    /// About how many bytes will be free.
    pub bytes_freed: u64,
    /// What is to happen.
    pub action: PackAction,
}

/// Why things stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct KeptLine {
    /// `branches`, `drafts`, `tags`, `journal`, `set-aside`, `merge` or `worktree`.
    pub what: &'static str,
    /// How many of them.
    pub count: u64,
}

/// What would be done. The shape of `pent gc --dry-run --json`.
#[derive(Debug, Clone, Serialize)]
pub struct Plan {
    /// Days of grace, rounded down.
    pub grace_days: i64,
    /// What goes now.
    pub due: Tally,
    /// What nothing reaches but stays for the grace.
    pub waiting: Tally,
    /// When the first of these may go, in milliseconds since 1970.
    pub waiting_until_ms: Option<i64>,
    /// What stays.
    pub kept: Tally,
    /// Why it stays.
    pub kept_because: Vec<KeptLine>,
    /// Packs that do not stay as they are.
    pub packs: Vec<PackLine>,
    /// Pack files that no finished command left, and their bytes.
    pub orphan_packs: u64,
    /// Their bytes.
    pub orphan_bytes: u64,
    /// Journal entries that are older than the journal protects.
    pub journal_entries: u64,
    /// About how many bytes of packs will be free.
    pub bytes_freed: u64,
    /// Bytes of all packs now.
    pub bytes_before: u64,
    /// Records that are missing. What only they reach cannot be known.
    pub missing: u64,
}

/// Plans.
pub fn plan(repository: &Repository, options: &Options, monitor: &dyn Monitor) -> Result<Plan, CareError> {
    let view = repository.view()?;
    let (_, reached) = mark(&view, options, monitor)?;
    let mut survey = Survey::new(&view, options, &reached);
    survey.look(monitor, &mut |_, _| Ok(()))?;
    survey.finish(repository)
}

/// Walks everything that the roots reach.
pub(super) fn mark(
    view: &View,
    options: &Options,
    monitor: &dyn Monitor,
) -> Result<(Roots, Reached), CareError> {
    monitor.phase(Phase { name: "Looking what is needed", files_total: None, bytes_total: None });
    let roots = Roots::of(view, options.now)?.normalised();
    let reached = reach(view, &roots, monitor)?;
    Ok((roots, reached))
}

/// How much of a pack is needed, in raw bytes.
#[derive(Debug, Clone, Copy, Default)]
struct PackNeed {
    needed: u64,
    waiting: u64,
}

/// Goes through everything and tells what was reached from what was not.
pub(super) struct Survey<'a> {
    view: &'a View,
    options: &'a Options,
    reached: &'a Reached,
    due: Tally,
    waiting: Tally,
    kept: Tally,
    oldest_waiting_ms: Option<i64>,
    needs: BTreeMap<u32, PackNeed>,
}

/// Told of everything that was not reached: its kind and its key.
pub(super) type Found<'f> = dyn FnMut(Kind, &[u8]) -> Result<(), CareError> + 'f;

impl<'a> Survey<'a> {
    pub(super) fn new(view: &'a View, options: &'a Options, reached: &'a Reached) -> Self {
        Self {
            view,
            options,
            reached,
            due: Tally::default(),
            waiting: Tally::default(),
            kept: Tally::default(),
            oldest_waiting_ms: None,
            needs: BTreeMap::new(),
        }
    }

    /// Looks at every object and chunk; `found` is told of those that were not reached and are not
    /// on the list yet.
    pub(super) fn look(&mut self, monitor: &dyn Monitor, found: &mut Found<'_>) -> Result<(), CareError> {
        monitor.phase(Phase { name: "Looking what is not", files_total: None, bytes_total: None });
        for kind in Kind::ALL {
            let Some(space) = kind.space() else { continue };
            for row in self.view.snapshot().scan_prefix(space, b"")? {
                let (key, _) = row?;
                check_cancelled(monitor)?;
                if is_reached(self.reached, kind, &key) {
                    self.kept.objects += 1;
                } else {
                    self.unreached(kind, &key, found)?.objects += 1;
                }
            }
        }
        for row in self.view.snapshot().scan_chunks()? {
            let (id, place) = row?;
            check_cancelled(monitor)?;
            let length = u64::from(place.length);
            monitor.advance(Advance { bytes: length, ..Advance::default() });
            self.chunk(id, place.pack, length, found)?;
        }
        Ok(())
    }

    fn chunk(&mut self, id: ChunkId, pack: u32, length: u64, found: &mut Found<'_>) -> Result<(), CareError> {
        if self.reached.has_chunk(id) {
            self.needs.entry(pack).or_default().needed += length;
            self.kept.chunks += 1;
            self.kept.bytes += length;
            return Ok(());
        }
        let due_before = self.due.chunks;
        let tally = self.unreached(Kind::Chunk, id.as_bytes(), found)?;
        tally.chunks += 1;
        tally.bytes += length;
        if self.due.chunks == due_before {
            self.needs.entry(pack).or_default().waiting += length;
        }
        Ok(())
    }

    /// The tally that something belongs to that was not reached.
    fn unreached(&mut self, kind: Kind, key: &[u8], found: &mut Found<'_>) -> Result<&mut Tally, CareError> {
        let since = condemned::since(self.view.snapshot(), kind, key)?;
        if since.is_none() {
            found(kind, key)?;
        }
        let since = since.unwrap_or(self.options.now.unix_ms);
        if self.options.is_due(since) {
            return Ok(&mut self.due);
        }
        self.oldest_waiting_ms = Some(self.oldest_waiting_ms.map_or(since, |oldest| oldest.min(since)));
        Ok(&mut self.waiting)
    }

    /// Says what follows for the packs.
    pub(super) fn finish(self, repository: &Repository) -> Result<Plan, CareError> {
        let mut packs = Vec::new();
        let (mut bytes_freed, mut bytes_before) = (0, 0);
        let records = self.view.snapshot().packs()?;
        for (number, record) in &records {
            let need = self.needs.get(number).copied().unwrap_or_default();
            let line = pack_line(record, need.needed + need.waiting);
            bytes_before += record.length;
            if line.action != PackAction::Keep {
                bytes_freed += line.bytes_freed;
                packs.push(line);
            }
        }
        let orphans: Vec<u64> = repository
            .store()
            .pack_files()?
            .into_iter()
            .filter(|file| file.id.is_some_and(|id| records.iter().all(|(_, record)| record.id != id)))
            .map(|file| file.length)
            .collect();
        let journal = self.view.journal_extent(self.options.now)?;
        Ok(Plan {
            grace_days: self.options.grace_ms / super::DAY_MS,
            due: self.due,
            waiting: self.waiting,
            waiting_until_ms: self.oldest_waiting_ms.map(|oldest| oldest + self.options.grace_ms),
            kept: self.kept,
            kept_because: kept_because(self.view, journal.protected)?,
            packs,
            orphan_packs: orphans.len() as u64,
            orphan_bytes: orphans.iter().sum(),
            journal_entries: journal.older,
            bytes_freed,
            bytes_before,
            missing: self.reached.missing.len() as u64,
        })
    }
}

/// What is to happen to a pack of which so many raw bytes are needed.
pub(super) fn pack_line(record: &PackRecord, needed: u64) -> PackLine {
    let wasted = record.raw_bytes.saturating_sub(needed);
    let share =
        |whole: u64| (u128::from(whole) * u128::from(wasted) / u128::from(record.raw_bytes.max(1))) as u64;
    let (action, bytes_freed) = if needed == 0 {
        (PackAction::Remove, record.length)
    } else if wasted * 100 >= record.raw_bytes.saturating_mul(WASTE_PERCENT) && wasted > 0 {
        (PackAction::Rewrite, share(record.length))
    } else {
        (PackAction::Keep, 0)
    };
    PackLine { pack: record.id, bytes: record.length, bytes_freed, action }
}

fn kept_because(view: &View, journal: u64) -> Result<Vec<KeptLine>, CareError> {
    let mut lines = Vec::new();
    let mut add = |what, count: usize| {
        if count > 0 {
            lines.push(KeptLine { what, count: count as u64 });
        }
    };
    let names = view.references()?;
    let tags = names.iter().filter(|(name, _)| name.kind() == RefKind::Tag).count();
    let drafts = names.iter().filter(|(name, _)| name.is_draft()).count();
    let remotes = names.iter().filter(|(name, _)| name.kind() == RefKind::Remote).count();
    add("branches", names.len() - tags - drafts - remotes);
    add("drafts", drafts);
    add("tags", tags);
    add("remotes", remotes);
    add("journal", usize::try_from(journal).unwrap_or(usize::MAX));
    add("set-aside", view.shelves()?.len());
    let state = view.state()?;
    add("merge", usize::from(state.merge.is_some()));
    add("worktree", state.pending.metadata.len());
    Ok(lines)
}

pub(super) fn check_cancelled(monitor: &dyn Monitor) -> Result<(), CareError> {
    if monitor.is_cancelled() { Err(StoreError::Cancelled.into()) } else { Ok(()) }
}
