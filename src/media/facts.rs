//! What is known of a file beyond its bytes: the facts that a decoder found.

use serde::{Deserialize, Serialize};

use crate::media::format::Family;

/// Longest text of one fact, in characters; a longer one is cut.
pub const TEXT_CHARS_MAX: usize = 4096;
/// Most entries of any list of facts; what is beyond is counted in `notes`.
pub const LIST_MAX: usize = 10_000;
/// Longest running text of one file, in bytes; the rest is left out.
pub const WORDS_BYTES_MAX: usize = 1 << 20;

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
    /// How a sound sounds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sound: Option<Sound>,
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
    /// The running text that people read in it: of pages, drawings and text layers, in reading order, one
    /// paragraph a line as far as that is known. At most 1 MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
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
    /// The time code of its first frame: `01:00:00:00`, with `;` before the frames where some numbers are dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timecode: Option<String>,
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
    /// Which kind of it, of pictures: `HQ` of ProRes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
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

/// How a sound sounds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sound {
    /// Loudness of the whole in LUFS (ITU-R BS.1770-4, EBU R 128); none for silence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loudness: Option<f64>,
    /// How far its loud parts lie above its quiet ones, in LU (EBU Tech 3342).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<f64>,
    /// The highest sample, in dBFS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak: Option<f64>,
    /// What its parts sound like, when that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub print: Option<SoundPrint>,
}

/// A fingerprint of a sound, window by window, that hardly changes when it is only packed in another way.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SoundPrint {
    /// BLAKE3 of all samples, in hexadecimal digits.
    pub hash: String,
    /// The length of one window, in seconds.
    pub window: f64,
    /// Bands of frequency in each window.
    pub bands: u32,
    /// One byte for each band of each window, in Base64: half decibels above -72 dBFS.
    pub levels: String,
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
    /// What each feature does to a sample of letters, when that was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub effects: Vec<FeatureEffect>,
    /// Pairs of letters that are set closer or wider, when that was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kerning: Vec<Kerning>,
    /// How far letters reach above the line, in units.
    pub ascent: f64,
    /// How far they reach below it, in units, less than 0.
    pub descent: f64,
    /// Room between lines, in units.
    pub line_gap: f64,
    /// Height of capitals, in units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cap_height: Option<f64>,
    /// Height of small letters, in units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub x_height: Option<f64>,
    /// How far it leans, in degrees; less than 0 to the right.
    pub italic_angle: f64,
    /// Weight, from 1 to 1000: 400 is regular, 700 bold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<u32>,
}

/// What one layout feature does to a sample of letters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FeatureEffect {
    /// Its tag.
    pub tag: String,
    /// How many pairs of letters it changes.
    pub places: u64,
    /// BLAKE3 of what it does to them, in hexadecimal digits.
    pub hash: String,
}

/// A pair of letters that stands closer or wider than the letters alone would.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Kerning {
    /// The two letters.
    pub pair: String,
    /// By how many units: less than 0 is closer.
    pub units: i32,
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

/// One field that stands in a file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Field {
    /// Where it stands: `exif`, `iptc`, `xmp`, or the format's own.
    pub group: String,
    /// Its name in that standard; fields of XMP with the usual short name of their schema, as `dc:creator`.
    pub name: String,
    /// Its value as text: dates in the form of ISO 8601, the members of a list with `; ` between them.
    pub value: String,
    /// The same as a number, when it is one or stands for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<f64>,
    /// The members of a list, when there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub list: Vec<String>,
}

impl Field {
    /// A field of text.
    pub fn text(group: &str, name: &str, value: &str) -> Self {
        let (name, value) = (cut(name), cut(value));
        Self { group: group.to_owned(), name, value, ..Self::default() }
    }

    /// A field that is a number.
    pub fn number(group: &str, name: &str, number: f64) -> Self {
        Self { number: Some(number), ..Self::text(group, name, &number.to_string()) }
    }

    /// Adds a member, which makes the field a list.
    pub fn push(&mut self, member: &str) {
        if self.list.len() >= LIST_MAX || self.value.len() >= TEXT_CHARS_MAX * 4 {
            return;
        }
        if self.list.is_empty() {
            self.list.push(self.value.clone());
        }
        self.number = None;
        self.list.push(cut(member));
        self.value.push_str("; ");
        self.value.push_str(&cut(member));
    }

    /// Each member of a list, or the one value.
    pub fn members(&self) -> impl Iterator<Item = &str> {
        let one = self.list.is_empty().then_some(self.value.as_str());
        self.list.iter().map(String::as_str).chain(one)
    }
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
        self.add_fields([Field::text(group, name, value)]);
    }

    /// Adds embedded fields, as many as there is room for.
    pub fn add_fields(&mut self, fields: impl IntoIterator<Item = Field>) {
        let room = LIST_MAX.saturating_sub(self.embedded.len());
        self.embedded.extend(fields.into_iter().take(room));
    }

    /// Adds running text, as much as there is room for.
    pub fn add_text(&mut self, text: &str) {
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        let all = self.text.get_or_insert_default();
        if !all.is_empty() && all.len() < WORDS_BYTES_MAX {
            all.push('\n');
        }
        let room = WORDS_BYTES_MAX.saturating_sub(all.len()).min(text.len());
        let end = (0..=room).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        all.push_str(&text[..end]);
    }

    /// Everything by which a file may be looked for, as plain fields: first those of the group `file` -
    /// format, family, width, height, seconds, pages, layer, font and the like, several of one name when
    /// there are several things - then those that stand in the file itself.
    pub fn fields(&self) -> Vec<Field> {
        let mut fields = Vec::new();
        let mut text = |name: &str, value: &str| {
            if !value.is_empty() && fields.len() < LIST_MAX {
                fields.push(Field::text("file", name, value));
            }
        };
        text("format", &self.format);
        text("media type", &self.mime);
        text("family", self.family.map_or("", Family::name));
        if let Some(picture) = &self.picture {
            text("colour space", picture.colour_space.as_deref().unwrap_or_default());
            text("colour profile", picture.profile.as_deref().unwrap_or_default());
        }
        self.layers.iter().for_each(|layer| text("layer", &layer.name));
        self.faces.iter().for_each(|face| text("font", &format!("{} {}", face.family, face.style)));
        self.fonts_used.iter().for_each(|font| text("font used", &font.name));
        self.contains.iter().for_each(|file| text("contains", &file.name));
        self.needs.iter().for_each(|file| text("needs", file));
        if let Some(timing) = &self.timing {
            timing.tracks.iter().for_each(|track| text("codec", &track.codec));
        }
        if let Some(scene) = &self.scene {
            scene.materials.iter().for_each(|name| text("material", name));
            scene.textures.iter().for_each(|name| text("texture", name));
            scene.animations.iter().for_each(|name| text("animation", name));
        }
        let mut number = |name: &str, value: Option<f64>| {
            fields.extend(value.map(|value| Field::number("file", name, value)));
        };
        let picture = self.picture.as_ref();
        number("width", picture.map(|picture| picture.width as f64));
        number("height", picture.map(|picture| picture.height as f64));
        number("dots per inch", picture.and_then(|picture| picture.resolution).map(|it| it.0));
        number("seconds", self.timing.as_ref().map(|timing| timing.seconds));
        number("loudness", self.sound.as_ref().and_then(|sound| sound.loudness));
        number("pages", self.pages.map(|pages| pages as f64));
        number("glyphs", self.faces.first().map(|face| face.glyphs as f64));
        fields.extend(self.embedded.iter().cloned());
        fields
    }

    /// All running text by which a file may be looked for: its own, and that of its layers.
    pub fn words(&self) -> String {
        let layers = self.layers.iter().filter_map(|layer| layer.text.as_deref());
        layers.chain(self.text.as_deref()).collect::<Vec<_>>().join("\n")
    }
}

/// `text`, cut to what one fact may hold.
pub fn cut(text: &str) -> String {
    match text.char_indices().nth(TEXT_CHARS_MAX) {
        Some((at, _)) => text[..at].to_owned(),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_within_its_bound_and_whole_characters() {
        let mut facts = Facts::default();
        facts.add_text("  first  ");
        facts.add_text("");
        facts.add_text(&"ž".repeat(WORDS_BYTES_MAX));
        facts.add_text("no room");
        let text = facts.text.expect("text");
        assert!(text.starts_with("first\nž") && text.ends_with('ž'));
        assert!(text.len() <= WORDS_BYTES_MAX && text.len() > WORDS_BYTES_MAX - 3);
    }

    #[test]
    fn everything_that_can_be_looked_for_is_one_list() {
        let mut facts = Facts { format: "psd".into(), family: Some(Family::Layered), ..Facts::default() };
        facts.picture = Some(Picture { width: 640, height: 480, ..Picture::default() });
        facts.layers = vec![Layer { name: "Logo".into(), text: Some("Harbour".into()), ..Layer::default() }];
        let mut keywords = Field::text("iptc", "Keywords", "sea");
        keywords.push("quay");
        facts.add_fields([keywords]);
        facts.add_text("Spring");
        let fields = facts.fields();
        let find = |name: &str| fields.iter().find(|field| field.name == name).expect("a field");
        assert_eq!(find("family").value, "layered");
        assert_eq!(find("layer").value, "Logo");
        assert_eq!(find("width").number, Some(640.0));
        assert_eq!(find("Keywords").value, "sea; quay");
        assert_eq!(find("Keywords").members().collect::<Vec<_>>(), ["sea", "quay"]);
        assert_eq!(facts.words(), "Harbour\nSpring");
    }
}
