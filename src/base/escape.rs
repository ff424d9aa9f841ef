//! Names made safe to show.
//!
//! Names are bytes and may hold anything: escapes that move the cursor, characters that reverse
//! the reading direction, bytes that are not text. JSON gets them percent-encoded so that they come
//! back exactly; people get them with every such character spelled out.

use std::fmt::Write as _;

/// Percent-encodes bytes so that the result is printable text and decodes to the same bytes.
///
/// Well-formed UTF-8 without `%`, control, bidirectional or invisible characters stays as it is.
pub fn percent_encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for part in bytes.utf8_chunks() {
        for character in part.valid().chars() {
            if character == '%' || is_unsafe_to_show(character) {
                let mut buffer = [0u8; 4];
                push_percent(&mut text, character.encode_utf8(&mut buffer).as_bytes());
            } else {
                text.push(character);
            }
        }
        push_percent(&mut text, part.invalid());
    }
    text
}

fn push_percent(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "%{byte:02X}");
    }
}

/// Reverses [`percent_encode`]. `None` when a `%` is not followed by two hexadecimal digits.
pub fn percent_decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes().iter();
    while let Some(byte) = rest.next() {
        if *byte == b'%' {
            let high = char::from(*rest.next()?).to_digit(16)?;
            let low = char::from(*rest.next()?).to_digit(16)?;
            bytes.push((high * 16 + low) as u8);
        } else {
            bytes.push(*byte);
        }
    }
    Some(bytes)
}

/// Text for a terminal: control, bidirectional and invisible characters and stray bytes are
/// spelled out as `\n`, `\x1b`, `\u{202e}`.
pub fn terminal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for part in bytes.utf8_chunks() {
        for character in part.valid().chars() {
            match character {
                '\n' => text.push_str("\\n"),
                '\t' => text.push_str("\\t"),
                '\r' => text.push_str("\\r"),
                '\0'..='\x1f' | '\x7f' => push_escape(&mut text, "\\x", u32::from(character), ""),
                other if is_unsafe_to_show(other) => push_escape(&mut text, "\\u{", u32::from(other), "}"),
                other => text.push(other),
            }
        }
        for byte in part.invalid() {
            push_escape(&mut text, "\\x", u32::from(*byte), "");
        }
    }
    text
}

fn push_escape(text: &mut String, before: &str, value: u32, after: &str) {
    let _ = write!(text, "{before}{value:02x}{after}");
}

/// Text of several lines, such as a commit message: like [`terminal`], but line ends and tabs stay.
pub fn terminal_lines(text: &str) -> String {
    text.split('\n')
        .map(|line| line.split('\t').map(|part| terminal(part.as_bytes())).collect::<Vec<_>>().join("\t"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Whether a character could mislead a reader or drive a terminal: C0 and C1 controls,
/// bidirectional controls (Unicode TR9), zero-width, tag and other invisible format characters,
/// line and paragraph separators.
pub fn is_unsafe_to_show(character: char) -> bool {
    matches!(character,
        '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{ad}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn percent_encoding_returns_the_same_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            prop_assert_eq!(percent_decode(&percent_encode(&bytes)), Some(bytes));
        }

        #[test]
        fn nothing_shown_can_drive_a_terminal(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            prop_assert!(!terminal(&bytes).chars().any(is_unsafe_to_show));
        }
    }

    #[test]
    fn names_that_would_drive_a_terminal_are_spelled_out() {
        assert_eq!(terminal(b"a\x1b[31m\n\xff"), "a\\x1b[31m\\n\\xff");
        assert_eq!(terminal("gpj.\u{202e}exe".as_bytes()), "gpj.\\u{202e}exe");
        assert_eq!(percent_encode("größe 50%".as_bytes()), "größe 50%25");
    }
}
