//! Films. Facts of ISO base media files (MP4, QuickTime) are read here: length, tracks, frames, time code. What
//! other containers hold is told by `ffprobe`, and frames of all of them come out of `ffmpeg`, where these
//! programs are installed (`worker::films`).

pub mod probe;
pub mod sheet;
mod timecode;

use std::io;

use crate::media::boxes::{Numbers, Part, body, parts};
use crate::media::decoder::{DecodeError, Decoder, Done, Shown, Wanted, Way};
use crate::media::facts::{Facts, Field, Picture, Timing, Track, cut};
use crate::media::format::{self, Family, Format};
use crate::media::input::Input;

/// Most tracks that are told.
const TRACKS_MAX: usize = 200;

/// Whether a format holds films.
pub fn is_film(format: &Format) -> bool {
    format.family == Family::Video
}

/// Whether facts tell how long a film is and how large. Films that are cut into fragments tell that elsewhere.
pub fn is_told(facts: &Facts) -> bool {
    facts.picture.is_some()
        && facts.timing.as_ref().is_some_and(|timing| timing.seconds > 0.0 && timing.frame_rate.is_some())
}

/// Films in ISO base media files.
pub struct Film;

impl Decoder for Film {
    fn formats(&self) -> &'static [&'static Format] {
        &[&format::MP4, &format::MOV]
    }

    fn way_of_pictures(&self, _: &'static Format) -> Way {
        Way::Player
    }

    fn compares(&self, _: &'static Format) -> Option<&'static str> {
        Some("frames and sound")
    }

    fn facts(&self, input: &mut Input<'_>, _: &'static Format, facts: &mut Facts) -> Done {
        let end = input.len();
        let movie = parts(input, 0..end)?.into_iter().find(|part| part.kind == *b"moov");
        let Some(movie) = movie else {
            return Err(DecodeError::Damaged("the list of its tracks is missing".to_owned()));
        };
        let mut timing = Timing::default();
        for part in parts(input, movie.body)? {
            match &part.kind {
                b"mvhd" => timing.seconds = duration(&body(input, &part)?, (12, 20)).unwrap_or(0.0),
                b"trak" if timing.tracks.len() < TRACKS_MAX => take_track(input, &part, &mut timing, facts)?,
                b"udta" => facts.add_fields(titles(input, &part)?),
                _ => {}
            }
        }
        facts.timing = Some(timing);
        Ok(())
    }

    fn picture(&self, _: &mut Input<'_>, _: &'static Format, _: Wanted) -> Shown {
        Ok(None)
    }
}

/// Films in containers that only FFmpeg reads.
pub struct Played;

impl Decoder for Played {
    fn formats(&self) -> &'static [&'static Format] {
        &[&format::MKV, &format::WEBM, &format::MXF, &format::AVI, &format::MPEG_TS]
    }

    fn way_of_facts(&self, _: &'static Format) -> Way {
        Way::Player
    }

    fn way_of_pictures(&self, _: &'static Format) -> Way {
        Way::Player
    }

    fn compares(&self, _: &'static Format) -> Option<&'static str> {
        Some("frames and sound")
    }

    fn facts(&self, _: &mut Input<'_>, format: &'static Format, _: &mut Facts) -> Done {
        Err(DecodeError::Unsupported(format!("{} is read with ffprobe", format.name)))
    }

    fn picture(&self, _: &mut Input<'_>, _: &'static Format, _: Wanted) -> Shown {
        Ok(None)
    }
}

/// Adds what a track says.
fn take_track(input: &mut Input<'_>, part: &Part, timing: &mut Timing, facts: &mut Facts) -> io::Result<()> {
    let Found { track, rate, timecode, turned, needs } = track(input, part)?;
    if track.kind == "video" && timing.frame_rate.is_none() {
        timing.frame_rate = rate;
        facts.picture = track.size.map(|(width, height)| {
            let (width, height) = if turned { (height, width) } else { (width, height) };
            Picture { width, height, ..Picture::default() }
        });
    }
    timing.timecode = timing.timecode.take().or(timecode);
    facts.needs.extend(needs);
    timing.tracks.push(track);
    Ok(())
}

/// What was found of a track.
#[derive(Default)]
struct Found {
    track: Track,
    /// Frames or samples a second.
    rate: Option<f64>,
    timecode: Option<String>,
    /// Whether it stands on its side.
    turned: bool,
    /// Files that hold what the track plays.
    needs: Vec<String>,
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

fn track(input: &mut Input<'_>, part: &Part) -> io::Result<Found> {
    let mut found = Found::default();
    let track = &mut found.track;
    if let Some(header) = child(input, part, b"tkhd")? {
        found.turned = is_turned(&body(input, &header)?).unwrap_or(false);
    }
    let Some(media) = child(input, part, b"mdia")? else { return Ok(found) };
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
    let Some(information) = child(input, &media, b"minf")? else { return Ok(found) };
    found.needs = needs(input, &information)?;
    let Some(table) = child(input, &information, b"stbl")? else { return Ok(found) };
    if let Some(samples) = child(input, &table, b"stsd")? {
        let body = body(input, &samples)?;
        describe(&body, track);
        found.timecode = timecode::read(input, &table, &body)?;
    }
    let frames = match child(input, &table, b"stts")? {
        Some(times) => frames(&body(input, &times)?),
        None => 0,
    };
    let rate = seconds.filter(|seconds| *seconds > 0.0 && frames > 0).map(|seconds| frames as f64 / seconds);
    found.rate = rate.map(|rate| (rate * 1000.0).round() / 1000.0);
    Ok(found)
}

/// Whether a track's matrix turns it by a quarter.
fn is_turned(header: &[u8]) -> Option<bool> {
    let matrix = header.get(if *header.first()? == 1 { 52 } else { 40 }..)?;
    let mut numbers = Numbers(matrix);
    let mut next = || numbers.take(4);
    let (a, _, _) = (next()?, next()?, next()?);
    let (_, d) = (next()?, next()?);
    Some(a == 0 && d == 0)
}

/// Files that are named as the place of what a track plays (`dref`): it may lie elsewhere.
fn needs(input: &mut Input<'_>, information: &Part) -> io::Result<Vec<String>> {
    let Some(data) = child(input, information, b"dinf")? else { return Ok(Vec::new()) };
    let Some(list) = child(input, &data, b"dref")? else { return Ok(Vec::new()) };
    let start = (list.body.start + 8).min(list.body.end);
    let mut needs = Vec::new();
    for entry in parts(input, start..list.body.end)?.into_iter().take(TRACKS_MAX) {
        let body = body(input, &entry)?;
        // The last bit says that it lies in this very file.
        let Some((flags, name)) = body.split_first_chunk::<4>() else { continue };
        if flags[3] & 1 == 0 {
            let name = if entry.kind == *b"url " { Numbers(name).text() } else { b"another file" };
            needs.push(cut(&String::from_utf8_lossy(name)));
        }
    }
    Ok(needs)
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
    track.profile = profile(code).map(str::to_owned);
    let number = |at: usize| entry.get(at..at + 2).map(|it| u64::from(u16::from_be_bytes([it[0], it[1]])));
    match track.kind.as_str() {
        "video" => {
            track.size = number(32).zip(number(34)).filter(|(width, height)| *width > 0 && *height > 0);
        }
        "audio" => {
            // What stands here of AAC is two whatever there is; the decoder's own words say how many.
            track.channels = aac_channels(entry).or_else(|| number(24).map(|channels| channels as u32));
            track.bits = number(26).map(|bits| bits as u32).filter(|_| !code.starts_with(b"mp4a"));
            track.sample_rate = number(32).map(|rate| rate as u32).filter(|rate| *rate > 0);
        }
        _ => {}
    }
}

/// The channels of AAC: descriptors within each other (ISO/IEC 14496-1, 7.2.6), the innermost of which is for the
/// decoder (ISO/IEC 14496-3, 1.6.2.1).
fn aac_channels(entry: &[u8]) -> Option<u32> {
    let at = entry.windows(4).position(|it| it == b"esds")?;
    let mut rest = entry.get(at + 8..)?;
    for (tag, length) in [(3, 3), (4, 13)] {
        let (found, body) = descriptor(rest)?;
        rest = body.get(length..).filter(|_| found == tag)?;
    }
    let (5, words) = descriptor(rest)? else { return None };
    let bits = u32::from_be_bytes(words.get(..4).map_or_else(
        || [words.first().copied().unwrap_or(0), words.get(1).copied().unwrap_or(0), 0, 0],
        |it| [it[0], it[1], it[2], it[3]],
    ));
    // Five bits of kind, four of rate; rates that are spelled out are rare.
    match ((bits >> 23) & 15, (bits >> 19) & 15) {
        (15, _) | (_, 0) => None,
        (_, 7) => Some(8),
        (_, channels) => Some(channels).filter(|it| *it < 7),
    }
}

/// A descriptor's tag and content.
fn descriptor(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let (tag, mut rest) = bytes.split_first()?;
    // Its length takes up to four bytes of seven bits.
    for _ in 0..4 {
        let (byte, after) = rest.split_first()?;
        rest = after;
        if byte & 0x80 == 0 {
            break;
        }
    }
    Some((*tag, rest))
}

/// The kinds of ProRes, as FFmpeg calls them.
fn profile(code: &[u8]) -> Option<&'static str> {
    Some(match code {
        b"apch" => "HQ",
        b"apcn" => "Standard",
        b"apcs" => "LT",
        b"apco" => "Proxy",
        b"ap4h" => "4444",
        b"ap4x" => "XQ",
        _ => return None,
    })
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
