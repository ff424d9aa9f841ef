//! Words: how text is taken apart, for what is written down and for what is asked alike.
//!
//! Case and accents do not count. A word is a run of letters and digits; `HarbourLogo2` is a word and
//! is found by its parts too. Languages that write without blanks are taken apart sign by sign.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// Longest word, in characters; a longer one is cut.
pub const WORD_CHARS_MAX: usize = 80;
/// Most words of one text; the rest is not found.
pub const WORDS_MAX: usize = 50_000;

/// A word and where it stands. The parts of a word stand where the word stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Word {
    /// Lower-case, without accents.
    pub text: String,
    /// The how manieth word it is, from 0.
    pub position: usize,
}

/// Text without what does not count: case and accents.
pub fn fold(text: &str) -> String {
    plain(text).to_lowercase().nfc().collect()
}

/// The words of a text with their parts, as they are written down.
pub fn words(text: &str) -> Vec<Word> {
    let mut found = Vec::new();
    for (position, run) in runs(&plain(text)).into_iter().enumerate() {
        if found.len() >= WORDS_MAX {
            break;
        }
        found.push(Word { text: folded(&run), position });
        let parts = parts(&run);
        if parts.len() > 1 {
            found.extend(parts.iter().map(|part| Word { text: folded(part), position }));
        }
    }
    found
}

/// The words of a text one after the other, as they are asked for.
pub fn whole_words(text: &str) -> Vec<String> {
    runs(&plain(text)).iter().take(WORDS_MAX).map(|run| folded(run)).collect()
}

/// Compatibility characters in their plain form, without accents; case is kept, since it shows where words begin.
fn plain(text: &str) -> String {
    text.nfkd().filter(|character| !is_combining_mark(*character)).collect()
}

fn folded(run: &[char]) -> String {
    let lower: String = run.iter().flat_map(|character| character.to_lowercase()).collect();
    lower.nfc().take(WORD_CHARS_MAX).collect()
}

fn runs(text: &str) -> Vec<Vec<char>> {
    let mut found: Vec<Vec<char>> = Vec::new();
    let mut open = false;
    for character in text.chars() {
        if stands_alone(character) {
            found.push(vec![character]);
            open = false;
        } else if character.is_alphanumeric() {
            match found.last_mut().filter(|_| open) {
                Some(run) => run.push(character),
                None => found.push(vec![character]),
            }
            open = true;
        } else {
            open = false;
        }
    }
    found
}

/// Signs of scripts that part no words by blanks: Han, Hiragana, Katakana (Unicode 16, Blocks).
const fn stands_alone(character: char) -> bool {
    matches!(character, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{323af}')
}

/// Where case or the kind of character changes a new part begins: `HarbourLogo2` has three.
fn parts(run: &[char]) -> Vec<Vec<char>> {
    let mut parts: Vec<Vec<char>> = Vec::new();
    for (index, character) in run.iter().enumerate() {
        let before = index.checked_sub(1).map(|before| run[before]);
        let after = run.get(index + 1);
        let begins = before.is_none_or(|before| {
            before.is_numeric() != character.is_numeric()
                || (before.is_lowercase() && character.is_uppercase())
                || (before.is_uppercase()
                    && character.is_uppercase()
                    && after.is_some_and(|after| after.is_lowercase()))
        });
        match parts.last_mut().filter(|_| !begins) {
            Some(part) => part.push(*character),
            None => parts.push(vec![*character]),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        words(text).into_iter().map(|word| format!("{}@{}", word.text, word.position)).collect()
    }

    #[test]
    fn names_of_files_come_apart_as_people_read_them() {
        assert_eq!(shown("logo_v2-FINAL.psd"), ["logo@0", "v2@1", "v@1", "2@1", "final@2", "psd@3"]);
        assert_eq!(shown("HarbourLogo"), ["harbourlogo@0", "harbour@0", "logo@0"]);
        assert_eq!(shown("XMLPage"), ["xmlpage@0", "xml@0", "page@0"]);
        assert_eq!(whole_words("logo_v2"), ["logo", "v2"]);
    }

    #[test]
    fn accents_case_and_forms_do_not_count() {
        assert_eq!(shown("Ünïcödé ﬁle"), ["unicode@0", "file@1"]);
        assert_eq!(fold("É"), fold("e\u{301}"));
        assert_eq!(shown("港の灯"), ["港@0", "の@1", "灯@2"]);
        assert_eq!(whole_words("한국어"), ["한국어"]);
    }

    #[test]
    fn a_word_without_end_is_cut() {
        let long = "x".repeat(10_000);
        assert_eq!(whole_words(&long)[0].chars().count(), WORD_CHARS_MAX);
        assert!(words(&"a ".repeat(200_000)).len() <= WORDS_MAX);
    }
}
