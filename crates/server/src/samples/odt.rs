//! `letter.odt` and the blank OpenDocument files: text, spreadsheet, presentation (ISO/IEC 26300).

use super::escaped;
use super::zip::Zip;

const TITLE: &str = "A letter";
const XML: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

/// Style and text of each paragraph.
const PARAGRAPHS: [(&str, &str); 6] = [
    ("Title", TITLE),
    ("Standard", "Dear reader,"),
    (
        "Standard",
        "this letter is an OpenDocument file. Collabora Online and every LibreOffice read and write this format as their \
         own, so it loses nothing on its way through them.",
    ),
    ("Standard", "Write your answer below these lines and save. The letter you read now stays as a version."),
    ("Standard", "Yours sincerely"),
    ("Standard", "Lectern"),
];

pub(super) fn letter() -> Vec<u8> {
    text(TITLE, &PARAGRAPHS)
}

/// One empty paragraph.
pub(super) fn blank() -> Vec<u8> {
    text("", &[("Standard", "")])
}

/// A spreadsheet with one empty table.
pub(super) fn blank_sheet() -> Vec<u8> {
    let table = "<office:spreadsheet><table:table table:name=\"1\"><table:table-column/><table:table-row>\
                 <table:table-cell/></table:table-row></table:table></office:spreadsheet>";
    package("application/vnd.oasis.opendocument.spreadsheet", "", table, &styles(21, 29.7))
}

/// A presentation with one empty page.
pub(super) fn blank_slides() -> Vec<u8> {
    let page = "<office:presentation><draw:page draw:name=\"1\" draw:master-page-name=\"Standard\"/>\
                </office:presentation>";
    package("application/vnd.oasis.opendocument.presentation", "", page, &styles(28, 15.75))
}

fn text(title: &str, paragraphs: &[(&str, &str)]) -> Vec<u8> {
    let paragraphs: String = paragraphs
        .iter()
        .map(|(style, text)| format!("<text:p text:style-name=\"{style}\">{}</text:p>", escaped(text)))
        .collect();
    package(
        "application/vnd.oasis.opendocument.text",
        title,
        &format!("<office:text>{paragraphs}</office:text>"),
        &styles(21, 29.7),
    )
}

fn package(mime_type: &str, title: &str, body: &str, styles: &str) -> Vec<u8> {
    let mut zip = Zip::default();
    // First and uncompressed, so that the type can be read at a fixed place (part 2, section 3.3).
    zip.add("mimetype", mime_type);
    zip.add(
        "content.xml",
        &format!(
            "{XML}<office:document-content {NAMESPACES} office:version=\"1.2\"><office:body>{body}</office:body>\
             </office:document-content>"
        ),
    );
    zip.add("styles.xml", styles);
    zip.add(
        "meta.xml",
        &format!(
            "{XML}<office:document-meta {NAMESPACES} office:version=\"1.2\"><office:meta>\
             <meta:generator>Lectern</meta:generator><dc:title>{}</dc:title></office:meta></office:document-meta>",
            escaped(title)
        ),
    );
    let entry = |path: &str, media_type: &str| {
        format!("<manifest:file-entry manifest:full-path=\"{path}\" manifest:media-type=\"{media_type}\"/>")
    };
    zip.add(
        "META-INF/manifest.xml",
        &format!(
            "{XML}<manifest:manifest xmlns:manifest=\"urn:oasis:names:tc:opendocument:xmlns:manifest:1.0\" \
             manifest:version=\"1.2\">{}{}{}{}</manifest:manifest>",
            entry("/", mime_type),
            entry("content.xml", "text/xml"),
            entry("styles.xml", "text/xml"),
            entry("meta.xml", "text/xml"),
        ),
    );
    zip.finish()
}

const NAMESPACES: &str = "xmlns:office=\"urn:oasis:names:tc:opendocument:xmlns:office:1.0\" \
                          xmlns:text=\"urn:oasis:names:tc:opendocument:xmlns:text:1.0\" \
                          xmlns:table=\"urn:oasis:names:tc:opendocument:xmlns:table:1.0\" \
                          xmlns:draw=\"urn:oasis:names:tc:opendocument:xmlns:drawing:1.0\" \
                          xmlns:style=\"urn:oasis:names:tc:opendocument:xmlns:style:1.0\" \
                          xmlns:fo=\"urn:oasis:names:tc:opendocument:xmlns:xsl-fo-compatible:1.0\" \
                          xmlns:meta=\"urn:oasis:names:tc:opendocument:xmlns:meta:1.0\" \
                          xmlns:dc=\"http://purl.org/dc/elements/1.1/\"";

/// Width and height of a page in centimetres.
fn styles(width: u32, height: f32) -> String {
    format!(
        "{XML}<office:document-styles {NAMESPACES} office:version=\"1.2\"><office:styles>\
         <style:style style:name=\"Standard\" style:family=\"paragraph\" style:class=\"text\">\
         <style:paragraph-properties fo:margin-bottom=\"0.3cm\" fo:line-height=\"115%\"/>\
         <style:text-properties fo:font-size=\"11pt\" fo:language=\"en\" fo:country=\"GB\"/></style:style>\
         <style:style style:name=\"Title\" style:family=\"paragraph\" style:parent-style-name=\"Standard\">\
         <style:paragraph-properties fo:margin-bottom=\"0.6cm\"/>\
         <style:text-properties fo:font-size=\"22pt\" fo:font-weight=\"bold\"/></style:style></office:styles>\
         <office:automatic-styles><style:page-layout style:name=\"Page\"><style:page-layout-properties \
         fo:page-width=\"{width}cm\" fo:page-height=\"{height}cm\" fo:margin=\"2.5cm\"/></style:page-layout></office:automatic-styles>\
         <office:master-styles><style:master-page style:name=\"Standard\" style:page-layout-name=\"Page\"/>\
         </office:master-styles></office:document-styles>"
    )
}
