#![allow(clippy::unwrap_used, clippy::expect_used)]
//! Every saved input of every fuzz target, in an ordinary test: what was found once stays fixed.

use std::path::{Path, PathBuf};

use lectern_fuzz_targets::TARGETS;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus")
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

#[test]
fn every_target_holds_for_every_input_that_was_saved() {
    for (name, target) in TARGETS {
        let inputs = sorted(&corpus().join(name));
        assert!(!inputs.is_empty(), "{name} has no inputs");
        for input in inputs {
            let bytes = std::fs::read(&input).unwrap();
            assert!(
                std::panic::catch_unwind(|| target(&bytes)).is_ok(),
                "{name} does not hold for {}; the panic above says why",
                input.display()
            );
        }
    }
}

#[test]
fn every_folder_of_inputs_has_a_target() {
    let folders = sorted(&corpus());
    let folders: Vec<&str> = folders.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
    let mut names: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    assert_eq!(folders, names);
}
