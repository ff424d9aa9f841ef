//! The formats that are known: one row each, found by content and never by name alone.

use serde::{Deserialize, Serialize};

/// What a format is about: formats of one family are read, shown and compared alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// One picture of pixels, or a few frames of it.
    Image,
    /// A picture put together from layers.
    Layered,
    /// A picture of curves.
    Vector,
    /// Pages.
    Document,
    /// Moving pictures.
    Video,
    /// Sound.
    Audio,
    /// A typeface.
    Font,
    /// A scene or an object in three dimensions.
    Mesh,
    /// Characters.
    Text,
    /// A collection of files.
    Archive,
    /// Bytes of a kind that is not known.
    Opaque,
}

impl Family {
    /// The name, as facts have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Layered => "layered",
            Self::Vector => "vector",
            Self::Document => "document",
            Self::Video => "video",
            Self::Audio => "audio",
            Self::Font => "font",
            Self::Mesh => "mesh",
            Self::Text => "text",
            Self::Archive => "archive",
            Self::Opaque => "opaque",
        }
    }
}

/// One format.
#[derive(Debug)]
pub struct Format {
    /// The short name that stands in facts, queries and `docs/formats.md`; it never changes.
    pub id: &'static str,
    /// The name for people.
    pub name: &'static str,
    /// The media type.
    pub mime: &'static str,
    /// What it is about.
    pub family: Family,
    /// Usual ends of names, without the dot; the first is the one that is proposed.
    pub extensions: &'static [&'static str],
}

impl PartialEq for Format {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Format {}

macro_rules! formats {
    ($($constant:ident = $id:literal, $name:literal, $mime:literal, $family:ident, [$($extension:literal),*];)*) => {
        $(
            #[doc = $name]
            pub const $constant: Format = Format {
                id: $id,
                name: $name,
                mime: $mime,
                family: Family::$family,
                extensions: &[$($extension),*],
            };
        )*

        /// Every format, in the order of `docs/formats.md`.
        pub const FORMATS: &[&Format] = &[$(&$constant),*];
    };
}

formats! {
    JPEG = "jpeg", "JPEG image", "image/jpeg", Image, ["jpg", "jpeg", "jpe", "jfif"];
    PNG = "png", "PNG image", "image/png", Image, ["png", "apng"];
    GIF = "gif", "GIF image", "image/gif", Image, ["gif"];
    WEBP = "webp", "WebP image", "image/webp", Image, ["webp"];
    AVIF = "avif", "AVIF image", "image/avif", Image, ["avif", "avifs"];
    HEIC = "heic", "HEIC image", "image/heic", Image, ["heic", "heif", "hif"];
    TIFF = "tiff", "TIFF image", "image/tiff", Image, ["tif", "tiff"];
    JXL = "jxl", "JPEG XL image", "image/jxl", Image, ["jxl"];
    EXR = "exr", "OpenEXR image", "image/x-exr", Image, ["exr"];
    HDR = "hdr", "Radiance HDR image", "image/vnd.radiance", Image, ["hdr", "pic"];
    BMP = "bmp", "BMP image", "image/bmp", Image, ["bmp", "dib"];
    TGA = "tga", "Targa image", "image/x-tga", Image, ["tga", "vda", "icb", "vst"];
    DDS = "dds", "DirectDraw surface", "image/vnd-ms.dds", Image, ["dds"];
    ICO = "ico", "icon", "image/vnd.microsoft.icon", Image, ["ico", "cur"];
    RAW = "raw", "camera raw image", "image/x-raw", Image,
        ["dng", "cr2", "cr3", "nef", "arw", "orf", "rw2", "raf", "pef", "srw"];
    PSD = "psd", "Photoshop document", "image/vnd.adobe.photoshop", Layered, ["psd", "psb"];
    KRA = "kra", "Krita document", "application/x-krita", Layered, ["kra", "krz"];
    ORA = "ora", "OpenRaster document", "image/openraster", Layered, ["ora"];
    XCF = "xcf", "GIMP document", "image/x-xcf", Layered, ["xcf"];
    SKETCH = "sketch", "Sketch document", "application/x-sketch", Layered, ["sketch"];
    FIG = "fig", "Figma document", "application/x-figma", Layered, ["fig"];
    INDD = "indd", "InDesign document", "application/x-indesign", Layered, ["indd", "indt"];
    SVG = "svg", "SVG drawing", "image/svg+xml", Vector, ["svg", "svgz"];
    EPS = "eps", "PostScript drawing", "application/postscript", Vector, ["eps", "ps", "ai"];
    PDF = "pdf", "PDF document", "application/pdf", Document, ["pdf", "ai"];
    DOCX = "docx", "Word document", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", Document, ["docx"];
    XLSX = "xlsx", "Excel workbook", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", Document, ["xlsx"];
    PPTX = "pptx", "PowerPoint presentation", "application/vnd.openxmlformats-officedocument.presentationml.presentation", Document, ["pptx"];
    ODF = "odf", "OpenDocument file", "application/vnd.oasis.opendocument", Document,
        ["odt", "ods", "odp", "odg", "ott", "otp", "otg"];
    EPUB = "epub", "EPUB book", "application/epub+zip", Document, ["epub"];
    OLE = "ole", "Office document of the old form", "application/x-ole-storage", Document, ["doc", "xls", "ppt"];
    RTF = "rtf", "rich text", "application/rtf", Document, ["rtf"];
    MP4 = "mp4", "MP4 video", "video/mp4", Video, ["mp4", "m4v"];
    MOV = "mov", "QuickTime film", "video/quicktime", Video, ["mov", "qt"];
    MKV = "mkv", "Matroska video", "video/x-matroska", Video, ["mkv"];
    WEBM = "webm", "WebM video", "video/webm", Video, ["webm"];
    MXF = "mxf", "MXF video", "application/mxf", Video, ["mxf"];
    AVI = "avi", "AVI video", "video/x-msvideo", Video, ["avi"];
    MPEG_TS = "mpegts", "MPEG transport stream", "video/mp2t", Video, ["ts", "mts", "m2ts"];
    WAV = "wav", "WAVE sound", "audio/wav", Audio, ["wav", "wave", "bwf", "rf64"];
    AIFF = "aiff", "AIFF sound", "audio/aiff", Audio, ["aiff", "aif", "aifc"];
    FLAC = "flac", "FLAC sound", "audio/flac", Audio, ["flac"];
    MP3 = "mp3", "MP3 sound", "audio/mpeg", Audio, ["mp3"];
    OGG = "ogg", "Ogg sound", "audio/ogg", Audio, ["ogg", "oga", "opus", "ogv"];
    M4A = "m4a", "MPEG-4 sound", "audio/mp4", Audio, ["m4a", "m4b"];
    AAC = "aac", "AAC sound", "audio/aac", Audio, ["aac"];
    MIDI = "midi", "MIDI music", "audio/midi", Audio, ["mid", "midi"];
    TTF = "ttf", "TrueType font", "font/ttf", Font, ["ttf"];
    OTF = "otf", "OpenType font", "font/otf", Font, ["otf"];
    TTC = "ttc", "font collection", "font/collection", Font, ["ttc", "otc"];
    WOFF = "woff", "web font (WOFF)", "font/woff", Font, ["woff"];
    WOFF2 = "woff2", "web font (WOFF2)", "font/woff2", Font, ["woff2"];
    GLB = "glb", "binary glTF scene", "model/gltf-binary", Mesh, ["glb"];
    GLTF = "gltf", "glTF scene", "model/gltf+json", Mesh, ["gltf"];
    OBJ = "obj", "Wavefront object", "model/obj", Mesh, ["obj"];
    STL = "stl", "STL object", "model/stl", Mesh, ["stl"];
    PLY = "ply", "PLY object", "model/ply", Mesh, ["ply"];
    FBX = "fbx", "FBX scene", "application/x-fbx", Mesh, ["fbx"];
    USD = "usd", "USD scene", "model/vnd.usd", Mesh, ["usd", "usda", "usdc"];
    USDZ = "usdz", "USDZ scene", "model/vnd.usdz+zip", Mesh, ["usdz"];
    BLEND = "blend", "Blender scene", "application/x-blender", Mesh, ["blend"];
    TEXT = "text", "text", "text/plain", Text, ["txt", "md", "csv", "css", "js", "html"];
    JSON = "json", "JSON data", "application/json", Text, ["json"];
    XMP = "xmp", "XMP sidecar", "application/rdf+xml", Text, ["xmp"];
    XML = "xml", "XML data", "application/xml", Text, ["xml"];
    ZIP = "zip", "ZIP archive", "application/zip", Archive, ["zip"];
    GZIP = "gzip", "gzip file", "application/gzip", Archive, ["gz", "tgz"];
    ZSTD = "zstd", "Zstandard file", "application/zstd", Archive, ["zst"];
    TAR = "tar", "tar archive", "application/x-tar", Archive, ["tar"];
    OPAQUE = "opaque", "unknown kind", "application/octet-stream", Opaque, [];
}

/// The format of that id.
pub fn by_id(id: &str) -> Option<&'static Format> {
    FORMATS.iter().copied().find(|format| format.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_lower_case() {
        let mut ids: Vec<&str> = FORMATS.iter().map(|format| format.id).collect();
        assert!(
            ids.iter().all(|id| id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()))
        );
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count);
        assert_eq!(by_id("psd").map(|format| format.family), Some(Family::Layered));
        assert_eq!(by_id("PSD"), None);
    }
}
