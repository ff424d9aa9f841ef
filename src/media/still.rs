//! Still pictures in ISO base media files: HEIC and AVIF, and JPEG XL in its container and without.
//!
//! Pixels of HEIC and AVIF are coded as film is; no decoder of that is part of the program, so pictures of them are
//! made by `ffmpeg`, out of a stream that is made of what the container says (`coded`). JPEG XL is decoded here.

pub mod coded;
mod jxl;

use std::io;

use coded::Coded;

use crate::media::boxes::{Item, Items, Numbers, Part, body, parts};
use crate::media::colour::Profile;
use crate::media::decoder::{DecodeError, Decoder, Done, Shown, Wanted, Way};
use crate::media::embedded::{self, Packets};
use crate::media::facts::{Facts, Picture, Timing, cut};
use crate::media::format::{self, Format};
use crate::media::input::Input;

/// The box in which content credentials stand (C2PA specification 2.1, A.5).
const CREDENTIALS: [u8; 16] = *b"\xd8\xfe\xc3\xd6\x1b\x0e\x48\x3c\x92\x97\x58\x28\x87\x7e\xc4\x81";

/// Still pictures in ISO base media files.
pub struct Still;

impl Decoder for Still {
    fn formats(&self) -> &'static [&'static Format] {
        &[&format::HEIC, &format::AVIF, &format::JXL]
    }

    fn way_of_pictures(&self, format: &'static Format) -> Way {
        if *format == format::JXL { Way::Decoder } else { Way::Player }
    }

    fn facts(&self, input: &mut Input<'_>, format: &'static Format, facts: &mut Facts) -> Done {
        let mut packets = Packets::default();
        let mut moving = None;
        let end = input.len();
        if *format == format::JXL {
            jxl::facts(input, facts)?;
        }
        for part in parts(input, 0..end)? {
            match &part.kind {
                b"meta" => {
                    let items = Items::read(input, &part)?;
                    facts.picture = picture(input, &items, facts)?;
                    gather(input, &items, &mut packets)?;
                }
                b"Exif" => {
                    let bytes = body(input, &part)?;
                    packets.add_exif(after_offset(&bytes))?;
                }
                b"xml " => packets.xmp.push(body(input, &part)?),
                b"moov" => moving = moving.or(film(input, &part)?),
                b"uuid" => packets.credentials |= input.read_at(part.body.start, 16)? == CREDENTIALS,
                b"jumb" => packets.credentials |= body(input, &part)?.windows(4).any(|it| it == b"c2pa"),
                _ => {}
            }
        }
        if let (Some(picture), Some((frames, timing))) = (&mut facts.picture, moving) {
            picture.frames = Some(frames);
            facts.timing = Some(timing);
        }
        if facts.picture.is_none() && *format != format::JXL {
            return Err(DecodeError::Damaged("the file names no picture that it shows".to_owned()));
        }
        embedded::add(packets, facts);
        Ok(())
    }

    fn picture(&self, input: &mut Input<'_>, format: &'static Format, wanted: Wanted) -> Shown {
        if *format == format::JXL { jxl::picture(input, wanted.edge).map(Some) } else { Ok(None) }
    }

    fn coded(&self, input: &mut Input<'_>, _: &'static Format) -> Result<Option<Coded>, DecodeError> {
        let end = input.len();
        let Some(meta) = parts(input, 0..end)?.into_iter().find(|part| part.kind == *b"meta") else {
            return Ok(None);
        };
        let items = Items::read(input, &meta)?;
        let Some(item) = items.item(items.primary) else { return Ok(None) };
        let (turns, mirror) = turn(input, &items, item)?;
        let coded = coded::coded(input, &items, orientation(turns, mirror).unwrap_or(1))?;
        // One tile alone would be another picture.
        if coded.is_none() && item.kind == *b"grid" {
            return Err(DecodeError::Damaged("its tiles do not fit together".to_owned()));
        }
        Ok(coded)
    }
}

/// What the properties of the picture that is shown say.
fn picture(input: &mut Input<'_>, items: &Items, facts: &mut Facts) -> io::Result<Option<Picture>> {
    let Some(item) = items.item(items.primary) else { return Ok(None) };
    let mut first = |kind: &[u8; 4]| -> io::Result<Option<Vec<u8>>> {
        let part: Option<Part> = items.properties(item, kind).next().cloned();
        part.map(|part| body(input, &part)).transpose()
    };
    let Some((width, height)) = first(b"ispe")?.as_deref().and_then(size) else { return Ok(None) };
    let depth = first(b"pixi")?.and_then(|body| body.get(5).copied()).map(u32::from);
    let channels = first(b"pixi")?.and_then(|body| body.get(4).copied());
    let (turns, mirror) = turn(input, items, item)?;
    let mut picture = Picture {
        width,
        height,
        colour_space: Some(if channels == Some(1) { "gray" } else { "RGB" }.to_owned()),
        depth,
        orientation: orientation(turns, mirror),
        ..Picture::default()
    };
    if turns % 2 == 1 {
        (picture.width, picture.height) = (picture.height, picture.width);
    }
    let colours: Vec<Part> = items.properties(item, b"colr").cloned().collect();
    for part in colours {
        let body = body(input, &part)?;
        if let Some(profile) = body.strip_prefix(b"prof").or_else(|| body.strip_prefix(b"rICC")) {
            match Profile::read(profile) {
                Some(profile) => picture.profile = profile.name.as_deref().map(cut),
                None => facts.note("its colour profile cannot be read"),
            }
        }
    }
    // A picture of opacity is an item of its own that says to which it belongs.
    let mut alpha = false;
    let auxiliary: Vec<u64> = items
        .references
        .iter()
        .filter(|(kind, _, to)| kind == b"auxl" && *to == items.primary)
        .map(|(_, from, _)| *from)
        .collect();
    for item in auxiliary.iter().filter_map(|id| items.item(*id)) {
        let types: Vec<Part> = items.properties(item, b"auxC").cloned().collect();
        for part in types {
            let body = body(input, &part)?;
            alpha |= body.get(4..).is_some_and(|name| {
                name.starts_with(b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha")
                    || name.starts_with(b"urn:mpeg:hevc:2015:auxid:1")
            });
        }
    }
    picture.alpha = Some(alpha);
    Ok(Some(picture))
}

/// Quarter turns to the left, and the axis of a mirror, that a picture is shown with.
fn turn(input: &mut Input<'_>, items: &Items, item: &Item) -> io::Result<(u8, Option<u8>)> {
    let mut first = |kind: &[u8; 4]| -> io::Result<Option<u8>> {
        let Some(part) = items.properties(item, kind).next() else { return Ok(None) };
        Ok(input.read_at(part.body.start, 1)?.first().copied())
    };
    Ok((first(b"irot")?.unwrap_or(0) & 3, first(b"imir")?.map(|axis| axis & 1)))
}

/// Frames and length of pictures that move (`avis`, `hevc`): those of the first track of pictures that has
/// several. What shows opacity is a track of its own and of another kind.
fn film(input: &mut Input<'_>, moov: &Part) -> io::Result<Option<(u64, Timing)>> {
    for track in parts(input, moov.body.clone())?.iter().filter(|part| part.kind == *b"trak") {
        let Some(media) = child(input, track, b"mdia")? else { continue };
        let Some(handler) = child(input, &media, b"hdlr")? else { continue };
        if body(input, &handler)?.get(8..12) != Some(b"pict") {
            continue;
        }
        let Some(head) = child(input, &media, b"mdhd")? else { continue };
        let head = body(input, &head)?;
        // The dates before it are longer in the second version.
        let scale =
            Numbers(head.get(if head.first() == Some(&1) { 20.. } else { 12.. }).unwrap_or_default()).take(4);
        let Some(information) = child(input, &media, b"minf")? else { continue };
        let Some(table) = child(input, &information, b"stbl")? else { continue };
        let Some(times) = child(input, &table, b"stts")? else { continue };
        let times = body(input, &times)?;
        let mut numbers = Numbers(times.get(4..).unwrap_or_default());
        let (mut frames, mut ticks) = (0u64, 0u64);
        for _ in 0..numbers.take(4).unwrap_or(0) {
            let (Some(count), Some(each)) = (numbers.take(4), numbers.take(4)) else { break };
            frames = frames.saturating_add(count);
            ticks = ticks.saturating_add(count.saturating_mul(each));
        }
        if let Some(scale) = scale.filter(|scale| *scale > 0 && frames > 1 && ticks > 0) {
            let seconds = ticks as f64 / scale as f64;
            let frame_rate = Some(frames as f64 / seconds);
            return Ok(Some((frames, Timing { seconds, frame_rate, ..Timing::default() })));
        }
    }
    Ok(None)
}

fn child(input: &mut Input<'_>, part: &Part, kind: &[u8; 4]) -> io::Result<Option<Part>> {
    Ok(parts(input, part.body.clone())?.into_iter().find(|part| part.kind == *kind))
}

fn size(body: &[u8]) -> Option<(u64, u64)> {
    let mut numbers = Numbers(body.get(4..)?);
    Some((numbers.take(4)?, numbers.take(4)?))
}

/// The EXIF number of turns to the left and a mirror; `None` when the picture stands as it is.
fn orientation(turns: u8, mirror: Option<u8>) -> Option<u8> {
    // Axis 0 swaps top and bottom, axis 1 left and right, after the turn.
    Some(match (turns, mirror) {
        (0, None) => return None,
        (1, None) => 8,
        (2, None) => 3,
        (_, None) => 6,
        (0, Some(1)) | (2, Some(0)) => 2,
        (0 | 2, Some(_)) => 4,
        (1, Some(0)) | (3, Some(1)) => 5,
        _ => 7,
    })
}

fn gather(input: &mut Input<'_>, items: &Items, packets: &mut Packets) -> io::Result<()> {
    for item in &items.items {
        match &item.kind {
            b"Exif" if packets.exif.is_none() => {
                let bytes = items.bytes(input, item)?;
                packets.add_exif(after_offset(&bytes))?;
            }
            b"mime" if item.mime == b"application/rdf+xml" => packets.xmp.push(items.bytes(input, item)?),
            _ => {}
        }
    }
    Ok(())
}

/// EXIF stands behind a number that says where its TIFF structure begins.
fn after_offset(bytes: &[u8]) -> &[u8] {
    let Some((offset, rest)) = bytes.split_first_chunk::<4>() else { return &[] };
    rest.get(u32::from_be_bytes(*offset) as usize..).unwrap_or_default()
}
