//! The documents of a first start, and the blank ones of which people make new files: made by us, small, and true to
//! their formats (ECMA-376 for docx, xlsx, pptx; ISO/IEC 26300 for odt).
//!
//! They are written here as text instead of being kept as binary files, so that a change of their words can be read in a
//! diff. A package of these formats is a zip archive; `zip` stores its parts without compressing them.

mod docx;
mod odt;
mod pptx;
mod xlsx;
mod zip;

use std::io::Write;
use std::path::Path;

/// The samples: name and bytes.
fn samples() -> [(&'static str, Vec<u8>); 5] {
    [
        ("report.docx", docx::report()),
        ("budget.xlsx", xlsx::budget()),
        ("slides.pptx", pptx::slides()),
        ("letter.odt", odt::letter()),
        ("readme.txt", README.as_bytes().to_vec()),
    ]
}

/// The blank documents that people begin with: extension without dot, and bytes.
pub fn blanks() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("docx", docx::blank()),
        ("xlsx", xlsx::blank()),
        ("pptx", pptx::blank()),
        ("odt", odt::blank()),
        ("ods", odt::blank_sheet()),
        ("odp", odt::blank_slides()),
        ("txt", Vec::new()),
        ("md", Vec::new()),
    ]
}

/// The name of the sample that the first steps are shown with.
pub const FIRST_SAMPLE: &str = "report.docx";

const README: &str = "\
Welcome to Lectern.

This folder was made because there was none yet. Its files are ordinary files:
put your own documents beside these, and delete these whenever you like.

The folder .lectern holds what Lectern remembers: ids, locks, old versions.
Back it up together with the documents.
";

/// Writes the samples into a folder, without touching anything that is there.
///
/// # Errors
///
/// If one cannot be written; those before it are there then.
pub fn write(folder: &Path) -> std::io::Result<usize> {
    let samples = samples();
    for (name, bytes) in &samples {
        let file = std::fs::OpenOptions::new().write(true).create_new(true).open(folder.join(name));
        match file {
            Ok(mut file) => file.write_all(bytes)?,
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Ok(samples.len())
}

/// Text as it stands in XML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

const XML: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n";

/// The parts that every Office Open XML package has: the types of its parts, and which of them is the document.
fn package(main: &str, main_type: &str, title: &str, parts: &[(&str, &str)]) -> zip::Zip {
    let overrides: String = [(main, main_type)]
        .iter()
        .chain(parts)
        .map(|(path, content_type)| format!("<Override PartName=\"/{path}\" ContentType=\"{content_type}\"/>"))
        .collect();
    let mut zip = zip::Zip::default();
    zip.add(
        "[Content_Types].xml",
        &format!(
            "{XML}<Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\">\
             <Default Extension=\"rels\" ContentType=\"application/vnd.openxmlformats-package.relationships+xml\"/>\
             <Default Extension=\"xml\" ContentType=\"application/xml\"/>\
             <Override PartName=\"/docProps/core.xml\" \
             ContentType=\"application/vnd.openxmlformats-package.core-properties+xml\"/>{overrides}</Types>"
        ),
    );
    zip.add(
        "_rels/.rels",
        &relationships(&[
            ("http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument", main),
            (
                "http://schemas.openxmlformats.org/package/2006/relationships/metadata/core-properties",
                "docProps/core.xml",
            ),
        ]),
    );
    zip.add(
        "docProps/core.xml",
        &format!(
            "{XML}<cp:coreProperties xmlns:cp=\"http://schemas.openxmlformats.org/package/2006/metadata/core-properties\" \
             xmlns:dc=\"http://purl.org/dc/elements/1.1/\"><dc:title>{}</dc:title><dc:creator>Lectern</dc:creator>\
             </cp:coreProperties>",
            escaped(title)
        ),
    );
    zip
}

/// A part that says what belongs to another one: `rId1`, `rId2`, … in this order.
fn relationships(targets: &[(&str, &str)]) -> String {
    let all: String = targets
        .iter()
        .enumerate()
        .map(|(at, (kind, target))| format!("<Relationship Id=\"rId{}\" Type=\"{kind}\" Target=\"{target}\"/>", at + 1))
        .collect();
    format!(
        "{XML}<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\">{all}</Relationships>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_written_once_and_never_over_something() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("budget.xlsx"), "mine").unwrap();
        assert_eq!(write(folder.path()).unwrap(), 5);
        assert_eq!(std::fs::read(folder.path().join("budget.xlsx")).unwrap(), b"mine");
        let report = std::fs::read(folder.path().join(FIRST_SAMPLE)).unwrap();
        write(folder.path()).unwrap();
        assert_eq!(std::fs::read(folder.path().join(FIRST_SAMPLE)).unwrap(), report);
    }

    #[test]
    fn every_part_of_a_package_is_declared_and_every_xml_part_is_closed() {
        let blanks = blanks().into_iter().filter(|(extension, _)| !matches!(*extension, "txt" | "md"));
        for (name, bytes) in samples().into_iter().filter(|(name, _)| *name != "readme.txt").chain(blanks) {
            for (path, part) in zip::entries(&bytes) {
                let text = String::from_utf8(part).unwrap();
                if path == "mimetype" {
                    continue;
                }
                let mut open = Vec::new();
                for tag in text.split('<').skip(1) {
                    let tag = tag.split('>').next().unwrap();
                    let element = tag.split([' ', '/']).find(|part| !part.is_empty()).unwrap_or_default();
                    match tag {
                        _ if tag.starts_with('?') || tag.ends_with('/') => {}
                        _ if tag.starts_with('/') => {
                            assert_eq!(open.pop().as_deref(), Some(&tag[1..]), "{name} {path}");
                        }
                        _ => open.push(element.to_owned()),
                    }
                }
                assert!(open.is_empty(), "{name} {path}: {open:?}");
            }
        }
    }
}
