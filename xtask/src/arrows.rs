//! Which crate may know which. A rule that nothing checks is a wish.
//!
//! [`ALLOWED`] is the list of the architecture; the test below reads what `cargo metadata` says and fails on every
//! arrow that is not in it. It also looks through everything that `wopi` pulls in, because "no I/O, no async runtime" is
//! a promise to those who use it alone.

use std::collections::{BTreeMap, BTreeSet};

/// Each crate of ours with the crates of ours that it may know.
const ALLOWED: &[(&str, &[&str])] = &[
    ("wopi", &[]),
    ("wopi-service", &["wopi"]),
    ("lectern-host", &["wopi-service", "wopi"]),
    ("lectern-registry", &["lectern-host"]),
    ("lectern-contents", &["lectern-host"]),
    ("lectern-accounts", &["lectern-host"]),
    ("lectern-conformance", &["lectern-host"]),
    ("lectern-web", &["lectern-accounts", "lectern-host", "wopi"]),
    (
        "lectern-server",
        &[
            "lectern-web",
            "lectern-accounts",
            "lectern-registry",
            "lectern-contents",
            "lectern-host",
            "wopi-service",
            "wopi",
        ],
    ),
    ("lectern-fuzz-targets", &["lectern-accounts", "lectern-host", "wopi"]),
    ("lectern-bench", &["wopi", "xtask"]),
    ("xtask", &[]),
];

/// The suites: any crate's tests may use them.
const FOR_TESTS: &str = "lectern-conformance";

/// What must not be among the things that `wopi` pulls in: runtimes, web frameworks, databases, clients.
const NOT_IN_WOPI: &[&str] = &[
    "tokio",
    "async-std",
    "smol",
    "mio",
    "axum",
    "hyper",
    "tower",
    "reqwest",
    "rusqlite",
    "sqlx",
    "tokio-postgres",
    "libsqlite3-sys",
];

/// Every arrow that is not allowed, in words. Empty is good.
fn forbidden(metadata: &serde_json::Value) -> Vec<String> {
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let ours = |package: &&serde_json::Value| package["source"].is_null();
    let names: BTreeSet<&str> = packages.iter().filter(ours).filter_map(|package| package["name"].as_str()).collect();
    let mut found = Vec::new();
    for package in packages.iter().filter(ours) {
        let name = package["name"].as_str().unwrap_or_default();
        let Some((_, allowed)) = ALLOWED.iter().find(|(known, _)| *known == name) else {
            found.push(format!("{name} is not in the list of xtask/src/arrows.rs: say there what it may know"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let on = dependency["name"].as_str().unwrap_or_default();
            let in_tests = dependency["kind"] == "dev";
            if names.contains(on) && !allowed.contains(&on) && !(in_tests && on == FOR_TESTS) {
                let whose = if in_tests { "the tests of " } else { "" };
                found.push(format!("{whose}{name} must not know {on}"));
            }
        }
    }
    found.extend(
        pulled_in(metadata, "wopi")
            .intersection(&BTreeSet::from_iter(NOT_IN_WOPI.iter().copied()))
            .map(|found| format!("wopi pulls in {found}")),
    );
    found
}

/// The names of all crates that `name` needs when it is used (not when it is built or tested), directly or not.
fn pulled_in<'m>(metadata: &'m serde_json::Value, name: &str) -> BTreeSet<&'m str> {
    let list = |value: &'m serde_json::Value| value.as_array().map(Vec::as_slice).unwrap_or_default();
    let names: BTreeMap<&str, &str> = list(&metadata["packages"])
        .iter()
        .filter_map(|package| Some((package["id"].as_str()?, package["name"].as_str()?)))
        .collect();
    let nodes: BTreeMap<&str, &serde_json::Value> = list(&metadata["resolve"]["nodes"])
        .iter()
        .filter_map(|node| Some((node["id"].as_str()?, &node["deps"])))
        .collect();
    let mut to_do: Vec<&str> = names.iter().filter(|(_, known)| **known == name).map(|(id, _)| *id).collect();
    let mut seen = BTreeSet::new();
    while let Some(id) = to_do.pop() {
        for dependency in nodes.get(id).into_iter().flat_map(|deps| list(deps)) {
            let is_normal = list(&dependency["dep_kinds"]).iter().any(|kind| kind["kind"].is_null());
            if let Some(id) = dependency["pkg"].as_str()
                && is_normal
                && seen.insert(id)
            {
                to_do.push(id);
            }
        }
    }
    seen.into_iter().filter_map(|id| names.get(id).copied()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use xtask::tools;

    fn workspace() -> Value {
        // Only what is built here: Windows' and browsers' parts of a crate are nobody's promise.
        let host = tools::output(std::process::Command::new("rustc").arg("-vV")).unwrap();
        let host = host.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned();
        let arguments = ["metadata", "--format-version", "1", "--locked", "--filter-platform", &host];
        serde_json::from_str(&tools::output(&mut tools::cargo_command(&arguments)).unwrap()).unwrap()
    }

    #[test]
    fn no_crate_knows_one_that_it_must_not_know() {
        let metadata = workspace();
        assert_eq!(forbidden(&metadata), Vec::<String>::new());
        assert!(pulled_in(&metadata, "wopi").contains("http"), "the walk through the tree finds what is there");
        assert!(pulled_in(&metadata, "lectern-server").contains("tokio"), "and what it would complain about");
    }

    #[test]
    fn a_forbidden_arrow_is_found_whatever_kind_it_is() {
        let package = |name: &str, dependencies: Value| json!({"name": name, "id": name, "source": null, "dependencies": dependencies});
        for (dependencies, complaint) in [
            (json!([{"name": "lectern-host", "kind": null}]), Some("wopi must not know lectern-host")),
            (json!([{"name": "lectern-host", "kind": "build"}]), Some("wopi must not know lectern-host")),
            (json!([{"name": "lectern-host", "kind": "dev"}]), Some("the tests of wopi must not know lectern-host")),
            (json!([{"name": "lectern-conformance", "kind": null}]), Some("wopi must not know lectern-conformance")),
            (json!([{"name": "lectern-conformance", "kind": "dev"}]), None),
            (json!([{"name": "http", "kind": null}]), None),
        ] {
            let packages = [
                package("wopi", dependencies.clone()),
                package("lectern-host", json!([{"name": "wopi", "kind": null}])),
                package("lectern-conformance", json!([])),
            ];
            let expected: Vec<String> = complaint.into_iter().map(str::to_owned).collect();
            assert_eq!(forbidden(&json!({ "packages": packages })), expected, "{dependencies}");
        }
    }

    #[test]
    fn a_crate_that_nobody_listed_is_found() {
        let packages = json!([{"name": "lectern-new", "id": "new", "source": null, "dependencies": []}]);
        assert_eq!(forbidden(&json!({ "packages": packages })).len(), 1);
    }

    #[test]
    fn a_runtime_that_wopi_pulls_in_through_others_is_found_and_one_of_its_tests_is_not() {
        let nodes = |kind: Value| {
            json!([
                {"id": "1", "deps": [{"pkg": "2", "dep_kinds": [{"kind": null}]}]},
                {"id": "2", "deps": [{"pkg": "3", "dep_kinds": [{"kind": kind}]}]},
            ])
        };
        let packages = json!([
            {"id": "1", "name": "wopi", "source": null, "dependencies": []},
            {"id": "2", "name": "innocent", "source": "registry", "dependencies": []},
            {"id": "3", "name": "tokio", "source": "registry", "dependencies": []},
        ]);
        for (kind, complaints) in [(json!(null), 1), (json!("dev"), 0)] {
            let metadata = json!({"packages": packages, "resolve": {"nodes": nodes(kind)}});
            assert_eq!(forbidden(&metadata).len(), complaints);
        }
    }
}
