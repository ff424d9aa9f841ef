//! Cuts files into chunks by content.
//!
//! A chunk ends where a gear hash of the 64 bytes before the cut has certain bits clear, so an
//! edit moves the cuts near it and no others. Chunk sizes are normalised as in FastCDC (Xia et
//! al., USENIX ATC 2016): below the normal size more bits must be clear, above it fewer.
//!
//! The hash restarts 64 bytes before the minimum size of each chunk. It therefore depends on the
//! last 64 bytes alone, and what follows a cut depends on nothing before that cut. Both
//! [`Chunker`], which takes input in slices of any length, and [`CutGuess`], by which segments of one
//! stream are cut at the same time, rest on that.
//! `docs/format/chunks-and-manifests.md` states the rule byte by byte.

use crate::base::codec::{DecodeError, DecodeErrorKind, Decoder};
use gearhash::Hasher;

/// Longest chunk that any chunker may make, in bytes: what a reader has to be ready for.
pub const CHUNK_BYTES_MAX: usize = 4 << 20;
/// Bytes that the rolling hash looks back.
const WINDOW_BYTES: usize = 64;
/// Gear hash with two masks.
const ALGORITHM_GEAR: u8 = 1;
/// Smallest and largest exponent of each parameter.
const EXPONENT_MIN: u8 = 10;
const EXPONENT_MAX: u8 = CHUNK_BYTES_MAX.trailing_zeros() as u8;
/// Largest exponent of the normal size; the strict mask has two bits more, every third from the top.
const NORMAL_EXPONENT_MAX: u8 = 19;
/// By how many bits the masks are stricter below the normal size and looser above it.
const NORMALISATION_BITS: u8 = 2;

/// How files are cut: the algorithm and its sizes, in four bytes.
///
/// A repository's settings and every manifest carry it. A manifest's reader need not know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChunkerId([u8; 4]);

impl ChunkerId {
    /// Length of its encoding in bytes.
    pub const SIZE: usize = 4;

    /// Takes the bytes as they are.
    pub const fn from_bytes(bytes: [u8; 4]) -> Self {
        Self(bytes)
    }

    /// The raw bytes: the algorithm, then the exponents of the least, normal and largest size.
    pub const fn as_bytes(&self) -> &[u8; 4] {
        &self.0
    }
}

/// Sizes of chunks, each a power of two, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChunkerParameters {
    min_exponent: u8,
    normal_exponent: u8,
    max_exponent: u8,
}

impl Default for ChunkerParameters {
    /// 16 KiB, 64 KiB and 256 KiB.
    fn default() -> Self {
        Self { min_exponent: 14, normal_exponent: 16, max_exponent: 18 }
    }
}

impl ChunkerParameters {
    /// Takes sizes in bytes: powers of two from 1 KiB to 4 MiB, each larger than the one before,
    /// with a normal size of at most 512 KiB. Anything else is refused.
    pub fn new(min: usize, normal: usize, max: usize) -> Option<Self> {
        let exponent = |size: usize| size.is_power_of_two().then(|| size.trailing_zeros() as u8);
        Self::from_exponents(exponent(min)?, exponent(normal)?, exponent(max)?)
    }

    fn from_exponents(min: u8, normal: u8, max: u8) -> Option<Self> {
        let rising = min >= EXPONENT_MIN && min < normal && normal < max && max <= EXPONENT_MAX;
        (rising && normal <= NORMAL_EXPONENT_MAX).then_some(Self {
            min_exponent: min,
            normal_exponent: normal,
            max_exponent: max,
        })
    }

    /// No chunk but a file's last is shorter than this many bytes.
    pub const fn min(&self) -> usize {
        1 << self.min_exponent
    }

    /// From this many bytes on cuts become sixteen times as likely.
    pub const fn normal(&self) -> usize {
        1 << self.normal_exponent
    }

    /// No chunk is longer than this many bytes.
    pub const fn max(&self) -> usize {
        1 << self.max_exponent
    }

    /// The four bytes that say all of this.
    pub const fn id(&self) -> ChunkerId {
        ChunkerId([ALGORITHM_GEAR, self.min_exponent, self.normal_exponent, self.max_exponent])
    }

    /// Reads what [`Self::id`] wrote. An algorithm that this program does not know, and sizes that
    /// it would not choose, are errors.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Decoder::new("chunker parameters", bytes);
        input.version(ALGORITHM_GEAR)?;
        let [min, normal, max] = input.array()?;
        let parameters = Self::from_exponents(min, normal, max);
        let parameters = parameters.ok_or_else(|| input.error(DecodeErrorKind::Value))?;
        input.finish()?;
        Ok(parameters)
    }

    /// Bits that must be clear for a cut below the normal size.
    const fn strict_mask(&self) -> u64 {
        spread_mask(self.normal_exponent + NORMALISATION_BITS)
    }

    /// Bits that must be clear for a cut from the normal size on.
    const fn loose_mask(&self) -> u64 {
        spread_mask(self.normal_exponent - NORMALISATION_BITS)
    }
}

/// A mask of `bits` bits, every third from the top: the upper bits of a gear hash depend on more
/// bytes than the lower ones, and bits apart from each other depend less on each other.
const fn spread_mask(bits: u8) -> u64 {
    let mut mask = 0;
    let mut bit = 0;
    while bit < bits {
        mask |= 1 << (63 - 3 * bit);
        bit += 1;
    }
    mask
}

/// Finds the cuts of one stream, however it is sliced.
#[derive(Debug, Clone)]
pub struct Chunker {
    parameters: ChunkerParameters,
    /// Bytes seen since the last cut.
    pending: usize,
    hash: u64,
}

impl Chunker {
    /// Starts at the beginning of a stream.
    pub fn new(parameters: &ChunkerParameters) -> Self {
        Self { parameters: *parameters, pending: 0, hash: 0 }
    }

    /// Bytes taken since the last cut: what the next chunk has so far.
    pub fn pending(&self) -> usize {
        self.pending
    }

    /// Takes bytes up to the next cut.
    ///
    /// Returns how many of them belong to the chunk that ends there; the rest has not been looked
    /// at. `None` means that all of them were taken and the chunk goes on. The end of the stream
    /// ends the last chunk; the caller knows when that is.
    pub fn next_cut(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut taken = self.skip_to_window(bytes.len());
        let parameters = self.parameters;
        let stages = [
            (parameters.min() - 1, 0),
            (parameters.normal() - 1, parameters.strict_mask()),
            (parameters.max(), parameters.loose_mask()),
        ];
        for (until, mask) in stages {
            let rest = &bytes[taken..];
            let stage = &rest[..rest.len().min(until.saturating_sub(self.pending))];
            if let Some(length) = self.scan(stage, mask) {
                return Some(taken + length);
            }
            taken += stage.len();
        }
        (self.pending == parameters.max()).then(|| {
            self.restart();
            taken
        })
    }

    /// Passes over bytes that no hash depends on; returns how many.
    fn skip_to_window(&mut self, available: usize) -> usize {
        let skipped = available.min((self.parameters.min() - WINDOW_BYTES).saturating_sub(self.pending));
        self.pending += skipped;
        skipped
    }

    /// Hashes `bytes` up to a cut under `mask`; a mask of zero never cuts.
    fn scan(&mut self, bytes: &[u8], mask: u64) -> Option<usize> {
        if bytes.is_empty() {
            return None;
        }
        let mut hasher = Hasher::default();
        hasher.set_hash(self.hash);
        let found = if mask == 0 {
            hasher.update(bytes);
            None
        } else {
            hasher.next_match(bytes, mask)
        };
        if found.is_some() {
            self.restart();
        } else {
            self.hash = hasher.get_hash();
            self.pending += bytes.len();
        }
        found
    }

    fn restart(&mut self) {
        self.pending = 0;
        self.hash = 0;
    }

    /// Takes all of `bytes` and returns every cut in them, as offsets into them in rising order.
    pub fn cut_all(&mut self, bytes: &[u8]) -> Vec<usize> {
        let mut cuts = Vec::with_capacity(bytes.len() / self.parameters.normal() + 1);
        let mut at = 0;
        while let Some(length) = self.next_cut(&bytes[at..]) {
            at += length;
            cuts.push(at);
        }
        cuts
    }

    /// Does what [`Self::cut_all`] does, with the help of what [`CutGuess::new`] made of the bytes.
    ///
    /// Bytes are hashed only up to the first true cut that was guessed, some chunks into them as a
    /// rule. In bytes in which there is none, all are hashed once more, and the cuts are as true.
    pub fn cut_all_with(&mut self, bytes: &[u8], guess: CutGuess) -> Vec<usize> {
        if self.pending == 0 {
            *self = guess.end;
            return guess.cuts;
        }
        let mut cuts = Vec::with_capacity(guess.cuts.len() + 1);
        let mut at = 0;
        while let Some(length) = self.next_cut(&bytes[at..]) {
            at += length;
            cuts.push(at);
            if let Ok(met) = guess.cuts.binary_search(&at) {
                cuts.extend_from_slice(&guess.cuts[met + 1..]);
                *self = guess.end;
                break;
            }
        }
        cuts
    }
}

/// The cuts that bytes from the middle of a stream would have if a chunk began with them.
///
/// After the first that is a true cut, all the others are true too: what follows a cut depends on
/// nothing before it. So segments of one stream can be cut at the same time, and
/// [`Chunker::cut_all_with`] joins them.
#[derive(Debug, Clone)]
pub struct CutGuess {
    cuts: Vec<usize>,
    end: Chunker,
}

impl CutGuess {
    /// Cuts one segment.
    pub fn new(parameters: &ChunkerParameters, bytes: &[u8]) -> Self {
        let mut end = Chunker::new(parameters);
        Self { cuts: end.cut_all(bytes), end }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A deterministic stream that anyone can make: BLAKE3's extended output of a seed.
    fn stream(seed: &str, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        blake3::Hasher::new().update(seed.as_bytes()).finalize_xof().fill(&mut bytes);
        bytes
    }

    /// Cuts as several threads would: guesses first, joined from left to right.
    fn cut_in_segments(chunker: &mut Chunker, bytes: &[u8], segment_bytes: usize) -> Vec<usize> {
        let parameters = chunker.parameters;
        let segments = bytes.chunks(segment_bytes);
        let guesses: Vec<_> = segments.clone().map(|segment| CutGuess::new(&parameters, segment)).collect();
        let mut cuts = Vec::new();
        for (index, (segment, guess)) in segments.zip(guesses).enumerate() {
            let start = index * segment_bytes;
            cuts.extend(chunker.cut_all_with(segment, guess).into_iter().map(|cut| start + cut));
        }
        cuts
    }

    fn cuts_of(parameters: &ChunkerParameters, bytes: &[u8]) -> Vec<usize> {
        Chunker::new(parameters).cut_all(bytes)
    }

    /// The rule as the format document states it, byte by byte.
    fn cuts_by_the_book(parameters: &ChunkerParameters, bytes: &[u8]) -> Vec<usize> {
        let mut cuts = vec![];
        let mut start = 0;
        for end in 1..=bytes.len() {
            let length = end - start;
            let window = &bytes[end.saturating_sub(WINDOW_BYTES)..end];
            let hash = window.iter().fold(0u64, |hash, byte| {
                (hash << 1).wrapping_add(gearhash::DEFAULT_TABLE[usize::from(*byte)])
            });
            let mask =
                if length < parameters.normal() { 0x9249_2492_4924_9000 } else { 0x9249_2492_4900_0000 };
            if length == parameters.max() || length >= parameters.min() && hash & mask == 0 {
                cuts.push(end);
                start = end;
            }
        }
        cuts
    }

    /// Bytes in which random stretches, runs and short repetitions alternate.
    fn mixed(pieces: &[(u8, usize, u8)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (kind, length, seed) in pieces {
            match kind % 4 {
                0 => bytes.extend(stream(&format!("piece {seed}"), *length)),
                1 => bytes.resize(bytes.len() + length, *seed),
                2 => bytes.extend(stream(&format!("tile {seed}"), 700).into_iter().cycle().take(*length)),
                _ => bytes.resize(bytes.len() + length, 0),
            }
        }
        bytes
    }

    fn pieces() -> impl Strategy<Value = Vec<u8>> {
        let piece = (any::<u8>(), prop_oneof![0usize..200, 0usize..400_000], any::<u8>());
        proptest::collection::vec(piece, 0..8).prop_map(|pieces| mixed(&pieces))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn cuts_do_not_depend_on_how_the_input_is_sliced(
            bytes in pieces(),
            slices in proptest::collection::vec(prop_oneof![0usize..100, 1usize..300_000], 1..40),
        ) {
            let parameters = ChunkerParameters::default();
            let mut chunker = Chunker::new(&parameters);
            let (mut cuts, mut at, mut turn) = (Vec::new(), 0, 0);
            while at < bytes.len() {
                // One byte more than drawn, so that slices of nothing cannot go on for ever.
                let end = bytes.len().min(at + 1 + slices[turn % slices.len()]);
                cuts.extend(chunker.cut_all(&bytes[at..end]).into_iter().map(|cut| at + cut));
                (at, turn) = (end, turn + 1);
            }
            prop_assert_eq!(cuts, cuts_of(&parameters, &bytes));
        }

        #[test]
        fn cuts_of_segments_cut_apart_are_those_in_sequence(
            bytes in pieces(),
            before in prop_oneof![Just(0usize), 0usize..270_000],
            segment_bytes in prop_oneof![1usize..600_000, Just(65_536), Just(262_144)],
        ) {
            let parameters = ChunkerParameters::default();
            let before = before.min(bytes.len());
            let mut sequential = Chunker::new(&parameters);
            sequential.cut_all(&bytes[..before]);
            let mut parallel = sequential.clone();
            let expected = sequential.cut_all(&bytes[before..]);
            // Segments of a few bytes would make this test slow without testing more.
            let segment_bytes = segment_bytes.max(bytes.len() / 200 + 1);
            prop_assert_eq!(cut_in_segments(&mut parallel, &bytes[before..], segment_bytes), expected);
            prop_assert_eq!((parallel.pending, parallel.hash), (sequential.pending, sequential.hash));
        }

        #[test]
        fn cuts_are_where_the_written_rule_puts_them(bytes in pieces()) {
            let parameters = ChunkerParameters::default();
            prop_assert_eq!(cuts_of(&parameters, &bytes), cuts_by_the_book(&parameters, &bytes));
        }

        #[test]
        fn parameters_that_decode_encode_to_the_same_bytes(bytes in proptest::collection::vec(0u8..24, 0..6)) {
            if let Ok(parameters) = ChunkerParameters::decode(&bytes) {
                let id = parameters.id();
                prop_assert_eq!(id.as_bytes().as_slice(), &bytes[..]);
                prop_assert!(parameters.min() >= 1024 && parameters.max() <= CHUNK_BYTES_MAX);
            }
        }
    }

    #[test]
    fn cut_points_of_a_random_stream_are_frozen() {
        let cuts = cuts_of(&ChunkerParameters::default(), &stream("pentimento golden 1", 1 << 20));
        assert_eq!(
            cuts,
            [
                94_075, 119_255, 195_446, 288_375, 368_758, 405_331, 483_739, 553_005, 633_267, 653_846,
                731_210, 802_995, 839_656, 910_300, 977_656
            ]
        );
        let small = ChunkerParameters::new(2048, 8192, 32_768).expect("valid parameters");
        let cuts = cuts_of(&small, &stream("pentimento golden 2", 100_000));
        assert_eq!(cuts, [8442, 18_813, 27_493, 40_357, 51_493, 61_421, 72_705, 85_396, 94_430]);
    }

    #[test]
    fn cut_points_of_a_large_stream_are_frozen() {
        let cuts = cuts_of(&ChunkerParameters::default(), &stream("pentimento golden 3", 64 << 20));
        let mut hasher = blake3::Hasher::new();
        for cut in &cuts {
            hasher.update(&(*cut as u64).to_le_bytes());
        }
        assert_eq!(cuts.len(), 905);
        assert_eq!(
            hasher.finalize().to_string(),
            "542ddc4c00d44f262cfa7b842794b09e9b136c58435ca22cf6c81547ab99aa7d"
        );
    }

    #[test]
    fn runs_of_one_byte_are_cut_at_the_largest_size_only() {
        let parameters = ChunkerParameters::default();
        for byte in 0..=255 {
            let cuts = cuts_of(&parameters, &vec![byte; parameters.max() * 2 + 1]);
            assert_eq!(cuts, [parameters.max(), parameters.max() * 2], "byte {byte}");
        }
    }

    #[test]
    fn sizes_around_every_limit_are_cut_alike_in_segments() {
        let parameters = ChunkerParameters::default();
        for limit in [64, parameters.min(), parameters.normal(), parameters.max(), 3 * parameters.max()] {
            for length in [limit - 1, limit, limit + 1] {
                for bytes in [stream("limits", length), vec![0; length]] {
                    let expected = cuts_of(&parameters, &bytes);
                    for segment in [parameters.min(), parameters.max() - 1, parameters.max()] {
                        let mut chunker = Chunker::new(&parameters);
                        assert_eq!(cut_in_segments(&mut chunker, &bytes, segment), expected);
                    }
                }
            }
        }
    }

    #[test]
    fn hostile_parameters_are_refused() {
        let id = ChunkerParameters::default().id();
        assert_eq!(id.as_bytes(), &[1, 14, 16, 18]);
        assert_eq!(ChunkerParameters::decode(id.as_bytes()), Ok(ChunkerParameters::default()));
        let refused: [&[u8]; 9] = [
            &[],
            &[2, 14, 16, 18],
            &[1, 9, 16, 18],
            &[1, 16, 16, 18],
            &[1, 14, 18, 18],
            &[1, 14, 16, 23],
            &[1, 14, 20, 21],
            &[1, 14, 16],
            &[1, 14, 16, 18, 0],
        ];
        for bytes in refused {
            assert!(ChunkerParameters::decode(bytes).is_err(), "{bytes:?}");
        }
        assert_eq!(ChunkerParameters::new(16_384, 65_537, 262_144), None);
    }
}
