//! What the reports of several runs of the official cases amount to.
//!
//! No single configuration can pass all cases: some need the opposite of others. So a case must pass in at least one,
//! and must fail in none.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use serde_json::Value;

/// The categories that must be passed.
pub(crate) const REQUIRED: [&str; 4] = ["WopiCore", "OfficeOnline", "OfficeNativeClient", "WopiCoauth"];

/// How a case ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Status {
    /// All answers were right.
    Pass,
    /// One was not.
    Fail,
    /// A prerequisite did not hold.
    Skip,
}

/// One case in one run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Case {
    pub(crate) group: String,
    pub(crate) name: String,
    pub(crate) category: String,
    pub(crate) status: Status,
    pub(crate) reason: String,
}

/// One run of all cases.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Report {
    pub(crate) configuration: String,
    pub(crate) cases: Vec<Case>,
}

impl Report {
    /// The report that the runner wrote.
    ///
    /// # Errors
    ///
    /// Says what is missing in it. A report without cases is none.
    pub(crate) fn parse(configuration: &str, json: &str) -> anyhow::Result<Self> {
        let list: Value = serde_json::from_str(json).context("the report is no JSON")?;
        let case = |value: &Value| {
            let text = |field: &str| value[field].as_str().map(str::to_owned);
            let status = match value["status"].as_str()? {
                "PASS" => Status::Pass,
                "FAIL" => Status::Fail,
                "SKIP" => Status::Skip,
                _ => return None,
            };
            let reason = text("reason").unwrap_or_default();
            Some(Case { group: text("group")?, name: text("name")?, category: text("category")?, status, reason })
        };
        let cases: Option<Vec<Case>> = list.as_array().and_then(|list| list.iter().map(case).collect());
        let cases = cases.context("the report is no list of cases")?;
        ensure!(!cases.is_empty(), "the report has no cases");
        Ok(Self { configuration: configuration.to_owned(), cases })
    }

    /// The line with the numbers, as the runner prints it.
    pub(crate) fn total(&self) -> String {
        let count = |wanted| self.cases.iter().filter(|case| case.status == wanted).count();
        format!(
            "TOTAL {}: {} passed, {} failed, {} skipped ({})",
            self.cases.len(),
            count(Status::Pass),
            count(Status::Fail),
            count(Status::Skip),
            self.configuration
        )
    }
}

/// What a person wants to read at the end, and whether it is good.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Verdict {
    pub(crate) lines: Vec<String>,
    pub(crate) good: bool,
}

/// The verdict over runs in several configurations.
pub(crate) fn verdict(reports: &[Report]) -> Verdict {
    let mut lines: Vec<String> = reports.iter().map(Report::total).collect();
    let mut good = !reports.is_empty();
    for category in REQUIRED {
        let cases = by_case(reports, |case| case.category == category);
        let passed = cases.values().filter(|runs| passes_somewhere(runs)).count();
        good &= !cases.is_empty();
        lines.push(format!("{category}: {passed} of {} cases pass", cases.len()));
        for ((group, name), runs) in cases.iter().filter(|(_, runs)| !passes_somewhere(runs)) {
            good = false;
            let reason = runs.first().map_or("", |(_, case)| case.reason.as_str());
            lines.push(format!("  never passed: {group} {name}: {reason}"));
        }
    }
    for report in reports {
        for case in report.cases.iter().filter(|case| case.status == Status::Fail) {
            good = false;
            let Case { group, name, reason, .. } = case;
            lines.push(format!("  failed ({}): {group} {name}: {reason}", report.configuration));
        }
    }
    lines.push((if good { "official cases: all good" } else { "official cases: NOT good" }).to_owned());
    Verdict { lines, good }
}

/// The groups of what every host has to do; the rest is optional in WOPI, and an example may leave it out.
const CLASSIC: [&str; 9] = [
    "BaseWopiViewing",
    "CheckFileInfoSchema",
    "EditFlows",
    "ExtendedLockLength",
    "FileVersion",
    "GetLock",
    "Locks",
    "ProofKeys",
    "PutRelativeFile",
];

/// The verdict over one run against the example host: no case fails, and those of [`CLASSIC`] pass.
pub(crate) fn example_verdict(report: &Report) -> Verdict {
    let mut lines = vec![report.total()];
    let failed = report.cases.iter().filter(|case| case.status == Status::Fail);
    lines.extend(failed.map(|case| format!("  failed: {} {}: {}", case.group, case.name, case.reason)));
    let classic = report.cases.iter().filter(|case| CLASSIC.contains(&case.group.as_str()));
    let skipped = classic.clone().filter(|case| case.status == Status::Skip);
    lines.extend(skipped.map(|case| format!("  skipped: {} {}: {}", case.group, case.name, case.reason)));
    let good = lines.len() == 1 && CLASSIC.iter().all(|group| classic.clone().any(|case| case.group == *group));
    lines.push(format!("the example host: {}", if good { "all good" } else { "NOT good" }));
    Verdict { lines, good }
}

type Runs<'r> = Vec<(&'r str, &'r Case)>;

fn by_case(reports: &[Report], wanted: impl Fn(&Case) -> bool) -> BTreeMap<(&str, &str), Runs<'_>> {
    let mut cases: BTreeMap<_, Runs<'_>> = BTreeMap::new();
    for report in reports {
        for case in report.cases.iter().filter(|case| wanted(case)) {
            let key = (case.group.as_str(), case.name.as_str());
            cases.entry(key).or_default().push((&report.configuration, case));
        }
    }
    cases
}

fn passes_somewhere(runs: &Runs<'_>) -> bool {
    runs.iter().any(|(_, case)| case.status == Status::Pass)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Status::{Fail, Pass, Skip};

    fn report(configuration: &str, cases: &[(&str, &str, Status)]) -> Report {
        let case = |(name, category, status): &(&str, &str, Status)| Case {
            group: "Group".to_owned(),
            name: (*name).to_owned(),
            category: (*category).to_owned(),
            status: *status,
            reason: "because".to_owned(),
        };
        Report { configuration: configuration.to_owned(), cases: cases.iter().map(case).collect() }
    }

    /// One passing case in each required category, and `more`.
    fn with(configuration: &str, more: &[(&str, &str, Status)]) -> Report {
        let mut cases: Vec<_> = REQUIRED.iter().map(|category| (*category, *category, Pass)).collect();
        cases.extend_from_slice(more);
        report(configuration, &cases)
    }

    #[test]
    fn a_case_has_to_pass_somewhere_and_to_fail_nowhere() {
        for (what, good, reports) in [
            ("all pass", true, vec![with("a", &[("x", "WopiCore", Pass)])]),
            ("passes in one", true, vec![with("a", &[("x", "WopiCore", Skip)]), with("b", &[("x", "WopiCore", Pass)])]),
            ("skipped everywhere", false, vec![with("a", &[("x", "WopiCore", Skip)])]),
            ("fails in one", false, vec![with("a", &[("x", "WopiCore", Pass)]), with("b", &[("x", "WopiCore", Fail)])]),
            ("coauth skipped", false, vec![with("a", &[("x", "WopiCoauth", Skip)])]),
            ("a category without cases", false, vec![report("a", &[("x", "WopiCore", Pass)])]),
            ("no run", false, vec![]),
        ] {
            assert_eq!(verdict(&reports).good, good, "{what}: {:?}", verdict(&reports).lines);
        }
    }

    #[test]
    fn the_lines_say_what_is_wrong_and_where() {
        let lines = verdict(&[with("containers off", &[("x", "WopiCore", Fail), ("y", "WopiCoauth", Skip)])]).lines;
        assert_eq!(lines[0], "TOTAL 6: 4 passed, 1 failed, 1 skipped (containers off)");
        for line in [
            "WopiCore: 1 of 2 cases pass",
            "  never passed: Group x: because",
            "WopiCoauth: 1 of 2 cases pass",
            "  never passed: Group y: because",
            "  failed (containers off): Group x: because",
            "official cases: NOT good",
        ] {
            assert!(lines.contains(&line.to_owned()), "{line:?} is missing in {lines:?}");
        }
    }

    #[test]
    fn the_example_must_pass_what_every_host_has_to_do() {
        let mut report = with("the example", &[]);
        report.cases.clear();
        assert!(!example_verdict(&report).good);
        for group in CLASSIC {
            let case = Case {
                group: group.to_owned(),
                name: "x".to_owned(),
                category: "WopiCore".to_owned(),
                status: Pass,
                reason: String::new(),
            };
            report.cases.push(case);
        }
        assert!(example_verdict(&report).good);
        report.cases.push(Case { group: "Ecosystem".to_owned(), status: Skip, ..report.cases[0].clone() });
        assert!(example_verdict(&report).good, "what is optional may be skipped");
        for status in [Skip, Fail] {
            report.cases[0].status = status;
            assert!(!example_verdict(&report).good);
        }
    }

    #[test]
    fn a_report_is_read_whole_or_not_at_all() {
        let good = r#"[{"status":"PASS","group":"G","name":"N","category":"WopiCore","reason":""}]"#;
        assert_eq!(Report::parse("c", good).unwrap().cases.len(), 1);
        for bad in
            ["", "[]", "{}", r#"[{"status":"MAYBE","group":"G","name":"N","category":"C"}]"#, r#"[{"status":"PASS"}]"#]
        {
            assert!(Report::parse("c", bad).is_err(), "{bad}");
        }
    }
}
