//! What tests of media share: decoders as the program runs them, and the studio's files.

use pentimento::media::facts::Facts;
use pentimento::media::format::Format;
use pentimento::media::input::Input;
use pentimento::media::pixels::Pixels;
use pentimento::media::sniff::sniff;
use pentimento::media::worker::{FilmPrograms, Limits, WorkerError, Workers};
use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file of the studio.
pub fn studio(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/studio").join(path)
}

pub fn workers() -> Workers {
    let programs =
        FilmPrograms::find([PathBuf::from("/usr/bin"), PathBuf::from("/usr/local/bin")].into_iter());
    Workers::new(PathBuf::from(env!("CARGO_BIN_EXE_pent")), Limits::default()).with_films(programs)
}

pub fn open(path: &Path) -> (File, &'static Format) {
    let mut file = File::open(path).expect("the file");
    let mut input = Input::new(&mut file).expect("measured");
    let format = sniff(&mut input, path.as_os_str().as_encoded_bytes()).expect("told");
    input.rewound().expect("rewound");
    (file, format)
}

pub fn facts(path: &Path) -> Facts {
    let (file, format) = open(path);
    workers().facts(file, format).expect("facts")
}

/// Facts with what each layer is.
pub fn layers(path: &Path) -> Facts {
    let (file, format) = open(path);
    workers().layers(file, format).expect("facts")
}

pub fn picture(path: &Path, edge: u32) -> Pixels {
    try_picture(path, edge).expect("decoded").expect("a picture")
}

pub fn try_picture(path: &Path, edge: u32) -> Result<Option<Pixels>, WorkerError> {
    let (file, format) = open(path);
    workers().picture(file, format, edge)
}

/// What a program of Debian's says; it must be there.
pub fn said<S: AsRef<OsStr>>(program: &str, arguments: &[S]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program} is not installed: {error}"));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// How far two pictures of one size are apart on average, in levels.
pub fn apart(one: &Pixels, other: &Pixels) -> f64 {
    assert_eq!((one.width, one.height), (other.width, other.height));
    let sum: u64 = one.bytes.iter().zip(&other.bytes).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / one.bytes.len() as f64
}

/// A picture that another program wrote.
pub fn read_png(path: &Path) -> Pixels {
    let read = image::open(path).expect("a picture").into_rgba8();
    Pixels::new(read.width(), read.height(), read.into_raw()).expect("pixels")
}
