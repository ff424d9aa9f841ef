//! `docs/formats.md` says what the registry of formats and decoders has.

use std::fmt::Write as _;
use std::path::Path;

use pentimento::media::decoder::{Way, compared, decoder, draws, way_of_facts, way_of_pictures};
use pentimento::media::format::FORMATS;

fn page() -> String {
    let mut page = String::from(
        "# Formats\n\nWhat is known by its content, and for which of these facts are told and pictures made: of sound a waveform, of a \
         typeface a specimen, of a document its first page, of a film a frame and a sheet of frames. *Compared* says what `pent diff --visual` looks at beyond the picture. Files of every \
         other kind are versioned as bytes like all the rest. *With FFmpeg* means that the programs `ffmpeg` and `ffprobe` are \
         asked, where they are installed (decision 1106); which still pictures they can draw depends on their version.\n\nA format is one row of `src/media/format.rs`, its signature one of \
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
