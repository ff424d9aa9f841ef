//! BLAKE3 once more, written from its specification (O'Connor, Aumasson, Neves, Wilcox-O'Hearn,
//! "BLAKE3: one function, fast everywhere", 2020) and sharing nothing with the library that the
//! program uses. Slow and plain: it says whether file ids are what everybody else computes.

const IV: [u32; 8] =
    [0x6A09_E667, 0xBB67_AE85, 0x3C6E_F372, 0xA54F_F53A, 0x510E_527F, 0x9B05_688C, 0x1F83_D9AB, 0x5BE0_CD19];
const PERMUTATION: [usize; 16] = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8];
const CHUNK_BYTES: usize = 1024;
const BLOCK_BYTES: usize = 64;
const CHUNK_START: u32 = 1;
const CHUNK_END: u32 = 2;
const PARENT: u32 = 4;
const ROOT: u32 = 8;

fn mix(state: &mut [u32; 16], [a, b, c, d]: [usize; 4], x: u32, y: u32) {
    state[a] = state[a].wrapping_add(state[b]).wrapping_add(x);
    state[d] = (state[d] ^ state[a]).rotate_right(16);
    state[c] = state[c].wrapping_add(state[d]);
    state[b] = (state[b] ^ state[c]).rotate_right(12);
    state[a] = state[a].wrapping_add(state[b]).wrapping_add(y);
    state[d] = (state[d] ^ state[a]).rotate_right(8);
    state[c] = state[c].wrapping_add(state[d]);
    state[b] = (state[b] ^ state[c]).rotate_right(7);
}

/// The compression function, cut to its first eight words: all that a hash of 256 bits needs.
fn compress(
    chaining: &[u32; 8],
    block: &[u8; BLOCK_BYTES],
    counter: u64,
    length: u32,
    flags: u32,
) -> [u32; 8] {
    let mut message: [u32; 16] = std::array::from_fn(|index| {
        u32::from_le_bytes([
            block[4 * index],
            block[4 * index + 1],
            block[4 * index + 2],
            block[4 * index + 3],
        ])
    });
    let mut state = [0u32; 16];
    state[..8].copy_from_slice(chaining);
    state[8..12].copy_from_slice(&IV[..4]);
    state[12..].copy_from_slice(&[counter as u32, (counter >> 32) as u32, length, flags]);
    for round in 0..7 {
        if round > 0 {
            message = PERMUTATION.map(|from| message[from]);
        }
        for column in 0..4 {
            let places = [column, 4 + column, 8 + column, 12 + column];
            mix(&mut state, places, message[2 * column], message[2 * column + 1]);
        }
        for diagonal in 0..4 {
            let places = [diagonal, 4 + (diagonal + 1) % 4, 8 + (diagonal + 2) % 4, 12 + (diagonal + 3) % 4];
            mix(&mut state, places, message[8 + 2 * diagonal], message[9 + 2 * diagonal]);
        }
    }
    std::array::from_fn(|index| state[index] ^ state[index + 8])
}

fn chunk(bytes: &[u8], counter: u64, root: u32) -> [u32; 8] {
    let mut chaining = IV;
    let blocks = bytes.len().div_ceil(BLOCK_BYTES).max(1);
    for index in 0..blocks {
        let part = &bytes[index * BLOCK_BYTES..bytes.len().min((index + 1) * BLOCK_BYTES)];
        let mut block = [0; BLOCK_BYTES];
        block[..part.len()].copy_from_slice(part);
        let mut flags = if index == 0 { CHUNK_START } else { 0 };
        if index + 1 == blocks {
            flags |= CHUNK_END | root;
        }
        chaining = compress(&chaining, &block, counter, part.len() as u32, flags);
    }
    chaining
}

/// The subtree over `bytes`, whose first chunk has this number: the left side is the largest power
/// of two of chunks that leaves something for the right.
fn subtree(bytes: &[u8], counter: u64, root: u32) -> [u32; 8] {
    if bytes.len() <= CHUNK_BYTES {
        return chunk(bytes, counter, root);
    }
    let chunks = bytes.len().div_ceil(CHUNK_BYTES);
    let left_chunks = 1 << (chunks - 1).ilog2();
    let (left, right) = bytes.split_at(left_chunks * CHUNK_BYTES);
    let values = [subtree(left, counter, 0), subtree(right, counter + left_chunks as u64, 0)];
    let mut block = [0; BLOCK_BYTES];
    for (place, word) in block.chunks_exact_mut(4).zip(values.iter().flatten()) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    compress(&IV, &block, 0, BLOCK_BYTES as u32, PARENT | root)
}

/// The hash of some bytes, as `b3sum` prints it.
pub fn blake3_hex(bytes: &[u8]) -> String {
    let words = subtree(bytes, 0, ROOT);
    words.iter().flat_map(|word| word.to_le_bytes()).map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_reference_gives_the_published_vectors() {
    // From the test vectors of the BLAKE3 team: bytes 0, 1, ..., 250, 0, 1, ... of these lengths.
    let vectors = [
        (0, "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"),
        (1, "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213"),
        (1024, "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7"),
        (1025, "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444"),
        (2049, "5f4d72f40d7a5f82b15ca2b2e44b1de3c2ef86c426c95c1af0b6879522563030"),
        (102_400, "bc3e3d41a1146b069abffad3c0d44860cf664390afce4d9661f7902e7943e085"),
    ];
    for (length, expected) in vectors {
        let bytes: Vec<u8> = (0..length).map(|index| (index % 251) as u8).collect();
        assert_eq!(blake3_hex(&bytes), expected, "{length} bytes");
    }
}
