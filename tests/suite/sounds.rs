//! Sound: measured as FFmpeg measures it, and compared by what is heard.

use crate::seeing_support::{facts, layers, picture, said, studio, try_picture};
use pentimento::media::compare::sound::{SpanKind, compare_sounds};
use serde_json::Value;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn ffmpeg<S: AsRef<OsStr>>(arguments: &[S]) -> String {
    let output = Command::new("ffmpeg").args(["-hide_banner", "-nostdin", "-y"]).args(arguments).output();
    let output = output.expect("ffmpeg is installed");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{told}");
    told
}

/// Ten seconds of a tune in stereo, made of what `expression` gives.
fn tune(folder: &Path, name: &str, expression: &str) -> PathBuf {
    let path = folder.join(name);
    let source = format!("aevalsrc=exprs='{expression}':s=44100:d=10:c=stereo");
    ffmpeg(&[
        "-f",
        "lavfi",
        "-i",
        &source,
        "-metadata",
        "title=Quay",
        "-metadata",
        "artist=Anna Lind",
        &path.display().to_string(),
    ]);
    path
}

/// A note that changes twice a second, on both sides.
fn melody(shift: u32) -> String {
    let note = format!("0.4*sin(2*PI*t*(220+110*mod(floor(t*2)*7+{shift}\\,5)))*exp(-2*mod(t\\,0.5))");
    format!("{note}|{note}")
}

/// The number behind a word, in what FFmpeg's meter says at its end.
fn measured(told: &str, name: &str) -> f64 {
    let summary = told.rsplit("Summary:").next().expect("a summary");
    let row = summary.lines().find(|line| line.trim_start().starts_with(name)).expect("a row");
    row.split_whitespace().filter_map(|word| word.parse().ok()).next().expect("a number")
}

#[test]
fn length_tracks_and_loudness_are_those_of_ffmpeg() {
    let folder = tempfile::tempdir().expect("a folder");
    let wav = tune(folder.path(), "tune.wav", &melody(0));
    for name in ["tune.wav", "tune.flac", "tune.mp3", "tune.ogg", "tune.m4a", "tune.aiff"] {
        let path = folder.path().join(name);
        if path != wav {
            let codec: &[&str] = if name == "tune.ogg" { &["-c:a", "libvorbis"] } else { &[] };
            let input = wav.display().to_string();
            let output = path.display().to_string();
            ffmpeg(
                &[
                    &["-i", input.as_str()],
                    codec,
                    &["-write_id3v2", "1", output.as_str()][if name == "tune.aiff" { 0 } else { 2 }..],
                ]
                .concat(),
            );
        }
        let ours = facts(&path);
        let told = said(
            "ffprobe",
            &[
                "-v".as_ref(),
                "error".as_ref(),
                "-show_streams".as_ref(),
                "-show_format".as_ref(),
                "-of".as_ref(),
                "json".as_ref(),
                path.as_os_str(),
            ],
        );
        let told: Value = serde_json::from_str(&told).expect("JSON");
        let stream = &told["streams"][0];
        let timing = ours.timing.as_ref().expect("a length");
        let seconds: f64 =
            told["format"]["duration"].as_str().and_then(|it| it.parse().ok()).expect("a number");
        assert!((timing.seconds - seconds).abs() < 0.06, "{name}: {} {seconds}", timing.seconds);
        let track = &timing.tracks[0];
        assert_eq!(
            track.sample_rate.map(|rate| rate.to_string()).as_deref(),
            stream["sample_rate"].as_str(),
            "{name}"
        );
        assert_eq!(track.channels.map(u64::from), stream["channels"].as_u64(), "{name}");
        let meter = ffmpeg(&["-i", &path.display().to_string(), "-af", "ebur128", "-f", "null", "-"]);
        let sound = ours.sound.as_ref().expect("loudness");
        let (loudness, range) = (measured(&meter, "I:"), measured(&meter, "LRA:"));
        assert!((sound.loudness.expect("loudness") - loudness).abs() <= 0.2, "{name}: {sound:?} {loudness}");
        assert!((sound.range.expect("a range") - range).abs() <= 0.5, "{name}: {sound:?} {range}");
        let title = ours.embedded.iter().find(|field| field.name == "TrackTitle");
        assert_eq!(title.map(|field| field.value.as_str()), Some("Quay"), "{name}: {:?}", ours.embedded);
    }
}

#[test]
fn a_waveform_shows_silence_and_sound() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = tune(folder.path(), "half.wav", "0.8*sin(2*PI*440*t)*lt(t\\,5)|0");
    let drawn = picture(&path, 600);
    assert_eq!((drawn.width, drawn.height), (600, 200));
    let ink = |x: u32, y: u32| drawn.bytes[((y * 600 + x) * 4) as usize] < 200;
    let column = |x: u32, from: u32, to: u32| (from..to).filter(|y| ink(x, *y)).count();
    assert!(column(100, 0, 100) > 40, "the left side sounds: {}", column(100, 0, 100));
    assert!(column(500, 0, 100) <= 1 && column(100, 100, 200) <= 1 && column(500, 100, 200) <= 1);
}

#[test]
fn the_fifth_bell_of_the_jingle_is_found_where_it_rings() {
    for name in ["jingle.wav", "jingle.ogg"] {
        let before = layers(&studio(&format!("v1/audio/{name}")));
        let after = layers(&studio(&format!("v2/audio/{name}")));
        let diff = compare_sounds(&before, &after).expect("two sounds");
        assert!(!diff.same_samples && !diff.only_loudness, "{name}: {diff:?}");
        assert_eq!(diff.spans.len(), 1, "{name}: {diff:?}");
        let span = &diff.spans[0];
        assert!((span.after.0 - 2.05).abs() <= 0.15 && span.after.1 > 2.6, "{name}: {span:?}");
        // The same sound in another packing is the same sound.
        let other = if name == "jingle.wav" { "jingle.ogg" } else { "jingle.wav" };
        let packed =
            compare_sounds(&before, &layers(&studio(&format!("v1/audio/{other}")))).expect("two sounds");
        assert_eq!((packed.same_samples, packed.spans.len()), (false, 0), "{packed:?}");
    }
}

#[test]
fn cuts_insertions_and_gain_are_told_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let whole = tune(folder.path(), "whole.wav", &melody(0)).display().to_string();
    let filtered = |name: &str, filter: &str| {
        let path = folder.path().join(name);
        ffmpeg(&["-i", &whole, "-af", filter, &path.display().to_string()]);
        layers(&path)
    };
    let before = layers(Path::new(&whole));
    let cut = filtered("cut.wav", "aselect='not(between(t,4,6))',asetpts=N/SR/TB");
    let diff = compare_sounds(&before, &cut).expect("two sounds");
    assert_eq!(diff.spans.len(), 1, "{diff:?}");
    let span = &diff.spans[0];
    let length = span.before.1 - span.before.0;
    assert_eq!(span.kind, SpanKind::Removed, "{diff:?}");
    assert!((length - 2.0).abs() <= 0.2, "{diff:?}");
    let back = compare_sounds(&cut, &before).expect("two sounds");
    assert_eq!((back.spans.len(), back.spans[0].kind), (1, SpanKind::Added), "{back:?}");
    let quieter = compare_sounds(&before, &filtered("quieter.wav", "volume=-6dB")).expect("two sounds");
    assert_eq!((quieter.only_loudness, quieter.spans.len()), (true, 0), "{quieter:?}");
    assert!((quieter.louder.expect("loudness") + 6.0).abs() <= 0.2, "{quieter:?}");
    let flac = filtered("same.flac", "anull");
    assert!(compare_sounds(&before, &flac).expect("two sounds").same_samples);
}

#[test]
fn damaged_sound_costs_its_own_picture() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["jingle.wav", "jingle.ogg"] {
        let whole = fs::read(studio(&format!("v1/audio/{name}"))).expect("the sound");
        let path = folder.path().join(name);
        for part in 0..10 {
            let mut bytes = whole[..whole.len() * (part + 1) / 10].to_vec();
            let at = bytes.len() / 2;
            bytes[at] ^= 0xff;
            fs::write(&path, bytes).expect("written");
            let _ = try_picture(&path, 64);
        }
    }
}

#[test]
fn a_codec_that_nothing_here_decodes_is_told_by_its_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let wav = tune(folder.path(), "tune.wav", &melody(0));
    let path = folder.path().join("tune.opus");
    ffmpeg(&["-i", &wav.display().to_string(), "-c:a", "libopus", &path.display().to_string()]);
    let told = facts(&path);
    let timing = told.timing.expect("a length");
    assert_eq!((timing.tracks[0].codec.as_str(), timing.tracks[0].channels), ("Opus", Some(2)));
    assert!((timing.seconds - 10.0).abs() < 0.06, "{}", timing.seconds);
}
