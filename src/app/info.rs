//! `info`: what a file is, by its content.

use crate::app::common::locate::{Located, Word, locate, locate_version};
use crate::app::common::needed::missing;
use crate::app::common::on_demand::view_with;
use crate::app::common::seekable::stored_file;
use crate::app::error::AppError;
use crate::base::id::{FileId, TreeId};
use crate::base::monitor::Monitor;
use crate::base::path::AssetPath;
use crate::base::time::Clock;
use crate::media::facts::{Facts, Field};
use crate::media::format::{self, Format};
use crate::media::input::Input;
use crate::media::sniff::sniff;
use crate::media::worker::Workers;
use crate::object::tree::Content;
use crate::object::tree_walk::entry_at;
use crate::repo::{RepoError, Repository};
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
    /// Which of the files that it needs are not where it looks for them.
    pub missing: Vec<String>,
    /// Why the decoder could not tell more than the format.
    pub fault: Option<String>,
    /// What XMP sidecars beside it say of it: `photo.xmp` and `photo.jpg.xmp` of `photo.jpg`.
    pub sidecars: Vec<Sidecar>,
}

/// A file of fields about another one.
#[derive(Debug, Clone, Serialize)]
pub struct Sidecar {
    /// Where it stands.
    pub path: AssetPath,
    /// The fields in it.
    pub fields: Vec<Field>,
    /// Why it could not be read.
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
    /// The tree it is of; `None` for a file of the worktree.
    pub tree: Option<TreeId>,
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
    let sidecars = sidecars(repository, &opened, workers, monitor)?;
    let Opened { path, id, size, file, format, tree } = opened;
    let (facts, fault) = match workers.facts(file, format) {
        Ok(facts) => (facts, None),
        // A file that its decoder does not like is still a file of its format.
        Err(error) => (
            Facts {
                format: format.id.to_owned(),
                format_name: format.name.to_owned(),
                family: Some(format.family),
                mime: format.mime.to_owned(),
                ..Facts::default()
            },
            Some(AppError::of_decoder(&path, error)?),
        ),
    };
    let missing = match facts.needs.as_slice() {
        [] => Vec::new(),
        needs => missing(repository, &repository.view()?, (tree, &path), needs)?,
    };
    Ok(Report { path, size, file: id, facts, missing, fault, sidecars })
}

/// Reads the sidecars of a file, from where the file itself is from.
fn sidecars(
    repository: &Repository,
    of: &Opened,
    workers: &Workers,
    monitor: &dyn Monitor,
) -> Result<Vec<Sidecar>, AppError> {
    let mut found = Vec::new();
    for path in sidecar_paths(&of.path) {
        let opened = match of.tree {
            None => match open_in_worktree(repository, &path) {
                Err(AppError::IsFolder { .. } | AppError::NoFile { .. }) => None,
                other => other?,
            },
            Some(tree) => open_in_tree(repository, tree, &path, monitor)?,
        };
        let Some(opened) = opened.filter(|opened| *opened.format == format::XMP) else { continue };
        let (fields, fault) = match workers.facts(opened.file, opened.format) {
            Ok(facts) => (facts.embedded, None),
            Err(error) => (Vec::new(), Some(AppError::of_decoder(&path, error)?)),
        };
        found.push(Sidecar { path, fields, fault });
    }
    Ok(found)
}

/// Where programs put what they say of a file: its name with another end, or with one more.
fn sidecar_paths(path: &AssetPath) -> Vec<AssetPath> {
    let name = path.name();
    let extension = path.extension();
    if extension.eq_ignore_ascii_case(b"xmp") {
        return Vec::new();
    }
    let stem = match extension.len() {
        0 => name,
        length => &name[..name.len() - length - 1],
    };
    let folder = path.parent().unwrap_or_else(AssetPath::root);
    let mut names = vec![[stem, b".xmp"].concat(), [name, b".xmp"].concat()];
    names.dedup();
    names.iter().filter_map(|name| folder.join(name).ok()).collect()
}

fn open_in_tree(
    repository: &Repository,
    tree: TreeId,
    path: &AssetPath,
    monitor: &dyn Monitor,
) -> Result<Option<Opened>, AppError> {
    let view = repository.view()?;
    let entry = entry_at(&view, tree, path).map_err(RepoError::from)?;
    let Some(Content::File { id, size, .. }) = entry.map(|entry| entry.content) else { return Ok(None) };
    let view = view_with(repository, view, [(id, size)], monitor)?;
    let file = stored_file(repository, &view, id, size, monitor)?;
    opened(path.clone(), Some(id), file).map(|opened| Some(Opened { tree: Some(tree), ..opened }))
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
        Content::Foreign { algorithm, digest, .. } => {
            return Err(AppError::foreign(path, algorithm, &digest));
        }
    };
    let view = view_with(repository, view, [(id, size)], monitor)?;
    let file = stored_file(repository, &view, id, size, monitor)?;
    opened(path, Some(id), file).map(|opened| Opened { tree: Some(located.tree), ..opened })
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
    Ok(Opened { path, id, size, file, format, tree: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sidecars_are_called_in_two_ways() {
        let of = |path: &str| -> Vec<String> {
            let path = AssetPath::from_bytes(path).expect("a path");
            sidecar_paths(&path).iter().map(ToString::to_string).collect()
        };
        assert_eq!(of("a/photo.jpg"), ["a/photo.xmp", "a/photo.jpg.xmp"]);
        assert_eq!(of("photo"), ["photo.xmp"]);
        assert_eq!(of("photo.XMP"), [""; 0]);
        assert_eq!(of(".jpg"), [".jpg.xmp"]);
    }
}
