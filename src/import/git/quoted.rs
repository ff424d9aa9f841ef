//! Names in quotation marks as Git writes them: like strings of C, with octal numbers for bytes.

/// Reads on behind the first quotation mark. Gives the bytes, and what follows the last quotation mark;
/// `None` for what Git would not read either.
pub(super) fn unquote(text: &str) -> Option<(Vec<u8>, &str)> {
    let bytes = text.as_bytes();
    let (mut read, mut at) = (Vec::new(), 0);
    loop {
        let byte = *bytes.get(at)?;
        at += 1;
        match byte {
            b'"' => return Some((read, text.get(at..)?)),
            b'\\' => {
                let escaped = *bytes.get(at)?;
                at += 1;
                read.push(match escaped {
                    b'a' => 0x07,
                    b'b' => 0x08,
                    b't' => b'\t',
                    b'n' => b'\n',
                    b'v' => 0x0b,
                    b'f' => 0x0c,
                    b'r' => b'\r',
                    b'"' | b'\\' => escaped,
                    b'0'..=b'3' => {
                        let digits = text.get(at - 1..at + 2)?;
                        at += 2;
                        u8::from_str_radix(digits, 8).ok()?
                    }
                    _ => return None,
                });
            }
            other => read.push(other),
        }
    }
}

/// Puts text in quotation marks, so that [`unquote`] reads the same.
pub(super) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\t' => quoted.push_str("\\t"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            other if other.is_ascii_control() => quoted.push_str(&format!("\\{:03o}", u32::from(other))),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_quotes_is_read_and_what_is_quoted_here_reads_back() {
        let read = |text: &str| unquote(text).map(|(bytes, rest)| (bytes, rest.to_owned()));
        assert_eq!(read(r#"/\303\274 x.psd" filter"#), Some(("/ü x.psd".into(), " filter".into())));
        assert_eq!(read(r#"tab\tx\\*.bin""#), Some((b"tab\tx\\*.bin".to_vec(), String::new())));
        for bad in [r"open", r#"\x41""#, r#"\49""#, r"\30", r#"\3é9""#, r#"\400""#, "\\"] {
            assert_eq!(read(bad), None, "{bad}");
        }
        for text in ["a b", "tab\there", "\u{1}\"\\", "ü\r\n"] {
            let quoted = quote(text);
            assert_eq!(read(&quoted[1..]), Some((text.as_bytes().to_vec(), String::new())), "{quoted}");
        }
    }
}
