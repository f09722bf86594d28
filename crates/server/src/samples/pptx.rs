//! `slides.pptx`: PresentationML, ECMA-376 part 1, section 19. The smallest presentation that every program opens has a
//! master, a layout and a theme.

use super::{XML, escaped, package, relationships};

const TITLE: &str = "Lectern in three slides";

/// Title and points of each slide.
const SLIDES: [(&str, &[&str]); 3] = [
    (TITLE, &["A lectern holds the document", "while somebody else reads or writes on it"]),
    (
        "What it does",
        &["Keeps documents in an ordinary folder", "Lets office servers open, edit and save them", "Loses nothing"],
    ),
    (
        "What to do now",
        &["Change this slide and save", "lectern versions slides.pptx", "Put your own documents into the folder"],
    ),
];

const RELATIONSHIP: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
const PRESENTATION: &str = "application/vnd.openxmlformats-officedocument.presentationml";
const NAMESPACES: &str = "xmlns:a=\"http://schemas.openxmlformats.org/drawingml/2006/main\" \
                          xmlns:r=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships\" \
                          xmlns:p=\"http://schemas.openxmlformats.org/presentationml/2006/main\"";

pub(super) fn slides() -> Vec<u8> {
    presentation(TITLE, &SLIDES)
}

/// One slide with an empty title.
pub(super) fn blank() -> Vec<u8> {
    presentation("", &[("", &[])])
}

fn presentation(title: &str, slides: &[(&str, &[&str])]) -> Vec<u8> {
    let slide_paths: Vec<String> = (1..=slides.len()).map(|n| format!("ppt/slides/slide{n}.xml")).collect();
    let kind = |name: &str| format!("{PRESENTATION}.{name}+xml");
    let (slide, layout, master) = (kind("slide"), kind("slideLayout"), kind("slideMaster"));
    let mut parts = vec![
        ("ppt/slideMasters/slideMaster1.xml", master.as_str()),
        ("ppt/slideLayouts/slideLayout1.xml", layout.as_str()),
        ("ppt/theme/theme1.xml", "application/vnd.openxmlformats-officedocument.theme+xml"),
    ];
    parts.extend(slide_paths.iter().map(|path| (path.as_str(), slide.as_str())));
    let mut zip = package("ppt/presentation.xml", &kind("presentation.main"), title, &parts);

    // The master is rId1, the slides follow.
    let ids: String =
        (0..slides.len()).map(|at| format!("<p:sldId id=\"{}\" r:id=\"rId{}\"/>", 256 + at, 2 + at)).collect();
    zip.add(
        "ppt/presentation.xml",
        &format!(
            "{XML}<p:presentation {NAMESPACES}><p:sldMasterIdLst><p:sldMasterId id=\"2147483648\" r:id=\"rId1\"/>\
             </p:sldMasterIdLst><p:sldIdLst>{ids}</p:sldIdLst><p:sldSz cx=\"12192000\" cy=\"6858000\"/>\
             <p:notesSz cx=\"6858000\" cy=\"9144000\"/></p:presentation>"
        ),
    );
    let (of_slide, of_master) = (format!("{RELATIONSHIP}/slide"), format!("{RELATIONSHIP}/slideMaster"));
    let (of_layout, of_theme) = (format!("{RELATIONSHIP}/slideLayout"), format!("{RELATIONSHIP}/theme"));
    let slide_targets: Vec<String> = (1..=slides.len()).map(|n| format!("slides/slide{n}.xml")).collect();
    let mut targets = vec![(of_master.as_str(), "slideMasters/slideMaster1.xml")];
    targets.extend(slide_targets.iter().map(|target| (of_slide.as_str(), target.as_str())));
    zip.add("ppt/_rels/presentation.xml.rels", &relationships(&targets));

    for (n, (title, points)) in (1..).zip(slides) {
        zip.add(&format!("ppt/slides/slide{n}.xml"), &slide_part(title, points));
        zip.add(
            &format!("ppt/slides/_rels/slide{n}.xml.rels"),
            &relationships(&[(&of_layout, "../slideLayouts/slideLayout1.xml")]),
        );
    }
    let layout = tree(&[shape(2, "Title", "title", None, &[]), shape(3, "Content", "body", None, &[])]);
    zip.add(
        "ppt/slideLayouts/slideLayout1.xml",
        &format!(
            "{XML}<p:sldLayout {NAMESPACES} type=\"obj\"><p:cSld name=\"Title and content\">{layout}</p:cSld>{SAME_COLOURS}\
             </p:sldLayout>"
        ),
    );
    zip.add(
        "ppt/slideLayouts/_rels/slideLayout1.xml.rels",
        &relationships(&[(&of_master, "../slideMasters/slideMaster1.xml")]),
    );
    zip.add("ppt/slideMasters/slideMaster1.xml", &master_part());
    zip.add(
        "ppt/slideMasters/_rels/slideMaster1.xml.rels",
        &relationships(&[(&of_layout, "../slideLayouts/slideLayout1.xml"), (&of_theme, "../theme/theme1.xml")]),
    );
    zip.add("ppt/theme/theme1.xml", &theme());
    zip.finish()
}

const SAME_COLOURS: &str = "<p:clrMapOvr><a:masterClrMapping/></p:clrMapOvr>";

fn slide_part(title: &str, points: &[&str]) -> String {
    let title_lines: &[&str] = if title.is_empty() { &[] } else { &[title] };
    let tree = tree(&[shape(2, "Title", "title", None, title_lines), shape(3, "Content", "body", None, points)]);
    format!("{XML}<p:sld {NAMESPACES}><p:cSld>{tree}</p:cSld>{SAME_COLOURS}</p:sld>")
}

fn tree(shapes: &[String]) -> String {
    format!(
        "<p:spTree><p:nvGrpSpPr><p:cNvPr id=\"1\" name=\"\"/><p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr><p:grpSpPr/>{}</p:spTree>",
        shapes.concat()
    )
}

/// A place for text; `at` is its left, top, width and height in EMU (914,400 to the inch), or that of the master.
fn shape(id: u32, name: &str, place: &str, at: Option<[u32; 4]>, paragraphs: &[&str]) -> String {
    let index = if place == "body" { " idx=\"1\"" } else { "" };
    let properties = at.map_or("<p:spPr/>".to_owned(), |[x, y, width, height]| {
        format!(
            "<p:spPr><a:xfrm><a:off x=\"{x}\" y=\"{y}\"/><a:ext cx=\"{width}\" cy=\"{height}\"/></a:xfrm>\
             <a:prstGeom prst=\"rect\"><a:avLst/></a:prstGeom></p:spPr>"
        )
    });
    let text = match paragraphs {
        [] => "<a:p><a:endParaRPr lang=\"en-GB\"/></a:p>".to_owned(),
        _ => paragraphs
            .iter()
            .map(|text| format!("<a:p><a:r><a:rPr lang=\"en-GB\"/><a:t>{}</a:t></a:r></a:p>", escaped(text)))
            .collect(),
    };
    format!(
        "<p:sp><p:nvSpPr><p:cNvPr id=\"{id}\" name=\"{name}\"/><p:cNvSpPr><a:spLocks noGrp=\"1\"/></p:cNvSpPr>\
         <p:nvPr><p:ph type=\"{place}\"{index}/></p:nvPr></p:nvSpPr>{properties}\
         <p:txBody><a:bodyPr/><a:lstStyle/>{text}</p:txBody></p:sp>"
    )
}

fn master_part() -> String {
    let tree = tree(&[
        shape(2, "Title", "title", Some([838_200, 500_000, 10_515_600, 1_200_000]), &[]),
        shape(3, "Content", "body", Some([838_200, 1_900_000, 10_515_600, 4_300_000]), &[]),
    ]);
    let level = |size: u32, colour: &str, bullet: &str| {
        format!(
            "<a:lvl1pPr {bullet}<a:defRPr sz=\"{size}\"><a:solidFill><a:schemeClr val=\"{colour}\"/></a:solidFill>\
             <a:latin typeface=\"+mn-lt\"/></a:defRPr></a:lvl1pPr>"
        )
    };
    format!(
        "{XML}<p:sldMaster {NAMESPACES}><p:cSld><p:bg><p:bgRef idx=\"1001\"><a:schemeClr val=\"bg1\"/></p:bgRef></p:bg>\
         {tree}</p:cSld><p:clrMap bg1=\"lt1\" tx1=\"dk1\" bg2=\"lt2\" tx2=\"dk2\" accent1=\"accent1\" accent2=\"accent2\" \
         accent3=\"accent3\" accent4=\"accent4\" accent5=\"accent5\" accent6=\"accent6\" hlink=\"hlink\" \
         folHlink=\"folHlink\"/><p:sldLayoutIdLst><p:sldLayoutId id=\"2147483649\" r:id=\"rId1\"/></p:sldLayoutIdLst>\
         <p:txStyles><p:titleStyle>{}</p:titleStyle><p:bodyStyle>{}</p:bodyStyle><p:otherStyle>{}</p:otherStyle>\
         </p:txStyles></p:sldMaster>",
        level(4000, "tx2", "><a:buNone/>"),
        level(
            2400,
            "tx1",
            "marL=\"342900\" indent=\"-342900\"><a:spcBef><a:spcPts val=\"900\"/></a:spcBef><a:buChar char=\"•\"/>"
        ),
        level(1800, "tx1", ">"),
    )
}

/// Colours and fonts, and the three fills, lines and effects that a theme must have.
fn theme() -> String {
    let colours: String = [
        ("dk1", "000000"),
        ("lt1", "FFFFFF"),
        ("dk2", "1F3864"),
        ("lt2", "E7E6E6"),
        ("accent1", "2F5597"),
        ("accent2", "C55A11"),
        ("accent3", "7F7F7F"),
        ("accent4", "BF9000"),
        ("accent5", "5B9BD5"),
        ("accent6", "548235"),
        ("hlink", "0563C1"),
        ("folHlink", "954F72"),
    ]
    .iter()
    .map(|(name, colour)| format!("<a:{name}><a:srgbClr val=\"{colour}\"/></a:{name}>"))
    .collect();
    let font = "<a:latin typeface=\"Calibri\"/><a:ea typeface=\"\"/><a:cs typeface=\"\"/>";
    let fill = "<a:solidFill><a:schemeClr val=\"phClr\"/></a:solidFill>";
    let three = |part: &str| part.repeat(3);
    format!(
        "{XML}<a:theme xmlns:a=\"http://schemas.openxmlformats.org/drawingml/2006/main\" name=\"Lectern\"><a:themeElements>\
         <a:clrScheme name=\"Lectern\">{colours}</a:clrScheme><a:fontScheme name=\"Lectern\"><a:majorFont>{font}</a:majorFont>\
         <a:minorFont>{font}</a:minorFont></a:fontScheme><a:fmtScheme name=\"Lectern\"><a:fillStyleLst>{}</a:fillStyleLst>\
         <a:lnStyleLst>{}</a:lnStyleLst><a:effectStyleLst>{}</a:effectStyleLst><a:bgFillStyleLst>{}</a:bgFillStyleLst>\
         </a:fmtScheme></a:themeElements></a:theme>",
        three(fill),
        three(&format!("<a:ln w=\"9525\">{fill}</a:ln>")),
        three("<a:effectStyle><a:effectLst/></a:effectStyle>"),
        three(fill),
    )
}
