//! `similar`: which pictures and films look like one.

use crate::app::common::describe::EntryLine;
use crate::app::common::locate::Word;
use crate::app::error::AppError;
use crate::app::info::{self, Opened as Found};
use crate::app::search::IndexLine;
use crate::app::search::heads::tree_of;
use crate::app::search::open::{Opened, Upkeep, open};
use crate::app::search::place::CatalogPlace;
use crate::app::search::read::{Budget, finding_of, key_of};
use crate::base::id::FileId;
use crate::base::monitor::Monitor;
use crate::base::path::AssetPath;
use crate::base::time::Clock;
use crate::catalog::index::Standing;
use crate::catalog::likeness::{Fingerprint, distance_of, likeness};
use crate::catalog::visibility::Visibility;
use crate::media::worker::Workers;
use crate::object::tree::Content;
use crate::object::tree_walk::entry_at;
use crate::repo::{RepoError, Repository};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Seek as _;
use std::path::PathBuf;

/// What to look for.
#[derive(Debug, Clone)]
pub struct Options {
    /// The picture.
    pub subject: Subject,
    /// How much must be alike, in hundredths.
    pub likeness: u32,
    /// At most so many finds.
    pub limit: usize,
    /// What the asker may see.
    pub visibility: Visibility,
}

/// A picture.
#[derive(Debug, Clone)]
pub enum Subject {
    /// One of the repository or of its worktree.
    Asset(info::Options),
    /// Any file on disk.
    File(PathBuf),
}

/// What looks like it.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// What was looked for.
    pub subject: String,
    /// The id of its content.
    pub file: Option<FileId>,
    /// What looks like it, the likest first.
    pub hits: Vec<AlikeLine>,
    /// How the answer came about.
    pub index: IndexLine,
}

/// A picture that looks like another.
#[derive(Debug, Clone, Serialize)]
pub struct AlikeLine {
    /// How much is alike, in hundredths.
    pub likeness: u32,
    /// Whether the content is the very same.
    pub same: bool,
    /// Where it stands.
    #[serde(flatten)]
    pub entry: EntryLine,
    /// On which branches.
    pub on: Vec<String>,
}

/// Looks for it.
pub fn run(
    repository: &Repository,
    options: &Options,
    workers: &Workers,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    let upkeep = Upkeep { workers, budget: Budget::SEARCH, anew: false, now: clock.now(), monitor };
    let opened = open(repository, upkeep)?;
    let (path, file, prints) = prints_of(repository, options, &opened, workers, clock, monitor)?;
    let subject = path.as_ref().map_or_else(|| options.subject.to_string(), ToString::to_string);
    let alike = CatalogPlace::of(repository).prints().alike_to_all(&prints, distance_of(options.likeness))?;
    let mut hits = Vec::new();
    for one in alike {
        if hits.len() >= options.limit {
            break;
        }
        for line in standing_lines(&opened, one.file, &options.visibility)? {
            let (entry, on) = line;
            // Its own versions look like it, and nobody asks for them.
            if Some(&entry.path) != path.as_ref() && hits.len() < options.limit {
                let same = file == Some(one.file);
                hits.push(AlikeLine { likeness: likeness(one.distance), same, entry, on });
            }
        }
    }
    Ok(Report { subject, file, hits, index: IndexLine::of(&opened, true)? })
}

/// The place of what is meant, where it has one, the file there, and how it looks.
type Meant = (Option<AssetPath>, Option<FileId>, Vec<Fingerprint>);

/// The look of the picture that is meant.
fn prints_of(
    repository: &Repository,
    options: &Options,
    opened: &Opened,
    workers: &Workers,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Meant, AppError> {
    let (path, id, finding) = match &options.subject {
        Subject::Asset(which) => {
            let Found { path, id, file, .. } = info::open(repository, which, clock, monitor)?;
            let (id, file) = with_id(path.to_string().into(), id, file)?;
            let known = match (&opened.findings, id) {
                (Some(findings), Some(id)) => findings.get(key_of(id, path.name()))?,
                _ => None,
            };
            let finding = known.map_or_else(|| finding_of(file, path.name(), workers), Ok)?;
            (Some(path), id, finding)
        }
        Subject::File(path) => {
            let file = File::open(path).map_err(AppError::io("reading", path))?;
            let name = path.file_name().unwrap_or_default().as_encoded_bytes();
            let (id, file) = with_id(path.clone(), None, file)?;
            (None, id, finding_of(file, name, workers)?)
        }
    };
    // Of a film its moments say more than the one that stands for it.
    let prints = match finding.moments {
        moments if moments.is_empty() => finding.print.into_iter().collect(),
        moments => moments,
    };
    match (prints.is_empty(), finding.fault) {
        (false, _) => Ok((path, id, prints)),
        (true, Some(reason)) if path.is_some() => {
            Err(AppError::NoPicture { path: path.unwrap_or_default(), reason })
        }
        (true, _) => Err(AppError::NoLikeness { name: options.subject.to_string() }),
    }
}

/// The id of a file's content, which is found out where it is not known; the file stands at its beginning.
fn with_id(path: PathBuf, id: Option<FileId>, mut file: File) -> Result<(Option<FileId>, File), AppError> {
    if id.is_some() {
        return Ok((id, file));
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(&mut file).map_err(AppError::io("reading", &path))?;
    file.rewind().map_err(AppError::io("reading", &path))?;
    Ok((Some(FileId::from_bytes(*hasher.finalize().as_bytes())), file))
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => {
                f.write_str(&crate::base::escape::terminal(path.as_os_str().as_encoded_bytes()))
            }
            Self::Asset(which) => match &which.subject {
                Word::Path(path) | Word::Version { path, .. } => path.fmt(f),
                Word::Revision(text) => f.write_str(text),
            },
        }
    }
}

/// Where a content stands, and on which branches, as far as somebody may see it.
pub(super) fn standing_lines(
    opened: &Opened,
    file: FileId,
    visibility: &Visibility,
) -> Result<Vec<(EntryLine, Vec<String>)>, AppError> {
    let Some(catalog) = &opened.catalog else { return Ok(Vec::new()) };
    let mut by_path: BTreeMap<AssetPath, (EntryLine, Vec<String>)> = BTreeMap::new();
    for Standing { scope, path, .. } in catalog.with_tag("file", &file.to_string(), usize::MAX)? {
        if visibility.hidden.iter().any(|pattern| pattern.matches_path(&path)) {
            continue;
        }
        let Some(group) = opened.heads.group(&scope) else { continue };
        let entry =
            entry_at(&opened.view, tree_of(&opened.view, group.commit)?, &path).map_err(RepoError::from)?;
        let Some(entry) =
            entry.filter(|entry| matches!(entry.content, Content::File { id, .. } if id == file))
        else {
            continue;
        };
        let line = by_path.entry(path.clone()).or_insert_with(|| (EntryLine::new(&path, &entry), Vec::new()));
        line.1.extend(opened.heads.names_of(group));
    }
    Ok(by_path.into_values().collect())
}
