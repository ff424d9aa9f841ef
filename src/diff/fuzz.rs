//! Fuzz targets of content that is looked into to be compared.

use crate::base::fuzz::{Target, canonical};
use crate::diff::text::{Text, may_be_text};

/// All of them.
pub const TARGETS: &[Target] = &[Target::new("diff: text", &["diff/text.rs"], text_seeds, |bytes| {
    let _ = may_be_text(bytes, bytes.len() as u64 + 1);
    canonical(Text::decode(bytes).ok_or(()), Text::encode)
})];

fn text_seeds() -> Vec<Vec<u8>> {
    let words = "Grüße\naus 東京 🎨\r\n";
    let wide: Vec<u16> = std::iter::once(0xfeff).chain(words.encode_utf16()).collect();
    vec![
        words.as_bytes().to_vec(),
        [b"\xef\xbb\xbf", words.as_bytes()].concat(),
        wide.iter().flat_map(|unit| unit.to_le_bytes()).collect(),
        wide.iter().flat_map(|unit| unit.to_be_bytes()).collect(),
    ]
}
