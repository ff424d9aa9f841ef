//! Compares one asset after another.

use crate::app::common::describe::EntryLine;
use crate::app::diff::access::{DiskAccess, MemoryAccess, StoredAccess};
use crate::app::diff::worktree::OnDisk;
use crate::app::diff::{Detail, FileDiff, Limit, Summary};
use crate::app::error::AppError;
use crate::base::monitor::{Advance, Monitor};
use crate::base::path::AssetPath;
use crate::diff::DiffError;
use crate::diff::metadata::{FieldChange, diff_metadata};
use crate::diff::model::{ContentAccess, ContentDiff, DiffLimits, Differs, NoContent, SNIFF_BYTES, Sniffed};
use crate::diff::text::{TEXT_BYTES_MAX, TextLimits, may_be_text};
use crate::diff::tree::{Change, Located};
use crate::object::chunker::ChunkerParameters;
use crate::object::metadata::Metadata;
use crate::object::source::ObjectSource;
use crate::object::tree::Content;
use crate::repo::extract::Extractor;
use crate::repo::ingest::Ingester;
use crate::repo::{RepoError, View};
use crate::store::GroupHint;
use crate::worktree::root::Worktree;
use crate::worktree::stat::NodeKind;
use std::collections::HashMap;
use std::error::Error;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Most bytes of text that one report repeats, over all files.
const TEXT_SHOWN_MAX: usize = 16 << 20;
/// What a line costs beyond its text.
const LINE_COST: usize = 64;
/// Files beyond this length are compared one at a time, in bytes.
const LARGE_BYTES_MIN: u64 = 1 << 20;
/// Most ranges of bytes that are listed of one file.
const RANGES_MAX: usize = 256;

/// The files on disk that are one side of a comparison.
pub struct Disk {
    /// The user's folder.
    pub worktree: Worktree,
    /// Those of its files that are not as committed.
    pub files: HashMap<AssetPath, OnDisk>,
}

/// How much more of the content one report may repeat.
pub struct Room {
    text_bytes: usize,
}

impl Default for Room {
    fn default() -> Self {
        Self { text_bytes: TEXT_SHOWN_MAX }
    }
}

impl Room {
    /// Sums up how content changed, and keeps the change itself as far as it is asked for and fits.
    pub fn fit(&mut self, file: &mut FileDiff, detail: Detail) {
        let Some(content) = &mut file.content else { return };
        file.summary = Some(Summary::of(content));
        if detail < Detail::Content {
            file.content = None;
            return;
        }
        match content {
            ContentDiff::Text(text) => {
                let lines = text.hunks.iter().flat_map(|hunk| &hunk.lines);
                let cost = lines.map(|line| line.text.len() + LINE_COST).sum::<usize>();
                match self.text_bytes.checked_sub(cost) {
                    Some(left) => self.text_bytes = left,
                    None => {
                        text.hunks = Vec::new();
                        text.lines_omitted = text.lines_added + text.lines_removed;
                    }
                }
                if text.lines_omitted > 0 {
                    file.limits.push(Limit::LinesOmitted);
                }
            }
            ContentDiff::Bytes(bytes) if bytes.ranges.len() > RANGES_MAX => {
                bytes.ranges.truncate(RANGES_MAX);
                bytes.ranges.shrink_to_fit();
                file.limits.push(Limit::RangesOmitted);
            }
            ContentDiff::Bytes(_) => {}
        }
    }
}

impl Summary {
    /// The numbers of a change.
    fn of(content: &ContentDiff) -> Self {
        match content {
            ContentDiff::Text(text) => {
                Self::Text { lines_added: text.lines_added, lines_removed: text.lines_removed }
            }
            ContentDiff::Bytes(bytes) => {
                let changed = bytes.ranges.iter().map(|range| range.before.bytes.max(range.after.bytes));
                Self::Bytes {
                    bytes_shared: bytes.bytes_shared,
                    bytes_new: bytes.bytes_after.saturating_sub(bytes.bytes_shared),
                    bytes_changed: changed.fold(0, u64::saturating_add),
                    ranges: bytes.ranges.len() as u64,
                }
            }
        }
    }
}

/// Compares assets. Callable from several threads.
pub struct Comparer<'a> {
    view: &'a View,
    extractor: Extractor<'a>,
    disk: Option<&'a Disk>,
    parameters: ChunkerParameters,
    differs: Differs,
    detail: Detail,
    limits: DiffLimits,
    /// Held while a large file is compared, so that memory is not taken for several of them.
    large: Mutex<()>,
    monitor: &'a dyn Monitor,
}

/// A side that can be read, with how it begins.
struct Opened<'a> {
    access: Box<dyn ContentAccess + 'a>,
    head: Vec<u8>,
}

impl<'a> Comparer<'a> {
    /// Prepares to compare. With `disk`, the side after is the worktree.
    pub fn new(
        view: &'a View,
        extractor: Extractor<'a>,
        disk: Option<&'a Disk>,
        parameters: ChunkerParameters,
        (detail, context_lines): (Detail, u32),
        monitor: &'a dyn Monitor,
    ) -> Self {
        let changed_lines_max = match detail {
            Detail::Content => TextLimits::default().changed_lines_max,
            Detail::Summary | Detail::Names => 0,
        };
        let limits = DiffLimits { text: TextLimits { context_lines, changed_lines_max } };
        let differs = Differs::default();
        let large = Mutex::default();
        Self { view, extractor, disk, parameters, differs, detail, limits, large, monitor }
    }

    /// Compares one asset. `None` when a file on disk turns out to be what it was.
    pub fn compare(&self, mut change: Change) -> Result<Option<FileDiff>, AppError> {
        if self.monitor.is_cancelled() {
            return Err(AppError::Cancelled);
        }
        let mut file = self.describe(&change)?;
        match self.find_unread(&mut change, &mut file).and_then(|()| self.compare_content(&change, &mut file))
        {
            Ok(()) => {}
            Err(DiffError::Cancelled) => return Err(AppError::Cancelled),
            Err(error) => file.problem = Some(causes(&error)),
        }
        file.kinds = change.kinds;
        self.monitor.advance(Advance { files: 1, ..Advance::default() });
        Ok(Some(file).filter(|file| !file.kinds.is_empty()))
    }

    /// Everything but the content.
    fn describe(&self, change: &Change) -> Result<FileDiff, AppError> {
        let line = |located: &Located| {
            let value = &located.value;
            EntryLine::of(&located.path, value.asset, value.metadata, &value.content)
        };
        let mut after = change.after.as_deref().map(line);
        if let (Some(line), Some(on_disk)) = (&mut after, self.on_disk(change)) {
            line.file = on_disk.file;
        }
        Ok(FileDiff {
            path: change.path().clone(),
            kinds: change.kinds,
            asset: change.asset,
            copied_from: None,
            before: change.before.as_deref().map(line),
            after,
            version_before: None,
            version_after: None,
            summary: None,
            content: None,
            text: None,
            fields: self.fields(change)?,
            limits: Vec::new(),
            problem: None,
        })
    }

    /// The metadata fields that differ; those of something removed went with it and are not told.
    fn fields(&self, change: &Change) -> Result<Vec<FieldChange>, AppError> {
        let Some(after) = &change.after else { return Ok(Vec::new()) };
        let before = change.before.as_ref().and_then(|located| located.value.metadata);
        if before == after.value.metadata {
            return Ok(Vec::new());
        }
        let read = |id: Option<_>| match id {
            Some(id) => self.view.metadata(id),
            None => Ok(Metadata::default()),
        };
        Ok(diff_metadata(&read(before)?, &read(after.value.metadata)?))
    }

    /// Waits for other large files when this is one.
    fn alone_if_large(&self, size: u64) -> Option<MutexGuard<'_, ()>> {
        (size > LARGE_BYTES_MIN).then(|| self.large.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn on_disk(&self, change: &Change) -> Option<&'a OnDisk> {
        self.disk?.files.get(&change.after.as_ref()?.path)
    }

    /// Finds out whether a file on disk that nobody has read is perhaps what it was.
    fn find_unread(&self, change: &mut Change, file: &mut FileDiff) -> Result<(), DiffError> {
        let Some(on_disk) = self.on_disk(change).filter(|on_disk| on_disk.file.is_none()) else {
            return Ok(());
        };
        let (Some(disk), Some(before), Some(after)) = (self.disk, &change.before, &change.after) else {
            return Ok(());
        };
        let Content::File { id, size, .. } = before.value.content else { return Ok(()) };
        if size != on_disk.size || change.kinds.kind {
            return Ok(());
        }
        let _alone = self.alone_if_large(size);
        let mut input = disk.worktree.open_file(&after.path).map_err(unreadable)?;
        let read = Ingester::hashing(self.monitor).ingest_file(&mut input, GroupHint::NONE);
        let read = read.map_err(|error| DiffError::Content(Box::new(error)))?;
        if let Some(line) = &mut file.after {
            line.file = Some(read.file);
        }
        change.kinds.content = read.file != id;
        Ok(())
    }

    fn compare_content(&self, change: &Change, file: &mut FileDiff) -> Result<(), DiffError> {
        let kinds = change.kinds;
        let differs = kinds.content || kinds.added || kinds.removed || kinds.replaced;
        if self.detail == Detail::Names || !differs || kinds.kind {
            return Ok(());
        }
        let before =
            change.before.as_deref().map(|side| self.open_stored(&side.value.content)).transpose()?;
        let after = match (change.after.as_deref(), self.on_disk(change)) {
            (None, _) => None,
            (Some(side), Some(on_disk)) => Some(self.open_disk(&side.path, on_disk)?),
            (Some(side), None) => Some(self.open_stored(&side.value.content)?),
        };
        // A side that is there and cannot be read here - a folder, foreign content - ends it.
        let (before, after) = match (before, after) {
            (Some(None), _) | (_, Some(None)) | (None, None) => return Ok(()),
            (before, after) => (before.flatten(), after.flatten()),
        };
        file.content = self.compare_opened(change.path(), before, after, &mut file.limits)?;
        Ok(())
    }

    /// Finds how content changed. `None` where a size says everything.
    fn compare_opened(
        &self,
        path: &AssetPath,
        before: Option<Opened<'_>>,
        after: Option<Opened<'_>>,
        limits: &mut Vec<Limit>,
    ) -> Result<Option<ContentDiff>, DiffError> {
        let one_sided = before.is_none() || after.is_none();
        let nothing = || Opened { access: Box::new(NoContent), head: Vec::new() };
        let (before, after) = (before.unwrap_or_else(nothing), after.unwrap_or_else(nothing));
        let sides = [&before, &after];
        let reads_as_text = |side: &Opened<'_>, size: u64| may_be_text(&side.head, size);
        let is_text = sides.iter().all(|side| reads_as_text(side, side.access.size()));
        if !is_text && sides.iter().all(|side| reads_as_text(side, side.access.size().min(TEXT_BYTES_MAX))) {
            limits.push(Limit::TooLargeForText);
        }
        // Of bytes that came or went as a whole, their number says everything.
        if one_sided && !is_text {
            return Ok(None);
        }
        let [before, after] = sides.map(|side| {
            let sniffed = Sniffed { path, size: side.access.size(), head: &side.head };
            (&*side.access, sniffed)
        });
        let _alone = self.alone_if_large(before.1.size.max(after.1.size));
        let diff = self.differs.diff(before, after, self.limits)?;
        // What seemed to be text and turned out not to be one came or went as a whole, too.
        Ok(Some(diff).filter(|diff| !one_sided || !matches!(diff, ContentDiff::Bytes(_))))
    }

    /// Opens content of the store; `None` for what has no bytes there.
    fn open_stored(&self, content: &Content) -> Result<Option<Opened<'_>>, DiffError> {
        let (file, size) =
            match self.view.at_hand(content.clone()).map_err(|error| DiffError::Object(Box::new(error)))? {
                Content::File { id, size, .. } | Content::Symlink { id, size } => (id, size),
                Content::Directory { .. } | Content::Foreign { .. } => return Ok(None),
            };
        let of_view = |error: RepoError| DiffError::Object(Box::new(error));
        let is_partial = self.view.is_partial().map_err(of_view)?;
        if is_partial
            && !self.view.has_content(file, size).map_err(of_view)?
            && !self.view.is_excused(file).map_err(of_view)?
        {
            return Err(DiffError::Elsewhere { file, source: None });
        }
        let access = StoredAccess::new(self.view, &self.extractor, file, size);
        Opened::new(Box::new(access)).map(Some)
    }

    /// Opens a file or a link on disk.
    fn open_disk(&self, path: &AssetPath, on_disk: &OnDisk) -> Result<Option<Opened<'_>>, DiffError> {
        let Some(disk) = self.disk else { return Ok(None) };
        let access: Box<dyn ContentAccess + '_> = match on_disk.kind {
            NodeKind::File { .. } => {
                let file = disk.worktree.open_file(path).map_err(unreadable)?;
                let access = DiskAccess::new(file, self.view, self.parameters, self.monitor);
                Box::new(access.map_err(unreadable)?)
            }
            NodeKind::Symlink => Box::new(MemoryAccess(disk.worktree.read_link(path).map_err(unreadable)?)),
            NodeKind::Directory | NodeKind::Special(_) => return Ok(None),
        };
        Opened::new(access).map(Some)
    }
}

impl<'a> Opened<'a> {
    fn new(access: Box<dyn ContentAccess + 'a>) -> Result<Self, DiffError> {
        let mut head = vec![0; access.size().min(SNIFF_BYTES as u64) as usize];
        access.read_at(0, &mut head)?;
        Ok(Self { access, head })
    }
}

fn unreadable(error: io::Error) -> DiffError {
    DiffError::Content(Box::new(error))
}

/// An error with what caused it, in one line.
fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
