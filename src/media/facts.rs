//! What is known of a file beyond its bytes: the facts that a decoder found.

use serde::{Deserialize, Serialize};

use crate::media::format::Family;

/// Longest text of one fact, in characters; a longer one is cut.
pub const TEXT_CHARS_MAX: usize = 4096;
/// Most entries of any list of facts; what is beyond is counted in `notes`.
pub const LIST_MAX: usize = 10_000;

/// Everything that was found about one file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// The format's short name.
    pub format: String,
    /// The format's name for people.
    pub format_name: String,
    /// Its family.
    pub family: Option<Family>,
    /// Its media type.
    pub mime: String,
    /// The picture, or the largest of several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub picture: Option<Picture>,
    /// Layers and groups, topmost first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<Layer>,
    /// Length and tracks of what is played.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timing: Option<Timing>,
    /// Pages, of a document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pages: Option<u64>,
    /// What a font file holds; several for a collection.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faces: Vec<Face>,
    /// Fonts that the document asks for by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fonts_used: Vec<FontUse>,
    /// A scene in three dimensions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scene: Option<Scene>,
    /// Files that this one holds, by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub contains: Vec<Contained>,
    /// Other files that this one needs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
    /// Fields written into the file by cameras and programs: EXIF, IPTC, XMP and the format's own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub embedded: Vec<Field>,
    /// Whether content credentials (C2PA) are in the file.
    pub content_credentials: bool,
    /// What could not be read, in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// A picture's size and how its pixels are written.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Picture {
    /// Width in pixels, as shown (after turning by the EXIF orientation).
    pub width: u64,
    /// Height in pixels, as shown.
    pub height: u64,
    /// Colour space by name: `RGB`, `gray`, `CMYK`, `Lab`, `indexed`...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub colour_space: Option<String>,
    /// The embedded profile's description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Bits per channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depth: Option<u32>,
    /// Whether there are transparent pixels, or a channel for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alpha: Option<bool>,
    /// Dots per inch, across and down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution: Option<(f64, f64)>,
    /// Frames, when there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frames: Option<u64>,
    /// The EXIF orientation, 1 to 8, when it is not 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orientation: Option<u8>,
}

/// A layer or a group of layers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Layer {
    /// Its name.
    pub name: String,
    /// The id the program gave it, stable over saves where the format has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// How deep it is nested; 0 at the top.
    pub depth: u32,
    /// What it is.
    pub kind: LayerKind,
    /// Whether it is shown.
    pub visible: bool,
    /// From 0 to 1.
    pub opacity: f64,
    /// The blend mode's name, as in the CSS and OpenRaster specifications where these have it.
    pub blend: String,
    /// Left, top, width and height, in pixels of the document.
    pub bounds: (i64, i64, u64, u64),
    /// Its text, of a text layer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Effects on it, by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub effects: Vec<String>,
    /// Whether it is clipped to what is below.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub clipped: bool,
    /// Whether it has a mask.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub masked: bool,
    /// What its pixels are, when that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub print: Option<Print>,
}

/// A fingerprint of a layer's pixels that does not change when a program only writes them anew: without
/// transparent borders, and without the colours of what is transparent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Print {
    /// BLAKE3 of size and pixels, in hexadecimal digits.
    pub hash: String,
    /// Left, top, width and height of what can be seen, in pixels of the document; no width when
    /// nothing can.
    pub bounds: (i64, i64, u64, u64),
    /// BLAKE3 of the mask, when it has one that counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mask: Option<String>,
}

/// What a layer is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LayerKind {
    /// Pixels.
    #[default]
    Pixels,
    /// A group of layers.
    Group,
    /// Text.
    Text,
    /// Curves.
    Shape,
    /// Another document placed in this one.
    Placed,
    /// A change of what is below.
    Adjustment,
    /// A page of a document.
    Page,
    /// A glyph of a typeface.
    Glyph,
}

/// How long something plays, and what is in it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Timing {
    /// Seconds.
    pub seconds: f64,
    /// Frames per second of the first picture track.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frame_rate: Option<f64>,
    /// Tracks.
    pub tracks: Vec<Track>,
}

/// One track.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Track {
    /// `video`, `audio`, `subtitle` or `data`.
    pub kind: String,
    /// The codec's name.
    pub codec: String,
    /// Width and height, of pictures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<(u64, u64)>,
    /// Samples per second, of sound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample_rate: Option<u32>,
    /// Channels, of sound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<u32>,
    /// Bits per sample.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bits: Option<u32>,
    /// The language, as written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
}

/// One typeface.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Face {
    /// The family's name.
    pub family: String,
    /// The style's name.
    pub style: String,
    /// The version, as written.
    pub version: String,
    /// How many glyphs.
    pub glyphs: u64,
    /// How many characters are mapped to glyphs.
    pub characters: u64,
    /// Units per em.
    pub units_per_em: u32,
    /// Axes of a variable font: tag, least, default, greatest.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub axes: Vec<Axis>,
    /// Tags of layout features.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
}

/// One axis of a variable font.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Axis {
    /// The four letters.
    pub tag: String,
    /// The least value.
    pub least: f64,
    /// The value when nothing is said.
    pub default: f64,
    /// The greatest value.
    pub greatest: f64,
}

/// A font that a document asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FontUse {
    /// Its name, as the document gives it.
    pub name: String,
    /// Whether the document carries it.
    pub embedded: bool,
}

/// What is in a scene.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Scene {
    /// Meshes.
    pub meshes: u64,
    /// Triangles or polygons.
    pub faces: u64,
    /// Vertices.
    pub vertices: u64,
    /// Materials, by name.
    pub materials: Vec<String>,
    /// Textures, by name or address.
    pub textures: Vec<String>,
    /// Animations, by name.
    pub animations: Vec<String>,
    /// Nodes.
    pub nodes: u64,
    /// The least and the greatest corner, in the scene's units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bounds: Option<([f64; 3], [f64; 3])>,
}

/// A file inside another.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Contained {
    /// Its name there.
    pub name: String,
    /// Its size in bytes, unpacked.
    pub size: u64,
}

/// One embedded field.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Field {
    /// Where it stands: `exif`, `iptc`, `xmp`, or the format's own.
    pub group: String,
    /// Its name in that standard.
    pub name: String,
    /// Its value, as text.
    pub value: String,
}

impl Facts {
    /// Takes note of something that could not be read.
    pub fn note(&mut self, what: impl Into<String>) {
        if self.notes.len() < 100 {
            self.notes.push(cut(&what.into()));
        }
    }

    /// Adds an embedded field, unless there are too many already.
    pub fn add_field(&mut self, group: &str, name: &str, value: &str) {
        if self.embedded.len() < LIST_MAX {
            self.embedded.push(Field { group: group.to_owned(), name: cut(name), value: cut(value) });
        }
    }
}

/// `text`, cut to what one fact may hold.
pub fn cut(text: &str) -> String {
    match text.char_indices().nth(TEXT_CHARS_MAX) {
        Some((at, _)) => text[..at].to_owned(),
        None => text.to_owned(),
    }
}
