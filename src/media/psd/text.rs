//! Texts of a document: names in two encodings, and what a text layer says.

/// The upper half of the Mac Roman encoding.
const MAC_ROMAN: &str = "ÄÅÇÉÑÖÜáàâäãåçéèêëíìîïñóòôöõúùûü†°¢£§•¶ß®©™´¨≠ÆØ∞±≤≥¥µ∂∑∏π∫ªºΩæø¿¡¬√ƒ≈∆«»…\u{a0}ÀÃÕŒœ–—“”‘’÷◊ÿŸ⁄€‹›ﬁﬂ‡·‚„‰ÂÊÁËÈÍÎÏÌÓÔ\u{f8ff}ÒÚÛÙıˆ˜¯˘˙˚¸˝˛ˇ";

/// Old names are written in the encoding of the machine; Mac Roman is the documented one.
pub(super) fn mac_roman(bytes: &[u8]) -> String {
    let upper: Vec<char> = MAC_ROMAN.chars().collect();
    bytes
        .iter()
        .map(|byte| if *byte < 128 { char::from(*byte) } else { upper[usize::from(*byte) - 128] })
        .collect()
}

/// A length in characters and so many 16-bit characters; nothing when bytes are missing.
pub(super) fn unicode(bytes: &[u8]) -> Option<String> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let length = u32::from_be_bytes(*length) as usize;
    let units = rest.get(..length.checked_mul(2)?)?;
    let units: Vec<u16> = units.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
    Some(String::from_utf16_lossy(&units).trim_end_matches('\0').to_owned())
}

/// What a text layer says: the item `Txt ` of its descriptor, of the type `TEXT`.
///
/// The descriptor is a tree of typed items; this one has a key of four bytes that is its type's
/// only neighbour, so that finding it needs no knowledge of the rest.
pub(super) fn of_type_tool(bytes: &[u8]) -> Option<String> {
    const ITEM: &[u8] = b"Txt TEXT";
    let at = bytes.windows(ITEM.len()).position(|window| window == ITEM)?;
    let text = unicode(&bytes[at + ITEM.len()..])?;
    // Photoshop ends paragraphs with a carriage return and lines with an end-of-text character.
    Some(text.replace(['\r', '\u{3}'], "\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_whole() {
        assert_eq!(MAC_ROMAN.chars().count(), 128);
        assert_eq!(mac_roman(b"caf\x8e \xa5"), "café •");
    }

    #[test]
    fn text_is_found_and_cut_ones_are_nothing() {
        let mut bytes = b"....Txt TEXT\0\0\0\x03\0H\0i\0\x0d".to_vec();
        assert_eq!(of_type_tool(&bytes).as_deref(), Some("Hi\n"));
        bytes.pop();
        assert_eq!(of_type_tool(&bytes), None);
        assert_eq!(unicode(&[0xff; 6]), None);
    }
}
