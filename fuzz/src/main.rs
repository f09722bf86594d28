//! libFuzzer around the fuzz target that `LECTERN_FUZZ_TARGET` names. `cargo xtask fuzz` starts it.
#![no_main]

use std::sync::LazyLock;

use lectern_fuzz_targets::{TARGETS, Target, target};

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let name = std::env::var("LECTERN_FUZZ_TARGET").unwrap_or_default();
    target(&name).unwrap_or_else(|| {
        let names: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
        panic!("LECTERN_FUZZ_TARGET is {name:?}, which is none of {}", names.join(", "))
    })
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| TARGET(data));
