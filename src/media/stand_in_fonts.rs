//! Typefaces of this machine that stand in for those that a drawing names and does not carry.
//!
//! A decoder can open no file. So a few well-known ones are taken in before it closes itself, by
//! fixed names that no file has a say in; what is drawn with them is near and not true, and a note says so.

use std::sync::OnceLock;

/// Longest file of a typeface, in bytes.
const FONT_BYTES_MAX: u64 = 8 << 20;

/// Places of typefaces without serifs, with serifs and of one width; the first that is there is taken.
const PLACES: [&[&str]; 3] = [
    &[
        "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
        "/usr/share/fonts/dejavu-sans-fonts/DejaVuSans.ttf",
        "/usr/share/fonts/TTF/DejaVuSans.ttf",
        "/usr/share/fonts/truetype/liberation/LiberationSans-Regular.ttf",
        "/usr/share/fonts/truetype/noto/NotoSans-Regular.ttf",
        "/System/Library/Fonts/Supplemental/Arial.ttf",
    ],
    &[
        "/usr/share/fonts/truetype/dejavu/DejaVuSerif.ttf",
        "/usr/share/fonts/truetype/liberation/LiberationSerif-Regular.ttf",
        "/System/Library/Fonts/Supplemental/Times New Roman.ttf",
    ],
    &[
        "/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf",
        "/usr/share/fonts/truetype/liberation/LiberationMono-Regular.ttf",
        "/System/Library/Fonts/Supplemental/Courier New.ttf",
    ],
];

static TAKEN: OnceLock<[Option<Vec<u8>>; 3]> = OnceLock::new();

/// Takes them in. To be called while files can still be opened.
pub fn take_in() {
    let read = |places: &[&str]| {
        places.iter().find_map(|place| {
            let short = std::fs::metadata(place).is_ok_and(|it| it.is_file() && it.len() <= FONT_BYTES_MAX);
            short.then(|| std::fs::read(place).ok()).flatten()
        })
    };
    TAKEN.get_or_init(|| PLACES.map(read));
}

/// Those that were found: without serifs, with serifs, of one width.
pub fn taken() -> [Option<&'static [u8]>; 3] {
    TAKEN.get().map_or([None; 3], |taken| [0, 1, 2].map(|at| taken[at].as_deref()))
}
