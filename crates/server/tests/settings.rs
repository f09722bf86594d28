#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]
//! Where a setting comes from, as `lectern config show` tells it: with the real environment of a process.

use std::process::Command;

use serde_json::{Value, json};

#[test]
fn a_variable_of_the_environment_is_named_and_a_flag_wins_over_it() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("lectern.toml"), "[server]\nlisten = \"127.0.0.1:1\"\n[log]\nlevel = \"warn\"\n")
        .unwrap();
    let shown = |flags: &[&str]| -> Value {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lectern"));
        command.args(["config", "show", "--json"]).args(flags).current_dir(folder.path()).env_clear();
        let command = command.env("LECTERN_LISTEN", "127.0.0.1:2").env("RUST_LOG", "error");
        let output = command.env("LECTERN_PUBLIC_URL", "https://d.example").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let setting = |shown: &Value, section: &str, name: &str| {
        let sections = shown["sections"].as_array().unwrap();
        let section = sections.iter().find(|known| known["name"] == section).unwrap();
        section["settings"].as_array().unwrap().iter().find(|known| known["name"] == name).unwrap().clone()
    };
    let by_variables = shown(&[]);
    for (section, name, value, origin) in [
        ("server", "listen", "127.0.0.1:2", "LECTERN_LISTEN"),
        ("server", "public_url", "https://d.example", "LECTERN_PUBLIC_URL"),
        ("log", "level", "error", "RUST_LOG"),
    ] {
        let told = json!({ "name": name, "value": value, "from": "variable", "origin": origin });
        assert_eq!(setting(&by_variables, section, name), told);
    }
    let by_flags = shown(&["--listen", "127.0.0.1:3", "--log", "debug"]);
    for (section, name, value, origin) in
        [("server", "listen", "127.0.0.1:3", "--listen"), ("log", "level", "debug", "--log")]
    {
        let told = json!({ "name": name, "value": value, "from": "flag", "origin": origin });
        assert_eq!(setting(&by_flags, section, name), told);
    }
    assert_eq!(setting(&by_flags, "log", "format")["from"], "default");
}
