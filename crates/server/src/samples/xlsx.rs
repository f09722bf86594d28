//! `budget.xlsx`: SpreadsheetML, ECMA-376 part 1, section 18.

use std::fmt::Write;

use super::{XML, escaped, package, relationships};

const TITLE: &str = "A small budget";

/// What, planned, spent.
const ROWS: [(&str, u32, u32); 5] =
    [("Rent", 1200, 1200), ("Paper and ink", 80, 95), ("Travel", 400, 310), ("Coffee", 60, 88), ("Server", 45, 45)];

pub(super) fn budget() -> Vec<u8> {
    workbook(TITLE, "Budget", &sheet())
}

/// One empty sheet.
pub(super) fn blank() -> Vec<u8> {
    workbook("", "1", &format!("{XML}<worksheet xmlns=\"{NAMESPACE}\"><sheetData/></worksheet>"))
}

fn workbook(title: &str, sheet_name: &str, sheet: &str) -> Vec<u8> {
    const SHEET: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml";
    const RELATIONSHIP: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let mut zip = package(
        "xl/workbook.xml",
        &format!("{SHEET}.sheet.main+xml"),
        title,
        &[
            ("xl/worksheets/sheet1.xml", &format!("{SHEET}.worksheet+xml")),
            ("xl/styles.xml", &format!("{SHEET}.styles+xml")),
        ],
    );
    zip.add(
        "xl/workbook.xml",
        &format!(
            "{XML}<workbook xmlns=\"{NAMESPACE}\" xmlns:r=\"{RELATIONSHIP}\"><sheets>\
             <sheet name=\"{sheet_name}\" sheetId=\"1\" r:id=\"rId1\"/></sheets><calcPr fullCalcOnLoad=\"1\"/></workbook>"
        ),
    );
    zip.add(
        "xl/_rels/workbook.xml.rels",
        &relationships(&[
            (&format!("{RELATIONSHIP}/worksheet"), "worksheets/sheet1.xml"),
            (&format!("{RELATIONSHIP}/styles"), "styles.xml"),
        ]),
    );
    zip.add("xl/worksheets/sheet1.xml", sheet);
    zip.add("xl/styles.xml", &styles());
    zip.finish()
}

const NAMESPACE: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";

/// Numbers of the cell formats in [`styles`].
const PLAIN: u32 = 0;
const BOLD: u32 = 1;
const MONEY: u32 = 2;
const BOLD_MONEY: u32 = 3;

fn text(cell: &str, format: u32, text: &str) -> String {
    format!("<c r=\"{cell}\" s=\"{format}\" t=\"inlineStr\"><is><t>{}</t></is></c>", escaped(text))
}

fn formula(cell: &str, format: u32, formula: &str, value: i64) -> String {
    format!("<c r=\"{cell}\" s=\"{format}\"><f>{formula}</f><v>{value}</v></c>")
}

fn sheet() -> String {
    let mut rows = format!("<row r=\"1\">{}</row><row r=\"3\">", text("A1", BOLD, TITLE));
    for (column, heading) in [("A", "What"), ("B", "Planned"), ("C", "Spent"), ("D", "Left")] {
        rows += &text(&format!("{column}3"), BOLD, heading);
    }
    rows += "</row>";
    let (first, last) = (4, 3 + ROWS.len());
    for (row, (what, planned, spent)) in (first..).zip(ROWS) {
        let _ = write!(
            rows,
            "<row r=\"{row}\">{}<c r=\"B{row}\" s=\"{MONEY}\"><v>{planned}</v></c>\
             <c r=\"C{row}\" s=\"{MONEY}\"><v>{spent}</v></c>{}</row>",
            text(&format!("A{row}"), PLAIN, what),
            formula(&format!("D{row}"), MONEY, &format!("B{row}-C{row}"), i64::from(planned) - i64::from(spent)),
        );
    }
    let planned: i64 = ROWS.iter().map(|row| i64::from(row.1)).sum();
    let spent: i64 = ROWS.iter().map(|row| i64::from(row.2)).sum();
    let total = last + 1;
    let _ = write!(rows, "<row r=\"{total}\">{}", text(&format!("A{total}"), BOLD, "Together"));
    for (column, value) in [("B", planned), ("C", spent), ("D", planned - spent)] {
        let sum = format!("SUM({column}{first}:{column}{last})");
        rows += &formula(&format!("{column}{total}"), BOLD_MONEY, &sum, value);
    }
    rows += "</row>";
    format!(
        "{XML}<worksheet xmlns=\"{NAMESPACE}\"><cols><col min=\"1\" max=\"1\" width=\"22\" customWidth=\"1\"/>\
         <col min=\"2\" max=\"4\" width=\"14\" customWidth=\"1\"/></cols><sheetData>{rows}</sheetData></worksheet>"
    )
}

fn styles() -> String {
    let cell = |font: u32, number: u32| {
        format!(
            "<xf numFmtId=\"{number}\" fontId=\"{font}\" fillId=\"0\" borderId=\"0\" xfId=\"0\" applyFont=\"1\" applyNumberFormat=\"1\"/>"
        )
    };
    format!(
        "{XML}<styleSheet xmlns=\"{NAMESPACE}\"><fonts count=\"2\"><font><sz val=\"11\"/><name val=\"Calibri\"/></font>\
         <font><b/><sz val=\"11\"/><name val=\"Calibri\"/></font></fonts><fills count=\"2\">\
         <fill><patternFill patternType=\"none\"/></fill><fill><patternFill patternType=\"gray125\"/></fill></fills>\
         <borders count=\"1\"><border><left/><right/><top/><bottom/><diagonal/></border></borders><cellStyleXfs count=\"1\">\
         <xf numFmtId=\"0\" fontId=\"0\" fillId=\"0\" borderId=\"0\"/></cellStyleXfs><cellXfs count=\"4\">{}{}{}{}</cellXfs>\
         <cellStyles count=\"1\"><cellStyle name=\"Normal\" xfId=\"0\" builtinId=\"0\"/></cellStyles></styleSheet>",
        cell(0, 0),
        cell(1, 0),
        cell(0, 4),
        cell(1, 4),
    )
}
