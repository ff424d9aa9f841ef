//! The text of documents: what people read in a file that is no text itself, line by line.

use super::{FileDiff, Report, Side};
use crate::app::common::content::StoredContent;
use crate::app::common::describe::EntryLine;
use crate::app::common::seekable::stored_file;
use crate::app::error::AppError;
use crate::app::info::{Opened, open_in_worktree, opened};
use crate::base::monitor::Monitor;
use crate::diff::text::{Encoding, Text, TextLimits, diff_text};
use crate::media::format::Family;
use crate::media::worker::Workers;
use crate::repo::{Repository, View};
use std::time::{Duration, Instant};

/// Longest document that is read for its text, in bytes.
const BYTES_MAX: u64 = 64 << 20;
/// Most documents of one comparison.
const DOCUMENTS_MAX: usize = 200;
/// How long reading may take in all.
const TIME_MAX: Duration = Duration::from_secs(20);
/// Most changed lines of one document that are told.
const LINES_MAX: usize = 2000;

/// How many bytes of a file tell that it is no document.
const HEAD_BYTES: u64 = 8;
/// How documents begin: packages of XML, PDF, rich text, and the old form of offices.
const BEGINNINGS: &[&[u8]] = &[b"PK\x03\x04", b"%PDF", b"{\\rtf", b"\xd0\xcf\x11\xe0"];

/// Adds to each document that differs how its text does, as far as there is time. What cannot be read stays
/// as it was compared: by its bytes.
pub fn add_texts(
    repository: &Repository,
    report: &mut Report,
    context_lines: u32,
    workers: &Workers,
    monitor: &dyn Monitor,
) -> Result<(), AppError> {
    let is_stored = |side: &Side| !matches!(side, Side::Nothing | Side::Worktree);
    let stored = (is_stored(&report.before), is_stored(&report.after));
    let mut view = None;
    let until = Instant::now() + TIME_MAX;
    let limits = TextLimits { context_lines, changed_lines_max: LINES_MAX };
    for file in report.files.iter_mut().filter(|file| may_be_document(file)).take(DOCUMENTS_MAX) {
        if monitor.is_cancelled() {
            return Err(AppError::Cancelled);
        }
        if Instant::now() >= until {
            break;
        }
        let view = match &mut view {
            Some(view) => view,
            none => none.insert(repository.view()?),
        };
        let reader = Reader { repository, view, workers, monitor };
        let (Some(before), Some(after)) = (&file.before, &file.after) else { continue };
        let (Some(before), Some(after)) = (reader.text(before, stored.0)?, reader.text(after, stored.1)?)
        else {
            continue;
        };
        if before != after {
            file.text = Some(diff_text(&before, &after, limits));
        }
    }
    Ok(())
}

/// Whether a file that differs may be a document, by what is known before it is read.
fn may_be_document(file: &FileDiff) -> bool {
    let is_changed = (file.kinds.content || file.kinds.replaced) && file.problem.is_none();
    let is_short = |line: &Option<EntryLine>| {
        line.as_ref()
            .is_some_and(|line| line.kind == "file" && line.size.is_none_or(|size| size <= BYTES_MAX))
    };
    is_changed && file.content.is_some() && is_short(&file.before) && is_short(&file.after)
}

struct Reader<'a> {
    repository: &'a Repository,
    view: &'a View,
    workers: &'a Workers,
    monitor: &'a dyn Monitor,
}

impl Reader<'_> {
    /// The text of one side; `None` when it is no document, or cannot be read.
    fn text(&self, line: &EntryLine, is_stored: bool) -> Result<Option<Text>, AppError> {
        let found = if is_stored {
            let (Some(id), Some(size)) = (line.file, line.size) else { return Ok(None) };
            if !self.view.has_content(id, size)? {
                return Ok(None);
            }
            let mut head = Vec::new();
            let stored = StoredContent::new(self.repository, self.view, self.monitor)?;
            stored.extractor().read_range(id, size, 0..size.min(HEAD_BYTES), &mut head)?;
            // Most files are told by their first bytes to be no document, without the rest.
            if !BEGINNINGS.iter().any(|beginning| head.starts_with(beginning)) {
                return Ok(None);
            }
            let file = stored_file(self.repository, self.view, id, size, self.monitor)?;
            Some(opened(line.path.clone(), Some(id), file)?)
        } else {
            match open_in_worktree(self.repository, &line.path) {
                Err(AppError::IsFolder { .. } | AppError::NoFile { .. }) => None,
                found => found?,
            }
        };
        let Some(Opened { path, file, format, size, .. }) = found else { return Ok(None) };
        if format.family != Family::Document || size > BYTES_MAX {
            return Ok(None);
        }
        match self.workers.facts(file, format) {
            Ok(facts) => {
                let text = facts.text.map(|text| text + "\n").unwrap_or_default();
                Ok(Some(Text { encoding: Encoding::Utf8, text }))
            }
            Err(error) => AppError::of_decoder(&path, error).map(|_| None),
        }
    }
}
