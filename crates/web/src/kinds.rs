//! What kind of thing a file is, for people: its picture, and how the browser itself can show it.

use lectern_host::wopi::FileName;

/// How a browser shows a file without an office server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Shown {
    /// As text, in our own editor.
    Text,
    /// As an image of this type.
    Image(&'static str),
    /// As a PDF.
    Pdf,
}

/// The extension of a name, lower case, without dot.
pub(crate) fn extension(name: &FileName) -> String {
    name.extension().trim_start_matches('.').to_ascii_lowercase()
}

/// How the browser can show a file with this extension; `None`: not at all.
///
/// The list is of types that browsers show without running what is in them, or for which [`crate::headers`] forbids it
/// (SVG). Nothing else of somebody's is ever sent under a type of its own.
pub(crate) fn shown(extension: &str) -> Option<Shown> {
    Some(match extension {
        "png" => Shown::Image("image/png"),
        "jpg" | "jpeg" => Shown::Image("image/jpeg"),
        "gif" => Shown::Image("image/gif"),
        "webp" => Shown::Image("image/webp"),
        "avif" => Shown::Image("image/avif"),
        "bmp" => Shown::Image("image/bmp"),
        "svg" => Shown::Image("image/svg+xml"),
        "pdf" => Shown::Pdf,
        "txt" | "text" | "md" | "markdown" | "csv" | "tsv" | "json" | "log" | "xml" | "html" | "htm" | "css" | "js"
        | "yaml" | "yml" | "toml" | "ini" | "conf" | "sh" | "py" | "rs" | "c" | "h" | "java" | "sql" | "tex"
        | "srt" | "ics" | "vcf" => Shown::Text,
        _ => return None,
    })
}

/// The icon of a file with this extension.
pub(crate) fn icon(extension: &str) -> &'static str {
    match extension {
        "doc" | "docx" | "docm" | "dot" | "dotx" | "odt" | "ott" | "rtf" => "text",
        "xls" | "xlsx" | "xlsm" | "xlsb" | "ods" | "ots" | "csv" | "tsv" => "sheet",
        "ppt" | "pptx" | "pptm" | "pps" | "ppsx" | "odp" | "otp" => "slides",
        "pdf" => "pdf",
        _ => match shown(extension) {
            Some(Shown::Image(_)) => "image",
            Some(Shown::Text) => "text",
            Some(Shown::Pdf) | None => "file",
        },
    }
}
