//! Photoshop documents (PSD) and their large form (PSB).
//!
//! Source: "Adobe Photoshop File Formats Specification", November 2019, and where that is silent or
//! wrong, the files themselves. Layers, groups, masks and every channel's pixels are read, in all
//! depths and all four ways of compression; sizes are believed only as far as bytes are there.

mod channel;
mod composite;
mod layer;
mod planes;
mod reader;
mod render;
mod resource;
mod text;

use std::io;

use crate::media::colour::Inks;
use crate::media::input::Input;
pub use composite::{Composed, blend_name, compose};
pub use layer::{ChannelPlace, LayerRecord, Mask, Section};
use reader::Reader;
pub use render::{Canvas, mask_hash, merged, render_layer};

/// Most layers of one document; Photoshop itself stops at 8,000.
pub const LAYERS_MAX: usize = 20_000;
/// Longest side of a document in pixels, by the specification of the large form.
pub const SIDE_MAX: u32 = 300_000;
/// Most channels of a document, by the specification.
pub const CHANNELS_MAX: u16 = 56;

/// Why a document cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum PsdError {
    /// It does not begin like one.
    #[error("this is no Photoshop document")]
    NotPsd,
    /// A number is outside of what the format allows.
    #[error("the document's {what} is not legal")]
    Illegal { what: &'static str },
    /// Bytes are missing.
    #[error("the document ends too early")]
    Short,
    /// It asks for more memory than a document needs.
    #[error("a part of the document is too large")]
    TooLarge,
    /// A channel's compressed bytes make no picture.
    #[error("pixels of the document are damaged")]
    Damaged,
    /// The bytes could not be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// How colours are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Bitmap,
    Gray,
    Indexed,
    Rgb,
    Cmyk,
    Multichannel,
    Duotone,
    Lab,
}

impl Mode {
    fn from_number(number: u16) -> Option<Self> {
        Some(match number {
            0 => Self::Bitmap,
            1 => Self::Gray,
            2 => Self::Indexed,
            3 => Self::Rgb,
            4 => Self::Cmyk,
            7 => Self::Multichannel,
            8 => Self::Duotone,
            9 => Self::Lab,
            _ => return None,
        })
    }

    /// The name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bitmap => "bitmap",
            Self::Gray => "gray",
            Self::Indexed => "indexed",
            Self::Rgb => "RGB",
            Self::Cmyk => "CMYK",
            Self::Multichannel => "multichannel",
            Self::Duotone => "duotone",
            Self::Lab => "Lab",
        }
    }

    /// How many channels hold colour; further ones are transparency and masks.
    pub const fn colours(self) -> usize {
        match self {
            Self::Rgb | Self::Lab => 3,
            Self::Cmyk => 4,
            Self::Bitmap | Self::Gray | Self::Indexed | Self::Duotone | Self::Multichannel => 1,
        }
    }
}

/// What stands at a document's beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Whether lengths have 64 bits (PSB).
    pub large: bool,
    /// Channels of the merged picture.
    pub channels: u16,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// Bits per channel: 1, 8, 16 or 32.
    pub depth: u16,
    /// How colours are written.
    pub mode: Mode,
}

/// A document's structure: everything but pixels.
#[derive(Debug)]
pub struct Document {
    /// The beginning.
    pub header: Header,
    /// 256 colours of an indexed document: all reds, all greens, all blues.
    pub palette: Option<Vec<u8>>,
    /// Facts about the whole: resolution, profile, embedded metadata.
    pub resources: resource::Resources,
    /// Layers and the ends of groups, lowest first, as they stand in the file.
    pub layers: Vec<LayerRecord>,
    /// Whether the merged picture's first channel after the colours is its transparency.
    pub merged_alpha: bool,
    /// Where the merged picture begins.
    pub merged_at: u64,
    /// What its profile says of its inks, once it was asked ([`Document::manage_inks`]).
    pub inks: Option<Inks>,
}

impl Document {
    /// Reads the structure.
    pub fn read(input: &mut Input<'_>) -> Result<Self, PsdError> {
        let end = input.len();
        let mut reader = Reader::new(input, 0, end);
        let header = read_header(&mut reader)?;
        let length = u64::from(reader.u32()?);
        let palette_at = reader.at();
        let palette = match header.mode {
            Mode::Indexed if length >= 768 => Some(reader.bytes(768, 768)?),
            _ => None,
        };
        reader.go_to(palette_at + length)?;
        let length = u64::from(reader.u32()?);
        let resources_at = reader.at();
        let resources_end = resources_at + length;
        let resources = resource::read(&mut reader, resources_end)?;
        reader.go_to(resources_end)?;
        let length = reader.length(header.large)?;
        let layers_end = reader.at().checked_add(length).ok_or(PsdError::Short)?;
        let found = layer::read_section(&mut reader, &header, layers_end)?;
        reader.go_to(layers_end)?;
        Ok(Self {
            header,
            palette,
            resources,
            layers: found.layers,
            merged_alpha: found.merged_alpha,
            merged_at: layers_end,
            inks: None,
        })
    }

    /// From here on inks are drawn as its profile says, where it has one of them, and not as if each took away one
    /// colour of light.
    pub fn manage_inks(&mut self) {
        let profile = self.resources.profile.as_deref().filter(|_| self.header.mode == Mode::Cmyk);
        self.inks = profile.and_then(Inks::read);
    }
}

impl Document {
    /// Whether it was saved without its merged picture, and has layers to make one of.
    pub fn is_unmerged(&self) -> bool {
        self.resources.unmerged && !self.layers.is_empty()
    }
}

/// Image resources that stand by themselves, as other formats have them.
pub fn resources(bytes: &[u8]) -> Result<resource::Resources, PsdError> {
    let mut source = io::Cursor::new(bytes);
    let mut input = Input::new(&mut source)?;
    let end = input.len();
    resource::read(&mut Reader::new(&mut input, 0, end), end)
}

fn read_header(reader: &mut Reader<'_, '_>) -> Result<Header, PsdError> {
    if reader.array().map_err(|_| PsdError::NotPsd)? != *b"8BPS" {
        return Err(PsdError::NotPsd);
    }
    let large = match reader.u16()? {
        1 => false,
        2 => true,
        _ => return Err(PsdError::Illegal { what: "version" }),
    };
    reader.skip(6)?;
    let channels = reader.u16()?;
    let height = reader.u32()?;
    let width = reader.u32()?;
    let depth = reader.u16()?;
    let mode = Mode::from_number(reader.u16()?).ok_or(PsdError::Illegal { what: "colour mode" })?;
    if channels == 0 || channels > CHANNELS_MAX {
        return Err(PsdError::Illegal { what: "number of channels" });
    }
    if width == 0 || height == 0 || width > SIDE_MAX || height > SIDE_MAX {
        return Err(PsdError::Illegal { what: "size" });
    }
    if !matches!(depth, 1 | 8 | 16 | 32) || (depth == 1) != (mode == Mode::Bitmap) {
        return Err(PsdError::Illegal { what: "depth" });
    }
    Ok(Header { large, channels, width, height, depth, mode })
}
