//! New pictures that look like others, told before a commit stores them.
//!
//! It costs a commit less than a second where nobody asked for it, else a few: files are looked at on all cores,
//! what there is no time for is counted, and nothing is brought up to date for it. What was seen is remembered.

use crate::app::error::AppError;
use crate::app::search::heads::tree_of;
use crate::app::search::open::{Opened, as_it_is};
use crate::app::search::place::CatalogPlace;
use crate::app::search::read::has_a_look;
use crate::app::similar::standing_lines;
use crate::app::status;
use crate::base::id::FileId;
use crate::base::monitor::{Monitor, Phase};
use crate::base::path::AssetPath;
use crate::catalog::likeness::{Fingerprint, NEAR_BITS};
use crate::catalog::visibility::Visibility;
use crate::media::decoder::draws;
use crate::media::fingerprint::{EDGE, fingerprint};
use crate::media::input::Input;
use crate::media::sniff::sniff;
use crate::media::worker::{WorkerError, Workers};
use crate::object::tree::Content;
use crate::object::tree_walk::{TreeWalk, entry_at};
use crate::repo::{RepoError, Repository};
use crate::worktree::root::Worktree;
use rayon::prelude::*;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Largest picture that is looked at, in bytes.
const BYTES_MAX: u64 = 64 << 20;
/// Most entries of the newest commit that are looked through where there is no index.
const ENTRIES_MAX: usize = 20_000;

/// How long looking may take.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// How long pictures are taken up.
    pub time: Duration,
    /// How long one of them may take, in seconds.
    pub seconds_each: u64,
    /// Most pictures that are looked at.
    pub pictures: usize,
    /// The longest list of remembered files, in bytes, with which files are gone through once more for this.
    pub remembered: u64,
}

impl Budget {
    /// Where nobody asked for it: hardly noticed.
    pub const UNASKED: Self =
        Self { time: Duration::from_millis(700), seconds_each: 1, pictures: 24, remembered: 4 << 20 };
    /// Where somebody did.
    pub const ASKED: Self =
        Self { time: Duration::from_secs(3), seconds_each: 5, pictures: 200, remembered: u64::MAX };
}

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// New pictures that look like others.
    pub copies: Vec<NearCopy>,
    /// Pictures that nobody had time to look at.
    pub left: u64,
    /// What the new pictures look like, to be remembered once they are committed.
    pub prints: Vec<(AssetPath, Fingerprint)>,
}

/// A new picture and what it looks like.
#[derive(Debug, Clone)]
pub struct NearCopy {
    /// The picture.
    pub path: AssetPath,
    /// Assets that look the same, and new pictures that stand before it in the order of paths.
    pub like: Vec<AssetPath>,
}

/// What came of looking at one file.
enum Look {
    Print(AssetPath, Fingerprint),
    /// A file without a look, or one that no decoder makes sense of: it is committed like any other.
    Nothing,
    Left,
}

/// Looks at what is new or changed in the worktree, at or below some paths. Compared is what is fingerprinted
/// already, and what is new with each other.
pub fn before_commit(
    repository: &Repository,
    paths: &[AssetPath],
    budget: Budget,
    workers: &Workers,
    monitor: &dyn Monitor,
) -> Result<Found, AppError> {
    let remembered = std::fs::metadata(repository.pent_dir().join("worktree/index"));
    if remembered.is_ok_and(|found| found.len() > budget.remembered) {
        return Ok(Found::default());
    }
    let look = status::Options { paths: paths.to_vec(), ..status::Options::default() };
    let changes = status::run(repository, &look, monitor)?.changes;
    let is_asked = |line: &&status::ChangeLine| {
        matches!(line.what, "new" | "changed") && line.size > 0 && line.size <= BYTES_MAX
    };
    let asked: Vec<&status::ChangeLine> = changes.iter().filter(is_asked).collect();
    let left = asked.len().saturating_sub(budget.pictures);
    let asked = &asked[..asked.len() - left];
    let (worktree, workers) = (Worktree::open(repository.root())?, workers.within(budget.seconds_each));
    monitor.phase(Phase {
        name: "Looking at pictures",
        files_total: Some(asked.len() as u64),
        bytes_total: None,
    });
    let begun = Instant::now();
    let looks: Vec<Look> = asked
        .par_iter()
        .map(|line| {
            if monitor.is_cancelled() {
                return Err(AppError::Cancelled);
            }
            if begun.elapsed() >= budget.time { Ok(Look::Left) } else { look_at(&worktree, line, &workers) }
        })
        .collect::<Result<_, AppError>>()?;
    let mut found = Found { left: left as u64, ..Found::default() };
    let known = Known::of(repository)?;
    for look in looks {
        match look {
            Look::Print(path, print) => {
                let mut like = known.like(repository, &path, &print)?;
                let new = found.prints.iter().filter(|(_, other)| print.distance(other) <= NEAR_BITS);
                like.extend(new.map(|(path, _)| path.clone()));
                if !like.is_empty() {
                    found.copies.push(NearCopy { path: path.clone(), like });
                }
                found.prints.push((path, print));
            }
            Look::Nothing => {}
            Look::Left => found.left += 1,
        }
    }
    Ok(found)
}

/// Where fingerprinted pictures stand.
enum Known {
    /// As the index has it, perhaps of an earlier state.
    Indexed(Box<Opened>),
    /// As the newest commit has it, where there is no index: paths of contents.
    Here(HashMap<FileId, AssetPath>),
}

impl Known {
    fn of(repository: &Repository) -> Result<Self, AppError> {
        if let Some(opened) = as_it_is(repository)? {
            return Ok(Self::Indexed(Box::new(opened)));
        }
        let mut here = HashMap::new();
        let view = repository.view()?;
        if let Some(head) = view.head()?
            && !CatalogPlace::of(repository).prints().is_empty()
        {
            for item in TreeWalk::new(&view, tree_of(&view, head)?, AssetPath::root()).take(ENTRIES_MAX) {
                let (path, entry) = item.map_err(RepoError::from)?;
                if let Content::File { id, .. } = entry.content {
                    here.entry(id).or_insert(path);
                }
            }
        }
        Ok(Self::Here(here))
    }

    /// Other assets that look like it, as far as they are fingerprinted.
    fn like(
        &self,
        repository: &Repository,
        path: &AssetPath,
        print: &Fingerprint,
    ) -> Result<Vec<AssetPath>, AppError> {
        let mut like = Vec::new();
        for alike in CatalogPlace::of(repository).prints().alike(print, NEAR_BITS)? {
            // Its own versions look like it, and nobody asks for them.
            match self {
                Self::Indexed(opened) => {
                    let lines = standing_lines(opened, alike.file, &Visibility::everything())?;
                    like.extend(lines.into_iter().map(|(line, _)| line.path).filter(|other| other != path));
                }
                Self::Here(here) => {
                    like.extend(here.get(&alike.file).filter(|other| *other != path).cloned());
                }
            }
        }
        Ok(like)
    }
}

/// Keeps what pictures look like that are committed now, so that later copies of them are told. Where somebody
/// else writes the catalog just then, they are looked at once more some day.
pub fn remember(repository: &Repository, prints: &[(AssetPath, Fingerprint)]) -> Result<(), AppError> {
    let (view, place) = (repository.view()?, CatalogPlace::of(repository));
    let (Some(head), false) = (view.head()?, prints.is_empty()) else { return Ok(()) };
    let tree = tree_of(&view, head)?;
    let mut new = Vec::new();
    for (path, print) in prints {
        let entry = entry_at(&view, tree, path).map_err(RepoError::from)?;
        if let Some(Content::File { id, .. }) = entry.map(|entry| entry.content) {
            new.push((id, *print));
        }
    }
    let Some(_lock) = place.try_lock()? else { return Ok(()) };
    Ok(place.prints().add(&new)?)
}

fn look_at(worktree: &Worktree, line: &status::ChangeLine, workers: &Workers) -> Result<Look, AppError> {
    let fault = |source| AppError::Io { action: "reading", path: worktree.full_path(&line.path), source };
    // What went away meanwhile is told by the commit.
    let Ok(mut file) = worktree.open_file(&line.path) else { return Ok(Look::Nothing) };
    let format = {
        let mut input = Input::new(&mut file).map_err(fault)?;
        let format = sniff(&mut input, line.path.name()).map_err(fault)?;
        input.rewound().map_err(fault)?;
        format
    };
    if !draws(format) || !has_a_look(format.family) {
        return Ok(Look::Nothing);
    }
    match workers.picture(file, format, EDGE) {
        Ok(Some(pixels)) => Ok(fingerprint(&pixels)
            .map_or(Look::Nothing, |bits| Look::Print(line.path.clone(), Fingerprint(bits)))),
        Ok(None) => Ok(Look::Nothing),
        Err(WorkerError::TooLong { .. }) => Ok(Look::Left),
        Err(WorkerError::Stopped) => Err(AppError::Cancelled),
        Err(WorkerError::Start(source)) => Err(AppError::Io {
            action: "starting a decoder for",
            path: worktree.full_path(&line.path),
            source,
        }),
        Err(_) => Ok(Look::Nothing),
    }
}
