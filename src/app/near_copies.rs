//! New pictures that look like others, told before a commit stores them.
//!
//! It costs a commit a few seconds at most: files are looked at on all cores, what there is no time for is
//! counted, and nothing is brought up to date for it.

use crate::app::error::AppError;
use crate::app::search::open::as_it_is;
use crate::app::search::place::CatalogPlace;
use crate::app::search::read::has_a_look;
use crate::app::similar::standing_lines;
use crate::app::status;
use crate::base::monitor::{Monitor, Phase};
use crate::base::path::AssetPath;
use crate::catalog::likeness::{Fingerprint, NEAR_BITS};
use crate::catalog::visibility::Visibility;
use crate::media::decoder::draws;
use crate::media::fingerprint::{EDGE, fingerprint};
use crate::media::input::Input;
use crate::media::sniff::sniff;
use crate::media::worker::{WorkerError, Workers};
use crate::repo::Repository;
use crate::worktree::root::Worktree;
use rayon::prelude::*;
use std::time::{Duration, Instant};

/// Most pictures of one commit that are looked at.
const LOOKED_AT: usize = 200;
/// Largest picture that is looked at, in bytes.
const BYTES_MAX: u64 = 64 << 20;
/// How long pictures are taken up.
const TIME: Duration = Duration::from_secs(3);
/// How long one of them may take, in seconds.
const SECONDS_EACH: u64 = 5;

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// New pictures that look like others.
    pub copies: Vec<NearCopy>,
    /// Pictures that nobody had time to look at.
    pub left: u64,
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
    workers: &Workers,
    monitor: &dyn Monitor,
) -> Result<Found, AppError> {
    let look = status::Options { paths: paths.to_vec(), ..status::Options::default() };
    let changes = status::run(repository, &look, monitor)?.changes;
    let is_asked = |line: &&status::ChangeLine| {
        matches!(line.what, "new" | "changed") && line.size > 0 && line.size <= BYTES_MAX
    };
    let asked: Vec<&status::ChangeLine> = changes.iter().filter(is_asked).collect();
    let left = asked.len().saturating_sub(LOOKED_AT);
    let asked = &asked[..asked.len() - left];
    let (worktree, workers) = (Worktree::open(repository.root())?, workers.within(SECONDS_EACH));
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
            if begun.elapsed() >= TIME { Ok(Look::Left) } else { look_at(&worktree, line, &workers) }
        })
        .collect::<Result<_, AppError>>()?;
    let mut found = Found { copies: Vec::new(), left: left as u64 };
    let mut seen: Vec<(AssetPath, Fingerprint)> = Vec::new();
    for look in looks {
        match look {
            Look::Print(path, print) => {
                let mut like = known(repository, &path, &print)?;
                let new = seen.iter().filter(|(_, other)| print.distance(other) <= NEAR_BITS);
                like.extend(new.map(|(path, _)| path.clone()));
                if !like.is_empty() {
                    found.copies.push(NearCopy { path: path.clone(), like });
                }
                seen.push((path, print));
            }
            Look::Nothing => {}
            Look::Left => found.left += 1,
        }
    }
    Ok(found)
}

/// Other assets that look like it, as far as they are fingerprinted.
fn known(repository: &Repository, path: &AssetPath, print: &Fingerprint) -> Result<Vec<AssetPath>, AppError> {
    let Some(opened) = as_it_is(repository)? else { return Ok(Vec::new()) };
    let mut like = Vec::new();
    for alike in CatalogPlace::of(repository).prints().alike(print, NEAR_BITS)? {
        let lines = standing_lines(&opened, alike.file, &Visibility::everything())?;
        // Its own versions look like it, and nobody asks for them.
        like.extend(lines.into_iter().map(|(line, _)| line.path).filter(|other| other != path));
    }
    Ok(like)
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
        Err(WorkerError::Start(source)) => Err(AppError::Io {
            action: "starting a decoder for",
            path: worktree.full_path(&line.path),
            source,
        }),
        Err(_) => Ok(Look::Nothing),
    }
}
