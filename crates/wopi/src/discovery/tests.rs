use proptest::prelude::*;

use super::*;
use crate::proof::SigningKey;

/// Everything that the vendors' documents have, in one.
const DOCUMENT: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<wopi-discovery>
  <!-- a farm that is reached in two ways -->
  <net-zone name="internal-http">
    <app name="Word" favIconUrl="http://office.local/wv/FavIcon.ico" checkLicense="true">
      <action name="view" ext="docx" default="true" urlsrc="http://office.local/wv/view.aspx?&lt;ui=UI_LLCC&amp;&gt;" />
      <action name="edit" ext="docx" requires="locks, update" urlsrc="http://office.local/we/edit.aspx?edit=1&amp;" />
      <action name="convert" ext="doc" targetext="docx" requires="update" urlsrc="http://office.local/we/convert.aspx?"/>
      <action name="rtc" ext="docx" urlsrc="http://office.local/rtc2/" />
    </app>
  </net-zone>
  <net-zone name="external-https">
    <app name="Word" favIconUrl="https://office.example/wv/FavIcon.ico" checkLicense="false"
         bootstrapperUrl="https://office.example/boot.js" applicationBaseUrl="https://office.example"
         staticResourceOrigin="https://cdn.example" futureAttribute="x">
      <action name="view" ext="docx" urlsrc="https://office.example/wv/other.aspx?"/>
      <action name="view" ext="docx" default="true" urlsrc="https://office.example/wv/view.aspx?&lt;ui=UI_LLCC&amp;&gt;&lt;wopisrc=WOPI_SOURCE&amp;&gt;"/>
      <action name="edit" ext="DOCX" requires=" LOCKS ,, update " urlsrc="https://office.example/we/edit.aspx?edit=1&amp;"/>
      <action name="editnew" ext="dotx" newext=".docx" requires="locks,update" urlsrc="https://office.example/we/new.aspx?"/>
      <action name="teleport" ext="docx" requires="antigravity" urlsrc="https://office.example/t?"/>
      <action name="mobileView" ext="docx" urlsrc="https://office.example/m?"/>
    </app>
    <app name="OneNote">
      <action name="edit" default="true" requires="cobalt,containers,update" progid="OneNote.Notebook" urlsrc="https://office.example/o?"/>
      <action name="view" ext="one" requires="cobalt,containers" useParent="true" urlsrc="https://office.example/o?"/>
    </app>
    <app name="PowerPoint"><action name="view" ext="docx" urlsrc="https://office.example/p?"/></app>
    <app name="application/vnd.oasis.opendocument.text">
      <action default="true" ext="" name="edit" urlsrc="https://office.example/cool.html?"/>
    </app>
    <app name="Broken">
      <action name="view" ext="docx"/>
      <action ext="docx" urlsrc="https://office.example/x?"/>
      <action name="view" ext="docx" urlsrc="javascript:alert(1)"/>
      <action name="view" ext="docx" urlsrc="https://evil@office.example/x?"/>
      <action name="view" ext="docx" urlsrc="https://office.example/x y?"/>
    </app>
    <vendor-extension><app name="Nested"><action name="view" ext="zzz" urlsrc="https://office.example/z?"/></app></vendor-extension>
  </net-zone>
  <proof-key oldvalue="" oldmodulus="" oldexponent="" value="BgI=" modulus="AAAA" exponent="AQAB"/>
</wopi-discovery>
"#;

fn document() -> Discovery {
    Discovery::parse(DOCUMENT).unwrap()
}

fn in_root(inner: &str) -> Result<Discovery, DiscoveryError> {
    Discovery::parse(&format!("<wopi-discovery>{inner}</wopi-discovery>"))
}

fn urls<'a>(offers: &[Offer<'a>]) -> Vec<&'a str> {
    offers.iter().map(|offer| offer.action.urlsrc.as_str()).collect()
}

#[test]
fn zones_apps_and_actions_keep_their_order_and_attributes() {
    let document = document();
    assert_eq!(
        document.zones.iter().map(|zone| zone.name).collect::<Vec<_>>(),
        [NetZone::InternalHttp, NetZone::ExternalHttps]
    );
    let external = &document.zones[1];
    assert_eq!(
        external.apps.iter().map(|app| app.name.as_str()).collect::<Vec<_>>(),
        ["Word", "OneNote", "PowerPoint", "application/vnd.oasis.opendocument.text", "Broken"]
    );
    assert_eq!(document.zones[0].apps[0].fav_icon_url.as_deref(), Some("http://office.local/wv/FavIcon.ico"));
    assert!(document.zones[0].apps[0].check_license);
    let word = &external.apps[0];
    assert!(!word.check_license);
    assert_eq!(word.bootstrapper_url.as_deref(), Some("https://office.example/boot.js"));
    assert_eq!(word.application_base_url.as_deref(), Some("https://office.example"));
    assert_eq!(word.static_resource_origin.as_deref(), Some("https://cdn.example"));
    assert_eq!(
        word.actions[3],
        Action {
            name: "editnew".into(),
            urlsrc: "https://office.example/we/new.aspx?".into(),
            ext: Some("dotx".into()),
            newext: Some("docx".into()),
            requires: vec!["locks".into(), "update".into()],
            ..Action::default()
        }
    );
    assert_eq!(document.zones[0].apps[0].actions[2].targetext.as_deref(), Some("docx"));
    assert_eq!(external.apps[1].actions[0].progid.as_deref(), Some("OneNote.Notebook"));
    assert_eq!(external.apps[1].actions[0].ext, None);
    assert!(external.apps[1].actions[1].use_parent);
    assert!(external.apps[3].is_named_by_mime_type() && !word.is_named_by_mime_type());
    assert_eq!(external.apps[3].actions[0].ext, None);
}

#[test]
fn actions_without_a_name_or_a_usable_url_are_left_out_and_counted() {
    let document = document();
    assert_eq!(document.skipped, 5);
    assert!(document.zones[1].apps[4].actions.is_empty());
}

#[test]
fn references_in_urls_are_resolved_once() {
    for (written, meant) in [
        ("https://o.example/?&lt;ui=UI_LLCC&amp;&gt;", "https://o.example/?<ui=UI_LLCC&>"),
        ("https://o.example/?<ui=UI_LLCC&>", "https://o.example/?<ui=UI_LLCC&>"),
        ("https://o.example/?a=1&b=2", "https://o.example/?a=1&b=2"),
        ("https://o.example/?a=&amp;lt;", "https://o.example/?a=&lt;"),
        ("https://o.example/?a=&#38;&#x26;b", "https://o.example/?a=&&b"),
        ("https://o.example/?&unknown;&#xD800;&#99999999;&", "https://o.example/?&unknown;&#xD800;&#99999999;&"),
        ("HTTPS://o.example/", "https://o.example/"),
        (r"https://docs\.o\.example/cool\.html?", r"https://docs.o.example/cool\.html?"),
        (" https://o.example/rtc2/\n", "https://o.example/rtc2/"),
        ("https://o.example<ui=UI_LLCC>", "https://o.example<ui=UI_LLCC>"),
    ] {
        let document = in_root(&format!(
            r#"<net-zone><app name="a"><action name="view" ext="x" urlsrc="{written}"/></app></net-zone>"#
        ));
        assert_eq!(urls(&document.unwrap().offers("x", "view", &[])), [meant], "{written}");
    }
}

#[test]
fn a_zone_is_chosen_by_preference_and_the_default_comes_first() {
    let document = document();
    let views = document.offers("docx", "view", &NetZone::BY_REACH);
    assert_eq!(
        urls(&views),
        [
            "https://office.example/wv/view.aspx?<ui=UI_LLCC&><wopisrc=WOPI_SOURCE&>",
            "https://office.example/wv/other.aspx?",
            "https://office.example/p?",
        ]
    );
    assert_eq!((views[2].zone, views[2].app.name.as_str()), (NetZone::ExternalHttps, "PowerPoint"));
    for spelling in ["DOCX", ".docx", "docx"] {
        assert_eq!(
            urls(&document.offers(spelling, "EDIT", &[NetZone::InternalHttp])),
            ["http://office.local/we/edit.aspx?edit=1&"]
        );
    }
    // A preferred zone without the action does not hide another zone that has it.
    assert_eq!(document.offers("doc", "convert", &NetZone::BY_REACH)[0].zone, NetZone::InternalHttp);
    assert_eq!(document.offers("docx", "mobileview", &NetZone::BY_REACH).len(), 1);
    assert_eq!(document.offers("", "edit", &NetZone::BY_REACH), []);
    assert_eq!(document.offers("zzz", "view", &NetZone::BY_REACH), []);
    assert_eq!(document.extensions().into_iter().collect::<Vec<_>>(), ["doc", "docx", "dotx", "one"]);
    assert_eq!(document.extensions_with(&["EDIT", "rtc"]).into_iter().collect::<Vec<_>>(), ["docx"]);
    assert_eq!(document.extensions_with(&["edit", "collab"]).len(), 0);
}

#[test]
fn an_action_is_offered_only_if_all_it_requires_is_there() {
    let document = document();
    let requires = |extension: &str, name: &str| document.offers(extension, name, &NetZone::BY_REACH)[0].action.clone();
    for (action, supported, met) in [
        (requires("docx", "view"), &[][..], true),
        (requires("docx", "edit"), &["locks", "update"], true),
        (requires("docx", "edit"), &["update"], false),
        (requires("one", "view"), &["locks", "update"], false),
        (requires("one", "view"), &["cobalt", "containers"], true),
        (requires("docx", "teleport"), &["locks", "update", "cobalt", "containers"], false),
    ] {
        assert_eq!(action.is_met_by(supported), met, "{} with {supported:?}", action.name);
    }
    assert!(requires("docx", "mobileView").is_known());
    assert!(!requires("docx", "teleport").is_known());
}

#[test]
fn a_document_may_lack_zones_names_keys_and_everything() {
    assert_eq!(in_root("").unwrap(), Discovery::default());
    assert_eq!(Discovery::parse("\u{feff}<?xml version=\"1.0\"?>\n<wopi-discovery/>").unwrap(), Discovery::default());
    assert_eq!(in_root("<net-zone/>").unwrap().zones, [Zone { name: NetZone::Unnamed, apps: vec![] }]);
    assert_eq!(in_root(r#"<net-zone name="moon-http"/>"#).unwrap().zones[0].name, NetZone::Unnamed);
    let apps = in_root(r#"<app name="a"/><app name="b"/><net-zone name="external-http"/><app/>"#).unwrap();
    assert_eq!(
        apps.zones.iter().map(|zone| (zone.name, zone.apps.len())).collect::<Vec<_>>(),
        [(NetZone::Unnamed, 2), (NetZone::ExternalHttp, 0), (NetZone::Unnamed, 1)]
    );
    assert!(in_root("text &amp; more & <![CDATA[<app/>]]><?pi?>").unwrap().zones.is_empty());
    assert_eq!(NetZone::parse(" External-HTTPS "), Some(NetZone::ExternalHttps));
    assert_eq!(NetZone::parse(""), None);
}

#[test]
fn a_document_that_is_cut_off_anywhere_is_refused_as_such() {
    let whole = DOCUMENT.trim_end();
    let start = whole.find("<wopi-discovery>").unwrap() + "<wopi-discovery>".len();
    for end in (start..whole.len()).filter(|end| whole.is_char_boundary(*end)) {
        let error = Discovery::parse(&whole[..end]).unwrap_err();
        // In the two characters `<!` it cannot be told what was to come.
        let in_bang = whole[..end].ends_with("<!") || whole[..end].ends_with("<!-");
        assert!(error == DiscoveryError::Truncated || in_bang, "cut at {end}: {error}");
    }
}

#[test]
fn what_is_no_discovery_document_is_called_by_its_name() {
    for (text, expected) in [
        ("", DiscoveryError::NotDiscovery { root: None }),
        ("404 page not found", DiscoveryError::NotDiscovery { root: None }),
        ("<!DOCTYPE html><html><body>Sign in</body></html>", DiscoveryError::DocumentType),
        ("<html><body>Sign in</body></html>", DiscoveryError::NotDiscovery { root: Some("html".into()) }),
        (
            "<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><wopi-discovery>&b;</wopi-discovery>",
            DiscoveryError::DocumentType,
        ),
    ] {
        assert_eq!(Discovery::parse(text), Err(expected), "{text}");
    }
    let crossed = in_root("<net-zone><app></net-zone></app>").unwrap_err();
    assert!(matches!(&crossed, DiscoveryError::Malformed { at, .. } if *at > 0), "{crossed}");
}

#[test]
fn every_limit_is_tried_at_its_edge() {
    let zones = |n: usize| in_root(&"<net-zone/>".repeat(n)).map(|document| document.zones.len());
    assert_eq!(zones(Discovery::ZONES_MAX), Ok(Discovery::ZONES_MAX));
    assert_eq!(
        zones(Discovery::ZONES_MAX + 1),
        Err(DiscoveryError::TooMany { what: "zones", limit: Discovery::ZONES_MAX })
    );

    let apps = |n: usize| in_root(&"<app/>".repeat(n)).map(|document| document.zones[0].apps.len());
    assert_eq!(apps(Discovery::APPS_MAX), Ok(Discovery::APPS_MAX));
    assert_eq!(
        apps(Discovery::APPS_MAX + 1),
        Err(DiscoveryError::TooMany { what: "apps", limit: Discovery::APPS_MAX })
    );

    let actions = |n: usize| in_root(&format!("<app>{}</app>", "<action/>".repeat(n))).map(|document| document.skipped);
    assert_eq!(actions(Discovery::ACTIONS_MAX), Ok(Discovery::ACTIONS_MAX));
    let error = DiscoveryError::TooMany { what: "actions", limit: Discovery::ACTIONS_MAX };
    assert_eq!(actions(Discovery::ACTIONS_MAX + 1), Err(error));

    let name = |length: usize| in_root(&format!("<app name=\"{}\"/>", "x".repeat(length)));
    assert!(name(Discovery::ATTRIBUTE_LENGTH_MAX).is_ok());
    assert_eq!(name(Discovery::ATTRIBUTE_LENGTH_MAX + 1), Err(DiscoveryError::AttributeTooLong { name: "name" }));

    let attributes = |n: usize| {
        let others: String = (0..n).map(|at| format!("a{at}=\"\" ")).collect();
        in_root(&format!("<app {others} name=\"x\"/>")).unwrap().zones[0].apps[0].name.clone()
    };
    assert_eq!(attributes(Discovery::ATTRIBUTES_MAX - 1), "x");
    assert_eq!(attributes(Discovery::ATTRIBUTES_MAX), "");

    let deep = |n: usize| in_root(&format!("{}{}", "<x>".repeat(n - 1), "</x>".repeat(n - 1)));
    assert!(deep(Discovery::DEPTH_MAX).is_ok());
    let error = DiscoveryError::TooMany { what: "nested elements", limit: Discovery::DEPTH_MAX };
    assert_eq!(deep(Discovery::DEPTH_MAX + 1), Err(error));

    let padded = |length: usize| {
        let frame = "<wopi-discovery></wopi-discovery>";
        Discovery::parse(&format!("{frame}{}", " ".repeat(length - frame.len())))
    };
    assert!(padded(Discovery::BYTES_MAX).is_ok());
    assert_eq!(padded(Discovery::BYTES_MAX + 1), Err(DiscoveryError::TooLarge));
}

/// | element | key |
/// |---|---|
/// | modulus and exponent | from them |
/// | blob only | from it |
/// | empty old attributes | no old key |
/// | unusable old key | no old key, though there was to be one |
/// | all empty | the client does not sign |
/// | unusable | an error |
#[test]
fn keys_of_every_shape() {
    let (now, before) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    let (now, before) = (now.public(), before.public());
    let (n, e, blob) = (now.modulus_base64(), now.exponent_base64(), now.capi_blob_base64());
    let (old_n, old_e, old_blob) = (before.modulus_base64(), before.exponent_base64(), before.capi_blob_base64());
    let both = Ok(ProofKeys { current: now.clone(), old: Some(before.clone()) });
    let one = Ok(ProofKeys { current: now.clone(), old: None });
    for (attributes, expected, has_old) in [
        (format!(r#"modulus="{n}" exponent="{e}" oldmodulus="{old_n}" oldexponent="{old_e}""#), both.clone(), true),
        (format!(r#"value="{blob}" oldvalue="{old_blob}""#), both, true),
        (
            format!(r#"value="{blob}" modulus="{n}" exponent="{e}" oldvalue="" oldmodulus="" oldexponent="""#),
            one.clone(),
            false,
        ),
        (format!(r#"value="{blob}" modulus="%%" exponent="{e}""#), one.clone(), false),
        (format!(r#"modulus="{n}" exponent="{e}" oldmodulus="AAAA" oldexponent="AQAB""#), one, true),
        (r#"modulus="AAAA" exponent="AQAB""#.to_owned(), Err(KeyError::Empty), false),
        (format!(r#"modulus="{n}""#), Err(KeyError::Empty), false),
    ] {
        let key = in_root(&format!("<proof-key {attributes}/>")).unwrap().proof_key.unwrap();
        assert_eq!(key.keys(), expected, "{attributes}");
        assert_eq!(key.has_old(), has_old, "{attributes}");
    }
    for none in ["", "<proof-key/>", r#"<proof-key value="" modulus="" exponent=""/>"#] {
        assert_eq!(in_root(none).unwrap().proof_key, None);
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "[<>/!?=\"'&;a-z \\-\\[\\]]{0,200}") {
        let _ = Discovery::parse(&text);
        let _ = in_root(&text);
        let _ = in_root(&format!("<net-zone><app><action urlsrc='{text}'/></app></net-zone><proof-key value='{text}'/>"))
            .map(|document| document.proof_key.map(|key| key.keys()));
    }

    #[test]
    fn a_damaged_document_never_makes_the_parser_panic(at in 0..DOCUMENT.len(), byte in 0_u8..128) {
        let mut bytes = DOCUMENT.as_bytes().to_vec();
        bytes[at] = byte;
        let _ = Discovery::parse(&String::from_utf8(bytes).unwrap());
    }
}

/// Documents of real servers, which are not ours to copy: a folder of them in `LECTERN_SAMPLES`.
#[test]
fn documents_of_real_servers() {
    let Ok(folder) = std::env::var("LECTERN_SAMPLES") else {
        println!("not run: LECTERN_SAMPLES names no folder with discovery documents");
        return;
    };
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "xml") {
            continue;
        }
        seen += 1;
        let text = std::fs::read_to_string(&path).unwrap();
        let document = Discovery::parse(&text).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        assert_eq!(document.skipped, 0, "{path:?}");
        // Some actions are commented out.
        let outside: String =
            text.split("<!--").map(|part| part.split_once("-->").map_or(part, |(_, outside)| outside)).collect();
        assert_eq!(document.all_offers().count(), outside.matches("<action ").count(), "{path:?}");
        assert!(!document.offers("docx", "edit", &NetZone::BY_REACH).is_empty(), "{path:?}");
        assert!(document.all_offers().all(|offer| !offer.action.urlsrc.contains("&amp;")), "{path:?}");
        let keys = document.proof_key.as_ref().map(|key| key.keys().unwrap());
        println!(
            "{path:?}: {} actions, {} extensions, {keys:?}",
            document.all_offers().count(),
            document.extensions().len()
        );
    }
    assert!(seen > 0, "LECTERN_SAMPLES holds no .xml");
}
