//! Layer records: names, places, how they are blended, where their pixels lie.

use super::reader::Reader;
use super::text;
use super::{CHANNELS_MAX, Header, LAYERS_MAX, PsdError};

/// Longest block of a layer that is looked into, in bytes.
const BLOCK_MAX: u64 = 16 << 20;

/// What part of a group a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Section {
    /// A layer of its own.
    #[default]
    Layer,
    /// The record of a group itself; it stands above what the group holds.
    Group { open: bool },
    /// The hidden record below the lowest layer of a group.
    End,
}

/// Where one channel's pixels lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChannelPlace {
    /// 0, 1, 2... for colours, -1 for transparency, -2 for the mask, -3 for the vector mask as pixels.
    pub id: i16,
    /// Where it begins in the file, with two bytes that name the compression.
    pub at: u64,
    /// Its length in bytes.
    pub length: u64,
}

/// A rectangle in pixels of the document: top, left, bottom, right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bounds {
    pub top: i32,
    pub left: i32,
    pub bottom: i32,
    pub right: i32,
}

impl Bounds {
    /// Pixels across; 0 for an empty or inverted one.
    pub fn width(&self) -> u32 {
        u32::try_from(i64::from(self.right) - i64::from(self.left)).unwrap_or(0)
    }

    /// Pixels down.
    pub fn height(&self) -> u32 {
        u32::try_from(i64::from(self.bottom) - i64::from(self.top)).unwrap_or(0)
    }
}

/// A layer's mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mask {
    /// Where its pixels are.
    pub bounds: Bounds,
    /// What it is outside of them: 0 hides, 255 shows.
    pub outside: u8,
    /// Whether it is switched off.
    pub disabled: bool,
    /// How much of it counts, from 0 to 255: with less it hides less.
    pub density: u8,
    /// Whether it was made of curves, alone or together with a mask of pixels.
    pub rendered: bool,
}

impl Mask {
    /// A level of the mask as its density lets it count.
    pub fn dense(&self, level: u8) -> u8 {
        let hidden = u32::from(255 - level) * u32::from(self.density);
        255 - ((hidden + 127) / 255) as u8
    }
}

/// One record.
#[derive(Debug, Clone, Default)]
pub struct LayerRecord {
    /// The name: the Unicode one where the document has it.
    pub name: String,
    /// The number that Photoshop keeps for a layer over saves.
    pub id: Option<u32>,
    /// Where its pixels are.
    pub bounds: Bounds,
    /// Its channels.
    pub channels: Vec<ChannelPlace>,
    /// The four letters of the blend mode.
    pub blend: [u8; 4],
    /// From 0 to 255.
    pub opacity: u8,
    /// Opacity of the pixels without effects, from 0 to 255.
    pub fill: u8,
    /// Whether it is clipped to the layer below.
    pub clipped: bool,
    /// Whether it is shown.
    pub visible: bool,
    /// Its mask.
    pub mask: Option<Mask>,
    /// What part of a group it is.
    pub section: Section,
    /// Its text.
    pub text: Option<String>,
    /// Whether another document is placed in it.
    pub placed: bool,
    /// Whether it is made of curves.
    pub shape: bool,
    /// Whether these have a filling and a line of their own.
    pub stroked: bool,
    /// The block that makes it an adjustment of what is below.
    pub adjustment: Option<[u8; 4]>,
    /// The block that makes it a fill of one colour, a gradient or a pattern.
    pub fill_of: Option<[u8; 4]>,
    /// Whether it has effects that are switched on.
    pub effects: bool,
    /// Whether the newer words for effects were there.
    pub(super) effects_told: bool,
    /// What else of it our own composite does not draw.
    pub undrawn: Vec<&'static str>,
}

impl LayerRecord {
    /// The mask that its pixels still need: those of a shape are cut out by its curves already.
    pub fn needed_mask(&self) -> Option<Mask> {
        let both = self.channels.iter().any(|channel| channel.id == -3);
        let is_filled = self.fill_of.is_some() || self.stroked;
        self.mask.filter(|mask| !(mask.rendered && is_filled && !both && self.has_pixels()))
    }

    /// Whether there are pixels in it; curves and fills are in them already.
    pub fn has_pixels(&self) -> bool {
        let has_colour = self.channels.iter().any(|channel| channel.id >= 0 && channel.length > 2);
        has_colour && self.bounds.width() > 0 && self.bounds.height() > 0
    }
}

/// What the layer section holds.
pub(super) struct Found {
    pub layers: Vec<LayerRecord>,
    pub merged_alpha: bool,
}

/// Reads the layer and mask section, which ends at `end`. Documents of 16 and 32 bits keep their
/// layers in a block of the section's tail.
pub(super) fn read_section(
    reader: &mut Reader<'_, '_>,
    header: &Header,
    end: u64,
) -> Result<Found, PsdError> {
    let mut found = Found { layers: Vec::new(), merged_alpha: false };
    if reader.at() >= end {
        return Ok(found);
    }
    let length = reader.length(header.large)?;
    let after = reader.at().checked_add(length).ok_or(PsdError::Short)?;
    if length > 0 {
        found = read_layers(reader, header, after)?;
    }
    reader.go_to(after)?;
    if reader.at() + 4 > end {
        return Ok(found);
    }
    let masks = u64::from(reader.u32()?);
    reader.skip(masks)?;
    while reader.at() + 12 <= end {
        let Some(block) = read_block_head(reader, header)? else { break };
        match &block.key {
            b"Lr16" | b"Lr32" | b"Layr" if found.layers.is_empty() => {
                let end = reader.at() + block.length;
                let deep = read_layers(reader, header, end)?;
                found.merged_alpha |= deep.merged_alpha;
                found.layers = deep.layers;
            }
            // They say by being there that the merged picture's first further channel is its transparency.
            b"Mtrn" | b"Mt16" | b"Mt32" => found.merged_alpha = true,
            _ => {}
        }
        // Blocks of the tail are padded to four bytes.
        let next = block.at + block.length + (4 - block.length % 4) % 4;
        if next > end {
            break;
        }
        reader.go_to(next)?;
    }
    Ok(found)
}

fn read_layers(reader: &mut Reader<'_, '_>, header: &Header, end: u64) -> Result<Found, PsdError> {
    let count = reader.i16()?;
    let layers = usize::from(count.unsigned_abs());
    if layers > LAYERS_MAX {
        return Err(PsdError::Illegal { what: "number of layers" });
    }
    let mut records = Vec::new();
    for _ in 0..layers {
        if reader.at() >= end {
            return Err(PsdError::Short);
        }
        records.push(read_record(reader, header)?);
    }
    let mut at = reader.at();
    for record in &mut records {
        for channel in &mut record.channels {
            channel.at = at;
            at = at.checked_add(channel.length).ok_or(PsdError::Short)?;
        }
    }
    Ok(Found { layers: records, merged_alpha: count < 0 })
}

fn read_bounds(reader: &mut Reader<'_, '_>) -> Result<Bounds, PsdError> {
    Ok(Bounds { top: reader.i32()?, left: reader.i32()?, bottom: reader.i32()?, right: reader.i32()? })
}

fn read_record(reader: &mut Reader<'_, '_>, header: &Header) -> Result<LayerRecord, PsdError> {
    let bounds = read_bounds(reader)?;
    let count = reader.u16()?;
    if count > CHANNELS_MAX + 4 {
        return Err(PsdError::Illegal { what: "number of channels" });
    }
    let mut channels = Vec::new();
    for _ in 0..count {
        channels.push(ChannelPlace { id: reader.i16()?, length: reader.length(header.large)?, at: 0 });
    }
    if reader.array::<4>()? != *b"8BIM" {
        return Err(PsdError::Illegal { what: "layer" });
    }
    let mut record = LayerRecord {
        bounds,
        channels,
        blend: reader.array()?,
        opacity: reader.u8()?,
        fill: 255,
        clipped: reader.u8()? != 0,
        visible: reader.u8()? & 2 == 0,
        ..LayerRecord::default()
    };
    reader.skip(1)?;
    let extra = u64::from(reader.u32()?);
    let end = reader.at() + extra;
    record.mask = read_mask(reader, &mut record.undrawn)?;
    read_ranges(reader, &mut record.undrawn)?;
    record.name = text::mac_roman(&reader.pascal(4)?);
    while reader.at() + 12 <= end {
        let Some(block) = read_block_head(reader, header)? else { break };
        if block.at + block.length > end {
            break;
        }
        read_block(reader, &block, &mut record)?;
        reader.go_to((block.at + block.length + block.length % 2).min(end))?;
    }
    reader.go_to(end)?;
    Ok(record)
}

/// Which flag of a mask says that it was made of curves, and which that there are further numbers; and which of those
/// are there.
const RENDERED: u8 = 1 << 3;
const HAS_PARAMETERS: u8 = 1 << 4;
const USER_DENSITY: u8 = 1;
const USER_FEATHER: u8 = 1 << 1;

fn read_mask(reader: &mut Reader<'_, '_>, undrawn: &mut Vec<&'static str>) -> Result<Option<Mask>, PsdError> {
    let size = u64::from(reader.u32()?);
    let end = reader.at() + size;
    let mut mask = None;
    if size >= 18 {
        let bounds = read_bounds(reader)?;
        let (outside, flags) = (reader.u8()?, reader.u8()?);
        let mut density = 255;
        if flags & HAS_PARAMETERS != 0 && reader.at() < end {
            let which = reader.u8()?;
            if which & USER_DENSITY != 0 && reader.at() < end {
                density = reader.u8()?;
            }
            if which & USER_FEATHER != 0
                && reader.at() + 8 <= end
                && f64::from_be_bytes(reader.array()?) > 0.0
            {
                undrawn.push("the feather of a mask");
            }
            if which & !(USER_DENSITY | USER_FEATHER) != 0 || flags & RENDERED != 0 {
                undrawn.push("the density or feather of a mask of curves");
            }
        }
        let (disabled, rendered) = (flags & 2 != 0, flags & RENDERED != 0);
        mask = Some(Mask { bounds, outside, disabled, density, rendered });
    }
    reader.go_to(end)?;
    Ok(mask)
}

/// Blending by ranges of levels: two pairs of numbers for each channel, black and white where it is not used.
fn read_ranges(reader: &mut Reader<'_, '_>, undrawn: &mut Vec<&'static str>) -> Result<(), PsdError> {
    let size = u64::from(reader.u32()?);
    let end = reader.at().checked_add(size).ok_or(PsdError::Short)?;
    let most = (usize::from(CHANNELS_MAX) + 1) * 8;
    if size <= most as u64 {
        let all = reader.bytes(size, most)?;
        if all.as_chunks::<4>().0.iter().any(|range| *range != [0, 0, 255, 255]) {
            undrawn.push("blending by ranges of levels");
        }
    }
    reader.go_to(end)
}

/// The beginning of one tagged block.
struct Block {
    key: [u8; 4],
    at: u64,
    length: u64,
}

/// Keys whose length has 64 bits in the large form.
const LARGE_KEYS: [&[u8; 4]; 13] = [
    b"LMsk", b"Lr16", b"Lr32", b"Layr", b"Mt16", b"Mt32", b"Mtrn", b"Alph", b"FMsk", b"lnk2", b"FEid",
    b"FXid", b"PxSD",
];

fn read_block_head(reader: &mut Reader<'_, '_>, header: &Header) -> Result<Option<Block>, PsdError> {
    let signature: [u8; 4] = reader.array()?;
    if !matches!(&signature, b"8BIM" | b"8B64") {
        return Ok(None);
    }
    let key: [u8; 4] = reader.array()?;
    let length = reader.length(header.large && LARGE_KEYS.contains(&&key))?;
    if length > reader.left() {
        return Ok(None);
    }
    Ok(Some(Block { key, at: reader.at(), length }))
}

fn read_block(reader: &mut Reader<'_, '_>, block: &Block, record: &mut LayerRecord) -> Result<(), PsdError> {
    match &block.key {
        b"luni" if block.length <= BLOCK_MAX => {
            let name = text::unicode(&reader.bytes(block.length, BLOCK_MAX as usize)?);
            record.name = name.unwrap_or(std::mem::take(&mut record.name));
        }
        b"lyid" if block.length >= 4 => record.id = Some(reader.u32()?),
        b"iOpa" if block.length >= 1 => record.fill = reader.u8()?,
        b"lsct" | b"lsdk" if block.length >= 4 => read_divider(reader, block, record)?,
        b"TySh" if block.length <= BLOCK_MAX => {
            let bytes = reader.bytes(block.length, BLOCK_MAX as usize)?;
            record.text = Some(text::of_type_tool(&bytes).unwrap_or_default());
        }
        b"SoLd" | b"SoLE" | b"PlLd" | b"plLd" => record.placed = true,
        b"vscg" => (record.shape, record.stroked) = (true, true),
        b"vmsk" | b"vsms" | b"vogk" => record.shape = true,
        b"lfx2" | b"lmfx" | b"lfxs" if block.length <= BLOCK_MAX => {
            let bytes = reader.bytes(block.length, BLOCK_MAX as usize)?;
            record.effects = has_effects(&bytes);
            record.effects_told = true;
        }
        // Of these, the older words for the same, each document has some beside the newer ones.
        b"lrFX" if !record.effects_told => record.effects = true,
        b"SoCo" | b"GdFl" | b"PtFl" => record.fill_of = Some(block.key),
        b"knko" if block.length >= 1 && reader.u8()? != 0 => record.undrawn.push("a knockout"),
        b"clbl" if block.length >= 1 && reader.u8()? == 0 => {
            record.undrawn.push("clipped layers that blend by themselves");
        }
        b"tsly" if block.length >= 1 && reader.u8()? == 0 => {
            record.undrawn.push("effects beyond the layer's shape");
        }
        b"brst" if block.length > 0 => record.undrawn.push("channels that it does not blend into"),
        b"artb" | b"artd" | b"abdd" => record.undrawn.push("the ground and edges of an artboard"),
        b"levl" | b"curv" | b"brit" | b"hue " | b"hue2" | b"blnc" | b"blwh" | b"phfl" | b"mixr" | b"clrL"
        | b"nvrt" | b"post" | b"thrs" | b"selc" | b"grdm" | b"expA" | b"vibA" => {
            record.adjustment = Some(block.key);
        }
        _ => {}
    }
    Ok(())
}

/// Whether effects are switched on, all together and at least one of them: both are items of a descriptor, whose other
/// items need not be known.
fn has_effects(bytes: &[u8]) -> bool {
    const ALL: &[u8] = b"masterFXSwitchbool\0";
    const ONE: &[u8] = b"enabbool\x01";
    let has = |item: &[u8]| bytes.windows(item.len()).any(|window| window == item);
    !has(ALL) && has(ONE)
}

fn read_divider(
    reader: &mut Reader<'_, '_>,
    block: &Block,
    record: &mut LayerRecord,
) -> Result<(), PsdError> {
    record.section = match reader.u32()? {
        1 => Section::Group { open: true },
        2 => Section::Group { open: false },
        3 => Section::End,
        _ => Section::Layer,
    };
    // A group says here how it is blended: `pass` lets its layers blend with what is below.
    if block.length >= 12 && reader.array::<4>()? == *b"8BIM" {
        record.blend = reader.array()?;
    }
    Ok(())
}
