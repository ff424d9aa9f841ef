//! Still pictures that are coded as film is - HEIC, AVIF - and JPEG XL: of one piece and of tiles, turned, deep, clear,
//! with colours that are said beside them, damaged and hostile. What they show is held against the picture that they
//! were made of.

use crate::seeing_support::{apart, facts, open, picture, read_png, studio, try_picture, workers};
use pentimento::media::pixels::Pixels;
use pentimento::media::worker::{Limits, WorkerError, Workers};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

fn ffmpeg(arguments: &[&str]) {
    let output = Command::new("ffmpeg").args(["-v", "error", "-nostdin", "-y"]).args(arguments).output();
    let output = output.expect("the program ffmpeg, which tests of films need");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/stills").join(name)
}

/// The middle of each of the four fields: above left and right, below left and right.
fn fields(pixels: &Pixels) -> [[u8; 4]; 4] {
    let (width, height) = (pixels.width as usize, pixels.height as usize);
    [(1, 1), (3, 1), (1, 3), (3, 3)].map(|(x, y)| {
        let at = (y * height / 4 * width + x * width / 4) * 4;
        pixels.bytes[at..at + 4].try_into().expect("a pixel")
    })
}

const RED: [u8; 4] = [0xC8, 0x1E, 0x1E, 255];
const GREEN: [u8; 4] = [0x1E, 0xA0, 0x3C, 255];
const BLUE: [u8; 4] = [0x1E, 0x3C, 0xBE, 255];
const PALE: [u8; 4] = [0xF0, 0xF0, 0xF0, 255];

fn assert_fields(name: &str, shown: &Pixels, expected: [[u8; 4]; 4]) {
    let found = fields(shown);
    let far = found.concat().iter().zip(expected.concat()).map(|(one, other)| one.abs_diff(other)).max();
    assert!(far < Some(7), "{name}: {found:?}, {expected:?}");
}

#[test]
fn files_of_other_programs_show_what_was_put_in() {
    let grey = |colour: [u8; 4]| {
        let [red, green, blue, _] = colour.map(f64::from);
        let level = (red * 0.299 + green * 0.587 + blue * 0.114).round() as u8;
        [level, level, level, 255]
    };
    let all = [RED, GREEN, BLUE, PALE];
    for name in ["fields.heic", "deep.heic", "tiles.heic", "fields.jxl"] {
        assert_fields(name, &picture(&fixture(name), 64), all);
        assert_fields(name, &picture(&fixture(name), 16), all);
    }
    assert_fields("gray.jxl", &picture(&fixture("gray.jxl"), 64), all.map(grey));
    let clear = picture(&fixture("clear.jxl"), 64);
    assert_fields("clear.jxl", &clear, [RED, [GREEN[0], GREEN[1], GREEN[2], 0], BLUE, [0xF0, 0xF0, 0xF0, 0]]);
    let turned = picture(&fixture("turned.jxl"), 64);
    assert_eq!((turned.width, turned.height), (48, 64));
    assert_fields("turned.jxl", &turned, [BLUE, RED, PALE, GREEN]);
}

#[test]
fn jpeg_xl_is_told_and_drawn_without_any_other_program() {
    let alone = Workers::new(PathBuf::from(env!("CARGO_BIN_EXE_pent")), Limits::default());
    for (name, size, space, alpha, orientation) in [
        ("fields.jxl", (64, 48), "RGB", false, None),
        ("clear.jxl", (64, 48), "RGB", true, None),
        ("gray.jxl", (64, 48), "gray", false, None),
        ("turned.jxl", (48, 64), "RGB", false, Some(6)),
    ] {
        let (file, format) = open(&fixture(name));
        let told = alone.facts(file.try_clone().expect("again"), format).expect("facts").picture.expect(name);
        assert_eq!((told.width, told.height), size, "{name}");
        assert_eq!(told.colour_space.as_deref(), Some(space), "{name}");
        assert_eq!((told.depth, told.alpha), (Some(8), Some(alpha)), "{name}");
        assert_eq!(told.orientation, orientation, "{name}");
        let drawn = alone.picture(file, format, 64).expect("decoded").expect("a picture");
        assert_eq!((u64::from(drawn.width), u64::from(drawn.height)), size, "{name}");
    }
    let (file, format) = open(&fixture("fields.heic"));
    assert!(matches!(alone.picture(file, format, 64), Err(WorkerError::NoFilmPrograms)));
}

#[test]
fn jpeg_xl_in_wide_colours_is_brought_to_those_of_screens() {
    // 200, 90, 60 of Display P3: the same numbers mean other colours in the wider space.
    for name in ["wide.jxl", "exact.jxl"] {
        let shown = picture(&fixture(name), 64);
        assert_eq!(facts(&fixture(name)).notes, Vec::<String>::new());
        let found = fields(&shown)[0];
        let far = found.iter().zip([216, 81, 49, 255u8]).map(|(one, other)| one.abs_diff(other)).max();
        assert!(far < Some(4), "{name}: {found:?}");
    }
}

fn boxed(kind: &[u8], content: &[u8]) -> Vec<u8> {
    [&(content.len() as u32 + 8).to_be_bytes()[..], kind, content].concat()
}

/// A file of tiles as phones write them: one item for each, and one that says how they lie.
struct Tiles {
    /// What each is coded as: `hvc1` or `av01`.
    kind: &'static [u8; 4],
    /// What says how all of them are coded (`hvcC`, `av1C`).
    described: Vec<u8>,
    tiles: Vec<Vec<u8>>,
    tile: (u32, u32),
    grid: (u8, u8),
    size: (u16, u16),
    /// More properties of the picture.
    properties: Vec<Vec<u8>>,
}

impl Tiles {
    fn bytes(&self) -> Vec<u8> {
        let (count, number) = (self.tiles.len() as u16, u16::to_be_bytes);
        let grid_id = count + 1;
        let grid =
            [&[0, 0, self.grid.1 - 1, self.grid.0 - 1][..], &number(self.size.0), &number(self.size.1)]
                .concat();
        let entry = |id: u16, kind: &[u8]| {
            boxed(b"infe", &[&[2, 0, 0, 0][..], &number(id), &[0, 0], kind, &[0]].concat())
        };
        let mut entries = [&[0; 4][..], &number(count + 1)].concat();
        (1..=count).for_each(|id| entries.extend(entry(id, self.kind)));
        entries.extend(entry(grid_id, b"grid"));
        let size = |width: u32, height: u32| {
            boxed(b"ispe", &[&[0; 4][..], &width.to_be_bytes(), &height.to_be_bytes()].concat())
        };
        let mut properties = vec![
            self.described.clone(),
            size(self.tile.0, self.tile.1),
            size(self.size.0.into(), self.size.1.into()),
        ];
        properties.extend(self.properties.clone());
        let mut having = [&[0; 4][..], &u32::from(count + 1).to_be_bytes()].concat();
        (1..=count).for_each(|id| having.extend([&number(id)[..], &[2, 0x81, 2]].concat()));
        having.extend([&number(grid_id)[..], &[1 + self.properties.len() as u8, 3]].concat());
        having.extend((0..self.properties.len()).map(|at| 4 + at as u8));
        let parts: Vec<u8> = (1..=count).flat_map(number).collect();
        let parts = boxed(b"dimg", &[&number(grid_id)[..], &number(count), &parts].concat());
        let meta = |start: usize| {
            let mut places = [&[1, 0, 0, 0, 0x44, 0][..], &number(count + 1)].concat();
            let mut place = |id: u16, way: u8, at: usize, length: usize| {
                places.extend([&number(id)[..], &[0, way, 0, 0, 0, 1]].concat());
                places.extend([at as u32, length as u32].map(u32::to_be_bytes).concat());
            };
            let mut at = start;
            for (id, tile) in (1..).zip(&self.tiles) {
                place(id, 0, at, tile.len());
                at += tile.len();
            }
            place(grid_id, 1, 0, grid.len());
            let content = [
                vec![0; 4],
                boxed(b"hdlr", b"\0\0\0\0\0\0\0\0pict\0\0\0\0\0\0\0\0\0\0\0\0\0"),
                boxed(b"pitm", &[&[0; 4][..], &number(grid_id)].concat()),
                boxed(b"iinf", &entries),
                boxed(b"iref", &[&[0; 4][..], &parts].concat()),
                boxed(b"iprp", &[boxed(b"ipco", &properties.concat()), boxed(b"ipma", &having)].concat()),
                boxed(b"idat", &grid),
                boxed(b"iloc", &places),
            ];
            boxed(b"meta", &content.concat())
        };
        let brand: &[u8] =
            if self.kind == b"hvc1" { b"heic\0\0\0\0mif1heic" } else { b"avif\0\0\0\0mif1avif" };
        let head = boxed(b"ftyp", brand);
        let start = head.len() + meta(0).len() + 8;
        [head, meta(start), boxed(b"mdat", &self.tiles.concat())].concat()
    }
}

/// The units of an H.265 stream.
fn units(stream: &[u8]) -> Vec<&[u8]> {
    let mut starts: Vec<usize> =
        (0..stream.len().saturating_sub(2)).filter(|at| stream[*at..].starts_with(&[0, 0, 1])).collect();
    starts.push(stream.len());
    let unit = |pair: &[usize]| {
        let bytes = &stream[(pair[0] + 3).min(pair[1])..pair[1]];
        let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
        // The zero before a start code belongs to that.
        &bytes[..if pair[1] == stream.len() { bytes.len() } else { end }]
    };
    starts.windows(2).map(unit).collect()
}

/// The property that says how tiles are coded, and a tile, out of a stream of one picture.
fn packed(stream: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut described = vec![0; 22];
    (described[0], described[21]) = (1, 0xf3);
    let (sets, others): (Vec<&[u8]>, Vec<&[u8]>) =
        units(stream).into_iter().partition(|unit| (32..=34).contains(&((unit[0] >> 1) & 63)));
    described.push(sets.len() as u8);
    for set in sets {
        described.extend([0x80 | ((set[0] >> 1) & 63), 0, 1]);
        described.extend([&(set.len() as u16).to_be_bytes()[..], set].concat());
    }
    let tile =
        others.iter().flat_map(|unit| [&(unit.len() as u32).to_be_bytes()[..], unit].concat()).collect();
    (boxed(b"hvcC", &described), tile)
}

/// The photograph in `size`, cut into tiles whose last ones reach beyond it, coded as `how` says.
fn tiled(folder: &Path, size: (u16, u16), tile: u32, how: &[&str]) -> (Tiles, Pixels) {
    let source = studio("v1/photo/harbour-dusk.jpg").display().to_string();
    let whole = folder.join("whole.png").display().to_string();
    let (width, height) = size;
    ffmpeg(&["-i", &source, "-vf", &format!("scale={width}:{height}:flags=area"), &whole]);
    let grid = [width, height].map(|side| u32::from(side).div_ceil(tile) as u8);
    let is_heic = how.contains(&"libx265");
    let mut made = Tiles {
        kind: if is_heic { b"hvc1" } else { b"av01" },
        described: Vec::new(),
        tiles: Vec::new(),
        tile: (tile, tile),
        grid: (grid[0], grid[1]),
        size,
        properties: Vec::new(),
    };
    let filled = format!("pad={}:{}", u32::from(grid[0]) * tile, u32::from(grid[1]) * tile);
    for number in 0..u32::from(grid[0]) * u32::from(grid[1]) {
        let (x, y) = (number % u32::from(grid[0]) * tile, number / u32::from(grid[0]) * tile);
        let path = folder.join("tile").display().to_string();
        let filter = format!("{filled},crop={tile}:{tile}:{x}:{y}");
        let end = ["-frames:v", "1", "-f", if is_heic { "hevc" } else { "obu" }, &path];
        ffmpeg(&[&["-i", &whole, "-vf", &filter][..], how, &end].concat());
        let stream = fs::read(&path).expect("the tile");
        let (described, tile) =
            if is_heic { packed(&stream) } else { (boxed(b"av1C", &[0x81, 0, 0x0c, 0]), stream) };
        made.described = described;
        made.tiles.push(tile);
    }
    (made, read_png(Path::new(&whole)))
}

const H265: &[&str] =
    &["-c:v", "libx265", "-x265-params", "log-level=none", "-crf", "8", "-pix_fmt", "yuv420p"];
const AV1: &[&str] =
    &["-c:v", "libaom-av1", "-still-picture", "1", "-crf", "8", "-cpu-used", "8", "-pix_fmt", "yuv420p"];

fn put(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, bytes).expect("written");
    path
}

#[test]
fn pictures_of_tiles_are_put_together() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, how) in [("tiles.heic", H265), ("tiles.avif", AV1)] {
        let (tiles, whole) = tiled(folder.path(), (360, 240), 128, how);
        assert_eq!((tiles.grid, tiles.tiles.len()), ((3, 2), 6));
        let path = put(folder.path(), name, &tiles.bytes());
        let told = facts(&path).picture.expect("a picture");
        assert_eq!((told.width, told.height), (360, 240));
        for edge in [360, 90] {
            let shown = picture(&path, edge);
            let expected = whole.clone().within(edge).expect("smaller");
            let far = apart(&shown, &expected);
            assert!(far < 2.5, "{name}, {edge}: {far}");
        }
        // Tiles that lie elsewhere are another picture: the comparison above would see it.
        let mut swapped = tiles;
        swapped.tiles.swap(0, 5);
        let shown = picture(&put(folder.path(), name, &swapped.bytes()), 360);
        assert!(apart(&shown, &whole) > 8.0, "{name}");
    }
}

#[test]
fn pictures_are_turned_and_mirrored_as_the_container_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut tiles, whole) = tiled(folder.path(), (240, 120), 128, H265);
    // Turns are to the left, a mirror comes after them: axis 0 swaps top and bottom.
    for (turns, mirror, orientation) in
        [(1, None, 8), (2, None, 3), (3, None, 6), (0, Some(1), 2), (1, Some(0), 5)]
    {
        tiles.properties = vec![boxed(b"irot", &[turns])];
        tiles.properties.extend(mirror.map(|axis| boxed(b"imir", &[axis])));
        let path = put(folder.path(), "turned.heic", &tiles.bytes());
        let shown = picture(&path, 240);
        let expected = whole.clone().turned(orientation).expect("turned");
        let far = apart(&shown, &expected);
        assert!(far < 2.5, "{turns}, {mirror:?}: {far}");
        let told = facts(&path).picture.expect("a picture");
        assert_eq!((told.width, told.height), (shown.width.into(), shown.height.into()));
    }
}

#[test]
fn deep_pictures_and_what_is_said_of_colours_beside_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let deep = ["-c:v", "libx265", "-x265-params", "log-level=none", "-crf", "8", "-pix_fmt", "yuv444p10le"];
    let (tiles, whole) = tiled(folder.path(), (200, 120), 128, &deep);
    let far = apart(&picture(&put(folder.path(), "deep.heic", &tiles.bytes()), 200), &whole);
    assert!(far < 2.0, "{far}");
    // All levels, by the matrix of high definition; the stream itself says nothing of it.
    let full = "scale=out_range=pc:out_color_matrix=bt709,format=yuv444p";
    let source = studio("v1/photo/harbour-dusk.jpg").display().to_string();
    let whole = folder.path().join("whole.png").display().to_string();
    ffmpeg(&["-i", &source, "-vf", "scale=192:128:flags=area", &whole]);
    let stream = folder.path().join("stream").display().to_string();
    let how = ["-vf", full, "-c:v", "libx265", "-x265-params", "log-level=none:range=limited", "-crf", "8"];
    ffmpeg(&[&["-i", &whole][..], &how, &["-frames:v", "1", "-f", "hevc", &stream]].concat());
    let (described, tile) = packed(&fs::read(&stream).expect("the stream"));
    let mut one = Tiles {
        kind: b"hvc1",
        described,
        tiles: vec![tile],
        tile: (192, 128),
        grid: (1, 1),
        size: (192, 128),
        properties: Vec::new(),
    };
    let whole = read_png(Path::new(&whole));
    let unsaid = apart(&picture(&put(folder.path(), "unsaid.heic", &one.bytes()), 192), &whole);
    one.properties = vec![boxed(b"colr", b"nclx\0\x01\0\x0d\0\x01\x80")];
    let said = apart(&picture(&put(folder.path(), "said.heic", &one.bytes()), 192), &whole);
    assert!(said < 2.0 && unsaid > said + 2.0, "{said} and {unsaid}");
}

#[test]
fn what_is_cut_off_or_does_not_fit_costs_one_picture_and_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let (tiles, _) = tiled(folder.path(), (240, 120), 128, H265);
    let bytes = tiles.bytes();
    for (name, bytes) in [
        // The last tile is not there at all.
        ("short.heic", bytes[..bytes.len() - 40].to_vec()),
        ("more.heic", Tiles { grid: (3, 1), tiles: tiles.tiles.clone(), ..clone(&tiles) }.bytes()),
        ("larger.heic", Tiles { size: (60_000, 60_000), ..clone(&tiles) }.bytes()),
        ("nothing.heic", Tiles { tiles: vec![vec![0, 0, 0, 1, 0x26]; 2], ..clone(&tiles) }.bytes()),
        ("long.heic", Tiles { tiles: vec![vec![0xff; 300]; 2], ..clone(&tiles) }.bytes()),
    ] {
        let begun = Instant::now();
        let fault = try_picture(&put(folder.path(), name, &bytes), 64).expect_err(name).to_string();
        let expected = ["its tiles do not fit together", "its picture cannot be decoded"];
        assert_eq!(fault, expected[usize::from(name == "nothing.heic")], "{name}");
        assert!(begun.elapsed() < Duration::from_secs(20), "{name}");
    }
    let whole = fs::read(fixture("fields.jxl")).expect("the picture");
    for length in [2, 12, 100, whole.len() - 1] {
        let fault = try_picture(&put(folder.path(), "short.jxl", &whole[..length]), 64);
        assert!(matches!(fault, Err(WorkerError::File { .. })), "{length}: {fault:?}");
    }
    // A size that lies: 2^30 by 2^30 pixels.
    let mut bits: u128 = 0b11 << 1 | ((1 << 30) - 1) << 3;
    bits |= 1 << 33;
    let huge = [&b"\xff\x0a"[..], &bits.to_le_bytes()].concat();
    let fault = try_picture(&put(folder.path(), "huge.jxl", &huge), 64);
    assert!(matches!(fault, Err(WorkerError::File { .. })), "{fault:?}");
}

fn clone(tiles: &Tiles) -> Tiles {
    let Tiles { kind, described, tiles, tile, grid, size, properties } = tiles;
    Tiles {
        kind,
        described: described.clone(),
        tiles: tiles.clone(),
        tile: *tile,
        grid: *grid,
        size: *size,
        properties: properties.clone(),
    }
}

#[test]
fn what_is_decoded_is_given_through_a_pipe_and_the_walls_stand_around_it() {
    use std::io::{Read as _, Write as _};
    use std::process::Stdio;
    let folder = tempfile::tempdir().expect("a folder");
    let other = put(folder.path(), "other", b"another file");
    let told = |arguments: &[&str]| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_pent"))
            .args(["play-for-parent", "3000000000", "30", "/usr/bin/cat"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("started");
        let _ = child.stdin.take().expect("a pipe").write_all(b"its own");
        let mut said = Vec::new();
        child.stdout.take().expect("a pipe").read_to_end(&mut said).expect("read");
        child.wait().expect("ended");
        said
    };
    assert_eq!(told(&["-"]), b"its own");
    assert_eq!(told(&[&other.display().to_string()]), b"", "the walls around a program that reads a pipe");
}

#[test]
fn time_of_what_is_decoded_is_bounded() {
    let folder = tempfile::tempdir().expect("a folder");
    let (tiles, _) = tiled(folder.path(), (240, 120), 128, H265);
    let path = put(folder.path(), "some.heic", &tiles.bytes());
    let (file, format) = open(&path);
    let poor = Limits { memory: 64 << 20, ..Limits::default() };
    let programs = pentimento::media::worker::FilmPrograms::find([PathBuf::from("/usr/bin")].into_iter());
    let poor = Workers::new(PathBuf::from(env!("CARGO_BIN_EXE_pent")), poor).with_films(programs);
    assert!(poor.picture(file.try_clone().expect("again"), format, 64).is_err());
    assert!(workers().picture(file, format, 64).is_ok());
}
