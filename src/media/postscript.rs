//! PostScript drawings (EPS): what their comments say, and the small picture that programs put in. They are
//! programs, which are not run.
//!
//! Source: Adobe, "PostScript Language Document Structuring Conventions" 3.0 and "Encapsulated PostScript File
//! Format" 3.0 (1992).

use std::io::Cursor;

use crate::media::decoder::{DecodeError, Decoder, Done, Shown, Wanted};
use crate::media::embedded;
use crate::media::facts::{Facts, FontUse, Picture, cut};
use crate::media::format::{self, Format};
use crate::media::input::Input;
use crate::media::pixels::Pixels;
use crate::media::raster::Raster;
use crate::media::xmp_picture;

/// How much of the beginning and of the end is searched for comments, in bytes.
const SEARCHED: usize = 4 << 20;
/// Most fonts that are told.
const FONTS_MAX: usize = 1000;
/// Most pixels of a small picture.
const PREVIEW_MAX: u64 = 64 << 20;

/// PostScript drawings.
pub struct PostScript;

impl Decoder for PostScript {
    fn formats(&self) -> &'static [&'static Format] {
        &[&format::EPS]
    }

    fn facts(&self, input: &mut Input<'_>, format: &'static Format, facts: &mut Facts) -> Done {
        let place = Place::of(input)?;
        let comments = Comments::read(input, &place)?;
        if let Some([left, bottom, right, top]) = comments.corners() {
            let (width, height) = ((right - left).abs().round() as u64, (top - bottom).abs().round() as u64);
            facts.picture = Some(Picture { width, height, ..Picture::default() });
        }
        for (comment, name) in [
            ("Title", "Title"),
            ("Creator", "Creator"),
            ("For", "Author"),
            ("CreationDate", "CreateDate"),
            ("Copyright", "Copyright"),
        ] {
            if let Some(text) = comments.value(comment) {
                facts.add_field("postscript", name, text);
            }
        }
        facts.pages = comments.value("Pages").and_then(|pages| pages.split_whitespace().next()?.parse().ok());
        facts.fonts_used = comments.fonts();
        embedded::add(embedded::find(input, format)?, facts);
        Ok(())
    }

    fn picture(&self, input: &mut Input<'_>, format: &'static Format, wanted: Wanted) -> Shown {
        let place = Place::of(input)?;
        if let Some((at, length)) = place.picture {
            let mut source = Cursor::new(input.read_at(at, length.min(PREVIEW_MAX) as usize)?);
            let mut inner = Input::new(&mut source)?;
            return Raster.picture(&mut inner, &format::TIFF, wanted);
        }
        if let Some(pixels) = Comments::read(input, &place)?.preview()? {
            return pixels.within(wanted.edge).map(Some);
        }
        match xmp_picture::find(&embedded::find(input, format)?, wanted.edge)? {
            Some(pixels) => Ok(Some(pixels)),
            None => Err(DecodeError::without_picture()),
        }
    }
}

/// Where what is: files for DOS begin with a table of places.
struct Place {
    text: std::ops::Range<u64>,
    /// Where a TIFF picture lies, and how long it is.
    picture: Option<(u64, u64)>,
}

impl Place {
    fn of(input: &mut Input<'_>) -> Result<Self, DecodeError> {
        let head = input.read_at(0, 30)?;
        if !head.starts_with(b"\xc5\xd0\xd3\xc6") || head.len() < 28 {
            return Ok(Self { text: 0..input.len(), picture: None });
        }
        let number =
            |at: usize| u64::from(u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]));
        let (start, length) = (number(4).min(input.len()), number(8));
        let picture = Some((number(20), number(24))).filter(|(_, length)| *length > 0);
        Ok(Self { text: start..(start + length).min(input.len()), picture })
    }
}

/// Comments of the document's structure, in the order in which they stand.
struct Comments {
    lines: Vec<String>,
}

impl Comments {
    fn read(input: &mut Input<'_>, place: &Place) -> Result<Self, DecodeError> {
        let length = place.text.end - place.text.start;
        let mut bytes = input.read_at(place.text.start, (length as usize).min(SEARCHED))?;
        if length as usize > SEARCHED {
            // What is put off to the end stands there.
            let rest = (length as usize - SEARCHED).min(64 << 10);
            bytes.push(b'\n');
            bytes.extend(input.read_at(place.text.end - rest as u64, rest)?);
        }
        let lines = bytes.split(|byte| matches!(byte, b'\n' | b'\r')).filter(|line| line.starts_with(b"%"));
        Ok(Self { lines: lines.map(|line| String::from_utf8_lossy(line).into_owned()).collect() })
    }

    /// The value of a comment; what is put off to the end (`(atend)`) is the later one.
    fn value(&self, name: &str) -> Option<&str> {
        let values = self
            .lines
            .iter()
            .filter_map(|line| line.strip_prefix("%%")?.strip_prefix(name)?.strip_prefix(':'));
        let plain = |text: &'_ str| -> bool { !text.is_empty() && text != "(atend)" };
        let mut values = values.map(|value| value.trim().trim_start_matches('(').trim_end_matches(')'));
        values.find(|value| plain(value) && *value != "atend")
    }

    fn corners(&self) -> Option<[f64; 4]> {
        let text = self.value("HiResBoundingBox").or_else(|| self.value("BoundingBox"))?;
        let numbers: Vec<f64> = text.split_whitespace().filter_map(|it| it.parse().ok()).collect();
        let corners: [f64; 4] = numbers.get(..4)?.try_into().ok()?;
        corners.iter().all(|it| it.is_finite() && it.abs() < 1e6).then_some(corners)
    }

    /// Fonts by their names: those that it carries, and those that it needs.
    fn fonts(&self) -> Vec<FontUse> {
        let mut fonts: Vec<FontUse> = Vec::new();
        let mut group = "";
        for line in &self.lines {
            let Some(rest) = line.strip_prefix("%%") else { continue };
            let (name, value) = match rest.strip_prefix('+') {
                Some(more) => (group, more),
                None => rest.split_once(':').unwrap_or((rest, "")),
            };
            let embedded = match name {
                "DocumentSuppliedResources" | "DocumentSuppliedFonts" => true,
                "DocumentNeededResources" | "DocumentNeededFonts" => false,
                _ => {
                    group = "";
                    continue;
                }
            };
            group = if embedded { "DocumentSuppliedResources" } else { "DocumentNeededResources" };
            for word in value.split_whitespace().filter(|word| !matches!(*word, "font" | "(atend)")) {
                if fonts.len() < FONTS_MAX && fonts.iter().all(|font| font.name != word) {
                    fonts.push(FontUse { name: cut(word), embedded });
                }
            }
        }
        fonts
    }

    /// The small picture that stands in comments as digits (EPSI).
    fn preview(&self) -> Result<Option<Pixels>, DecodeError> {
        let Some(begin) = self.lines.iter().position(|line| line.starts_with("%%BeginPreview:")) else {
            return Ok(None);
        };
        let numbers: Vec<u32> =
            self.lines[begin][15..].split_whitespace().filter_map(|it| it.parse().ok()).collect();
        let damaged = || DecodeError::Damaged("its small picture is damaged".to_owned());
        let &[width, height, depth, ..] = numbers.as_slice() else { return Err(damaged()) };
        if width == 0 || u64::from(width) * u64::from(height) > PREVIEW_MAX || !matches!(depth, 1 | 2 | 4 | 8)
        {
            return Err(damaged());
        }
        let digits = self.lines[begin + 1..].iter().take_while(|line| !line.starts_with("%%EndPreview"));
        let mut digits =
            digits.flat_map(|line| line.bytes()).filter_map(|byte| char::from(byte).to_digit(16));
        let row_bytes = (width as usize * depth as usize).div_ceil(8);
        let mut bytes = Vec::new();
        for _ in 0..height {
            let row: Vec<u8> =
                (0..row_bytes).map_while(|_| Some(((digits.next()? << 4) | digits.next()?) as u8)).collect();
            if row.len() < row_bytes {
                return Err(damaged());
            }
            for x in 0..width {
                let bit = (x * depth) as usize;
                let value = (row[bit / 8] >> (8 - depth as usize - bit % 8)) & ((1u16 << depth) - 1) as u8;
                // 0 is white.
                let tone = 255 - (u32::from(value) * 255 / ((1 << depth) - 1)) as u8;
                bytes.extend([tone, tone, tone, 255]);
            }
        }
        Pixels::new(width, height, bytes).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> (Facts, Result<Option<Pixels>, DecodeError>) {
        let mut source = Cursor::new(text.as_bytes().to_vec());
        let mut input = Input::new(&mut source).expect("measured");
        let mut facts = Facts::default();
        PostScript.facts(&mut input, &format::EPS, &mut facts).expect("facts");
        let picture = PostScript.picture(&mut input, &format::EPS, Wanted { edge: 100 });
        (facts, picture)
    }

    #[test]
    fn comments_are_told_and_the_small_picture_is_drawn() {
        let text = "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: (atend)\n%%Title: (Harbour sign)\r%%Creator: Inkscape\n\
            %%DocumentNeededResources: font Helvetica\n%%+ font Courier\n%%DocumentSuppliedResources: font Signal\n\
            %%BeginPreview: 4 2 1 2\n% 80\n% 10\n%%EndPreview\nshowpage\n%%Trailer\n%%BoundingBox: 10 20 110 70\n";
        let (facts, picture) = told(text);
        let size = facts.picture.map(|it| (it.width, it.height));
        assert_eq!(size, Some((100, 50)));
        assert_eq!(facts.embedded[0].value, "Harbour sign");
        let fonts: Vec<_> = facts.fonts_used.iter().map(|font| (font.name.as_str(), font.embedded)).collect();
        assert_eq!(fonts, [("Helvetica", false), ("Courier", false), ("Signal", true)]);
        let picture = picture.expect("drawn").expect("a picture");
        let tones: Vec<u8> = picture.bytes.chunks_exact(4).map(|it| it[0]).collect();
        assert_eq!(tones, [0, 255, 255, 255, 255, 255, 255, 0]);
    }

    #[test]
    fn what_has_no_picture_says_so_and_nonsense_is_refused() {
        assert!(told("%!PS\n%%BoundingBox: 0 0 9 9\n").1.is_err());
        assert!(told("%!PS\n%%BeginPreview: 99999999 99999999 8 1\n").1.is_err());
        assert!(told("%!PS\n%%BeginPreview: 4 4 8 1\n% 00\n%%EndPreview\n").1.is_err());
    }
}
