//! `info`: what a file is, by its content.

use crate::app::common::locate::{Located, Word, locate, locate_version};
use crate::app::common::on_demand::view_with;
use crate::app::common::seekable::stored_file;
use crate::app::error::AppError;
use crate::base::id::FileId;
use crate::base::monitor::Monitor;
use crate::base::path::AssetPath;
use crate::base::time::Clock;
use crate::media::facts::Facts;
use crate::media::format::Format;
use crate::media::input::Input;
use crate::media::sniff::sniff;
use crate::media::worker::{WorkerError, Workers};
use crate::object::tree::Content;
use crate::repo::Repository;
use crate::worktree::root::Worktree;
use crate::worktree::stat::NodeKind;
use serde::Serialize;
use std::fs::File;
use std::path::PathBuf;

/// What to look at.
#[derive(Debug, Clone)]
pub struct Options {
    /// The file: a path means the one in the worktree, or the committed one when it is not there.
    pub subject: Word,
    /// The revision in which a path is looked up instead.
    pub revision: Option<String>,
}

/// What was found.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The path, as asked for or as the version has it.
    pub path: AssetPath,
    /// Size in bytes.
    pub size: u64,
    /// The id of the committed file; `None` for one of the worktree.
    pub file: Option<FileId>,
    /// The facts.
    pub facts: Facts,
    /// Why the decoder could not tell more than the format.
    pub fault: Option<String>,
}

/// A file that was found, open at its beginning.
pub struct Opened {
    /// Where it stands.
    pub path: AssetPath,
    /// Its id, of a committed file.
    pub id: Option<FileId>,
    /// Its size in bytes.
    pub size: u64,
    /// Its bytes.
    pub file: File,
    /// Its format.
    pub format: &'static Format,
}

/// Tells what a file is.
pub fn run(
    repository: &Repository,
    options: &Options,
    workers: &Workers,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    let opened = open(repository, options, clock, monitor)?;
    let Opened { path, id, size, file, format } = opened;
    let (facts, fault) = match workers.facts(file, format) {
        Ok(facts) => (facts, None),
        Err(error @ WorkerError::Start(_)) => return Err(AppError::Decoder { path, source: error }),
        // A file that its decoder does not like is still a file of its format.
        Err(error) => (
            Facts {
                format: format.id.to_owned(),
                format_name: format.name.to_owned(),
                family: Some(format.family),
                mime: format.mime.to_owned(),
                ..Facts::default()
            },
            Some(error.to_string()),
        ),
    };
    Ok(Report { path, size, file: id, facts, fault })
}

/// Finds and opens what is meant.
pub fn open(
    repository: &Repository,
    options: &Options,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Opened, AppError> {
    if let (Word::Path(path), None) = (&options.subject, &options.revision)
        && let Some(opened) = open_in_worktree(repository, path)?
    {
        return Ok(opened);
    }
    let view = repository.view()?;
    let located: Located = match &options.subject {
        Word::Path(path) => locate(&view, options.revision.as_deref(), path, clock.now())?,
        Word::Version { path, version } => locate_version(&view, path, *version)?,
        Word::Revision(text) => return Err(AppError::NamesNothing { text: text.clone() }),
    };
    let path = located.path;
    let (id, size) = match located.entry.content {
        Content::File { id, size, .. } => (id, size),
        Content::Symlink { .. } => return Err(AppError::NoFile { path }),
        Content::Directory { .. } => return Err(AppError::IsFolder { path }),
        Content::Foreign { .. } => return Err(AppError::Foreign { path }),
    };
    let view = view_with(repository, view, [(id, size)], monitor)?;
    let file = stored_file(repository, &view, id, size, monitor)?;
    opened(path, Some(id), file)
}

/// Opens a file on disk; `None` when nothing is there.
pub(super) fn open_in_worktree(
    repository: &Repository,
    path: &AssetPath,
) -> Result<Option<Opened>, AppError> {
    let worktree = Worktree::open(repository.root())?;
    let fault = |source| AppError::Io { action: "reading", path: worktree.full_path(path), source };
    let Some(node) = worktree.look(path).map_err(fault)? else { return Ok(None) };
    match node.kind {
        NodeKind::File { .. } => {}
        NodeKind::Directory => return Err(AppError::IsFolder { path: path.clone() }),
        NodeKind::Symlink | NodeKind::Special(_) => return Err(AppError::NoFile { path: path.clone() }),
    }
    Ok(Some(opened(path.clone(), None, worktree.open_file(path).map_err(fault)?)?))
}

/// Tells the format of an open file.
pub(super) fn opened(path: AssetPath, id: Option<FileId>, mut file: File) -> Result<Opened, AppError> {
    let fault = |source| AppError::Io { action: "reading", path: PathBuf::from(path.to_string()), source };
    let mut input = Input::new(&mut file).map_err(fault)?;
    let size = input.len();
    let format = sniff(&mut input, path.name()).map_err(fault)?;
    input.rewound().map_err(fault)?;
    Ok(Opened { path, id, size, file, format })
}
