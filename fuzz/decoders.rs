//! Every decoder of the program behind one entrance: the first byte of an input chooses it, or
//! `PENT_FUZZ` does by a part of its name.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pentimento::fuzz::{Target, judge, targets};
use std::path::Path;
use std::sync::LazyLock;

static CHOSEN: LazyLock<Vec<&'static Target>> = LazyLock::new(|| {
    let wanted = std::env::var("PENT_FUZZ").unwrap_or_default();
    targets().filter(|target| target.name.contains(&wanted)).take(256).collect()
});

/// Puts the seeds of all chosen decoders where libFuzzer looks for inputs.
fn write_seeds() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/decoders");
    std::fs::create_dir_all(&corpus).expect("a folder for the corpus");
    for (number, target) in (0u8..).zip(CHOSEN.iter()) {
        for (index, seed) in (target.seeds)().into_iter().enumerate() {
            let bytes = [&[number], seed.as_slice()].concat();
            std::fs::write(corpus.join(format!("seed-{number}-{index}")), bytes).expect("a written seed");
        }
    }
}

fn check(target: &Target, bytes: &[u8]) {
    if let Err(wrong) = judge(target, bytes) {
        panic!("{}: {wrong}", target.name);
    }
}

fuzz_target!(
    init: write_seeds(),
    |bytes: &[u8]| {
        let Some((first, rest)) = bytes.split_first() else { return };
        let Some(target) = CHOSEN.get(usize::from(*first) % CHOSEN.len().max(1)) else { return };
        check(target, rest);
        if let Some(mend) = target.mend {
            let mut mended = rest.to_vec();
            mend(&mut mended);
            check(target, &mended);
        }
    }
);
