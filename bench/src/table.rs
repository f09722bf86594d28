//! Medians, ratios, budgets, and how they are printed.

use std::fmt;

/// What a number counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unit {
    /// Requests or operations per second: more is better.
    PerSecond,
    /// Bytes per second: more is better.
    BytesPerSecond,
    /// Milliseconds: less is better.
    Milliseconds,
    /// Bytes: less is better.
    Bytes,
}

/// How far one side may be from the other.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Budget {
    /// Lectern's number is at least so many times the baseline's.
    AtLeast(f64),
    /// Lectern's number is at most so many times the baseline's.
    AtMost(f64),
    /// The project set none: the numbers are for people.
    None,
}

/// One line: some work, both medians, the budget.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Row {
    pub(crate) work: String,
    pub(crate) unit: Unit,
    pub(crate) lectern: f64,
    pub(crate) baseline: f64,
    /// What the baseline is.
    pub(crate) against: String,
    pub(crate) budget: Budget,
}

impl Row {
    /// Lectern's number, in baselines.
    pub(crate) fn ratio(&self) -> f64 {
        self.lectern / self.baseline
    }

    /// Whether the budget is kept.
    pub(crate) fn is_ok(&self) -> bool {
        match self.budget {
            Budget::AtLeast(bound) => self.ratio() >= bound,
            Budget::AtMost(bound) => self.ratio() <= bound,
            Budget::None => true,
        }
    }
}

/// The whole run.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Table {
    pub(crate) rows: Vec<Row>,
    /// What was not measured, and why.
    pub(crate) missing: Vec<String>,
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut cells = vec![["work", "lectern", "baseline", "ratio", "budget", "ok"].map(str::to_owned)];
        for row in &self.rows {
            let budget = match row.budget {
                Budget::AtLeast(bound) => format!("≥ {bound}"),
                Budget::AtMost(bound) => format!("≤ {bound}"),
                Budget::None => "–".to_owned(),
            };
            cells.push([
                row.work.clone(),
                shown(row.lectern, row.unit),
                format!("{} ({})", shown(row.baseline, row.unit), row.against),
                shown_ratio(row.ratio()),
                budget,
                (if row.budget == Budget::None {
                    "–"
                } else if row.is_ok() {
                    "yes"
                } else {
                    "NO"
                })
                .to_owned(),
            ]);
        }
        let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: [usize; 6] = std::array::from_fn(width);
        for (number, row) in cells.iter().enumerate() {
            let padded: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            writeln!(f, "| {} |", padded.join(" | "))?;
            if number == 0 {
                writeln!(f, "|{}|", widths.map(|width| "-".repeat(width + 2)).join("|"))?;
            }
        }
        for missing in &self.missing {
            writeln!(f, "not measured: {missing}")?;
        }
        let with_budget = self.rows.iter().filter(|row| row.budget != Budget::None);
        let kept = with_budget.clone().filter(|row| row.is_ok()).count();
        write!(f, "{kept} of {} budgets kept", with_budget.count())
    }
}

fn shown(number: f64, unit: Unit) -> String {
    match unit {
        Unit::PerSecond => format!("{number:.0}/s"),
        Unit::BytesPerSecond => format!("{:.0} MB/s", number / 1e6),
        Unit::Milliseconds => format!("{number:.2} ms"),
        Unit::Bytes if number < f64::from(1 << 20) => format!("{:.1} KiB", number / 1024.0),
        Unit::Bytes => format!("{:.1} MiB", number / f64::from(1 << 20)),
    }
}

/// Two figures behind the point, and two that say something where there are only zeros.
fn shown_ratio(ratio: f64) -> String {
    if ratio < 0.01 { format!("{ratio:.4}") } else { format!("{ratio:.2}") }
}

/// The middle one; of an even count the mean of the middle two. 0 of none.
pub(crate) fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    match numbers.len() {
        0 => 0.0,
        count if count % 2 == 1 => numbers[middle],
        _ => f64::midpoint(numbers[middle - 1], numbers[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one() {
        for (numbers, expected) in
            [(vec![], 0.0), (vec![7.0], 7.0), (vec![9.0, 1.0, 2.0], 2.0), (vec![4.0, 1.0, 2.0, 100.0], 3.0)]
        {
            assert_eq!(median(numbers.clone()), expected, "{numbers:?}");
        }
    }

    #[test]
    fn a_budget_is_kept_on_its_edge_and_broken_past_it() {
        let row = |lectern, budget| Row {
            work: "work".to_owned(),
            unit: Unit::PerSecond,
            lectern,
            baseline: 100.0,
            against: "axum".to_owned(),
            budget,
        };
        assert!(row(50.0, Budget::AtLeast(0.5)).is_ok() && !row(49.9, Budget::AtLeast(0.5)).is_ok());
        assert!(row(120.0, Budget::AtMost(1.2)).is_ok() && !row(120.1, Budget::AtMost(1.2)).is_ok());
    }

    #[test]
    fn the_table_is_one_that_can_be_read() {
        let row = Row {
            work: "CheckFileInfo".to_owned(),
            unit: Unit::PerSecond,
            lectern: 12_000.4,
            baseline: 20_000.0,
            against: "bare axum".to_owned(),
            budget: Budget::AtLeast(0.5),
        };
        let slow =
            Row { work: "GetFile".to_owned(), unit: Unit::BytesPerSecond, lectern: 8e8, baseline: 2e9, ..row.clone() };
        assert_eq!((shown_ratio(0.00174), shown_ratio(0.017)), ("0.0017".to_owned(), "0.02".to_owned()));
        assert_eq!(
            (shown(35_000.0, Unit::Bytes), shown(2e7, Unit::Bytes)),
            ("34.2 KiB".to_owned(), "19.1 MiB".to_owned())
        );
        let told = Row { work: "listing".to_owned(), budget: Budget::None, ..row.clone() };
        let table = Table { rows: vec![row, slow, told], missing: vec!["nginx: not installed".to_owned()] };
        let expected = "\
| work          | lectern  | baseline              | ratio | budget | ok  |
|---------------|----------|-----------------------|-------|--------|-----|
| CheckFileInfo | 12000/s  | 20000/s (bare axum)   | 0.60  | ≥ 0.5  | yes |
| GetFile       | 800 MB/s | 2000 MB/s (bare axum) | 0.40  | ≥ 0.5  | NO  |
| listing       | 12000/s  | 20000/s (bare axum)   | 0.60  | –      | –   |
not measured: nginx: not installed
1 of 2 budgets kept";
        assert_eq!(table.to_string(), expected);
    }
}
