//! Rich text (Microsoft, "Rich Text Format Specification", version 1.9.1): its words, and what it says of itself.

/// Groups whose text is not read, by the word that they begin with.
const UNREAD: &[&str] = &[
    "fonttbl",
    "colortbl",
    "stylesheet",
    "listtable",
    "listoverridetable",
    "rsidtbl",
    "generator",
    "pict",
    "object",
    "themedata",
    "colorschememapping",
    "datastore",
    "latentstyles",
    "xmlnstbl",
    "fldinst",
    "bkmkstart",
    "bkmkend",
    "header",
    "headerl",
    "headerr",
    "headerf",
    "footer",
    "footerl",
    "footerr",
    "footerf",
    "info",
    "mmathPr",
];
/// Groups within `info`, and what they are called here.
const TOLD: &[(&str, &str)] = &[
    ("title", "Title"),
    ("subject", "Subject"),
    ("author", "Author"),
    ("keywords", "Keywords"),
    ("doccomm", "Description"),
    ("company", "Company"),
    ("operator", "LastModifiedBy"),
];
/// How deep groups may lie in each other.
const DEPTH_MAX: usize = 1000;
/// Longest text that is kept, in bytes.
const TEXT_MAX: usize = 4 << 20;

/// What a document says.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Rich {
    /// Its words, a line for each paragraph.
    pub text: String,
    /// What it says of itself, by name.
    pub fields: Vec<(&'static str, String)>,
}

/// What holds within a group.
#[derive(Debug, Clone, Copy)]
struct Group {
    /// Whether its text is read, and for which field.
    reads: Reads,
    /// How many letters stand for one that old programs cannot read.
    instead: usize,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Reads {
    Text,
    Nothing,
    Field(&'static str),
}

/// Reads a document as far as it makes sense.
pub(super) fn read(bytes: &[u8]) -> Rich {
    let mut reader = Reader { bytes, at: 0, code: encoding_rs::WINDOWS_1252, skip: 0, rich: Rich::default() };
    let mut groups = vec![Group { reads: Reads::Text, instead: 1 }];
    // What it says of itself stands before its words.
    while let Some(byte) = reader.next().filter(|_| reader.rich.text.len() < TEXT_MAX) {
        let group = groups.last().copied().unwrap_or(Group { reads: Reads::Text, instead: 1 });
        match byte {
            b'{' if groups.len() < DEPTH_MAX => groups.push(group),
            b'}' => {
                reader.skip = 0;
                if groups.len() > 1 {
                    groups.pop();
                }
            }
            b'\\' => {
                if let Some(group) = groups.last_mut() {
                    reader.control(group);
                }
            }
            b'\r' | b'\n' | b'{' => {}
            byte => reader.letter(byte, group.reads),
        }
    }
    reader.rich
}

struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
    /// The code of letters that are written as numbers.
    code: &'static encoding_rs::Encoding,
    /// Letters that are still to be passed over.
    skip: usize,
    rich: Rich,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<u8> {
        let byte = self.bytes.get(self.at).copied();
        self.at += 1;
        byte
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// A letter in the code of the document.
    fn letter(&mut self, byte: u8, reads: Reads) {
        if self.skip > 0 {
            self.skip -= 1;
            return;
        }
        let (text, _) = self.code.decode_without_bom_handling(std::slice::from_ref(&byte));
        self.put(&text, reads);
    }

    fn put(&mut self, text: &str, reads: Reads) {
        match reads {
            Reads::Text if self.rich.text.len() < TEXT_MAX => self.rich.text.push_str(text),
            Reads::Field(name) => match self.rich.fields.iter_mut().find(|(other, _)| *other == name) {
                Some((_, value)) if value.len() < TEXT_MAX => value.push_str(text),
                Some(_) => {}
                None => self.rich.fields.push((name, text.to_owned())),
            },
            Reads::Text | Reads::Nothing => {}
        }
    }

    /// What follows a backslash: a sign, or a word with a number.
    fn control(&mut self, group: &mut Group) {
        let Some(first) = self.next() else { return };
        match first {
            b'\'' => {
                let digits =
                    self.bytes.get(self.at..self.at + 2).and_then(|digits| std::str::from_utf8(digits).ok());
                if let Some(byte) = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
                    self.at += 2;
                    self.letter(byte, group.reads);
                }
            }
            b'\\' | b'{' | b'}' => self.letter(first, group.reads),
            b'~' => self.put("\u{a0}", group.reads),
            b'_' => self.put("-", group.reads),
            b'\r' | b'\n' => self.put("\n", group.reads),
            // What an older program may pass over.
            b'*' => group.reads = Reads::Nothing,
            first if first.is_ascii_alphabetic() => self.word(group),
            _ => {}
        }
    }

    fn word(&mut self, group: &mut Group) {
        let start = self.at - 1;
        while self.peek().is_some_and(|byte| byte.is_ascii_alphabetic()) {
            self.at += 1;
        }
        let end = self.at;
        if self.peek() == Some(b'-') && self.bytes.get(self.at + 1).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        let bytes = self.bytes;
        let text = |from: usize, to: usize| std::str::from_utf8(&bytes[from..to]).unwrap_or_default();
        let (word, number) = (text(start, end), text(end, self.at).parse::<i64>().ok());
        if self.peek() == Some(b' ') {
            self.at += 1;
        }
        self.obey(word, number, group);
    }

    fn obey(&mut self, word: &str, number: Option<i64>, group: &mut Group) {
        match word {
            "par" | "line" | "sect" | "page" | "row" => self.put("\n", group.reads),
            "tab" | "cell" => self.put("\t", group.reads),
            "emdash" => self.put("—", group.reads),
            "endash" => self.put("–", group.reads),
            "bullet" => self.put("•", group.reads),
            "lquote" => self.put("‘", group.reads),
            "rquote" => self.put("’", group.reads),
            "ldblquote" => self.put("“", group.reads),
            "rdblquote" => self.put("”", group.reads),
            "uc" => group.instead = usize::try_from(number.unwrap_or(1)).unwrap_or(0).min(16),
            "u" => {
                // Numbers above 32767 are written as negative ones.
                let code = number.map(|number| if number < 0 { number + 65_536 } else { number });
                let letter = code.and_then(|code| u32::try_from(code).ok()).and_then(char::from_u32);
                self.put(&letter.unwrap_or('\u{fffd}').to_string(), group.reads);
                self.skip = group.instead;
            }
            "ansicpg" => {
                let name = format!("windows-{}", number.unwrap_or(1252));
                self.code = encoding_rs::Encoding::for_label(name.as_bytes()).unwrap_or(self.code);
            }
            "bin" => self.at = self.at.saturating_add(usize::try_from(number.unwrap_or(0)).unwrap_or(0)),
            word if UNREAD.contains(&word) => group.reads = Reads::Nothing,
            word => {
                if let Some((_, name)) = TOLD.iter().find(|(other, _)| *other == word) {
                    group.reads = Reads::Field(name);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_what_it_says_of_itself_are_read() {
        let bytes =
            br"{\rtf1\ansi\ansicpg1252{\fonttbl{\f0 Helvetica;}}{\info{\title Spring sale}{\author Anna}}
\pard\f0 Gr\'f6\u223?e \{12\}\par {\b bold}\tab\u8211- end{\*\generator X;}\par}";
        let read = read(bytes);
        assert_eq!(read.text, "Größe {12}\nbold\t– end\n");
        assert_eq!(read.fields, [("Title", "Spring sale".to_owned()), ("Author", "Anna".to_owned())]);
    }

    #[test]
    fn what_makes_no_sense_ends() {
        for bytes in [&b"{\\rtf1\\bin999999999999 x"[..], b"\\", b"{{{{", b"}}}}a", b"\\u-1", b"\\'4"] {
            let _ = read(bytes);
        }
        assert_eq!(read(&b"{".repeat(100_000)), Rich::default());
    }
}
