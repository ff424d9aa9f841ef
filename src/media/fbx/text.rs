//! FBX scenes in their text form: names with values behind a colon, and more of them in braces.
//!
//! Source: files of versions 6.1 and 7.x as Autodesk's, Assimp's and Blender's exporters write them; the form has no
//! specification. Nothing is built of what is nested, so that depth costs nothing.

use super::{beside, named};
use crate::media::facts::{Facts, Scene, cut};

/// How many of the names are known within which something stands.
const NAMES: usize = 4;

/// A name, a value, or a sign.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Token<'a> {
    /// A word with a colon behind it.
    Name(&'a [u8]),
    Word(&'a [u8]),
    Text(&'a [u8]),
    Sign(u8),
}

/// Goes through a scene's words.
struct Tokens<'a>(&'a [u8]);

impl<'a> Tokens<'a> {
    /// All up to a mark, which is passed; all there is where it is missing.
    fn until(&mut self, mark: u8) -> &'a [u8] {
        let at = memchr::memchr(mark, self.0).unwrap_or(self.0.len());
        let found = &self.0[..at];
        self.0 = self.0.get(at + 1..).unwrap_or_default();
        found
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let first = *self.0.first()?;
            match first {
                b';' => {
                    self.until(b'\n');
                }
                b'"' => {
                    self.0 = &self.0[1..];
                    return Some(Token::Text(self.until(b'"')));
                }
                b'{' | b'}' | b',' | b':' => {
                    self.0 = &self.0[1..];
                    return Some(Token::Sign(first));
                }
                _ if first.is_ascii_whitespace() => self.0 = &self.0[1..],
                _ => {
                    let ends = |byte: &u8| byte.is_ascii_whitespace() || b"{},:;\"".contains(byte);
                    let end = self.0.iter().position(ends).unwrap_or(self.0.len());
                    let (word, rest) = self.0.split_at(end);
                    self.0 = rest.strip_prefix(b":").unwrap_or(rest);
                    return Some(if self.0.len() < rest.len() {
                        Token::Name(word)
                    } else {
                        Token::Word(word)
                    });
                }
            }
        }
    }
}

/// What is found on the way.
#[derive(Default)]
struct Telling<'a> {
    scene: Scene,
    /// The names within which something stands, outermost first.
    names: [&'a [u8]; NAMES],
    depth: usize,
    version: Option<u32>,
    creator: Option<&'a [u8]>,
    /// Values of corners, three for each vertex.
    corners: u64,
    /// Whether the object that is begun was named, and has corners of its own.
    is_named: bool,
    has_corners: bool,
    /// The picture or film that is begun: its name, and how long it is where it is in the scene.
    video: Option<(&'a [u8], u64)>,
}

/// Tells a scene.
pub(super) fn read(bytes: &[u8], facts: &mut Facts) -> Scene {
    let mut telling = Telling::default();
    for token in Tokens(bytes) {
        match token {
            Token::Name(name) => telling.begin(name, facts),
            Token::Word(word) => telling.word(word),
            Token::Text(text) => telling.text(text),
            Token::Sign(b'{') => telling.depth += 1,
            Token::Sign(b'}') => telling.depth = telling.depth.saturating_sub(1),
            Token::Sign(_) => {}
        }
    }
    telling.end_video(facts);
    if let Some(version) = telling.version {
        facts.add_field("fbx", "Version", &super::version(version));
    }
    if let Some(creator) = telling.creator {
        facts.add_field("fbx", "Creator", &cut(&plain(creator)));
    }
    telling.scene.vertices = telling.corners / 3;
    telling.scene
}

/// A text as it is meant.
fn plain(text: &[u8]) -> String {
    String::from_utf8_lossy(text).replace("&quot;", "\"")
}

impl<'a> Telling<'a> {
    fn begin(&mut self, name: &'a [u8], facts: &mut Facts) {
        if let Some(place) = self.names.get_mut(self.depth) {
            *place = name;
        }
        match (self.depth, self.names) {
            (0 | 1, _) => {
                self.end_video(facts);
                (self.is_named, self.has_corners) = (false, false);
                if self.depth == 1 && self.names[0] == b"Objects" {
                    match name {
                        b"Model" => self.scene.nodes += 1,
                        b"Geometry" => self.scene.meshes += 1,
                        b"Video" => self.video = Some((b"", 0)),
                        _ => {}
                    }
                }
            }
            // Before version 7 the shape of a thing stands in the thing itself.
            (2, [b"Objects", b"Model", b"Vertices", _]) if !self.has_corners => {
                self.has_corners = true;
                self.scene.meshes += 1;
            }
            _ => {}
        }
    }

    /// Whether numbers stand here of which a list of that name consists: behind it, or behind `a` within it.
    fn is_list(&self, name: &[u8]) -> bool {
        let [objects, object, list, inner] = self.names;
        objects == b"Objects"
            && matches!(object, b"Geometry" | b"Model")
            && list == name
            && (self.depth == 2 || self.depth == 3 && inner == b"a")
    }

    fn word(&mut self, word: &'a [u8]) {
        // How many there are.
        if word.starts_with(b"*") {
            return;
        }
        if self.is_list(b"Vertices") {
            self.corners += 1;
        } else if self.is_list(b"PolygonVertexIndex") {
            // The last corner of each polygon is less than 0.
            self.scene.faces += u64::from(word.starts_with(b"-"));
        } else if self.depth == 1 && self.names[..2] == [&b"FBXHeaderExtension"[..], b"FBXVersion"] {
            self.version = self.version.or_else(|| std::str::from_utf8(word).ok()?.parse().ok());
        }
    }

    fn text(&mut self, text: &'a [u8]) {
        let [outer, object, value, _] = self.names;
        match (self.depth, outer, object, value) {
            (0, b"Creator", _, _) => self.creator = Some(text),
            (1, b"FBXHeaderExtension", b"Creator", _) => self.creator = self.creator.or(Some(text)),
            (1, b"Objects", kind, _) if !self.is_named => {
                self.is_named = true;
                let list = match kind {
                    b"Material" => &mut self.scene.materials,
                    b"AnimationStack" => &mut self.scene.animations,
                    b"Texture" => &mut self.scene.textures,
                    _ => return,
                };
                // Its class stands before its name.
                let text = plain(text);
                named(list, text.split_once("::").map_or(text.as_str(), |(_, name)| name));
            }
            (2, b"Objects", b"Video", b"RelativeFilename") => {
                if let Some((name, _)) = &mut self.video {
                    *name = text;
                }
            }
            (2, b"Objects", b"Video", b"Content") => {
                if let Some((_, size)) = &mut self.video {
                    // Four signs for three bytes (RFC 4648).
                    let signs = text
                        .iter()
                        .filter(|sign| sign.is_ascii_alphanumeric() || b"+/".contains(sign))
                        .count();
                    *size += signs as u64 * 3 / 4;
                }
            }
            _ => {}
        }
    }

    fn end_video(&mut self, facts: &mut Facts) {
        if let Some((name, size)) = self.video.take() {
            beside(cut(&plain(name)), size, facts);
        }
    }
}
