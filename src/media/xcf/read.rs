//! The structure of a document: everything but pixels.

use super::LAYERS_MAX;
use crate::media::decoder::DecodeError;
use crate::media::input::Input;

/// Longest side, in pixels: GIMP's own limit.
const SIDE_MAX: u32 = 524_288;
/// Longest property that is read, in bytes.
const PROPERTY_MAX: u64 = 16 << 20;
/// Most properties of one thing.
const PROPERTIES_MAX: usize = 10_000;
/// Longest name, in bytes.
const NAME_MAX: u32 = 64 << 10;

/// How one sample is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sample {
    Int8,
    Int16,
    Int32,
    Half,
    Float,
    Double,
}

impl Sample {
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::Int8 => 1,
            Self::Int16 | Self::Half => 2,
            Self::Int32 | Self::Float => 4,
            Self::Double => 8,
        }
    }

    pub(super) fn bits(self) -> u32 {
        self.bytes() as u32 * 8
    }
}

/// A document.
pub(super) struct Image {
    pub width: u32,
    pub height: u32,
    /// 0 for colours, 1 for grey, 2 for numbers of a palette.
    base: u32,
    pub sample: Sample,
    /// Whether values stand for light and not for what is seen.
    pub linear: bool,
    /// How tiles are packed: 0 not, 1 in runs, 2 by zlib.
    pub packing: u8,
    pub palette: Vec<u8>,
    pub resolution: Option<(f64, f64)>,
    pub layers: Vec<Record>,
    pub wide_offsets: bool,
}

/// A layer.
#[derive(Default)]
pub(super) struct Record {
    pub name: String,
    pub width: u32,
    pub height: u32,
    pub channels: u32,
    pub indexed: bool,
    pub place: (i64, i64),
    pub opacity: f64,
    pub mode: u32,
    pub visible: bool,
    pub group: bool,
    pub depth: u32,
    pub tattoo: Option<u32>,
    pub text: Option<String>,
    /// Where its tiles are listed.
    pub hierarchy: u64,
    /// Where its mask is described, when it counts.
    pub mask: Option<u64>,
}

/// A place in the file.
pub(super) struct Reader<'r, 'i> {
    pub input: &'r mut Input<'i>,
    pub at: u64,
    pub wide: bool,
}

impl Reader<'_, '_> {
    fn bytes(&mut self, count: u64) -> Result<Vec<u8>, DecodeError> {
        let bytes = self.input.exactly_at(self.at, count as usize).map_err(|_| short())?;
        self.at += count;
        Ok(bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, DecodeError> {
        let bytes = self.bytes(4)?;
        bytes.first_chunk::<4>().map(|bytes| u32::from_be_bytes(*bytes)).ok_or_else(short)
    }

    /// A place of something else.
    pub(super) fn pointer(&mut self) -> Result<u64, DecodeError> {
        if !self.wide {
            return self.u32().map(u64::from);
        }
        let bytes = self.bytes(8)?;
        bytes.first_chunk::<8>().map(|bytes| u64::from_be_bytes(*bytes)).ok_or_else(short)
    }

    fn text(&mut self) -> Result<String, DecodeError> {
        let length = self.u32()?;
        if length > NAME_MAX {
            return Err(DecodeError::Damaged("a name in it is too long".to_owned()));
        }
        let bytes = self.bytes(u64::from(length))?;
        Ok(String::from_utf8_lossy(bytes.strip_suffix(b"\0").unwrap_or(&bytes)).into_owned())
    }

    /// Properties up to their end, each with its number.
    fn properties(&mut self) -> Result<Vec<(u32, Vec<u8>)>, DecodeError> {
        let mut found = Vec::new();
        for _ in 0..PROPERTIES_MAX {
            let (kind, length) = (self.u32()?, u64::from(self.u32()?));
            if kind == 0 {
                return Ok(found);
            }
            if length > PROPERTY_MAX {
                // Nothing that is asked for is as long.
                self.at += length;
                continue;
            }
            found.push((kind, self.bytes(length)?));
        }
        Err(DecodeError::Damaged("its properties have no end".to_owned()))
    }

    /// The head of a layer or of a mask: size, kind when it has one, name and properties.
    fn head(&mut self, has_kind: bool) -> Result<Head, DecodeError> {
        let (width, height) = (self.u32()?, self.u32()?);
        if width == 0 || height == 0 || width > SIDE_MAX || height > SIDE_MAX {
            return Err(DecodeError::Damaged("a layer in it has no legal size".to_owned()));
        }
        let kind = if has_kind { self.u32()? } else { 2 };
        let name = self.text()?;
        Ok(Head { width, height, kind, name, properties: self.properties()? })
    }
}

struct Head {
    width: u32,
    height: u32,
    kind: u32,
    name: String,
    properties: Vec<(u32, Vec<u8>)>,
}

fn short() -> DecodeError {
    DecodeError::Damaged("the document ends too early".to_owned())
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk::<4>().map(|bytes| u32::from_be_bytes(*bytes))
}

fn real(bytes: &[u8], at: usize) -> Option<f64> {
    number(bytes, at).map(|bits| f64::from(f32::from_bits(bits))).filter(|value| value.is_finite())
}

impl Image {
    pub(super) fn read(input: &mut Input<'_>) -> Result<Self, DecodeError> {
        let head = input.read_at(0, 14)?;
        let version = match head.strip_prefix(b"gimp xcf ").and_then(|rest| rest.get(..4)) {
            Some(b"file") => 0,
            Some([b'v', digits @ ..]) => {
                std::str::from_utf8(digits).ok().and_then(|it| it.parse().ok()).unwrap_or(u32::MAX)
            }
            _ => return Err(DecodeError::Damaged("this is no GIMP document".to_owned())),
        };
        let wide = version >= 11;
        let mut reader = Reader { input, at: 14, wide };
        let (width, height, base) = (reader.u32()?, reader.u32()?, reader.u32()?);
        if width == 0 || height == 0 || width > SIDE_MAX || height > SIDE_MAX || base > 2 {
            return Err(DecodeError::Damaged("the document has no legal size".to_owned()));
        }
        let precision = if version >= 4 { reader.u32()? } else { 150 };
        // Before version 7 numbers counted kinds.
        let (sample, linear) = match (version, precision) {
            (_, 100) | (4, 0) => (Sample::Int8, version >= 4 && precision == 100),
            (_, 150) => (Sample::Int8, false),
            (_, 200) => (Sample::Int16, true),
            (_, 250) => (Sample::Int16, false),
            (_, 300) => (Sample::Int32, true),
            (_, 350) => (Sample::Int32, false),
            (_, 500) => (Sample::Half, true),
            (_, 550) => (Sample::Half, false),
            (_, 600) => (Sample::Float, true),
            (_, 650) => (Sample::Float, false),
            (_, 700) => (Sample::Double, true),
            (_, 750) => (Sample::Double, false),
            _ => {
                return Err(DecodeError::Unsupported(
                    "its samples are of a form that is not read".to_owned(),
                ));
            }
        };
        let properties = reader.properties()?;
        let property =
            |kind: u32| properties.iter().find(|(other, _)| *other == kind).map(|(_, value)| value);
        let mut places = Vec::new();
        loop {
            let place = reader.pointer()?;
            if place == 0 || places.len() >= LAYERS_MAX {
                break;
            }
            places.push(place);
        }
        let mut image = Self {
            width,
            height,
            base,
            sample,
            linear,
            packing: property(17).and_then(|value| value.first().copied()).unwrap_or(0),
            palette: property(1).and_then(|value| value.get(4..)).unwrap_or_default().to_vec(),
            resolution: property(19).and_then(|value| Some((real(value, 0)?, real(value, 4)?))),
            layers: Vec::new(),
            wide_offsets: wide,
        };
        for place in places {
            let layer = layer(&mut Reader { input: &mut *reader.input, at: place, wide })?;
            image.layers.push(layer);
        }
        Ok(image)
    }

    pub(super) fn space(&self) -> &'static str {
        match self.base {
            0 => "RGB",
            1 => "gray",
            _ => "indexed",
        }
    }

    /// Whether a layer is shown with all groups that it is in, and its opacity together with theirs.
    pub(super) fn seen(&self, at: usize) -> (bool, f64) {
        let (mut shown, mut opacity, mut depth) =
            (self.layers[at].visible, self.layers[at].opacity, self.layers[at].depth);
        for record in self.layers[..at].iter().rev() {
            if record.group && record.depth < depth {
                shown &= record.visible;
                opacity *= record.opacity;
                depth = record.depth;
            }
        }
        (shown, opacity)
    }
}

fn layer(reader: &mut Reader<'_, '_>) -> Result<Record, DecodeError> {
    let head = reader.head(true)?;
    let hierarchy = reader.pointer()?;
    let mask = reader.pointer()?;
    let mut record = Record {
        name: head.name,
        width: head.width,
        height: head.height,
        channels: match head.kind {
            0 => 3,
            1 => 4,
            2 | 4 => 1,
            3 | 5 => 2,
            _ => return Err(DecodeError::Damaged("a layer in it has no legal kind".to_owned())),
        },
        indexed: head.kind >= 4,
        opacity: 1.0,
        visible: true,
        hierarchy,
        ..Record::default()
    };
    let mut applies = true;
    for (kind, value) in &head.properties {
        let first = number(value, 0);
        match kind {
            6 => record.opacity = first.map_or(1.0, |opacity| f64::from(opacity.min(255)) / 255.0),
            7 => record.mode = first.unwrap_or(0),
            8 => record.visible = first != Some(0),
            11 => applies = first != Some(0),
            15 => {
                let offset = |at| number(value, at).map_or(0, |bits| i64::from(bits.cast_signed()));
                record.place = (offset(0), offset(4));
            }
            20 => record.tattoo = first,
            21 => record.text = parasite_text(value),
            29 => record.group = true,
            30 => record.depth = (value.len() as u32 / 4).saturating_sub(1).min(1000),
            33 => record.opacity = real(value, 0).unwrap_or(1.0).clamp(0.0, 1.0),
            _ => {}
        }
    }
    record.mask = (mask != 0 && applies).then_some(mask);
    Ok(record)
}

/// Where the tiles of a mask are listed, and its size.
pub(super) fn mask(reader: &mut Reader<'_, '_>) -> Result<(u32, u32, u64), DecodeError> {
    let head = reader.head(false)?;
    Ok((head.width, head.height, reader.pointer()?))
}

/// The words of a text layer, which stand among notes of the program: `(text "Harbour")`, or in markup.
fn parasite_text(bytes: &[u8]) -> Option<String> {
    let mut rest = bytes;
    loop {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let (name, after) = after.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        let (size, data) = after.get(4..)?.split_first_chunk::<4>()?;
        let (data, after) = data.split_at_checked(u32::from_be_bytes(*size) as usize)?;
        rest = after;
        if name != b"gimp-text-layer\0" {
            continue;
        }
        let text = String::from_utf8_lossy(data);
        let quoted = |key: &str| text.split_once(key).map(|(_, rest)| unquoted(rest));
        let plain = quoted("(text \"");
        return plain.or_else(|| quoted("(markup \"").map(|markup| without_tags(&markup)));
    }
}

/// Up to the closing mark, with what stands behind a backslash as it is meant.
fn unquoted(text: &str) -> String {
    let mut out = String::new();
    let mut signs = text.chars();
    while let Some(sign) = signs.next() {
        match sign {
            '"' => break,
            '\\' => match signs.next() {
                Some('n') => out.push('\n'),
                Some(other) => out.push(other),
                None => break,
            },
            other => out.push(other),
        }
    }
    out
}

fn without_tags(markup: &str) -> String {
    let mut inside = false;
    let text: String = markup
        .chars()
        .filter(|sign| {
            let was = inside;
            inside = match sign {
                '<' => true,
                '>' => false,
                _ => inside,
            };
            !was && *sign != '<'
        })
        .collect();
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}
