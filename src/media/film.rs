//! Facts of films in ISO base media files (MP4, QuickTime): length, tracks, frames.
//!
//! Their pictures are coded in ways that no part of the program decodes, so there is none of them.

use std::io;

use crate::media::boxes::{Numbers, Part, body, parts};
use crate::media::decoder::{DecodeError, Decoder, Wanted};
use crate::media::facts::{Facts, Field, Picture, Timing, Track, cut};
use crate::media::format::{self, Format};
use crate::media::input::Input;
use crate::media::pixels::Pixels;

/// Most tracks that are told.
const TRACKS_MAX: usize = 200;

/// Films in ISO base media files.
pub struct Film;

impl Decoder for Film {
    fn formats(&self) -> &'static [&'static Format] {
        &[&format::MP4, &format::MOV]
    }

    fn draws(&self, _: &'static Format) -> bool {
        false
    }

    fn facts(&self, input: &mut Input<'_>, _: &'static Format, facts: &mut Facts) -> Result<(), DecodeError> {
        let end = input.len();
        let movie = parts(input, 0..end)?.into_iter().find(|part| part.kind == *b"moov");
        let Some(movie) = movie else {
            return Err(DecodeError::Damaged("the list of its tracks is missing".to_owned()));
        };
        let mut timing = Timing::default();
        for part in parts(input, movie.body)? {
            match &part.kind {
                b"mvhd" => timing.seconds = duration(&body(input, &part)?, (12, 20)).unwrap_or(0.0),
                b"trak" if timing.tracks.len() < TRACKS_MAX => {
                    let (track, rate) = track(input, &part)?;
                    if track.kind == "video" && timing.frame_rate.is_none() {
                        timing.frame_rate = rate;
                        facts.picture =
                            track.size.map(|(width, height)| Picture { width, height, ..Picture::default() });
                    }
                    timing.tracks.push(track);
                }
                b"udta" => facts.add_fields(titles(input, &part)?),
                _ => {}
            }
        }
        facts.timing = Some(timing);
        Ok(())
    }

    fn picture(
        &self,
        _: &mut Input<'_>,
        _: &'static Format,
        _: Wanted,
    ) -> Result<Option<Pixels>, DecodeError> {
        Ok(None)
    }
}

/// The child of a box, by its kind.
fn child(input: &mut Input<'_>, of: &Part, kind: &[u8; 4]) -> io::Result<Option<Part>> {
    Ok(parts(input, of.body.clone())?.into_iter().find(|part| part.kind == *kind))
}

/// The number of a header that says so many units are a second, and how many units there are: where the
/// first stands in the short form and in the long one.
fn duration(body: &[u8], places: (usize, usize)) -> Option<f64> {
    let is_long = *body.first()? == 1;
    let mut numbers = Numbers(body.get(if is_long { places.1 } else { places.0 }..)?);
    let scale = numbers.take(4)?;
    let units = numbers.take(if is_long { 8 } else { 4 })?;
    // All ones say that it is not known.
    let known = units != if is_long { u64::MAX } else { u64::from(u32::MAX) };
    (scale > 0 && known).then(|| units as f64 / scale as f64)
}

fn track(input: &mut Input<'_>, part: &Part) -> io::Result<(Track, Option<f64>)> {
    let mut track = Track::default();
    let Some(media) = child(input, part, b"mdia")? else { return Ok((track, None)) };
    let kind = match child(input, &media, b"hdlr")? {
        Some(handler) => body(input, &handler)?.get(8..12).map(<[u8]>::to_vec).unwrap_or_default(),
        None => Vec::new(),
    };
    let kind = match kind.as_slice() {
        b"vide" => "video",
        b"soun" => "audio",
        b"subt" | b"sbtl" | b"text" | b"clcp" => "subtitle",
        _ => "data",
    };
    kind.clone_into(&mut track.kind);
    let mut seconds = None;
    if let Some(header) = child(input, &media, b"mdhd")? {
        let body = body(input, &header)?;
        seconds = duration(&body, (12, 20));
        let at = if body.first() == Some(&1) { 32 } else { 20 };
        track.language = body.get(at..at + 2).and_then(language);
    }
    let Some(information) = child(input, &media, b"minf")? else { return Ok((track, None)) };
    let Some(table) = child(input, &information, b"stbl")? else { return Ok((track, None)) };
    if let Some(samples) = child(input, &table, b"stsd")? {
        describe(&body(input, &samples)?, &mut track);
    }
    let frames = match child(input, &table, b"stts")? {
        Some(times) => frames(&body(input, &times)?),
        None => 0,
    };
    let rate = seconds.filter(|seconds| *seconds > 0.0 && frames > 0).map(|seconds| frames as f64 / seconds);
    Ok((track, rate.map(|rate| (rate * 1000.0).round() / 1000.0)))
}

/// How many samples a table of their times has.
fn frames(body: &[u8]) -> u64 {
    let mut numbers = Numbers(body.get(8..).unwrap_or_default());
    let mut frames = 0u64;
    while let (Some(count), Some(_)) = (numbers.take(4), numbers.take(4)) {
        frames = frames.saturating_add(count);
    }
    frames
}

/// Three letters of five bits each.
fn language(bytes: &[u8]) -> Option<String> {
    let packed = u16::from_be_bytes([*bytes.first()?, *bytes.get(1)?]);
    let letter = |shift: u16| char::from(((packed >> shift) & 31) as u8 + 0x60);
    let text: String = [10, 5, 0].into_iter().map(letter).collect();
    (text.bytes().all(|byte| byte.is_ascii_lowercase()) && text != "und").then_some(text)
}

/// The first description of samples: codec, and size or rate.
fn describe(body: &[u8], track: &mut Track) {
    let Some(entry) = body.get(8..) else { return };
    let code = entry.get(4..8).unwrap_or_default();
    track.codec = codec(code);
    let number = |at: usize| entry.get(at..at + 2).map(|it| u64::from(u16::from_be_bytes([it[0], it[1]])));
    match track.kind.as_str() {
        "video" => {
            track.size = number(32).zip(number(34)).filter(|(width, height)| *width > 0 && *height > 0);
        }
        "audio" => {
            track.channels = number(24).map(|channels| channels as u32);
            track.bits = number(26).map(|bits| bits as u32).filter(|_| !code.starts_with(b"mp4a"));
            track.sample_rate = number(32).map(|rate| rate as u32).filter(|rate| *rate > 0);
        }
        _ => {}
    }
}

fn codec(code: &[u8]) -> String {
    match code {
        b"avc1" | b"avc3" => "H.264".to_owned(),
        b"hvc1" | b"hev1" => "H.265".to_owned(),
        b"av01" => "AV1".to_owned(),
        b"vp09" => "VP9".to_owned(),
        b"mp4v" => "MPEG-4 Visual".to_owned(),
        b"apch" | b"apcn" | b"apcs" | b"apco" | b"ap4h" | b"ap4x" => "ProRes".to_owned(),
        b"mp4a" => "AAC".to_owned(),
        b"ac-3" => "AC-3".to_owned(),
        b"Opus" => "Opus".to_owned(),
        b"alac" => "ALAC".to_owned(),
        b"fLaC" => "FLAC".to_owned(),
        b"sowt" | b"twos" | b"lpcm" | b"in24" | b"ipcm" => "PCM".to_owned(),
        b"tx3g" => "timed text".to_owned(),
        b"tmcd" => "time code".to_owned(),
        other => cut(&String::from_utf8_lossy(other)),
    }
}

/// Titles as Apple's programs write them: `udta`, `meta`, `ilst`, one box for each with a box of data.
fn titles(input: &mut Input<'_>, user: &Part) -> io::Result<Vec<Field>> {
    const NAMES: &[(&[u8; 4], &str)] = &[
        (b"\xa9nam", "TrackTitle"),
        (b"\xa9ART", "Artist"),
        (b"\xa9alb", "Album"),
        (b"\xa9cmt", "Comment"),
        (b"\xa9day", "ReleaseDate"),
        (b"\xa9too", "Encoder"),
        (b"cprt", "Copyright"),
        (b"desc", "Description"),
    ];
    let Some(meta) = child(input, user, b"meta")? else { return Ok(Vec::new()) };
    let inner = Part { body: (meta.body.start + 4).min(meta.body.end)..meta.body.end, ..meta };
    let Some(list) = child(input, &inner, b"ilst")? else { return Ok(Vec::new()) };
    let mut fields = Vec::new();
    for part in parts(input, list.body)? {
        let Some((_, name)) = NAMES.iter().find(|(kind, _)| **kind == part.kind) else { continue };
        let Some(data) = child(input, &part, b"data")? else { continue };
        let bytes = body(input, &data)?;
        if let Some(Ok(text)) = bytes.get(8..).map(std::str::from_utf8) {
            fields.push(Field::text("film", name, text.trim()));
        }
    }
    Ok(fields)
}
