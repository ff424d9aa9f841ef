//! What one core does to content before it is stored: cutting, hashing, compressing.
//!
//! `cargo bench --bench chunking`. Each line is one pass over the input; the rate is input bytes
//! per second.

// A benchmark that cannot go on has failed.
#![allow(clippy::expect_used)]

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use pentimento::base::id::ChunkId;
use pentimento::object::chunker::{Chunker, ChunkerParameters, CutGuess};
use pentimento::object::file_hash::{PIECE_BYTES, piece_value};

const INPUT_BYTES: usize = 64 << 20;

fn main() {
    divan::main();
}

/// Bytes that cannot be compressed, like most media.
fn noise() -> Vec<u8> {
    let mut bytes = vec![0; INPUT_BYTES];
    blake3::Hasher::new().update(b"benches/chunking").finalize_xof().fill(&mut bytes);
    bytes
}

/// Bytes as a vector drawing has them: numbers in text.
fn drawing() -> Vec<u8> {
    let numbers = noise();
    let mut bytes = Vec::with_capacity(INPUT_BYTES + 64);
    for point in numbers.chunks_exact(4) {
        if bytes.len() >= INPUT_BYTES {
            break;
        }
        let (x, y) = (u16::from_le_bytes([point[0], point[1]]), u16::from_le_bytes([point[2], point[3]]));
        bytes.extend_from_slice(format!("C{}.{:02} {},", x / 60, x % 60, y / 60).as_bytes());
    }
    bytes.truncate(INPUT_BYTES);
    bytes
}

/// The input and the chunks that it is cut into.
fn chunks(bytes: &[u8]) -> Vec<&[u8]> {
    let mut rest = bytes;
    let mut chunker = Chunker::new(&ChunkerParameters::default());
    let mut chunks = Vec::new();
    while let Some(length) = chunker.next_cut(rest) {
        let (chunk, after) = rest.split_at(length);
        chunks.push(chunk);
        rest = after;
    }
    chunks.push(rest);
    chunks
}

#[divan::bench]
fn cut(bencher: Bencher<'_, '_>) {
    let bytes = noise();
    let parameters = ChunkerParameters::default();
    bencher
        .counter(BytesCount::of_slice(&bytes))
        .bench_local(|| Chunker::new(&parameters).cut_all(black_box(&bytes)));
}

/// Guessing the cuts of windows and joining them: what cutting on several threads costs in all.
#[divan::bench]
fn cut_by_windows(bencher: Bencher<'_, '_>) {
    let bytes = noise();
    let parameters = ChunkerParameters::default();
    bencher.counter(BytesCount::of_slice(&bytes)).bench_local(|| {
        let mut chunker = Chunker::new(&parameters);
        let windows = black_box(&bytes).chunks(4 << 20);
        windows
            .map(|window| chunker.cut_all_with(window, CutGuess::new(&parameters, window)).len())
            .sum::<usize>()
    });
}

#[divan::bench]
fn hash_chunks(bencher: Bencher<'_, '_>) {
    let bytes = noise();
    let chunks = chunks(&bytes);
    bencher.counter(BytesCount::of_slice(&bytes)).bench_local(|| {
        chunks.iter().map(|chunk| ChunkId::of(chunk)).fold(0, |sum, id| sum ^ id.as_bytes()[0])
    });
}

#[divan::bench]
fn hash_pieces(bencher: Bencher<'_, '_>) {
    let bytes = noise();
    bencher.counter(BytesCount::of_slice(&bytes)).bench_local(|| {
        for (index, piece) in (0..).zip(bytes.chunks(PIECE_BYTES)) {
            black_box(piece_value(index, piece));
        }
    });
}

/// Compressing chunk by chunk, as the store does where its probe says that it pays.
#[divan::bench(args = [1, 3], sample_count = 5)]
fn compress_drawing(bencher: Bencher<'_, '_>, level: i32) {
    compress(bencher, &drawing(), level);
}

#[divan::bench(args = [1, 3], sample_count = 5)]
fn compress_noise(bencher: Bencher<'_, '_>, level: i32) {
    compress(bencher, &noise(), level);
}

fn compress(bencher: Bencher<'_, '_>, bytes: &[u8], level: i32) {
    let chunks = chunks(bytes);
    let mut compressor = zstd::bulk::Compressor::new(level).expect("a level that zstd has");
    bencher.counter(BytesCount::of_slice(bytes)).bench_local(|| {
        chunks.iter().map(|chunk| compressor.compress(chunk).expect("room for it").len()).sum::<usize>()
    });
}

/// Looking at three samples of 4 KiB of each chunk, whose bytes are few beside the chunk's.
#[divan::bench]
fn probe_noise(bencher: Bencher<'_, '_>) {
    let bytes = noise();
    let chunks = chunks(&bytes);
    let mut compressor = zstd::bulk::Compressor::new(1).expect("a level that zstd has");
    bencher.counter(BytesCount::of_slice(&bytes)).bench_local(|| {
        let samples = chunks.iter().flat_map(|chunk| {
            let last = chunk.len().saturating_sub(4096);
            [0, last / 2, last].map(|start| &chunk[start..chunk.len().min(start + 4096)])
        });
        samples.map(|sample| compressor.compress(sample).expect("room for it").len()).sum::<usize>()
    });
}
