//! `thumb` and `preview`: a small and a large picture of a file.

use crate::app::error::AppError;
use crate::app::info::{self, Opened};
use crate::base::id::FileId;
use crate::base::monitor::Monitor;
use crate::base::path::AssetPath;
use crate::base::time::Clock;
use crate::media::format::Family;
use crate::media::pixels::Pixels;
use crate::media::worker::Workers;
use crate::repo::Repository;
use serde::Serialize;

/// What to make a picture of, and how large.
#[derive(Debug, Clone)]
pub struct Options {
    /// The file.
    pub subject: info::Options,
    /// The longest side, in pixels.
    pub edge: u32,
    /// What it is for.
    pub kind: Kind,
}

/// What a picture is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// To recognise the file by: of a film one frame.
    Thumb,
    /// To look at it: of a film a sheet of its frames.
    Preview,
}

/// What was made.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The path, as asked for or as the version has it.
    pub path: AssetPath,
    /// The id of the committed file; `None` for one of the worktree.
    pub file: Option<FileId>,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// The picture itself.
    #[serde(skip)]
    pub pixels: Pixels,
}

/// Makes a picture.
pub fn run(
    repository: &Repository,
    options: &Options,
    workers: &Workers,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    let Opened { path, id, file, format, .. } = info::open(repository, &options.subject, clock, monitor)?;
    let is_sheet = options.kind == Kind::Preview && format.family == Family::Video;
    let drawn = if is_sheet {
        workers.contact_sheet(file, format, options.edge).map(Some)
    } else {
        workers.picture(file, format, options.edge)
    };
    let pixels = match drawn {
        Ok(Some(pixels)) => pixels,
        Ok(None) => {
            let reason = format!("no picture is made of this kind of file ({})", format.name);
            return Err(AppError::NoPicture { path, reason });
        }
        Err(error) => {
            let reason = AppError::of_decoder(&path, error)?;
            return Err(AppError::NoPicture { path, reason });
        }
    };
    Ok(Report { path, file: id, width: pixels.width, height: pixels.height, pixels })
}
