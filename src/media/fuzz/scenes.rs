//! Fuzz targets of scenes that are told and not drawn: FBX and USD.

use super::families::look;
use crate::base::fuzz::Target;
use crate::media::format;

/// All of them.
pub const TARGETS: &[Target] = &[
    Target::new("media: FBX scene", &["media/fbx.rs", "media/fbx/text.rs"], fbx_seeds, |bytes| {
        look(bytes, &format::FBX)
    })
    .with_memory(64 << 20),
    Target::new(
        "media: USD scene",
        &["media/usd.rs", "media/usd/text.rs", "media/usd/packed.rs", "media/usd/unpack.rs"],
        usd_seeds,
        |bytes| look(bytes, &format::USD),
    )
    .with_memory(64 << 20),
];

/// What an FBX scene of version 7.4 begins with.
pub const FBX_HEAD: &[u8] = b"Kaydara FBX Binary  \0\x1a\0\xe8\x1c\0\0";

/// A record of an FBX scene that begins at a place.
pub fn record(at: usize, name: &str, values: &[u8], count: u32, within: &[u8]) -> Vec<u8> {
    let end = at + 13 + name.len() + values.len() + within.len();
    let numbers = [end as u32, count, values.len() as u32].map(u32::to_le_bytes).concat();
    [&numbers[..], &[name.len() as u8], name.as_bytes(), values, within].concat()
}

/// A scene with one mesh of a triangle and one material.
fn fbx_seeds() -> Vec<Vec<u8>> {
    let mut bytes = FBX_HEAD.to_vec();
    let text = |text: &[u8]| [&b"S"[..], &(text.len() as u32).to_le_bytes(), text].concat();
    let material = [&b"L\0\0\0\0\0\0\0\0"[..], &text(b"Brass\0\x01Material")].concat();
    let objects = bytes.len() + 13 + "Objects".len();
    let first = record(objects, "Material", &material, 2, b"");
    let corners: Vec<u8> = [0i32, 1, -3].into_iter().flat_map(i32::to_le_bytes).collect();
    let array =
        [&b"i"[..], &3u32.to_le_bytes(), &0u32.to_le_bytes(), &12u32.to_le_bytes(), &corners].concat();
    let geometry = objects + first.len();
    let inner = record(geometry + 13 + "Geometry".len(), "PolygonVertexIndex", &array, 1, b"");
    let second = record(geometry, "Geometry", b"", 0, &inner);
    let all = record(bytes.len(), "Objects", b"", 0, &[first, second].concat());
    bytes.extend(all);
    let text = "; FBX 7.4.0 project file\nFBXHeaderExtension:  {\n\tFBXVersion: 7400\n}\nCreator: \"A\"\nObjects:  {\n\
        \tGeometry: 1, \"Geometry::B\", \"Mesh\" {\n\t\tVertices: *9 {\n\t\t\ta: 0,0,0,1,0,0,0,1,0\n\t\t}\n\
        \t\tPolygonVertexIndex: *3 {\n\t\t\ta: 0,1,-3\n\t\t}\n\t}\n\tVideo: 2, \"Video::C\", \"Clip\" {\n\
        \t\tRelativeFilename: \"c.png\"\n\t\tContent: ,\n\t\t\"AAAA\"\n\t}\n}\n";
    vec![bytes, text.as_bytes().to_vec()]
}

fn usd_seeds() -> Vec<Vec<u8>> {
    let text = "#usda 1.0\n( upAxis = \"Y\" )\ndef Mesh \"A\" ( references = @b.usd@</B> ) {\nint[] faceVertexCounts = [3]\n\
        point3f[] points = [(0, 0, 0)]\nasset inputs:file = @a.png@\n}\n";
    vec![text.as_bytes().to_vec(), PackedScene::small().bytes()]
}

/// A packed scene (USDC 0.8) whose tables can be said to be anything.
#[derive(Clone)]
pub struct PackedScene {
    /// What lies before the tables, from byte 88 on.
    pub values: Vec<u8>,
    pub texts: Vec<&'static str>,
    pub strings: Vec<u32>,
    pub fields: Vec<(u32, u64)>,
    pub sets: Vec<u32>,
    /// Number and name of each path.
    pub paths: Vec<(u32, i32)>,
    /// Path, set of fields and kind of each thing.
    pub specs: Vec<(u32, u32, u32)>,
}

impl PackedScene {
    /// Where the values begin.
    pub const VALUES: u64 = 88;

    /// A mesh with points and faces that is taken from another file in part.
    pub fn small() -> Self {
        // A value that is here is a kind and a number; an array is a kind and a place.
        let here = |kind: u64, number: u64| 1 << 62 | kind << 48 | number;
        let array = |kind: u64, place: u64| 1 << 63 | kind << 48 | place;
        let mut values = Vec::new();
        values.extend(5u64.to_le_bytes());
        values.extend(2u64.to_le_bytes());
        // One file is put before, with one word said of it.
        values.push(1 << 5);
        values.extend(1u64.to_le_bytes());
        values.extend([1u32, 0].map(u32::to_le_bytes).concat());
        values.extend([0; 16]);
        values.extend(1u64.to_le_bytes());
        values.extend(0u32.to_le_bytes());
        values.extend(8u64.to_le_bytes());
        values.extend(here(11, 3).to_le_bytes());
        Self {
            values,
            texts: vec![
                "",
                "upAxis",
                "Y",
                "specifier",
                "typeName",
                "Mesh",
                "Hull",
                "default",
                "points",
                "faceVertexCounts",
                "references",
                "b.usd",
                "inputs:file",
                "a.png",
            ],
            strings: vec![0, 11],
            fields: vec![
                (1, here(11, 2)),
                (3, here(42, 0)),
                (4, here(11, 5)),
                (10, 35 << 48 | (Self::VALUES + 16)),
                (7, array(24, Self::VALUES)),
                (7, array(3, Self::VALUES + 8)),
                (7, here(12, 13)),
            ],
            sets: vec![0, u32::MAX, 1, 2, 3, u32::MAX, 4, u32::MAX, 5, u32::MAX, 6, u32::MAX],
            paths: vec![(0, 0), (1, 6), (2, -8), (3, -9), (4, -12)],
            specs: vec![(0, 0, 7), (1, 2, 6), (2, 6, 1), (3, 8, 1), (4, 10, 1)],
        }
    }

    /// The file.
    pub fn bytes(&self) -> Vec<u8> {
        let long = |number: usize| (number as u64).to_le_bytes().to_vec();
        let listed = |packed: Vec<u8>| [long(packed.len()), packed].concat();
        let texts: Vec<u8> = self.texts.iter().flat_map(|text| [text.as_bytes(), &[0]].concat()).collect();
        let strings: Vec<u8> = self.strings.iter().flat_map(|text| text.to_le_bytes()).collect();
        let values: Vec<u8> = self.fields.iter().flat_map(|(_, value)| value.to_le_bytes()).collect();
        let columns = |column: [Vec<u32>; 3]| column.map(|column| listed(coded(&column))).concat();
        let sections = [
            ("TOKENS", [long(self.texts.len()), long(texts.len()), listed(plain(&texts))].concat()),
            ("STRINGS", [long(self.strings.len()), strings].concat()),
            (
                "FIELDS",
                [
                    long(self.fields.len()),
                    listed(coded(&self.fields.iter().map(|(name, _)| *name).collect::<Vec<_>>())),
                    listed(plain(&values)),
                ]
                .concat(),
            ),
            ("FIELDSETS", [long(self.sets.len()), listed(coded(&self.sets))].concat()),
            (
                "PATHS",
                [
                    long(self.paths.len()),
                    long(self.paths.len()),
                    columns([
                        self.paths.iter().map(|(path, _)| *path).collect(),
                        self.paths.iter().map(|(_, name)| *name as u32).collect(),
                        vec![0; self.paths.len()],
                    ]),
                ]
                .concat(),
            ),
            (
                "SPECS",
                [
                    long(self.specs.len()),
                    columns([
                        self.specs.iter().map(|spec| spec.0).collect(),
                        self.specs.iter().map(|spec| spec.1).collect(),
                        self.specs.iter().map(|spec| spec.2).collect(),
                    ]),
                ]
                .concat(),
            ),
        ];
        let mut bytes = [&b"PXR-USDC\0\x08\0\0\0\0\0\0"[..], &[0; 72], &self.values].concat();
        let mut contents = long(sections.len());
        for (name, section) in sections {
            let mut row = name.as_bytes().to_vec();
            row.resize(16, 0);
            contents.extend([row, long(bytes.len()), long(section.len())].concat());
            bytes.extend(section);
        }
        let at = long(bytes.len());
        bytes[16..24].copy_from_slice(&at);
        bytes.extend(contents);
        bytes
    }
}

/// One block of LZ4 in which nothing repeats.
fn plain(bytes: &[u8]) -> Vec<u8> {
    let mut packed = vec![0, (bytes.len().min(15) as u8) << 4];
    if let Some(more) = bytes.len().checked_sub(15) {
        packed.extend(vec![u8::MAX; more / 255]);
        packed.push((more % 255) as u8);
    }
    packed.extend(bytes);
    packed
}

/// Numbers as differences of four bytes each.
fn coded(numbers: &[u32]) -> Vec<u8> {
    let mut coded = vec![0; 4];
    coded.extend(vec![u8::MAX; numbers.len().div_ceil(4)]);
    let mut last = 0u32;
    for number in numbers {
        coded.extend(number.wrapping_sub(last).to_le_bytes());
        last = *number;
    }
    plain(&coded)
}
