//! Files made to harm who looks at them: chains that lead back to themselves, places beyond the end, trees without
//! end, lengths that lie, little that unpacks to much. Each costs a bounded time and memory, is told as far as it
//! makes sense, and is refused in words where it does not.
//!
//! Documents of other forms have theirs beside their tests (`tests/suite/documents.rs`, `drawings.rs`, `packages.rs`,
//! `films.rs`).

use super::tests::{cpu_time, peak_of};
use crate::media::decoder::{self, DecodeError, Wanted};
use crate::media::facts::Facts;
use crate::media::format::{self, Format};
use crate::media::fuzz::offices::{compound, letter_file, properties, slides_file, table_file};
use crate::media::fuzz::others::packet;
use crate::media::fuzz::scenes::{FBX_HEAD, PackedScene, record};
use crate::media::input::Input;
use crate::media::pixels::Pixels;
use std::io::{Cursor, Write as _};
use std::time::Duration;
use zip::write::SimpleFileOptions;

/// Memory that one file may take, beyond four times its own length, in bytes.
const MEMORY_MAX: usize = 256 << 20;
/// CPU time that one file may take in a build that nothing is optimised in.
const TIME_MAX: Duration = Duration::from_secs(12);

type Looked = (Result<Facts, DecodeError>, Result<Option<Pixels>, DecodeError>);

/// Facts and a picture of a file, within the bounds.
fn look(what: &str, bytes: &[u8], format: &'static Format) -> Looked {
    let start = cpu_time();
    let (looked, peak) = peak_of(|| {
        let mut source = Cursor::new(bytes);
        let mut input = Input::new(&mut source).expect("measured");
        let facts = decoder::facts(&mut input, format);
        let decoder = decoder::decoder(format).expect("a decoder");
        (facts, decoder.picture(&mut input, format, Wanted { edge: 64 }))
    });
    let taken = cpu_time().saturating_sub(start);
    assert!(peak < MEMORY_MAX + 4 * bytes.len(), "{what}: {peak} bytes of memory for {}", bytes.len());
    assert!(taken < TIME_MAX, "{what}: {taken:?} for {} bytes", bytes.len());
    looked
}

fn facts(what: &str, bytes: &[u8], format: &'static Format) -> Facts {
    look(what, bytes, format).0.unwrap_or_else(|error| panic!("{what}: {error}"))
}

fn refused(what: &str, bytes: &[u8], format: &'static Format) -> String {
    let (facts, picture) = look(what, bytes, format);
    assert!(picture.is_err(), "{what} has a picture");
    facts.err().unwrap_or_else(|| panic!("{what} is taken")).to_string()
}

fn put(bytes: &mut [u8], at: usize, number: u32) {
    bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
}

/// Where the entry of a stream of that name begins in a compound file.
fn entry(bytes: &[u8], name: &str) -> usize {
    let wide: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
    bytes.windows(wide.len()).position(|part| part == wide).expect("the entry")
}

#[test]
fn chains_of_sectors_that_never_end_or_lead_nowhere() {
    let whole = compound(&[("WordDocument", vec![b'a'; 9000]), ("1Table", vec![2; 100])]);
    let directory = u32::from_le_bytes(whole[48..52].try_into().expect("four bytes"));
    // Every sector follows on itself, and every stream is as long as can be said.
    let mut looped = whole.clone();
    (1..128).for_each(|sector| put(&mut looped, 512 + sector * 4, sector as u32));
    for name in ["Root Entry", "WordDocument", "1Table"] {
        let at = entry(&looped, name);
        put(&mut looped, at + 120, u32::MAX);
    }
    assert_eq!(facts("loops", &looped, &format::OLE).notes.len(), 1);
    // Two that follow on each other.
    let mut pair = whole.clone();
    put(&mut pair, 512 + directory as usize * 4, 1);
    put(&mut pair, 512 + 4, directory);
    let _ = look("a pair", &pair, &format::OLE);
    // Places beyond the end, and numbers that mean no place.
    for number in [0x00ff_ffff, 0xffff_fffa, 0xffff_fff0] {
        let mut beyond = whole.clone();
        let at = entry(&beyond, "WordDocument");
        put(&mut beyond, at + 116, number);
        assert!(refused("a stream beyond the end", &beyond, &format::OLE).contains("table of streams"));
        let mut beyond = whole.clone();
        put(&mut beyond, 48, number);
        let _ = look("a directory beyond the end", &beyond, &format::OLE);
        let mut beyond = whole.clone();
        put(&mut beyond, 76, number);
        let _ = look("chains beyond the end", &beyond, &format::OLE);
    }
    // Lists of lists that lead back to themselves, in a file that is long enough to want many.
    let mut lists = whole.clone();
    lists.resize(8 << 20, 0);
    put(&mut lists, 68, 3);
    put(&mut lists, 72, u32::MAX);
    let _ = look("lists of chains", &lists, &format::OLE);
    // A tree of streams whose branches are its trunk.
    let mut tree = whole;
    for name in ["Root Entry", "WordDocument", "1Table"] {
        let at = entry(&tree, name);
        (68..80).step_by(4).for_each(|branch| put(&mut tree, at + branch, 0));
    }
    assert!(facts("a tree", &tree, &format::OLE).notes[0].contains("none of Word"));
}

#[test]
fn letters_workbooks_and_slides_that_ask_for_much() {
    // Many fields that are open, and then a long text.
    let fields = "\u{13}\u{14}".repeat(200_000) + &"a".repeat(200_000);
    let told = facts("open fields", &letter_file(&fields), &format::OLE);
    assert!(told.text.is_some_and(|text| text.len() >= 200_000));
    // A hundred thousand pieces, and all of them are the whole text.
    let mut main = vec![0; 0x400];
    main[..4].copy_from_slice(&[0xec, 0xa5, 0xc1, 0]);
    main[11] = 2;
    main.extend(vec![b'b'; 500_000]);
    let count = 100_000u32;
    let mut plan: Vec<u8> = (0..=count).flat_map(|number| (number * 40_000).to_le_bytes()).collect();
    (0..count).for_each(|_| plan.extend([0, 0, 0, 8, 0, 0x40, 0, 0]));
    let table = [&[2][..], &(plan.len() as u32).to_le_bytes(), &plan].concat();
    put(&mut main, 0x1a6, table.len() as u32);
    let told = facts("pieces", &compound(&[("WordDocument", main), ("1Table", table)]), &format::OLE);
    assert!(told.text.is_some_and(|text| text.len() <= 1 << 20));
    // More texts than there are, with longer tails than there is.
    let mut book = table_file(&["Quay", "Lamps"]);
    let shared = book.windows(8).position(|it| it == [2, 0, 0, 0, 2, 0, 0, 0]).expect("the table");
    put(&mut book, shared + 4, u32::MAX);
    assert!(facts("texts", &book, &format::OLE).text.is_some_and(|text| text.starts_with("Quay")));
    book[shared + 10] = 12;
    let _ = look("tails", &book, &format::OLE);
    // Thousands of slides that are the same one, all blank.
    let blank = " ".repeat(200_000);
    let texts: Vec<&str> = vec![&blank; 2];
    let slides = slides_file(&texts);
    let told = facts("blank slides", &slides, &format::OLE);
    assert_eq!(told.pages, Some(2));
    // Edits that come before themselves, and whose lists are wherever.
    let edits: Vec<usize> =
        (0..slides.len() - 2).filter(|at| slides[*at..*at + 2] == 0x0ff5u16.to_le_bytes()).collect();
    for number in [0u32, 1, 64, 0x7fff_ffff, u32::MAX] {
        let mut bytes = slides.clone();
        edits.iter().for_each(|at| [14, 18, 22].iter().for_each(|field| put(&mut bytes, at + field, number)));
        let _ = look("edits", &bytes, &format::OLE);
    }
    // Properties that lie wherever, and more of them than there are.
    let mut set = properties(&[(2, "Quay"), (4, "Anna"), (5, "x")]);
    put(&mut set, 52, u32::MAX);
    for number in [0u32, 4, 8, 0xffff_fff0, u32::MAX] {
        put(&mut set, 60, number);
        let bytes = compound(&[("\u{5}SummaryInformation", set.clone()), ("x", vec![1])]);
        let _ = look("properties", &bytes, &format::OLE);
    }
}

/// The same blank text on many slides: each of them points to the one place where it lies.
#[test]
fn a_presentation_of_the_same_slide_is_read_once() {
    let atom = |kind: u16, head: u16, body: &[u8]| {
        [&head.to_le_bytes()[..], &kind.to_le_bytes(), &(body.len() as u32).to_le_bytes(), body].concat()
    };
    let slide = atom(0x03ee, 15, &atom(0x0fa0, 0, &b" \0".repeat(500_000)));
    let one = [1u32.to_le_bytes().to_vec(), vec![0; 16]].concat();
    let list = atom(0x0ff0, 15, &atom(0x03f3, 0, &one).repeat(30_000));
    let document = atom(0x03e8, 15, &list);
    let mut main = [&slide[..], &document].concat();
    let objects = main.len() as u32;
    let places = [1 | 2 << 20, 0, slide.len() as u32].map(u32::to_le_bytes).concat();
    main.extend(atom(0x1772, 0, &places));
    let edit = main.len() as u32;
    main.extend(atom(0x0ff5, 0, &[0, 0, 0, objects, 2, 0, 0].map(u32::to_le_bytes).concat()));
    let mut user = atom(0x0ff6, 0, &[0x14, 0xe391_c05f, edit].map(u32::to_le_bytes).concat());
    user.resize(64, 0);
    let bytes = compound(&[("PowerPoint Document", main), ("Current User", user)]);
    let told = facts("one slide", &bytes, &format::OLE);
    assert_eq!((told.pages, told.text), (Some(30_000), None));
}

#[test]
fn rich_text_without_end() {
    let rtf = |body: &str| format!("{{\\rtf1 {body}").into_bytes();
    let deep = rtf(&"{\\b ".repeat(500_000));
    assert_eq!(facts("groups", &deep, &format::RTF).text, None);
    let _ = look("brackets", &rtf(&"}".repeat(1_000_000)), &format::RTF);
    let _ = look(
        "lengths",
        &rtf(&"\\bin99999999999999999999 \\bin-1 \\u99999999 \\uc-9 ".repeat(50_000)),
        &format::RTF,
    );
    let long = rtf(&"a ".repeat(6 << 20));
    assert!(facts("letters", &long, &format::RTF).text.is_some_and(|text| text.len() <= 1 << 20));
    let title = rtf(&format!("{{\\info{{\\title {}", "t".repeat(6 << 20)));
    let told = facts("a title", &title, &format::RTF);
    assert!(told.embedded.iter().all(|field| field.value.len() <= 4 * 4096 + 16), "a title is cut");
}

/// A scene of these records.
fn fbx(body: &[u8]) -> Vec<u8> {
    [FBX_HEAD, body].concat()
}

fn text(text: &[u8]) -> Vec<u8> {
    [&b"S"[..], &(text.len() as u32).to_le_bytes(), text].concat()
}

#[test]
fn scenes_whose_records_nest_overlap_or_lie() {
    // Each holds the next one, to the end.
    let mut nested = Vec::new();
    for (depth, name) in
        ["Geometry", "Objects"].iter().cycle().take(20_000).enumerate().map(|it| (it.0, it.1))
    {
        let at = FBX_HEAD.len() + (20_000 - depth) * 13;
        nested = [record(at, name, &[], 0, &[]), nested].concat();
        put(&mut nested, 0, u32::MAX >> 1);
    }
    let mut tree = fbx(&nested);
    let end = tree.len() as u32;
    let heads: Vec<usize> =
        (27..tree.len() - 4).filter(|at| tree[*at..*at + 4] == (u32::MAX >> 1).to_le_bytes()).collect();
    heads.into_iter().for_each(|at| put(&mut tree, at, end));
    let scene = facts("a tree", &tree, &format::FBX).scene.expect("a scene");
    assert!(scene.meshes <= 1);
    // A million beginnings, each a byte after the one before it.
    let mut steps = fbx(&vec![0; 1 << 20]);
    (27..(1 << 20) - 8).for_each(|at| steps[at] = (at as u32 + 1).to_le_bytes()[0]);
    let _ = look("steps", &steps, &format::FBX);
    // Texts that claim to be long and are not.
    let mut claims = Vec::new();
    let mut at = FBX_HEAD.len() + 13 + "Objects".len();
    for _ in 0..60_000 {
        let values = [&b"L\0\0\0\0\0\0\0\0"[..], b"S\xff\xff\xff\0"].concat();
        let one = record(at, "Material", &values, 2, &[]);
        at += one.len();
        claims.extend(one);
    }
    let told = facts("texts", &fbx(&record(FBX_HEAD.len(), "Objects", &[], 0, &claims)), &format::FBX);
    assert_eq!(told.scene.expect("a scene").materials, Vec::<String>::new());
    // Lengths beyond the end, in records of both widths.
    for version in [7400u32, 7500] {
        let mut lies = fbx(&record(FBX_HEAD.len(), "Objects", &text(b"x"), 1, &[]));
        put(&mut lies, 23, version);
        for place in (27..lies.len()).step_by(4).take(8) {
            for number in [0u32, 1, 0x7fff_ffff, u32::MAX] {
                let mut bytes = lies.clone();
                bytes.resize(lies.len() + 8, 0);
                put(&mut bytes, place, number);
                let _ = look("lengths", &bytes, &format::FBX);
            }
        }
    }
}

#[test]
fn arrays_that_unpack_to_much_are_not_all_counted() {
    let corners = vec![0xffu8; 32 << 20];
    let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(&corners).expect("packed");
    let packed = packer.finish().expect("packed");
    let numbers = [8u32 << 20, 1, packed.len() as u32].map(u32::to_le_bytes).concat();
    let array = [&b"i"[..], &numbers, &packed].concat();
    let objects = FBX_HEAD.len() + 13 + "Objects".len();
    let mut at = objects;
    let mut meshes = Vec::new();
    for _ in 0..40 {
        let inner = record(at + 13 + "Geometry".len(), "PolygonVertexIndex", &array, 1, &[]);
        let mesh = record(at, "Geometry", &[], 0, &inner);
        at += mesh.len();
        meshes.extend(mesh);
    }
    let told = facts("arrays", &fbx(&record(FBX_HEAD.len(), "Objects", &[], 0, &meshes)), &format::FBX);
    let scene = told.scene.expect("a scene");
    assert_eq!((scene.meshes, scene.faces % (8 << 20)), (40, 0));
    assert!(scene.faces > 0 && scene.faces < 40 * (8 << 20));
    assert!(told.notes[0].contains("not all of them"), "{:?}", told.notes);
}

#[test]
fn scenes_in_text_and_their_packages() {
    let many: String =
        (0..150_000).map(|number| format!("asset inputs:file = @{}@\n", number % 9_999)).collect();
    let told = facts("names", format!("#usda 1.0\n{many}").as_bytes(), &format::USD);
    assert_eq!(told.needs.len(), 9_999);
    let deep = format!("#usda 1.0\n{}", "def Xform \"a\" {\n".repeat(400_000));
    assert_eq!(facts("a tree", deep.as_bytes(), &format::USD).scene.map(|scene| scene.nodes), Some(400_000));
    let line = format!("#usda 1.0\npoint3f[] points = [{}", "(".repeat(8 << 20));
    let _ = look("one line", line.as_bytes(), &format::USD);
    let _ = look("open names", format!("#usda 1.0\n{}", "= @x".repeat(1 << 20)).as_bytes(), &format::USD);

    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let packed = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    writer.start_file("scene.usda", packed).expect("begun");
    for _ in 0..80 {
        writer.write_all(&vec![b' '; 1 << 20]).expect("written");
    }
    writer.start_file("brass.png", packed).expect("begun");
    let bomb = writer.finish().expect("a package").into_inner();
    assert!(bomb.len() < 1 << 20);
    let told = facts("a bomb", &bomb, &format::USDZ);
    assert_eq!(told.contains.len(), 2);
    assert!(told.notes[0].contains("too long"), "{:?}", told.notes);
    // A directory that says other sizes, and one that says how many there are not.
    let directory = bomb.windows(4).position(|it| it == b"PK\x01\x02").expect("a directory");
    for (place, number) in [(20, u32::MAX), (24, 1), (24, u32::MAX), (42, 7), (42, u32::MAX)] {
        let mut bytes = bomb.clone();
        put(&mut bytes, directory + place, number);
        let _ = look("a directory", &bytes, &format::USDZ);
    }
    let end = bomb.len() - 22;
    for place in [end + 8, end + 12, end + 16] {
        let mut bytes = bomb.clone();
        put(&mut bytes, place, u32::MAX);
        let _ = look("an end", &bytes, &format::USDZ);
    }
}

#[test]
fn scenes_in_words_without_end() {
    let told = |what: &str, body: &str| {
        facts(what, format!("; FBX 7.4.0\nObjects: {{\n{body}").as_bytes(), &format::FBX)
    };
    let scene = |facts: Facts| facts.scene.expect("a scene");
    let meshes = "Geometry: 1, \"\" { Vertices: *3 { a: 1,2,3 } }\n".repeat(100_000);
    assert_eq!(scene(told("meshes", &meshes)).vertices, 100_000);
    assert_eq!(scene(told("depth", &"Model: {".repeat(1 << 20))).nodes, 1);
    assert_eq!(scene(told("ends", &"}".repeat(1 << 20))).nodes, 0);
    let _ = told("an open text", &format!("Video: 1 {{ RelativeFilename: \"{}", "x".repeat(8 << 20)));
    let videos = "Video: 1 { RelativeFilename: \"a\"\nContent: \"AAAA\" }\n".repeat(50_000);
    assert_eq!(told("videos", &videos).contains.len(), 10_000);
    let _ = told("colons", &":".repeat(4 << 20));
    let list = format!("Geometry: 1 {{ PolygonVertexIndex: *9999999999 {{ a: {}", "-1,".repeat(1 << 20));
    assert_eq!(scene(told("a list", &list)).faces, 1 << 20);
}

#[test]
fn packed_scenes_whose_tables_lie() {
    let small = PackedScene::small();
    let told = facts("a packed scene", &small.bytes(), &format::USD);
    let scene = told.scene.expect("a scene");
    assert_eq!((scene.nodes, scene.meshes, scene.vertices, scene.faces), (1, 1, 5, 2));
    assert_eq!(
        (told.needs, scene.textures),
        (vec!["b.usd".to_owned(), "a.png".to_owned()], vec!["a.png".to_owned()])
    );
    // Every thing has the same fields, and these have no end.
    let mut same = small.clone();
    same.sets = (0..5000).map(|_| 5).collect();
    same.specs = (0..200_000).map(|_| (3, 0, 1)).collect();
    let told = facts("fields without end", &same.bytes(), &format::USD);
    assert!(told.notes[0].contains("more than is read"), "{:?}", told.notes);
    // Words of a dictionary that lead back to themselves, and lists that are as long as can be said.
    for (at, number) in [
        (16 + 1 + 8 + 8 + 16 + 8 + 4, (-4i64).to_le_bytes()),
        (17, [0xff; 8]),
        (49, [0x7f; 8]),
        (0, [0xff; 8]),
    ] {
        let mut lies = small.clone();
        lies.values[at..at + 8].copy_from_slice(&number);
        lies.specs = lies.specs.repeat(3000);
        let told = facts("values that lie", &lies.bytes(), &format::USD);
        assert_eq!(told.scene.map(|scene| scene.meshes), Some(3000), "{at}");
    }
    // Numbers of texts, fields, sets and paths that are none.
    let mut nowhere = small.clone();
    nowhere.fields.iter_mut().for_each(|field| field.0 = u32::MAX);
    nowhere.paths.iter_mut().for_each(|path| *path = (u32::MAX, i32::MIN));
    nowhere.strings = vec![u32::MAX; 9];
    assert_eq!(facts("nowhere", &nowhere.bytes(), &format::USD).scene.map(|scene| scene.nodes), Some(0));
    let mut nowhere = small.clone();
    nowhere.specs = vec![(u32::MAX, u32::MAX, u32::MAX), (0, u32::MAX - 1, 6)];
    let _ = look("nothing", &nowhere.bytes(), &format::USD);
    // Tables that unpack to much, and counts of what is not there.
    let bytes = small.bytes();
    let at = u64::from_le_bytes(bytes[16..24].try_into().expect("eight bytes")) as usize;
    for section in 0..6 {
        let row = at + 8 + section * 32;
        let start = u64::from_le_bytes(bytes[row + 16..row + 24].try_into().expect("eight bytes")) as usize;
        for count in [u64::MAX, 1 << 32, 20 << 20, 1 << 16] {
            for place in [start, start + 8, row + 16, row + 24, at] {
                let mut lies = bytes.clone();
                lies[place..place + 8].copy_from_slice(&count.to_le_bytes());
                let _ = look("a count", &lies, &format::USD);
            }
        }
    }
    let mut bomb = b"\0\x1fa\x01\0".to_vec();
    bomb.extend(vec![u8::MAX; 400_000]);
    bomb.extend([0, 0]);
    let start = u64::from_le_bytes(bytes[at + 24..at + 32].try_into().expect("eight bytes")) as usize;
    let mut lies = bytes[..start].to_vec();
    lies.extend([20u64, 100 << 20, bomb.len() as u64].map(u64::to_le_bytes).concat());
    lies.extend(&bomb);
    let moved = lies.len() as u64;
    lies.extend(&bytes[at..]);
    lies[16..24].copy_from_slice(&moved.to_le_bytes());
    let length = (lies.len() - start) as u64;
    lies[moved as usize + 32..moved as usize + 40].copy_from_slice(&length.to_le_bytes());
    let _ = look("a bomb", &lies, &format::USD);
    let old = look("an old one", &[&b"PXR-USDC\0\x03"[..], &[0; 80]].concat(), &format::USD).0;
    assert!(old.is_err_and(|error| error.to_string().contains("0.3")));
}

/// Texts of a picture that unpack to much, each for itself and all together.
#[test]
fn texts_of_pictures_that_unpack_to_much() {
    let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(&vec![b'x'; 16 << 20]).expect("packed");
    let packed = packer.finish().expect("packed");
    let chunk = |kind: &[u8; 4], content: &[u8]| {
        let mut sum = flate2::Crc::new();
        sum.update(&[&kind[..], content].concat());
        [&(content.len() as u32).to_be_bytes()[..], kind, content, &sum.sum().to_be_bytes()].concat()
    };
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    bytes.extend(chunk(b"IHDR", b"\0\0\0\x01\0\0\0\x01\x08\0\0\0\0"));
    for keyword in [&b"XML:com.adobe.xmp"[..], b"Raw profile type xmp", b"Comment"] {
        let text = [keyword, b"\0\0", &packed].concat();
        let international = [keyword, b"\0\x01\0\0\0", &packed].concat();
        bytes.extend([chunk(b"zTXt", &text), chunk(b"iTXt", &international)].concat().repeat(40));
    }
    bytes.extend(chunk(b"IDAT", b"\x78\x9c\x63\x60\0\0\0\x02\0\x01"));
    bytes.extend(chunk(b"IEND", b""));
    let told = facts("texts", &bytes, &format::PNG);
    assert!(told.embedded.iter().all(|field| field.value.len() <= 4 * 4096 + 16));
    assert!(!told.embedded.is_empty());
}

/// Two pages that say where everything is, and objects behind them, none of which is where it says.
#[test]
fn pages_of_indesign_that_lie() {
    const MARK: [u8; 16] = *b"\x06\x06\xed\xf5\xd8\x1d\x46\xe5\xbd\x31\xef\xe7\xfe\x74\xb7\x1d";
    let page = |objects: u32| {
        let mut page = [&MARK[..], b"DOCUMENT\x01"].concat();
        page.resize(4096, 0);
        put(&mut page, 264, u32::MAX);
        put(&mut page, 280, objects);
        page
    };
    let document = |content: &[u8]| {
        let object =
            [&b"\xde\x39\x39\x79\x51\x88\x4b\x6c\x8e\x63\xee\xf8\xae\xe0\xdd\x38"[..], &[0xff; 16]].concat();
        [page(0), page(u32::MAX), object, content.to_vec()].concat()
    };
    assert!(!facts("pages", &document(b""), &format::INDD).notes.is_empty());
    // Packets that are not closed, that are many, that nest without end, and whose picture is none.
    let open = document("<x:xmpmeta".repeat(200_000).as_bytes());
    assert!(!facts("open packets", &open, &format::INDD).notes.is_empty());
    let fields: String = (0..3000).map(|number| format!("<xmp:f{number}>a</xmp:f{number}>")).collect();
    let many: String = (0..40)
        .map(|number| {
            packet("").replace("<xmp:Rating>3</xmp:Rating>", &fields.replace('f', &format!("f{number}-")))
        })
        .collect();
    assert_eq!(facts("packets", &document(many.as_bytes()), &format::INDD).embedded.len(), 10_000);
    let deep = packet("").replace("<xmp:Rating>3</xmp:Rating>", &"<xmp:a>".repeat(150_000));
    let _ = look("a deep packet", &document(deep.as_bytes()), &format::INDD);
    let mut jpeg =
        b"\xff\xd8\xff\xc0\0\x11\x08\xff\xff\xff\xff\x03\x01\x22\0\x02\x11\x01\x03\x11\x01".to_vec();
    jpeg.extend([0xff, 0xd9]);
    for picture in ["=".repeat(1 << 20), <base64ct::Base64 as base64ct::Encoding>::encode_string(&jpeg)] {
        let (_, drawn) = look("its picture", &document(packet(&picture).as_bytes()), &format::INDD);
        assert!(drawn.is_err());
    }
}

#[test]
fn blender_scenes_whose_blocks_lie_or_unpack_without_end() {
    let block = |kind: &[u8; 4], length: u32| {
        let mut head = [&kind[..], &length.to_le_bytes()].concat();
        head.resize(24, 0);
        head
    };
    let scene = |blocks: &[Vec<u8>]| [b"BLENDER-v280".to_vec(), blocks.concat()].concat();
    let size = |width: u32, height: u32| [width.to_le_bytes(), height.to_le_bytes()].concat();
    for blocks in [
        vec![block(b"TEST", u32::MAX), size(65_535, 65_535)],
        vec![block(b"TEST", u32::MAX), size(1024, 1024)],
        vec![block(b"TEST", 8), size(1, 1)],
        vec![block(b"REND", u32::MAX), block(b"TEST", 16)],
        vec![block(b"REND", 0); 5000],
    ] {
        assert!(look("blocks", &scene(&blocks), &format::BLEND).1.is_err());
    }
    let mut nothing = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    nothing.write_all(b"").expect("written");
    let nothing = nothing.finish().expect("packed");
    assert!(!refused("empty parts", &nothing.repeat(200_000), &format::BLEND).is_empty());
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(b"BLENDER-v280").expect("written");
    for _ in 0..64 {
        gzip.write_all(&vec![0; 1 << 20]).expect("written");
    }
    assert!(look("a bomb", &gzip.finish().expect("packed"), &format::BLEND).1.is_err());
    // A frame of Zstandard that asks for a window of two tebibytes, and parts that hold nothing.
    assert!(!refused("a window", b"\x28\xb5\x2f\xfd\x00\xf8\x01\0\0", &format::BLEND).is_empty());
    let skipped =
        [&b"\x28\xb5\x2f\xfd\x20\x00\x01\x00\x00"[..], &b"\x50\x2a\x4d\x18\0\0\0\0".repeat(200_000)].concat();
    assert!(!refused("parts to skip", &skipped, &format::BLEND).is_empty());
}

/// Every seed of these families, cut at many places and with each of its numbers made as great as can be.
#[test]
fn cut_files_are_told_or_refused() {
    let families = [
        ("media: office document of the old form", &format::OLE),
        ("media: FBX scene", &format::FBX),
        ("media: USD scene", &format::USD),
        ("media: InDesign document", &format::INDD),
        ("media: Blender scene", &format::BLEND),
        ("media: rich text", &format::RTF),
    ];
    for (name, format) in families {
        let target = super::targets().find(|target| target.name == name).unwrap_or_else(|| panic!("{name}"));
        for seed in (target.seeds)() {
            for place in 0..48 {
                let at = seed.len() * place / 48;
                let _ = look(name, &seed[..at], format);
                let mut great = seed.clone();
                great[at..].iter_mut().take(4).for_each(|byte| *byte = 0xff);
                let _ = look(name, &great, format);
            }
        }
    }
}
