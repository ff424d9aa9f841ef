//! The bytes of the studio's files, from `fixtures/studio`.

use super::StudioFile;

macro_rules! studio {
    ($version:literal: $($path:literal),+ $(,)?) => {
        &[$((
            $path,
            include_bytes!(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/fixtures/studio/",
                $version,
                "/",
                $path
            )) as &[u8],
        )),+]
    };
}

/// The studio as it begins.
pub const FIRST: &[StudioFile] = studio!("v1":
    "audio/jingle.ogg",
    "audio/jingle.wav",
    "brand/harbour-signal.otf",
    "brand/logo.pdf",
    "brand/logo.svg",
    "brand/palette.css",
    "brief.md",
    "copy/poster.txt",
    "model/lantern.glb",
    "photo/harbour-dusk.jpg",
    "photo/lantern.png",
    "poster/poster.xcf",
    "social/card.kra",
    "video/teaser.mp4",
    "web/banner.psd",
    "web/pattern.svg",
);

/// What a week later has been saved anew.
pub const SECOND: &[StudioFile] = studio!("v2":
    "audio/jingle.ogg",
    "audio/jingle.wav",
    "brand/harbour-signal.otf",
    "brand/logo.pdf",
    "brand/logo.svg",
    "brand/palette.css",
    "brief.md",
    "copy/poster.txt",
    "model/lantern.glb",
    "photo/harbour-dusk.jpg",
    "photo/lantern.png",
    "poster/poster.xcf",
    "social/card.kra",
    "video/teaser.mp4",
    "web/banner.psd",
    "web/tide-pattern.svg",
);
