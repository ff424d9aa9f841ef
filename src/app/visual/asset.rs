//! Compares the two states of one asset.

use super::film::{Moment, look_at_films};
use super::page;
use super::state::{Opener, Subject};
use super::{Options, VisualDiff};
use crate::app::diff::{FileDiff, Side};
use crate::app::error::AppError;
use crate::base::id::CommitId;
use crate::base::path::AssetPath;
use crate::diff::text::{Encoding, Text, TextDiff, TextLimits, diff_text};
use crate::media::compare::facts::compare_facts;
use crate::media::compare::layers::{LayerChange, LayerEdit, compare_layers};
use crate::media::compare::sound::compare_sounds;
use crate::media::compare::{DifferenceMap, PictureDiff, align, compare};
use crate::media::decoder::DecodeError;
use crate::media::light::Light;
use crate::media::pixels::Pixels;
use crate::media::worker::Workers;

/// Most layers of one document whose own pixels are looked at.
const LAYERS_LOOKED_AT: usize = 32;

/// The least longest side at which a drawing is looked at, in pixels, and that of what states no size: a page of
/// text, a specimen, a scene. A page is then shown about as large as it is printed.
const DRAWN_EDGE: u32 = 1600;

/// Compares assets.
pub(super) struct Comparison<'c, 'a> {
    pub opener: &'c mut Opener<'a>,
    pub workers: &'c Workers,
    pub sides: (&'c Side, &'c Side),
    pub options: &'c Options,
}

/// What was found, with the pictures of it.
pub(super) struct Looked {
    pub diff: VisualDiff,
    pictures: [Option<Pixels>; 2],
    /// The same as numbers of light, where a page is made and they go beyond white.
    lights: [Option<Light>; 2],
    /// Pictures of layers: the place in `diff.layers`, before and after.
    layers: Vec<(usize, [Option<Pixels>; 2])>,
    /// Pairs of frames of a film.
    moments: Vec<Moment>,
    map: Option<(DifferenceMap, Pixels)>,
}

impl Comparison<'_, '_> {
    /// Compares one asset. The reason is told when it cannot be looked at.
    pub fn of(mut self, file: &FileDiff) -> Result<Result<Looked, String>, AppError> {
        let mut before = match self.before(file)?.transpose() {
            Ok(before) => before,
            Err(reason) => return Ok(Err(reason)),
        };
        let mut after = match self.after(file)?.transpose() {
            Ok(after) => after,
            Err(reason) => return Ok(Err(reason)),
        };
        if let (Some(before), Some(after)) = (&mut before, &mut after) {
            hear_films(before, after, self.workers)?;
        }
        let mut diff = VisualDiff {
            path: file.path.clone(),
            kinds: file.kinds,
            asset: file.asset,
            before: before.as_ref().map(|subject| subject.line.clone()),
            after: after.as_ref().map(|subject| subject.line.clone()),
            alignment: None,
            scale: 1.0,
            picture: None,
            sound: None,
            film: None,
            layers: Vec::new(),
            text: None,
            facts: Vec::new(),
            fields: file.fields.clone(),
            notes: Vec::new(),
        };
        let edges = self.edges([before.as_ref(), after.as_ref()], &mut diff);
        let picture =
            |side: Option<&Subject>, edge| side.map(|it| it.picture(self.workers, edge)).transpose();
        let (old, new) =
            rayon::join(|| picture(before.as_ref(), edges[0]), || picture(after.as_ref(), edges[1]));
        let mut drawn = |side: Option<Result<Pixels, String>>, which: &str| {
            side.and_then(|side| side.map_err(|why| diff.notes.push(format!("{which}: {why}"))).ok())
        };
        let pictures = [drawn(old?, "before"), drawn(new?, "after")];
        let has_picture = pictures.iter().any(Option::is_some);
        let lights = match self.options.page {
            Some(_) => [self.light(before.as_ref())?, self.light(after.as_ref())?],
            None => [None, None],
        };
        let mut looked =
            Looked { diff, pictures, lights, layers: Vec::new(), moments: Vec::new(), map: None };
        if let (Some(before), Some(after)) = (&before, &after) {
            looked.diff.facts = compare_facts(&before.facts, &after.facts);
            looked.diff.layers = compare_layers(&before.facts.layers, &after.facts.layers);
            looked.diff.sound = compare_sounds(&before.facts, &after.facts);
            looked.diff.text = compare_texts(before, after);
            self.opener.compare_needs(before, after, &mut looked.diff)?;
            if before.is_film() && after.is_film() {
                looked.compare_films(before, after, self.workers, self.options)?;
            } else if !before.is_heard() && !after.is_heard() {
                looked.compare(self.options)?;
            }
            self.look_at_layers(&mut looked, before, after, edges)?;
        }
        if !has_picture && !looked.tells_something() {
            return Ok(Err(looked.diff.notes.join("; ")));
        }
        for subject in [&before, &after].into_iter().flatten() {
            looked.diff.notes.extend(subject.facts.notes.iter().cloned());
        }
        looked.diff.notes.dedup();
        Ok(Ok(looked))
    }

    fn light(&self, side: Option<&Subject>) -> Result<Option<Light>, AppError> {
        side.map_or(Ok(None), |side| side.light(self.workers))
    }

    fn before(&mut self, file: &FileDiff) -> Result<Option<Result<Subject, String>>, AppError> {
        let (Some(line), Some(commit)) = (&file.before, commit_of(self.sides.0)) else { return Ok(None) };
        let opened = match self.opener.stored(line, commit)? {
            Ok(opened) => opened,
            Err(reason) => return Ok(Some(Err(reason))),
        };
        let made = self.opener.made_by(commit, &line.path)?;
        Subject::look(opened, made, self.workers).map(Some)
    }

    fn after(&mut self, file: &FileDiff) -> Result<Option<Result<Subject, String>>, AppError> {
        let Some(line) = &file.after else { return Ok(None) };
        let (opened, made) = match commit_of(self.sides.1) {
            Some(commit) => (self.opener.stored(line, commit)?, self.opener.made_by(commit, &line.path)?),
            None => (self.opener.on_disk(&line.path)?, (None, None)),
        };
        match opened {
            Ok(opened) => Subject::look(opened, made, self.workers).map(Some),
            Err(reason) => Ok(Some(Err(reason))),
        }
    }

    /// The longest sides at which both are drawn: by one scale, so that their pixels are of one size.
    fn edges(&self, sides: [Option<&Subject>; 2], diff: &mut VisualDiff) -> [u32; 2] {
        let edge = self.options.edge;
        let longest = sides.map(|side| side.and_then(Subject::longest));
        let most = longest.iter().flatten().copied().max().unwrap_or(0);
        let drawn = sides.into_iter().flatten().any(Subject::is_drawn);
        if most == 0 {
            return [edge.min(DRAWN_EDGE); 2];
        }
        if most <= u64::from(edge) && !drawn {
            return [edge; 2];
        }
        // What has no pixels of its own is drawn as large as it is looked at.
        let target =
            if drawn { u64::from(edge).min((most * 2).max(DRAWN_EDGE.into())) } else { u64::from(edge) };
        let scale = target as f64 / most as f64;
        if !drawn {
            diff.scale = (scale * 10_000.0).round() / 10_000.0;
        }
        longest.map(|side| side.map_or(edge, |side| ((side as f64 * scale).round() as u32).clamp(1, edge)))
    }

    /// Finds where layers were drawn anew.
    fn look_at_layers(
        &self,
        looked: &mut Looked,
        before: &Subject,
        after: &Subject,
        edges: [u32; 2],
    ) -> Result<(), AppError> {
        let wanted = |change: &LayerChange| {
            change.edits.iter().any(|edit| {
                matches!(
                    edit,
                    LayerEdit::Pixels { .. }
                        | LayerEdit::Added
                        | LayerEdit::Removed
                        | LayerEdit::Moved { .. }
                )
            })
        };
        let places: Vec<usize> =
            (0..looked.diff.layers.len()).filter(|at| wanted(&looked.diff.layers[*at])).collect();
        for at in places.into_iter().take(LAYERS_LOOKED_AT) {
            let (was, is) = (looked.diff.layers[at].before, looked.diff.layers[at].after);
            let layer = |subject: &Subject, layer: Option<usize>, edge| match layer {
                Some(layer) => subject.layer(self.workers, layer, edge),
                None => Ok(None),
            };
            let (old, new) = rayon::join(|| layer(before, was, edges[0]), || layer(after, is, edges[1]));
            let pictures = [old?, new?];
            if let [Some(old), Some(new)] = &pictures {
                let edits = looked.diff.layers[at].edits.iter_mut();
                for edit in edits {
                    if let LayerEdit::Pixels { regions } = edit {
                        *regions = differ(old.clone(), new.clone(), self.options)?.1.regions;
                    }
                }
            }
            if self.options.page.is_some() {
                looked.layers.push((at, pictures));
            }
        }
        Ok(())
    }
}

type Difference = (crate::media::compare::Aligned, PictureDiff, DifferenceMap);

fn differ(before: Pixels, after: Pixels, options: &Options) -> Result<Difference, AppError> {
    let aligned = align(before, after).map_err(undrawn)?;
    let (picture, map) = compare(&aligned.before, &aligned.after, options.sensitivity);
    Ok((aligned, picture, map))
}

fn undrawn(error: DecodeError) -> AppError {
    AppError::NotDrawn { reason: error.to_string() }
}

/// The commit that a side is; `None` for the worktree.
fn commit_of(side: &Side) -> Option<CommitId> {
    match side {
        Side::Nothing | Side::Worktree => None,
        Side::Commit { commit } | Side::Asset { commit, .. } => Some(commit.id),
    }
}

/// Hears both sides where they are films.
fn hear_films(before: &mut Subject, after: &mut Subject, workers: &Workers) -> Result<(), AppError> {
    if before.is_film() && after.is_film() {
        let (old, new) = rayon::join(|| before.hear(workers), || after.hear(workers));
        old.and(new)?;
    }
    Ok(())
}

/// How the running text of two states differs; `None` when it does not, or there is none.
fn compare_texts(before: &Subject, after: &Subject) -> Option<TextDiff> {
    let text = |side: &Subject| Text {
        encoding: Encoding::Utf8,
        text: side.facts.text.clone().map(|text| text + "\n").unwrap_or_default(),
    };
    let (before, after) = (text(before), text(after));
    (before != after).then(|| diff_text(&before, &after, TextLimits::default()))
}

impl Looked {
    /// Whether there is anything to say without a picture.
    fn tells_something(&self) -> bool {
        let VisualDiff { sound, film, layers, text, facts, fields, .. } = &self.diff;
        let lists = layers.is_empty() && facts.is_empty() && fields.is_empty();
        sound.is_some() || film.is_some() || text.is_some() || !lists
    }

    fn compare(&mut self, options: &Options) -> Result<(), AppError> {
        let [Some(before), Some(after)] = &self.pictures else { return Ok(()) };
        let (aligned, picture, map) = differ(before.clone(), after.clone(), options)?;
        self.diff.alignment = Some(aligned.alignment);
        self.diff.picture = Some(picture);
        self.map = Some((map, aligned.after));
        Ok(())
    }

    /// Compares frame by frame; what cannot be read is noted.
    fn compare_films(
        &mut self,
        before: &Subject,
        after: &Subject,
        workers: &Workers,
        options: &Options,
    ) -> Result<(), AppError> {
        match look_at_films(before, after, workers, options)? {
            Ok(look) => {
                if !look.diff.whole {
                    self.diff
                        .notes
                        .push("it was not compared to its end: that would take too long".to_owned());
                }
                self.diff.film = Some(look.diff);
                (self.moments, self.map) = (look.moments, look.worst);
            }
            Err(reason) => self.diff.notes.push(reason),
        }
        Ok(())
    }

    /// The picture of the difference as a PNG file.
    pub fn difference_png(&self, path: &AssetPath) -> Result<Vec<u8>, AppError> {
        let Some((map, after)) = &self.map else {
            let reason = "there are not two pictures to compare".to_owned();
            return Err(AppError::NoPicture { path: path.clone(), reason });
        };
        map.picture(after).png().map_err(undrawn)
    }

    /// What there is of before, after and difference, in a row for a terminal.
    pub fn strip(&self, edge: u32) -> Result<Option<Pixels>, AppError> {
        const GAP: u32 = 8;
        let difference = self.map.as_ref().map(|(map, after)| map.picture(after));
        let all: Vec<&Pixels> = self.pictures.iter().flatten().chain(&difference).collect();
        let Some(each) = edge.checked_div(all.len() as u32) else { return Ok(None) };
        let mut small = Vec::new();
        for picture in all {
            small.push(picture.clone().within(each.saturating_sub(GAP).max(1)).map_err(undrawn)?);
        }
        let width: u32 = small.iter().map(|picture| picture.width + GAP).sum();
        let height = small.iter().map(|picture| picture.height).max().unwrap_or(1);
        let mut bytes = vec![0; width as usize * height as usize * 4];
        let mut left = 0;
        for picture in &small {
            let length = picture.width as usize * 4;
            for (y, line) in picture.bytes.chunks_exact(length).enumerate() {
                let at = (y * width as usize + left) * 4;
                bytes[at..at + length].copy_from_slice(line);
            }
            left += (picture.width + GAP) as usize;
        }
        Pixels::new(width, height, bytes).map(Some).map_err(undrawn)
    }

    /// The asset as a page has it.
    pub fn page(&self) -> Result<page::Asset, AppError> {
        let diff = &self.diff;
        let mut states = Vec::new();
        let pictures = self.pictures.iter().zip(&self.lights);
        for (line, (picture, light)) in [&diff.before, &diff.after].into_iter().zip(pictures) {
            if let Some(line) = line {
                let state = page::State::new(line, picture.as_ref()).map_err(undrawn)?;
                states.push(state.with_light(light.as_ref()).map_err(undrawn)?);
            }
        }
        let mut asset = page::Asset::new(&diff.path, states);
        let mut change = page::Change::of(diff, &self.layers).map_err(undrawn)?;
        change.moments = self.moments.iter().map(page::Moment::new).collect();
        asset.change = Some(change);
        Ok(asset)
    }
}
