//! Pictures: our own strokes on a grid of 24 units, put into the page itself, so that they take the colour of the text.
//!
//! Each is decoration beside a word; screen readers pass over it. The stylesheet says how strokes are drawn (`.icon`).

use std::sync::LazyLock;

/// The markup of an icon.
pub(crate) fn icon(name: &str) -> String {
    let strokes = strokes(name);
    format!("<svg class=\"icon icon-{name}\" viewBox=\"0 0 24 24\" aria-hidden=\"true\">{strokes}</svg>")
}

/// The icons of rows, which stand on a page many times: each is drawn once, in [`sprite`], and used by [`symbol`].
const OF_ROWS: [&str; 8] = ["container", "text", "sheet", "slides", "image", "pdf", "file", "more"];

/// The markup of the icons of rows, which draws nothing by itself.
pub(crate) fn sprite() -> &'static str {
    static SPRITE: LazyLock<String> = LazyLock::new(|| {
        let symbols = OF_ROWS.iter().map(|name| {
            let strokes = strokes(name);
            format!("<symbol id=\"i-{name}\" viewBox=\"0 0 24 24\">{strokes}</symbol>")
        });
        format!("<svg hidden>{}</svg>", symbols.collect::<String>())
    });
    &SPRITE
}

/// The markup of an icon of a row, on a page with the [`sprite`].
pub(crate) fn symbol(name: &str) -> String {
    format!("<svg class=\"icon icon-{name}\" aria-hidden=\"true\"><use href=\"#i-{name}\"/></svg>")
}

fn strokes(name: &str) -> &'static str {
    match name {
        "lectern" => {
            r#"<path d="M4 9.5 19.5 4l1 3L5 12.5z" fill="currentColor" stroke-width="1.2"/><path d="M12.5 10v9.5M8 20h9"/>"#
        }
        "container" => r#"<path d="M3.5 18.5v-12h6l2 2.5h9v9.5z"/>"#,
        "home" => r#"<path d="M4 11.5 12 5l8 6.5M6.5 10v9h11v-9"/>"#,
        "text" => r#"<path d="M6 3.5h8.5L19 8v12.5H6zM14 3.5V8.5h5M9 12.5h7M9 16h7"/>"#,
        "sheet" => r#"<path d="M5 3.5h14v17H5zM5 9h14M5 14.5h14M11 9v11.5"/>"#,
        "slides" => r#"<path d="M3.5 5h17v11h-17zM12 16v4M8.5 20.5h7M8 12.5V11M12 12.5v-4M16 12.5V10"/>"#,
        "image" => r#"<path d="M4 5h16v14H4zM4 16l4.5-4.5 4 4L15.5 13l4.5 4"/><circle cx="15.5" cy="9" r="1.4"/>"#,
        "pdf" => r#"<path d="M6 3.5h8.5L19 8v12.5H6zM14 3.5V8.5h5M9 17.5c3-2 4-6 3-6s0 4 4 4"/>"#,
        "file" => r#"<path d="M6 3.5h8.5L19 8v12.5H6zM14 3.5V8.5h5"/>"#,
        "upload" => r#"<path d="M12 15.5V4.5M7.5 9 12 4.5 16.5 9M4.5 15v4.5h15V15"/>"#,
        "download" => r#"<path d="M12 4.5v11M7.5 11 12 15.5 16.5 11M4.5 15v4.5h15V15"/>"#,
        "new" => r#"<path d="M12 5v14M5 12h14"/>"#,
        "more" => {
            r#"<g fill="currentColor" stroke="none"><circle cx="5.5" cy="12" r="1.6"/><circle cx="12" cy="12" r="1.6"/><circle cx="18.5" cy="12" r="1.6"/></g>"#
        }
        "search" => r#"<circle cx="10.5" cy="10.5" r="6"/><path d="m15 15 5 5"/>"#,
        "person" => r#"<circle cx="12" cy="8" r="3.7"/><path d="M4.8 20c.8-4 3.7-6 7.2-6s6.4 2 7.2 6"/>"#,
        "people" => {
            r#"<circle cx="9" cy="8.5" r="3.3"/><path d="M2.8 19.5c.7-3.6 3.2-5.3 6.2-5.3s5.5 1.7 6.2 5.3M15.5 5.4a3.3 3.3 0 0 1 0 6.2M17.5 14.6c2 .7 3.3 2.3 3.8 4.9"/>"#
        }
        "key" => r#"<circle cx="8" cy="15.5" r="4"/><path d="m11 12.5 8-8M15.5 8l3 3"/>"#,
        "bin" => r#"<path d="M5 7h14M9.5 7V4.5h5V7M7 7l.8 13h8.4L17 7M10.3 11v5M13.7 11v5"/>"#,
        "rename" => r#"<path d="m5 19 .8-3.8L16 5l3 3L8.8 18.2zM13.5 7.5l3 3"/>"#,
        "move" => r#"<path d="M3.5 18.5v-12h6l2 2.5h9v9.5zM9 14h6M12.7 11.5 15.2 14l-2.5 2.5"/>"#,
        "copy" => r#"<path d="M8.5 8.5h11v12h-11zM15.5 8.5v-5h-11v12h4"/>"#,
        "share" => {
            r#"<circle cx="17.5" cy="5.5" r="2.5"/><circle cx="6.5" cy="12" r="2.5"/><circle cx="17.5" cy="18.5" r="2.5"/><path d="m8.7 10.7 6.6-3.9M8.7 13.3l6.6 3.9"/>"#
        }
        "history" => r#"<path d="M4 5v4.5h4.5M4.6 9.5a8 8 0 1 1-.6 4M12 8v4.5l3 2"/>"#,
        "link" => {
            r#"<path d="M10 14a4 4 0 0 0 5.7 0l3-3A4 4 0 0 0 13 5.3l-1.2 1.2M14 10a4 4 0 0 0-5.7 0l-3 3a4 4 0 0 0 5.7 5.7l1.2-1.2"/>"#
        }
        "lock" => r#"<path d="M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3"/>"#,
        "gear" => {
            r#"<circle cx="12" cy="12" r="3"/><path d="M12 3.5v3M12 17.5v3M3.5 12h3M17.5 12h3M6 6l2.1 2.1M15.9 15.9 18 18M18 6l-2.1 2.1M8.1 15.9 6 18"/>"#
        }
        "up" => r#"<path d="m6.5 14.5 5.5-5.5 5.5 5.5"/>"#,
        "down" => r#"<path d="m6.5 9.5 5.5 5.5 5.5-5.5"/>"#,
        "right" => r#"<path d="m9.5 6.5 5.5 5.5-5.5 5.5"/>"#,
        "back" => r#"<path d="M19 12H5.5M11 6l-6 6 6 6"/>"#,
        "check" => r#"<path d="m5 12.5 4.5 4.5L19 7.5"/>"#,
        "warning" => {
            r#"<path d="M12 4 2.8 19.5h18.4zM12 10v4.5"/><circle cx="12" cy="17" r=".6" fill="currentColor"/>"#
        }
        "info" => {
            r#"<circle cx="12" cy="12" r="8.5"/><path d="M12 11v5.5"/><circle cx="12" cy="8" r=".6" fill="currentColor"/>"#
        }
        "close" => r#"<path d="m6.5 6.5 11 11M17.5 6.5l-11 11"/>"#,
        "server" => r#"<path d="M4 4.5h16v6H4zM4 13.5h16v6H4z"/><path d="M7.5 7.5h.01M7.5 16.5h.01"/>"#,
        "disk" => {
            r#"<ellipse cx="12" cy="6" rx="7.5" ry="2.8"/><path d="M4.5 6v12c0 1.6 3.4 2.8 7.5 2.8s7.5-1.2 7.5-2.8V6M4.5 12c0 1.6 3.4 2.8 7.5 2.8s7.5-1.2 7.5-2.8"/>"#
        }
        "restore" => r#"<path d="M5 8h9.5a5 5 0 0 1 0 10H8M8.5 4.5 5 8l3.5 3.5"/>"#,
        "star" => r#"<path d="m12 4 2.4 5 5.6.7-4.1 3.8 1.1 5.5-5-2.7L7 19l1.1-5.5L4 9.7 9.6 9z"/>"#,
        "eye" => {
            r#"<path d="M2.8 12C5 8 8.3 6 12 6s7 2 9.2 6c-2.2 4-5.5 6-9.2 6s-7-2-9.2-6z"/><circle cx="12" cy="12" r="2.7"/>"#
        }
        "sign-out" => r#"<path d="M10 4.5H5v15h5M14 8l4.5 4-4.5 4M18 12H9.5"/>"#,
        // A name that is not here draws nothing; a test looks for such names in the templates.
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_icon_of_a_row_is_in_the_sprite() {
        for extension in ["docx", "xlsx", "pptx", "pdf", "png", "txt", "bin", "csv", "svg", ""] {
            let name = crate::kinds::icon(extension);
            assert!(OF_ROWS.contains(&name), "{name}");
        }
        for name in OF_ROWS {
            assert!(!strokes(name).is_empty() && sprite().contains(&format!("id=\"i-{name}\"")), "{name}");
        }
    }

    #[test]
    fn every_icon_that_a_template_asks_for_is_drawn() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/templates");
        let mut asked = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            for rest in text.split(".icon(\"").skip(1) {
                let name = rest.split('"').next().unwrap();
                assert!(!strokes(name).is_empty(), "{name} in {}", path.display());
                asked += 1;
            }
        }
        assert!(asked > 0);
    }
}
