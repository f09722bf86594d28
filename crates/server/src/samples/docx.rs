//! `report.docx`: WordprocessingML, ECMA-376 part 1, section 17.

use super::{XML, escaped, package, relationships};

const TITLE: &str = "A report to try things with";

/// Style and text of each paragraph.
const PARAGRAPHS: [(&str, &str); 9] = [
    ("Title", TITLE),
    (
        "Normal",
        "This document was made by Lectern for its first start. Open it in your office server, change it, save it.",
    ),
    ("Heading1", "What happens when you save"),
    (
        "Normal",
        "Your office server locks the file, sends the new bytes, and lets the lock go. Lectern puts them in place of the \
         old ones in a single step: whoever opens the file sees all of the old document or all of the new one.",
    ),
    ("Normal", "The old bytes are not gone. They are a version now: lectern versions report.docx lists them."),
    ("Heading1", "What happens when two people edit"),
    (
        "Normal",
        "In one office server they edit together. With two different programs the second one is told that the file is \
         held; if it sends a save all the same, Lectern keeps those bytes as a rescued save.",
    ),
    ("Heading1", "What this file is"),
    ("Normal", "An ordinary file in an ordinary folder. Copy it, mail it, delete it: it is yours."),
];

pub(super) fn report() -> Vec<u8> {
    document(TITLE, &PARAGRAPHS)
}

/// One empty paragraph.
pub(super) fn blank() -> Vec<u8> {
    document("", &[("Normal", "")])
}

fn document(title: &str, paragraphs: &[(&str, &str)]) -> Vec<u8> {
    let paragraphs: String = paragraphs
        .iter()
        .map(|(style, text)| {
            format!(
                "<w:p><w:pPr><w:pStyle w:val=\"{style}\"/></w:pPr><w:r><w:t xml:space=\"preserve\">{}</w:t></w:r></w:p>",
                escaped(text)
            )
        })
        .collect();
    let mut zip = package(
        "word/document.xml",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml",
        title,
        &[("word/styles.xml", "application/vnd.openxmlformats-officedocument.wordprocessingml.styles+xml")],
    );
    zip.add(
        "word/document.xml",
        &format!(
            "{XML}<w:document xmlns:w=\"{NAMESPACE}\"><w:body>{paragraphs}<w:sectPr><w:pgSz w:w=\"11906\" w:h=\"16838\"/>\
             <w:pgMar w:top=\"1418\" w:right=\"1418\" w:bottom=\"1418\" w:left=\"1418\" w:header=\"709\" w:footer=\"709\" \
             w:gutter=\"0\"/></w:sectPr></w:body></w:document>"
        ),
    );
    zip.add(
        "word/_rels/document.xml.rels",
        &relationships(&[("http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles", "styles.xml")]),
    );
    zip.add("word/styles.xml", &styles());
    zip.finish()
}

const NAMESPACE: &str = "http://schemas.openxmlformats.org/wordprocessingml/2006/main";

/// Font size in half points, space before and after in twentieths of a point.
fn styles() -> String {
    let paragraph = |id: &str, name: &str, size: u32, before: u32, after: u32, extra: &str| {
        let (default, based_on) = match id {
            "Normal" => (" w:default=\"1\"", ""),
            _ => ("", "<w:basedOn w:val=\"Normal\"/><w:next w:val=\"Normal\"/>"),
        };
        format!(
            "<w:style w:type=\"paragraph\" w:styleId=\"{id}\"{default}><w:name w:val=\"{name}\"/>{based_on}<w:qFormat/>\
             <w:pPr><w:spacing w:before=\"{before}\" w:after=\"{after}\" w:line=\"276\" w:lineRule=\"auto\"/>{extra}</w:pPr>\
             <w:rPr>{}<w:sz w:val=\"{size}\"/></w:rPr></w:style>",
            if id == "Normal" { "" } else { "<w:b/><w:color w:val=\"1F3864\"/>" }
        )
    };
    format!(
        "{XML}<w:styles xmlns:w=\"{NAMESPACE}\"><w:docDefaults><w:rPrDefault><w:rPr>\
         <w:rFonts w:ascii=\"Calibri\" w:hAnsi=\"Calibri\" w:cs=\"Calibri\"/><w:lang w:val=\"en-GB\"/></w:rPr></w:rPrDefault>\
         </w:docDefaults>{}{}{}</w:styles>",
        paragraph("Normal", "Normal", 22, 0, 160, ""),
        paragraph("Title", "Title", 48, 0, 240, ""),
        paragraph("Heading1", "heading 1", 28, 240, 120, "<w:outlineLvl w:val=\"0\"/>"),
    )
}
