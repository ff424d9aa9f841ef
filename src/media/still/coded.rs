//! The coded picture of a HEIC or AVIF file as a stream that decoders of films read, made of what the container says:
//! FFmpeg reads such containers in some versions only, and takes the first tile of a large picture for all of it.

use std::io;

use crate::media::boxes::{BODY_MAX, Item, Items, Numbers, body};
use crate::media::input::Input;
use crate::media::pixels::PIXELS_MAX;

/// Most tiles of one picture.
const TILES_MAX: u64 = 4096;
/// Longest stream that is made, in bytes.
const STREAM_MAX: usize = 128 << 20;
/// The longest side of a tile or of a picture, in pixels.
const SIDE_MAX: u32 = 65_536;
/// Longest description of how tiles are coded, in bytes.
const DESCRIBED_MAX: u64 = 64 << 10;
/// What stands before each unit of an H.265 stream (ISO/IEC 23008-2, annex B).
const START: [u8; 4] = [0, 0, 0, 1];
/// The unit that says that a sequence is over, so that no tile is shown later than the next one or left out.
const END_OF_SEQUENCE: [u8; 6] = [0, 0, 0, 1, 0x48, 1];

/// How pictures are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// H.265, in the form of annex B.
    H265,
    /// AV1, in an IVF file.
    Av1,
}

/// What is said of colours beside the coded picture; it holds against what is said within.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colours {
    /// Matrix coefficients by their number (ISO/IEC 23091-2, 8.3).
    pub matrix: u8,
    /// Whether all levels are used.
    pub is_full: bool,
}

/// A coded picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coded {
    /// How it is coded.
    pub codec: Codec,
    /// Pixels across and down of each tile.
    pub tile: (u32, u32),
    /// Tiles in each row, and rows.
    pub grid: (u32, u32),
    /// Pixels across and down of the picture: what is right of them and below in the last tiles is cut off.
    pub size: (u32, u32),
    /// The EXIF number of how the picture is turned and mirrored before it is shown.
    pub orientation: u8,
    /// What is said of its colours.
    pub colours: Option<Colours>,
    /// The tiles, row by row, each as a frame of its own.
    pub stream: Vec<u8>,
}

impl Coded {
    /// Whether its numbers make sense: whoever made it read a stranger's bytes.
    pub fn is_sound(&self) -> bool {
        let fits = |tile: u32, count: u32, side: u32| {
            let whole = u64::from(tile) * u64::from(count);
            (1..=SIDE_MAX).contains(&tile) && side > 0 && u64::from(side) <= whole && side <= SIDE_MAX
        };
        let count = u64::from(self.grid.0) * u64::from(self.grid.1);
        (1..=TILES_MAX).contains(&count)
            && fits(self.tile.0, self.grid.0, self.size.0)
            && fits(self.tile.1, self.grid.1, self.size.1)
            && u64::from(self.tile.0) * u64::from(self.tile.1) * count <= PIXELS_MAX
            && (1..=8).contains(&self.orientation)
            && !self.stream.is_empty()
            && self.stream.len() <= STREAM_MAX
    }
}

/// The picture that is shown, which is turned as `orientation` says; `None` when it is of another form than those
/// above, or what is said of it does not fit together.
pub(super) fn coded(input: &mut Input<'_>, items: &Items, orientation: u8) -> io::Result<Option<Coded>> {
    let Some(primary) = items.item(items.primary) else { return Ok(None) };
    let Some((tiles, grid, size)) = tiles(input, items, primary)? else { return Ok(None) };
    let Some(first) = tiles.first() else { return Ok(None) };
    let Some(tile) = size_of(input, items, first)? else { return Ok(None) };
    let codec = match &first.kind {
        b"hvc1" | b"hev1" => Codec::H265,
        b"av01" => Codec::Av1,
        _ => return Ok(None),
    };
    let mut stream = Stream::new(codec, tile, tiles.len());
    for item in &tiles {
        let is_alike = item.kind == first.kind && size_of(input, items, item)? == Some(tile);
        if !is_alike || stream.add(input, items, item)?.is_none() {
            return Ok(None);
        }
    }
    let colours = match colours(input, items, primary)? {
        None => colours(input, items, first)?,
        found => found,
    };
    let size = size.unwrap_or(tile);
    let coded = Coded { codec, tile, grid, size, orientation, colours, stream: stream.bytes };
    Ok(Some(coded).filter(Coded::is_sound))
}

type Tiles<'i> = (Vec<&'i Item>, (u32, u32), Option<(u32, u32)>);

/// The tiles of a picture, how many there are across and down, and its size where that is not the one of the only
/// tile.
fn tiles<'i>(input: &mut Input<'_>, items: &'i Items, primary: &'i Item) -> io::Result<Option<Tiles<'i>>> {
    if primary.kind != *b"grid" {
        return Ok(Some((vec![primary], (1, 1), None)));
    }
    let bytes = items.bytes(input, primary)?;
    let Some((grid, size)) = grid(&bytes) else { return Ok(None) };
    let count = u64::from(grid.0) * u64::from(grid.1);
    let parts = items.references.iter().filter(|(kind, from, _)| kind == b"dimg" && *from == primary.id);
    let tiles: Vec<&Item> =
        parts.take(TILES_MAX as usize + 1).filter_map(|(_, _, to)| items.item(*to)).collect();
    Ok((tiles.len() as u64 == count && count <= TILES_MAX).then_some((tiles, grid, Some(size))))
}

/// Tiles across and down of a picture of tiles, and its pixels across and down (ISO/IEC 23008-12, 6.6.2.3).
fn grid(bytes: &[u8]) -> Option<((u32, u32), (u32, u32))> {
    let mut numbers = Numbers(bytes);
    let head = numbers.take(2)?;
    let bytes = if head & 1 == 1 { 4 } else { 2 };
    let (rows, columns) = (numbers.take(1)? as u32 + 1, numbers.take(1)? as u32 + 1);
    let (width, height) = (numbers.take(bytes)? as u32, numbers.take(bytes)? as u32);
    (head >> 8 == 0).then_some(((columns, rows), (width, height)))
}

fn size_of(input: &mut Input<'_>, items: &Items, item: &Item) -> io::Result<Option<(u32, u32)>> {
    let Some(part) = items.properties(item, b"ispe").next() else { return Ok(None) };
    let length = (part.body.end - part.body.start).min(12) as usize;
    let size = super::size(&input.read_at(part.body.start, length)?);
    Ok(size.and_then(|(width, height)| Some((u32::try_from(width).ok()?, u32::try_from(height).ok()?))))
}

fn colours(input: &mut Input<'_>, items: &Items, item: &Item) -> io::Result<Option<Colours>> {
    for part in items.properties(item, b"colr") {
        if let [b'n', b'c', b'l', b'x', _, _, _, _, _, matrix, range, ..] = body(input, part)?[..] {
            return Ok(Some(Colours { matrix, is_full: range & 0x80 != 0 }));
        }
    }
    Ok(None)
}

/// A stream while tiles are added to it.
struct Stream {
    codec: Codec,
    bytes: Vec<u8>,
    /// The property from which the decoder was last told how the tiles are coded.
    told: Option<usize>,
    /// Bytes before each unit that say how long it is.
    length_bytes: usize,
    tiles: u64,
}

impl Stream {
    fn new(codec: Codec, tile: (u32, u32), tiles: usize) -> Self {
        let mut bytes = Vec::new();
        if codec == Codec::Av1 {
            bytes.extend(b"DKIF\0\0\x20\0AV01");
            // What is told here has sixteen bits; what counts is what the frames say.
            bytes.extend([tile.0 as u16, tile.1 as u16].map(u16::to_le_bytes).concat());
            bytes.extend([25, 1, tiles as u32, 0].map(u32::to_le_bytes).concat());
        }
        Self { codec, bytes, told: None, length_bytes: 4, tiles: 0 }
    }

    /// Adds a tile; `None` when it does not fit.
    fn add(&mut self, input: &mut Input<'_>, items: &Items, item: &Item) -> io::Result<Option<()>> {
        let length = item
            .extents
            .iter()
            .try_fold(0u64, |sum, extent| sum.checked_add(extent.end.checked_sub(extent.start)?));
        if length.is_none_or(|length| length == 0 || length > BODY_MAX) {
            return Ok(None);
        }
        let bytes = items.bytes(input, item)?;
        if Some(bytes.len() as u64) != length || self.bytes.len() + bytes.len() > STREAM_MAX {
            return Ok(None);
        }
        if self.codec == Codec::Av1 {
            self.bytes.extend((bytes.len() as u32).to_le_bytes());
            self.bytes.extend(self.tiles.to_le_bytes());
            self.bytes.extend(bytes);
            self.tiles += 1;
            return Ok(Some(()));
        }
        let described = |at: &&usize| items.properties.get(**at).is_some_and(|part| part.kind == *b"hvcC");
        let Some(at) = item.properties.iter().find(described).copied() else { return Ok(None) };
        if self.told != Some(at) {
            let part = &items.properties[at];
            if part.body.end - part.body.start > DESCRIBED_MAX {
                return Ok(None);
            }
            let Some(length_bytes) = parameters(&body(input, part)?, &mut self.bytes) else {
                return Ok(None);
            };
            (self.told, self.length_bytes) = (Some(at), length_bytes);
        }
        let done = units(&bytes, self.length_bytes, &mut self.bytes);
        self.bytes.extend(END_OF_SEQUENCE);
        Ok(done.filter(|()| self.bytes.len() <= STREAM_MAX))
    }
}

/// Puts down the sets of parameters that stand beside the tiles (ISO/IEC 14496-15, 8.3.2.1), and says how many
/// bytes the lengths of units have.
fn parameters(described: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    let length_bytes = usize::from(described.get(21)? & 3) + 1;
    let mut numbers = Numbers(described.get(22..)?);
    for _ in 0..numbers.take(1)? {
        numbers.take(1)?;
        for _ in 0..numbers.take(2)? {
            let length = numbers.take(2)? as usize;
            let (unit, rest) = numbers.0.split_at_checked(length)?;
            out.extend(START);
            out.extend(unit);
            numbers.0 = rest;
        }
    }
    Some(length_bytes)
}

/// Puts down the units of a tile; `None` when their lengths are not those of all of its bytes.
fn units(bytes: &[u8], length_bytes: usize, out: &mut Vec<u8>) -> Option<()> {
    let mut numbers = Numbers(bytes);
    while !numbers.0.is_empty() {
        let length = numbers.take(length_bytes)? as usize;
        let (unit, rest) = numbers.0.split_at_checked(length)?;
        // One without any byte would be a start code within the next.
        if !unit.is_empty() && out.len() + unit.len() <= STREAM_MAX {
            out.extend(START);
            out.extend(unit);
        }
        numbers.0 = rest;
    }
    Some(())
}
