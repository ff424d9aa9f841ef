//! `diff --visual` and `log --visual`: what changed, to be looked at.
//!
//! Every file is opened in the closed process of its decoder; what comes back is compared here, and
//! goes into one page that needs nothing but a browser, or into a folder of such pages. One asset
//! is in memory at a time, and of what is written at most [`shelf::FILE_BYTES_MAX`].

mod asset;
mod film;
mod lineup;
pub mod page;
mod shelf;
mod state;

pub use lineup::{Lineup, LineupOptions, Subjects, lineup};
pub use shelf::{Written, default_place};
pub use state::StateLine;

use crate::app::common::problem::ProblemLine;
use crate::app::diff::{self, Detail, FileDiff, Point, Side};
use crate::app::error::AppError;
use crate::base::id::AssetId;
use crate::base::monitor::{Advance, Monitor, Phase};
use crate::base::path::AssetPath;
use crate::base::time::Clock;
use crate::diff::metadata::FieldChange;
use crate::diff::text::TextDiff;
use crate::diff::tree::ChangeKinds;
use crate::media::compare::facts::FactChange;
use crate::media::compare::film::FilmDiff;
use crate::media::compare::layers::LayerChange;
use crate::media::compare::sound::SoundDiff;
use crate::media::compare::{Alignment, PictureDiff, Sensitivity};
use crate::media::pixels::Pixels;
use crate::media::worker::Workers;
use crate::repo::Repository;
use asset::Comparison;
use serde::Serialize;
use shelf::Shelf;
use state::Opener;
use std::path::PathBuf;

/// Most assets that are compared as pictures; the rest is named and left to `pent diff`.
const ASSETS_MAX: usize = 2000;

/// The longest side of each of a number of pictures that one page has, in pixels: all pixels of two,
/// fewer of many.
pub const fn page_edges(pictures: usize) -> u32 {
    match pictures {
        0..=4 => 4096,
        5..=12 => 2048,
        13..=40 => 1280,
        _ => 800,
    }
}

/// What to compare, and where to put it.
#[derive(Debug, Clone)]
pub struct Options {
    /// The older side; the current branch's newest commit when `None`.
    pub before: Option<Point>,
    /// The newer side; the worktree when `None`.
    pub after: Option<Point>,
    /// Only what lies at or below these paths; everything when empty.
    pub paths: Vec<AssetPath>,
    /// The longest side at which pictures are compared, in pixels.
    pub edge: u32,
    /// What counts as a difference.
    pub sensitivity: Sensitivity,
    /// The page that is written; none when `None`.
    pub page: Option<PathBuf>,
    /// The longest side of a strip of small pictures for a terminal, when one asset differs.
    pub strip: Option<u32>,
    /// Where the picture of the difference is written; there must be one asset only.
    pub png: Option<PathBuf>,
}

/// What was found, and what a terminal may show of it.
#[derive(Debug)]
pub struct Outcome {
    /// The report.
    pub report: Report,
    /// Before, after and what differs in a row, when that was asked for and one asset differs.
    pub strip: Option<Pixels>,
}

/// What differs to the eye. Serialised, it is what `pent diff --visual --json` prints.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The older side.
    pub before: Side,
    /// The newer side.
    pub after: Side,
    /// One entry for each asset that differs and can be looked at.
    pub files: Vec<VisualDiff>,
    /// Assets that differ and of which there is neither a picture nor anything to tell, each with the reason.
    pub without_picture: Vec<ProblemLine>,
    /// The page or folder that was written.
    pub written: Option<Written>,
    /// The picture of the difference that was written.
    pub png: Option<crate::base::local_path::LocalPath>,
}

/// How one asset differs to the eye.
#[derive(Debug, Clone, Serialize)]
pub struct VisualDiff {
    /// Where it stands; where it stood when it is gone.
    pub path: AssetPath,
    /// What happened, as `pent diff` says it.
    pub kinds: ChangeKinds,
    /// Which asset it is; `None` when it was never committed.
    pub asset: Option<AssetId>,
    /// As it was; `None` when it is new.
    pub before: Option<StateLine>,
    /// As it is; `None` when it is gone.
    pub after: Option<StateLine>,
    /// How the two pictures were laid on each other, when there are two.
    pub alignment: Option<Alignment>,
    /// The part of its full size at which it was compared: 1 for all pixels.
    pub scale: f64,
    /// The pixels, when there are two pictures.
    pub picture: Option<PictureDiff>,
    /// Where the sound differs, when there are two sounds.
    pub sound: Option<SoundDiff>,
    /// Where the frames differ, when there are two films.
    pub film: Option<FilmDiff>,
    /// The layers, pages, elements or glyphs that differ, of a file that has such.
    pub layers: Vec<LayerChange>,
    /// The running text that people read in it, line by line, when that differs.
    pub text: Option<TextDiff>,
    /// What is known of the files and differs.
    pub facts: Vec<FactChange>,
    /// The metadata fields that differ, by name.
    pub fields: Vec<FieldChange>,
    /// What could not be read or looked at, in words.
    pub notes: Vec<String>,
}

/// Compares.
pub fn run(
    repository: &Repository,
    options: &Options,
    workers: &Workers,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Outcome, AppError> {
    let (before, after) = (options.before.clone(), options.after.clone());
    let asked = diff::Options {
        before,
        after,
        paths: options.paths.clone(),
        detail: Detail::Names,
        ..diff::Options::default()
    };
    let compared = diff::run(repository, &asked, clock, monitor)?;
    let view = repository.view()?;
    let mut opener = Opener::new(repository, &view, monitor)?;
    let mut report = Report {
        before: compared.before,
        after: compared.after,
        files: Vec::new(),
        without_picture: compared.problems,
        written: None,
        png: None,
    };
    let wanted: Vec<&FileDiff> = compared.files.iter().filter(|file| has_new_content(file)).collect();
    if let (Some(_), [_, _, ..]) = (&options.png, wanted.as_slice()) {
        return Err(AppError::SeveralPictures { count: wanted.len() });
    }
    let strip_edge = options.strip.filter(|_| wanted.len() == 1);
    let mut strip = None;
    let mut shelf = Shelf::new(options.page.clone(), "diff", title(&report));
    let files_total = Some(wanted.len() as u64);
    monitor.phase(Phase { name: "Looking", files_total, bytes_total: None });
    for (number, file) in wanted.into_iter().enumerate() {
        if monitor.is_cancelled() {
            return Err(AppError::Cancelled);
        }
        if number >= ASSETS_MAX {
            report
                .without_picture
                .push(reason(&file.path, format!("there are more than {ASSETS_MAX} assets")));
            continue;
        }
        let comparison =
            Comparison { opener: &mut opener, workers, sides: (&report.before, &report.after), options };
        match comparison.of(file)? {
            Ok(looked) => {
                if let Some(edge) = strip_edge {
                    strip = looked.strip(edge)?;
                }
                if options.page.is_some() {
                    shelf.add(&looked.page()?)?;
                }
                if let Some(png) = &options.png {
                    shelf::write_new(png, &looked.difference_png(&file.path)?)?;
                    report.png = Some(png.clone().into());
                }
                report.files.push(looked.diff);
            }
            Err(why) => report.without_picture.push(reason(&file.path, why)),
        }
        monitor.advance(Advance { files: 1, ..Advance::default() });
    }
    if !report.files.is_empty() {
        report.written = shelf.finish()?;
    }
    Ok(Outcome { report, strip })
}

/// Whether there is something to look at: new bytes.
fn has_new_content(file: &FileDiff) -> bool {
    let kinds = file.kinds;
    kinds.content || kinds.added || kinds.removed || kinds.replaced
}

fn reason(path: &AssetPath, message: String) -> ProblemLine {
    crate::base::monitor::Problem { path: path.clone(), message }.into()
}

fn title(report: &Report) -> String {
    let side = |side: &Side| match side {
        Side::Nothing => "nothing".to_owned(),
        Side::Worktree => "your files".to_owned(),
        Side::Commit { commit } => state::subject(&commit.message),
        Side::Asset { path, version: Some(version), .. } => format!("{path}@{version}"),
        Side::Asset { path, commit, .. } => format!("{path} in {}", commit.id.short()),
    };
    format!("{} → {}", side(&report.before), side(&report.after))
}
