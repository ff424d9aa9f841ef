//! What the layout of a typeface does: which pairs of letters it kerns, and what each of its features
//! makes of a sample.
//!
//! Tables that say the same may be written in many ways, so it is what they do that is compared. A sample
//! of all pairs of letters is set with each feature alone, and once with none.

use harfrust::{Feature, ShapeOptions, ShaperData, Tag, UnicodeBuffer};
use skrifa::{FontRef, GlyphId, MetadataProvider as _};
use std::collections::HashMap;

use super::draw;
use crate::media::facts::{FeatureEffect, Kerning, LIST_MAX};

/// Most letters of the sample, of which all pairs are set.
const LETTERS_MAX: usize = 94;
/// Fewer letters of ASCII than this, and the first of the typeface are taken instead.
const LETTERS_MIN: usize = 20;
/// Most features that are tried.
const FEATURES_MAX: usize = 120;
/// Features that are on unless they are switched off, which hide what a single one does.
const USUAL: &[&[u8; 4]] = &[
    b"abvm", b"blwm", b"calt", b"ccmp", b"clig", b"curs", b"dist", b"kern", b"liga", b"locl", b"mark",
    b"mkmk", b"rclt", b"rlig", b"rvrn",
];

/// A glyph as it stands in the sample: the letter that it comes from by its place in the text, itself, and
/// how far it moves what follows and stands from its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Placed {
    from: u32,
    glyph: u32,
    moves: [i32; 4],
}

/// What the features of the first typeface of a file do, and which pairs it kerns.
pub(super) fn effects(
    bytes: &[u8],
    font: &FontRef<'_>,
    tags: &[String],
) -> (Vec<FeatureEffect>, Vec<Kerning>) {
    let Ok(shaped) = harfrust::FontRef::from_index(bytes, 0) else {
        return (Vec::new(), Vec::new());
    };
    let letters = letters(font);
    let data = ShaperData::new(&shaped);
    let set = |text: &str, on: Option<&[u8; 4]>| {
        let shaper = data.shaper(&shaped).build();
        let switch = |tag: &&[u8; 4]| Feature::new(Tag::new(tag), 0, ..);
        let mut features: Vec<Feature> = USUAL.iter().filter(|tag| Some(**tag) != on).map(switch).collect();
        features.extend(on.map(|tag| Feature::new(Tag::new(tag), 1, ..)));
        let mut buffer = UnicodeBuffer::new();
        buffer.push_str(text);
        buffer.guess_segment_properties();
        let found = shaper.shape(buffer, ShapeOptions::new().features(&features));
        let both = found.glyph_infos().iter().zip(found.glyph_positions());
        both.map(|(glyph, place)| Placed {
            from: glyph.cluster,
            glyph: glyph.glyph_id,
            moves: [place.x_advance, place.y_advance, place.x_offset, place.y_offset],
        })
        .collect::<Vec<_>>()
    };
    let lines: Vec<String> = letters.iter().map(|first| line(*first, &letters)).collect();
    let plain: Vec<Vec<Placed>> = lines.iter().map(|line| set(line, None)).collect();
    let mut kerning = Vec::new();
    for (line, plain) in lines.iter().zip(&plain) {
        pairs(line, plain, &set(line, Some(b"kern")), &mut kerning);
    }
    kerning.truncate(LIST_MAX);
    let mut names = Names { font, known: HashMap::new() };
    let mut effects = Vec::new();
    for tag in tags.iter().take(FEATURES_MAX) {
        let Some(bytes) = tag.as_bytes().first_chunk::<4>().filter(|_| tag.len() == 4) else { continue };
        let mut effect = Effect::default();
        for (line, plain) in lines.iter().zip(&plain) {
            effect.note(line, plain, &set(line, Some(bytes)), &mut names);
        }
        effects.push(FeatureEffect {
            tag: tag.clone(),
            places: effect.places,
            hash: effect.hasher.finalize().to_hex().to_string(),
        });
    }
    (effects, kerning)
}

/// The letters of the sample: those of ASCII, or the first that the typeface has.
fn letters(font: &FontRef<'_>) -> Vec<char> {
    let charmap = font.charmap();
    let ascii: Vec<char> = ('!'..='~').filter(|letter| charmap.map(*letter).is_some()).collect();
    if ascii.len() >= LETTERS_MIN {
        return ascii;
    }
    let all = charmap.mappings().filter_map(|(character, _)| char::from_u32(character));
    all.filter(|letter| letter.is_alphanumeric()).take(LETTERS_MAX).collect()
}

/// A letter before each of all letters, the pairs apart from each other.
fn line(first: char, letters: &[char]) -> String {
    letters.iter().flat_map(|second| [first, *second, ' ']).collect()
}

/// Finds the pairs of a line of which the first moves the second nearer or farther.
fn pairs(line: &str, plain: &[Placed], kerned: &[Placed], into: &mut Vec<Kerning>) {
    if plain.len() != kerned.len() {
        return;
    }
    let moved = |from: usize| -> i32 {
        let both = plain.iter().zip(kerned).filter(|(plain, _)| plain.from as usize == from);
        both.map(|(plain, kerned)| kerned.moves[0] - plain.moves[0]).sum()
    };
    let mut characters = line.char_indices();
    while let (Some((at, first)), Some((_, second)), Some(_)) =
        (characters.next(), characters.next(), characters.next())
    {
        let units = moved(at);
        if units != 0 {
            into.push(Kerning { pair: [first, second].iter().collect(), units });
        }
    }
}

/// What glyphs are called: a number says nothing once others come and go.
struct Names<'f, 'a> {
    font: &'f FontRef<'a>,
    known: HashMap<u32, String>,
}

impl Names<'_, '_> {
    fn of(&mut self, glyph: u32) -> &str {
        self.known.entry(glyph).or_insert_with(|| {
            let glyph = GlyphId::new(glyph);
            let name = self.font.glyph_names().get(glyph).filter(|name| !name.is_synthesized());
            name.map_or_else(|| draw::hash(self.font, glyph), |name| name.as_str().to_owned())
        })
    }
}

#[derive(Default)]
struct Effect {
    places: u64,
    hasher: blake3::Hasher,
}

impl Effect {
    /// Takes note of what became of each pair of a line.
    fn note(&mut self, line: &str, plain: &[Placed], set: &[Placed], names: &mut Names<'_, '_>) {
        let starts: Vec<usize> = line.char_indices().step_by(3).map(|(at, _)| at).collect();
        for (number, from) in starts.iter().enumerate() {
            let to = starts.get(number + 1).copied().unwrap_or(line.len());
            let within = |placed: &&Placed| (*from..to).contains(&(placed.from as usize));
            let before: Vec<&Placed> = plain.iter().filter(within).collect();
            let after: Vec<&Placed> = set.iter().filter(within).collect();
            if before == after {
                continue;
            }
            self.places += 1;
            self.hasher.update(&line.as_bytes()[*from..to]);
            for placed in after {
                self.hasher.update(names.of(placed.glyph).as_bytes());
                self.hasher.update(&placed.from.to_le_bytes());
                // How wide a glyph is belongs to the glyph: only what the feature moves counts.
                let width = before.iter().find(|it| it.glyph == placed.glyph).map_or(0, |it| it.moves[0]);
                let [across, down, right, up] = placed.moves;
                let across = if width == 0 { 0 } else { across - width };
                for number in [across, down, right, up] {
                    self.hasher.update(&number.to_le_bytes());
                }
            }
        }
    }
}
