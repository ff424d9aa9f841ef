//! `docs/formats.md` says what the registry of formats and decoders has.

use std::fmt::Write as _;
use std::path::Path;

use pentimento::media::decoder::{Way, compared, decoder, draws, way_of_facts, way_of_pictures};
use pentimento::media::format::FORMATS;

/// What `tests/suite/picture_facts.rs` holds against another program.
const PICTURES: &str = "
## What is told of pictures

Size, colour space, bits per channel, frames and length of pictures are read from the container itself, whether or not its pixels can be decoded, \
and are what `exiftool` 12.57 tells of PNG, JPEG, GIF, WebP, TIFF, BMP, icons, Radiance HDR, OpenEXR and AVIF. The differences:

- A picture that is to be turned has the size that is shown; `exiftool` tells the one that is stored.
- BMP and icons: bits per channel, where `exiftool` tells those of a whole pixel.
- TIFF of one bit that leaves its depth out: 1, where `exiftool` tells none. Frames and length of WebP, AVIF and PNG that move, where it counts or adds up none; of an AVIF that is played for ever, one time through.
- Targa and DirectDraw surfaces, which `exiftool` does not read. DirectDraw surfaces that are packed in blocks have no bits per channel.
- JPEG of four channels is CMYK, whether it stores inks or YCCK. YCbCr is told as RGB. A palette is `indexed`, and its bits are those of its numbers.

## What pictures are made of

- TIFF: also palettes, L*a*b* (as of D50) and grey in floating point; where grey goes far beyond white its values are taken for measures, and the greatest is white. \
DirectDraw surfaces: without packing, in floating point, and in blocks of BC1 to BC7.
- HEIC and AVIF, of one piece or of tiles, turned and mirrored, in up to 12 bits: the picture that the container names, by FFmpeg, also by versions that do not know such containers (tried: 5.1); without \
its opacity, and by what is said of its colours in numbers, not by a profile. JPEG XL: the first picture, with opacity, by what it says of its colours.
- OpenEXR, Radiance HDR, TIFF and DirectDraw surfaces in floating point, and such in blocks of BC6H, are light: they are drawn by the curve of sRGB, and a page of `pent diff --visual` lets their exposure be chosen, with up to 1024 pixels on the longest side.
- Pictures and documents in inks (CMYK): JPEG, TIFF of 8 bits and Photoshop documents by the profile that they have of their inks (relative colorimetric, without black point compensation); without one, and in other forms, as if each ink took away one colour of light.
- Blender scenes: the small picture that they keep; told are objects, meshes with their vertices and faces as they are edited, names of materials, actions and pictures, and which files they hold or need.
- Scenes of USD, as text and packed (since version 0.4), alone and in a USDZ file, and of FBX, binary and as text, are not drawn. Told are what the file itself defines - things, meshes with their points and faces, materials, textures, animations, \
and of USD cameras, lights, axis, units, times and the first thing - and which files it holds or needs. Nothing that it refers to is opened; of values that change over time, and of words within words, files are not named.
- Texts, rich text, and documents of offices that carry no picture of themselves have their first page set in a typeface of this machine: it is near and not true.
- Office documents of the old form: words of Word (since 1997, and of before where they were not saved in pieces), texts of the cells of Excel and slides of PowerPoint, with what the document says of itself; numbers in cells, notes on slides, pictures and what is encrypted are not read.

## What is told of sound

Lengths of AAC and MP3 are those of all that is decoded; a player that leaves out what the coder put in front plays some hundredths of a second less (3.523 for 3.500 seconds). \
Opus is told and not decoded.
";

fn page() -> String {
    let mut page = String::from(
        "# Formats\n\nWhat is known by its content, and for which of these facts are told and pictures made: of sound a waveform, of a \
         typeface a specimen, of a document and a text its first page, of a film a frame and a sheet of frames. *Compared* says what `pent diff --visual` looks at beyond the picture. Files of every \
         other kind are versioned as bytes like all the rest. *With FFmpeg* means that the programs `ffmpeg` and `ffprobe` are \
         asked, where they are installed (decisions 1106 and 1108).\n\nA format is one row of `src/media/format.rs`, its signature one of \
         `src/media/sniff/`; what reads it is one file that implements `Decoder`, with a line in the registry of \
         `src/media/decoder.rs`.\n\n| format | short name | family | usual names | facts | picture | compared |\n|---|---|---|---|---|---|---|\n",
    );
    for format in FORMATS {
        let family = serde_json::to_value(format.family).expect("a name");
        let told = match (decoder(format), way_of_facts(format)) {
            (None, _) => "not yet",
            (_, Way::Decoder) => "yes",
            (_, Way::Player) => "with FFmpeg",
        };
        let drawn = match (draws(format), way_of_pictures(format)) {
            (false, _) => "no",
            (_, Way::Decoder) => "yes",
            (_, Way::Player) => "with FFmpeg",
        };
        let compared = compared(format).unwrap_or_default();
        writeln!(
            page,
            "| {} | `{}` | {} | {} | {told} | {drawn} | {compared} |",
            format.name,
            format.id,
            family.as_str().unwrap_or_default(),
            format.extensions.iter().map(|end| format!("`.{end}`")).collect::<Vec<_>>().join(" "),
        )
        .expect("written");
    }
    page.push_str(PICTURES);
    page.push_str(&crate::photoshop_agrees::page());
    page.push_str(&crate::public_facts::page());
    page
}

#[test]
fn the_page_of_formats_is_true() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/formats.md");
    if std::env::var_os("PENT_UPDATE").is_some() {
        std::fs::write(&path, page()).expect("written");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(written, page(), "run the tests once with PENT_UPDATE=1 and look at what changed");
}
