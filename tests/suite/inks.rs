//! Pictures and documents in inks that say by a profile what these are look as Little CMS turns them into light, which
//! is what most programs use.

use crate::seeing_support::{facts, picture};
use crate::support::packages::{Source, unpack};
use crate::support::servers::tool;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Writes a picture of inks as JPEG and TIFF with a profile, the inks alone, and what Little CMS makes of them.
const SCRIPT: &str = "
import sys
from PIL import Image, ImageCms
profile, folder = sys.argv[1:]
side = 96
inks = Image.new('CMYK', (side, side))
for y in range(side):
    for x in range(side):
        inks.putpixel((x, y), (x * 255 // (side - 1), y * 255 // (side - 1), (x + y) * 255 // (2 * side - 2), (side - 1 - x) * 128 // (side - 1)))
icc = open(profile, 'rb').read()
inks.save(folder + '/inks.tif', icc_profile=icc)
inks.save(folder + '/inks.jpg', icc_profile=icc, quality=100, subsampling=0)
open(folder + '/inks', 'wb').write(inks.tobytes())
light = ImageCms.profileToProfile(inks, profile, ImageCms.createProfile('sRGB'), renderingIntent=1, outputMode='RGB')
open(folder + '/light', 'wb').write(light.tobytes())
";
const SIDE: u32 = 96;

/// A document without layers: its profile, and its inks as what each leaves of white, one plane after the other.
fn document(inks: &[u8], profile: &[u8]) -> Vec<u8> {
    let mut bytes = b"8BPS\0\x01\0\0\0\0\0\0\0\x04".to_vec();
    bytes.extend([SIDE.to_be_bytes(), SIDE.to_be_bytes()].concat());
    bytes.extend([0, 8, 0, 4, 0, 0, 0, 0]);
    let mut resource = [&b"8BIM\x04\x0f\0\0"[..], &(profile.len() as u32).to_be_bytes(), profile].concat();
    resource.resize(resource.len().next_multiple_of(2), 0);
    bytes.extend((resource.len() as u32).to_be_bytes());
    bytes.extend(resource);
    bytes.extend([0, 0, 0, 0, 0, 0]);
    for plane in 0..4 {
        bytes.extend(inks.iter().skip(plane).step_by(4).map(|ink| 255 - ink));
    }
    bytes
}

#[test]
fn inks_are_turned_into_light_as_their_profile_says() {
    let Some(python) = tool("psd-tools") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let package = folder.path().join("package");
    unpack("krita-data", &Source::Debian, &package);
    let profile = package.join("usr/share/color/icc/krita/cmyk.icm");
    let made = Command::new(python).args(["-c", SCRIPT]).arg(&profile).arg(folder.path()).output();
    let made = made.expect("a Python");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let read = |name: &str| fs::read(folder.path().join(name)).expect("a file");
    let profile = fs::read(profile).expect("the profile");
    fs::write(folder.path().join("inks.psd"), document(&read("inks"), &profile)).expect("written");
    let light = read("light");
    // What each ink would leave of light by itself is another picture.
    let inks = read("inks");
    let plain = inks.chunks_exact(4).flat_map(|ink| {
        [0, 1, 2].map(|at| ((255 - u32::from(ink[at])) * (255 - u32::from(ink[3])) / 255) as u8)
    });
    let far: u64 = plain.zip(&light).map(|(one, other)| u64::from(one.abs_diff(*other))).sum();
    assert!(far / light.len() as u64 > 10, "{far}");
    for (name, tolerance) in [("inks.psd", 4), ("inks.tif", 4), ("inks.jpg", 12)] {
        assert_same(&folder.path().join(name), &light, tolerance);
    }
}

fn assert_same(path: &Path, light: &[u8], tolerance: u8) {
    let told = facts(path);
    // The library of pictures tells no profile of TIFF files in inks.
    let is_untold = path.extension().is_some_and(|end| end == "tif");
    assert!(is_untold || told.picture.is_some_and(|picture| picture.profile.is_some()), "{}", path.display());
    assert_eq!(told.notes, Vec::<String>::new(), "{}", path.display());
    let drawn = picture(path, SIDE);
    assert_eq!((drawn.width, drawn.height), (SIDE, SIDE));
    let pairs = drawn.bytes.chunks_exact(4).zip(light.chunks_exact(3));
    let far: Vec<u8> =
        pairs.map(|(one, other)| (0..3).map(|at| one[at].abs_diff(other[at])).max().unwrap_or(0)).collect();
    let (most, sum) = (far.iter().max().expect("pixels"), far.iter().map(|it| u64::from(*it)).sum::<u64>());
    assert!(*most <= tolerance && sum < 2 * far.len() as u64, "{}: {most}, {sum}", path.display());
}
