//! Text: what counts as text, and how it differs line by line and word by word.
//!
//! Whether a file is text is decided by its bytes alone ([`Text::decode`]): UTF-8, or UTF-8 and
//! UTF-16 with a byte order mark, without NUL and other control characters that no editor writes.
//! Lines are compared by the histogram algorithm (`imara-diff`), words inside changed lines by
//! Myers' algorithm.

mod lines;
mod words;

pub use lines::{Hunk, Line, LineEnding, LineKind, LineRange, TextDiff, TextLimits, diff_text};
pub(crate) use lines::{compare_lines, split_lines};

use serde::Serialize;

/// Largest file that is treated as text, in bytes. Larger ones are compared as bytes.
pub const TEXT_BYTES_MAX: u64 = 16 << 20;

/// How text is written as bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encoding {
    /// UTF-8.
    Utf8,
    /// UTF-8 after a byte order mark.
    Utf8Bom,
    /// UTF-16, low byte first, after a byte order mark.
    Utf16Le,
    /// UTF-16, high byte first, after a byte order mark.
    Utf16Be,
}

impl Encoding {
    /// The byte order mark it begins with.
    const fn mark(self) -> &'static [u8] {
        match self {
            Self::Utf8 => b"",
            Self::Utf8Bom => b"\xef\xbb\xbf",
            Self::Utf16Le => b"\xff\xfe",
            Self::Utf16Be => b"\xfe\xff",
        }
    }

    /// What the first bytes of a file say.
    fn of(bytes: &[u8]) -> Self {
        [Self::Utf8Bom, Self::Utf16Le, Self::Utf16Be]
            .into_iter()
            .find(|encoding| bytes.starts_with(encoding.mark()))
            .unwrap_or(Self::Utf8)
    }
}

/// The text of a file, and how it was written: together they give the same bytes again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// How it is written.
    pub encoding: Encoding,
    /// What it says, without the byte order mark.
    pub text: String,
}

impl Text {
    /// Reads a whole file as text. `None` when it is none, or longer than [`TEXT_BYTES_MAX`].
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.len() as u64 > TEXT_BYTES_MAX {
            return None;
        }
        let encoding = Encoding::of(bytes);
        let body = bytes.strip_prefix(encoding.mark())?;
        let text = match encoding {
            Encoding::Utf8 | Encoding::Utf8Bom => std::str::from_utf8(body).ok()?.to_owned(),
            Encoding::Utf16Le => decode_utf16(body, u16::from_le_bytes)?,
            Encoding::Utf16Be => decode_utf16(body, u16::from_be_bytes)?,
        };
        if text.chars().any(is_binary) { None } else { Some(Self { encoding, text }) }
    }

    /// The bytes of the file.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.encoding.mark().to_vec();
        match self.encoding {
            Encoding::Utf8 | Encoding::Utf8Bom => bytes.extend_from_slice(self.text.as_bytes()),
            Encoding::Utf16Le => bytes.extend(self.text.encode_utf16().flat_map(u16::to_le_bytes)),
            Encoding::Utf16Be => bytes.extend(self.text.encode_utf16().flat_map(u16::to_be_bytes)),
        }
        bytes
    }
}

/// Whether a file that begins with `head` may be text. Only the whole can tell for certain.
pub fn may_be_text(head: &[u8], size: u64) -> bool {
    if size > TEXT_BYTES_MAX {
        return false;
    }
    match Encoding::of(head) {
        Encoding::Utf16Le | Encoding::Utf16Be => size.is_multiple_of(2),
        Encoding::Utf8 | Encoding::Utf8Bom => {
            let cut = (head.len() as u64) < size;
            let (text, valid) = match std::str::from_utf8(head) {
                Ok(text) => (text, true),
                // A character may be cut in two where the head ends.
                Err(error) => {
                    let (good, _) = head.split_at(error.valid_up_to());
                    (std::str::from_utf8(good).unwrap_or_default(), cut && error.error_len().is_none())
                }
            };
            valid && !text.chars().any(is_binary)
        }
    }
}

/// Control characters that no text holds; tab, line ends, form feed and escape may be there.
fn is_binary(character: char) -> bool {
    matches!(character, '\0'..='\x08' | '\x0b' | '\x0e'..='\x1a' | '\x1c'..='\x1f' | '\x7f')
}

fn decode_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Option<String> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    char::decode_utf16(pairs.iter().map(|pair| unit(*pair))).collect::<Result<_, _>>().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn text_encodes_to_the_bytes_it_was_read_from(
            mark in 0usize..4,
            bytes in prop::collection::vec(any::<u8>(), 0..40),
            words in "[a-zß€𝄞\r\n\t ]{0,20}",
        ) {
            let encoding = [Encoding::Utf8, Encoding::Utf8Bom, Encoding::Utf16Le, Encoding::Utf16Be][mark];
            let raw = [encoding.mark(), &bytes].concat();
            if let Some(text) = Text::decode(&raw) {
                prop_assert_eq!(text.encode(), raw);
            }
            let written = Text { encoding, text: words };
            let bytes = written.encode();
            prop_assert_eq!(Text::decode(&bytes), Some(written));
            prop_assert!(may_be_text(&bytes[..bytes.len().min(7)], bytes.len() as u64));
        }
    }

    #[test]
    fn text_is_told_from_binary_by_its_bytes() {
        for text in [&b""[..], b"plain\r\n", "größe".as_bytes(), b"\xff\xfea\0\n\0", b"\xef\xbb\xbfx"] {
            assert!(Text::decode(text).is_some(), "{text:?}");
        }
        let unpaired = b"\xff\xfe\x00\xd8";
        for binary in [&b"a\0b"[..], b"\x89PNG\r\n\x1a\n", b"\xff\xfea", unpaired, b"\x01", b"caf\xe9"] {
            assert_eq!(Text::decode(binary), None, "{binary:?}");
        }
    }

    #[test]
    fn files_above_the_limit_are_no_text() {
        assert_eq!(Text::decode(&vec![b'a'; TEXT_BYTES_MAX as usize + 1]), None);
        assert!(!may_be_text(b"a", TEXT_BYTES_MAX + 1));
        assert!(may_be_text(b"a", TEXT_BYTES_MAX));
    }
}
