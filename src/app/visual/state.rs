//! One state of an asset: its bytes, open for a decoder, and the words of its caption.

use super::VisualDiff;
use crate::app::common::describe::{CommitLine, Describer, EntryLine};
use crate::app::common::needed::missing;
use crate::app::common::seekable::stored_file;
use crate::app::error::AppError;
use crate::app::info::{Opened, open_in_worktree, opened};
use crate::app::search::heads::tree_of;
use crate::base::escape;
use crate::base::id::{CommitId, FileId};
use crate::base::monitor::Monitor;
use crate::base::path::AssetPath;
use crate::media::compare::facts::FactChange;
use crate::media::decoder::{Way, decoder, draws, way_of_facts};
use crate::media::facts::Facts;
use crate::media::format::{Family, Format};
use crate::media::light::{EDGE_MAX, Light};
use crate::media::pixels::Pixels;
use crate::media::worker::{WorkerError, Workers};
use crate::repo::versions::{AssetChange, asset_line};
use crate::repo::{RepoError, Repository, View};
use serde::Serialize;

/// Most captions for which an asset's history is walked.
const CAPTIONS_MAX: usize = 400;

/// Seconds on the clock that hearing the sound of a film may take.
const SOUND_SECONDS_MAX: u64 = 300;

/// One state of an asset, as captions say it.
#[derive(Debug, Clone, Serialize)]
pub struct StateLine {
    /// Where it stands in that state.
    pub path: AssetPath,
    /// The number of the version; `None` for a file on disk and for what has no number.
    pub version: Option<u64>,
    /// Size in bytes.
    pub size: u64,
    /// The file id; `None` for a file on disk.
    pub file: Option<FileId>,
    /// The format's short name.
    pub format: String,
    /// The commit that made it what it is; `None` for a file on disk.
    pub commit: Option<CommitLine>,
    /// Pixels across, of all of it.
    pub width: Option<u64>,
    /// Pixels down.
    pub height: Option<u64>,
    /// Length in seconds, of what is played.
    pub seconds: Option<f64>,
}

/// A state with its facts and its open file.
pub(super) struct Subject {
    pub line: StateLine,
    pub facts: Facts,
    opened: Opened,
}

/// Opens states.
pub(super) struct Opener<'a> {
    repository: &'a Repository,
    view: &'a View,
    describer: Describer<'a>,
    monitor: &'a dyn Monitor,
    captions: usize,
}

impl<'a> Opener<'a> {
    pub fn new(
        repository: &'a Repository,
        view: &'a View,
        monitor: &'a dyn Monitor,
    ) -> Result<Self, AppError> {
        Ok(Self { repository, view, describer: Describer::new(view)?, monitor, captions: 0 })
    }

    /// Opens what an entry of a commit says. The reason is told when it has no bytes here.
    pub fn stored(&mut self, line: &EntryLine, commit: CommitId) -> Result<Result<Opened, String>, AppError> {
        let (Some(id), Some(size), "file") = (line.file, line.size, line.kind) else {
            return Ok(Err(format!("it is a {}", line.kind)));
        };
        let file = stored_file(self.repository, self.view, id, size, self.monitor)?;
        let opened = opened(line.path.clone(), Some(id), file)?;
        Ok(Ok(Opened { tree: Some(tree_of(self.view, commit)?), ..opened }))
    }

    /// Says which of the files that are needed are not there.
    pub fn compare_needs(
        &self,
        before: &Subject,
        after: &Subject,
        diff: &mut VisualDiff,
    ) -> Result<(), AppError> {
        let missing = |side: &Subject| {
            let place = (side.opened.tree, &side.line.path);
            missing(self.repository, self.view, place, &side.facts.needs)
        };
        let (before, after) = (missing(before)?, missing(after)?);
        let listed = |names: &[String]| Some(names.join(", ")).filter(|names| !names.is_empty());
        if before != after {
            let (before, after) = (listed(&before), listed(&after));
            diff.facts.push(FactChange { name: "missing files".to_owned(), before, after });
        } else if let Some(names) = listed(&after) {
            diff.notes.push(format!("it needs files that are not there: {names}"));
        }
        Ok(())
    }

    /// Opens a file on disk.
    pub fn on_disk(&self, path: &AssetPath) -> Result<Result<Opened, String>, AppError> {
        match open_in_worktree(self.repository, path) {
            Ok(Some(opened)) => Ok(Ok(opened)),
            Ok(None) => Ok(Err("it is not there any more".to_owned())),
            Err(AppError::IsFolder { .. } | AppError::NoFile { .. }) => {
                Ok(Err("it is not a file".to_owned()))
            }
            Err(error) => Err(error),
        }
    }

    /// The version that stands at a path of a commit, and the commit that made it so.
    pub fn made_by(
        &mut self,
        tip: CommitId,
        path: &AssetPath,
    ) -> Result<(Option<u64>, Option<CommitLine>), AppError> {
        self.captions += 1;
        if self.captions > CAPTIONS_MAX {
            return Ok((None, None));
        }
        let line = asset_line(self.view, tip, path).map_err(RepoError::from)?;
        match line.first() {
            Some(change) => self.made(change),
            None => Ok((None, None)),
        }
    }

    /// The same of a change that is known.
    pub fn made(&mut self, change: &AssetChange) -> Result<(Option<u64>, Option<CommitLine>), AppError> {
        let version = Some(change.version).filter(|version| *version > 0);
        Ok((version, Some(self.describer.commit(change.id, &change.commit)?)))
    }

    pub fn view(&self) -> &'a View {
        self.view
    }
}

impl Subject {
    /// Asks the decoder for facts. The reason is told when nothing reads the format.
    pub fn look(
        opened: Opened,
        (version, commit): (Option<u64>, Option<CommitLine>),
        workers: &Workers,
    ) -> Result<Result<Self, String>, AppError> {
        if decoder(opened.format).is_none() {
            return Ok(Err(no_picture(opened.format)));
        }
        if way_of_facts(opened.format) == Way::Player && !workers.has_film_programs() {
            return Ok(Err(WorkerError::NoFilmPrograms.to_string()));
        }
        let facts = match opened.format.family {
            Family::Layered
            | Family::Vector
            | Family::Document
            | Family::Font
            | Family::Audio
            | Family::Mesh => ask(&opened, |file| workers.layers(file, opened.format))?.or_else(|_| {
                ask(&opened, |file| workers.facts(file, opened.format))
                    .unwrap_or_else(|error| Err(error.to_string()))
            }),
            _ => ask(&opened, |file| workers.facts(file, opened.format))?,
        };
        let facts = match facts {
            Ok(facts) => facts,
            Err(reason) => return Ok(Err(reason)),
        };
        let line = StateLine {
            path: opened.path.clone(),
            version,
            size: opened.size,
            file: opened.id,
            format: opened.format.id.to_owned(),
            commit,
            width: facts.picture.as_ref().map(|picture| picture.width),
            height: facts.picture.as_ref().map(|picture| picture.height),
            seconds: facts.timing.as_ref().map(|timing| timing.seconds),
        };
        Ok(Ok(Self { line, facts, opened }))
    }

    /// Whether it has no pixels of its own and can be drawn in any size.
    pub fn is_drawn(&self) -> bool {
        matches!(self.opened.format.family, Family::Vector | Family::Document)
    }

    /// Whether its picture only stands for what is heard, so that its pixels say nothing.
    pub fn is_heard(&self) -> bool {
        self.opened.format.family == Family::Audio
    }

    /// Hears the sound of a film, where it has any; what keeps it from being compared is noted.
    pub fn hear(&mut self, workers: &Workers) -> Result<(), AppError> {
        let mut tracks = self.facts.timing.iter().flat_map(|timing| &timing.tracks);
        if !tracks.any(|it| it.kind == "audio") || !workers.has_film_programs() {
            return Ok(());
        }
        match self.ask(|file, format| workers.film_sound(file, format, SOUND_SECONDS_MAX))? {
            Ok(Some(sound)) => self.facts.sound = Some(sound),
            Ok(None) => {
                self.facts.note("its sound could not be heard to its end, and was not compared");
            }
            Err(reason) => self.facts.note(format!("its sound was not compared: {reason}")),
        }
        Ok(())
    }

    /// Whether it moves.
    pub fn is_film(&self) -> bool {
        self.opened.format.family == Family::Video
    }

    /// Asks a decoder for something else.
    pub fn ask<T>(
        &self,
        asked: impl FnOnce(std::fs::File, &'static Format) -> Result<T, WorkerError>,
    ) -> Result<Result<T, String>, AppError> {
        ask(&self.opened, |file| asked(file, self.opened.format))
    }

    /// Its longest side in pixels, when it is known.
    pub fn longest(&self) -> Option<u64> {
        let picture = self.facts.picture.as_ref()?;
        Some(picture.width.max(picture.height))
    }

    /// Its picture, or why there is none.
    pub fn picture(&self, workers: &Workers, edge: u32) -> Result<Result<Pixels, String>, AppError> {
        let nothing = || no_picture(self.opened.format);
        if !draws(self.opened.format) {
            return Ok(Err(nothing()));
        }
        let drawn = ask(&self.opened, |file| workers.picture(file, self.opened.format, edge))?;
        Ok(drawn.and_then(|pixels| pixels.ok_or_else(nothing)))
    }

    /// Its picture as numbers of light, when these go beyond white and can be read.
    pub fn light(&self, workers: &Workers) -> Result<Option<Light>, AppError> {
        let depth = self.facts.picture.as_ref().and_then(|picture| picture.depth);
        let is_light = match self.opened.format.id {
            "exr" | "hdr" => true,
            "tiff" => depth >= Some(16),
            // Blocks have no bits of their own.
            "dds" => depth.is_none_or(|depth| depth >= 16),
            _ => false,
        };
        if !is_light {
            return Ok(None);
        }
        let drawn = ask(&self.opened, |file| workers.light(file, self.opened.format, EDGE_MAX))?;
        Ok(drawn.ok().flatten())
    }

    /// The picture of one of its layers, when it has pixels that can be read.
    pub fn layer(&self, workers: &Workers, layer: usize, edge: u32) -> Result<Option<Pixels>, AppError> {
        let drawn = ask(&self.opened, |file| workers.layer(file, self.opened.format, layer, edge))?;
        Ok(drawn.ok().flatten())
    }
}

fn no_picture(format: &Format) -> String {
    format!("no picture is made of this kind of file ({})", format.name)
}

/// Asks a decoder. What it says against the file is a reason; that it cannot be run is an error.
fn ask<T>(
    opened: &Opened,
    asked: impl FnOnce(std::fs::File) -> Result<T, WorkerError>,
) -> Result<Result<T, String>, AppError> {
    let fault = |source| AppError::Io { action: "reading", path: opened.path.to_string().into(), source };
    match asked(opened.file.try_clone().map_err(fault)?) {
        Ok(answer) => Ok(Ok(answer)),
        Err(error) => AppError::of_decoder(&opened.path, error).map(Err),
    }
}

/// The first line of a message, safe to show.
pub(super) fn subject(message: &str) -> String {
    escape::terminal(message.lines().next().unwrap_or("").trim().as_bytes())
}
