//! What assets are and what they look like: formats told by content, facts about them, pictures of them.
//!
//! Everything here is derived and can be made again. Bytes are hostile until a decoder has read
//! them, so whatever parses runs in a child process of its own (`worker`), bounded in time, memory
//! and output; what it answers is parsed as strictly as the bytes of a stranger.

pub mod blend;
pub mod boxes;
pub mod camera;
pub mod colour;
pub mod compare;
pub mod decoder;
pub mod drawing;
pub mod embedded;
pub mod embedding;
pub mod facts;
pub mod fbx;
pub mod film;
pub mod fingerprint;
pub mod format;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod indesign;
pub mod input;
pub mod jpeg_inside;
pub mod layer_print;
pub mod light;
pub mod mesh;
pub mod ole;
pub mod package;
pub mod pdf;
pub mod photoshop;
pub mod pixels;
pub mod postscript;
pub mod psd;
pub mod raster;
pub mod sidecar;
pub mod sniff;
pub mod sound;
pub mod stand_in_fonts;
pub mod still;
pub mod typeface;
pub mod usd;
pub mod worker;
pub mod writing;
pub mod xcf;
pub mod xmp_picture;
