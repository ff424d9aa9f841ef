//! Characters that look like others.
//!
//! A name may be written so that it reads as somebody else's: `Веn` with a Cyrillic `В`. Where a name
//! vouches for something, such characters are spelled out, like those that cannot be seen at all.
//! What is suspicious follows Unicode UTS 39 in spirit: characters that are only another form of plain
//! ones, words of mixed scripts, and words of another script made of nothing but look-alikes.

use crate::base::escape;
use unicode_normalization::UnicodeNormalization as _;

/// Letters of other scripts that many fonts draw like Latin ones.
const LOOKALIKES: &str = "аԁеһіјӏорԛѕԝхуАВЕЅІЈКМНОРСТХҮԌԚԜαινοορτυΑΒΕΖΗΙΚΜΝΟΡΤΥΧօոսհյցԁ";

/// A script, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Script {
    Latin,
    Greek,
    Cyrillic,
    Armenian,
    Cherokee,
    Other,
}

fn script_of(character: char) -> Script {
    match u32::from(character) {
        0x41..=0x5a | 0x61..=0x7a | 0xc0..=0x24f | 0x1e00..=0x1eff => Script::Latin,
        0x370..=0x3ff | 0x1f00..=0x1fff => Script::Greek,
        0x400..=0x52f | 0x2de0..=0x2dff | 0xa640..=0xa69f | 0x1c80..=0x1c8f => Script::Cyrillic,
        0x531..=0x58f => Script::Armenian,
        0x13a0..=0x13ff | 0xab70..=0xabbf => Script::Cherokee,
        _ => Script::Other,
    }
}

/// Text safe to show where it vouches for something: what cannot be seen, changes direction or could
/// be taken for something else is spelled out as `\u{43e}`.
pub fn unmistakable(bytes: &[u8]) -> String {
    // What is no text is spelled out first; what is left is text.
    let shown = escape::terminal(bytes);
    let mut text = String::with_capacity(shown.len());
    let mut word = String::new();
    for character in shown.chars() {
        if character.is_alphabetic() {
            word.push(character);
            continue;
        }
        push_word(&mut text, &word);
        word.clear();
        push(&mut text, character, is_another_form(character));
    }
    push_word(&mut text, &word);
    text
}

fn push_word(text: &mut String, word: &str) {
    let has = |wanted: Script| word.chars().any(|character| script_of(character) == wanted);
    let foreign = |character: char| {
        matches!(script_of(character), Script::Greek | Script::Cyrillic | Script::Armenian | Script::Cherokee)
    };
    let mixed = has(Script::Latin) && word.chars().any(foreign);
    let disguised = !word.is_empty() && word.chars().all(|character| LOOKALIKES.contains(character));
    for character in word.chars() {
        push(text, character, is_another_form(character) || ((mixed || disguised) && foreign(character)));
    }
}

/// Whether a character is only another form of a plain one: full width, mathematical, a ligature.
fn is_another_form(character: char) -> bool {
    if character.is_ascii() {
        return false;
    }
    let mut composed = std::iter::once(character).nfkc();
    let mut canonical = std::iter::once(character).nfc();
    !composed.by_ref().eq(canonical.by_ref())
}

fn push(text: &mut String, character: char, spelled: bool) {
    if spelled {
        text.push_str(&format!("\\u{{{:x}}}", u32::from(character)));
    } else {
        text.push(character);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_be_taken_for_others_are_spelled_out() {
        for (name, shown) in [
            ("Ben Okri", "Ben Okri"),
            ("Zoë Müller-Ångström", "Zoë Müller-Ångström"),
            ("Дмитрий Шостакович", "Дмитрий Шостакович"),
            ("田中 花子", "田中 花子"),
            ("Ἀριστοτέλης", "Ἀριστοτέλης"),
            ("\u{412}en", "\\u{412}en"),
            ("\u{430}\u{440}\u{440}", "\\u{430}\\u{440}\\u{440}"),
            ("Ｂｅｎ", "\\u{ff22}\\u{ff45}\\u{ff4e}"),
            ("𝐁en", "\\u{1d401}en"),
            ("a\u{202e}b\u{200b}c", "a\\u{202e}b\\u{200b}c"),
            ("two\nlines", "two\\nlines"),
        ] {
            assert_eq!(unmistakable(name.as_bytes()), shown);
        }
    }
}
