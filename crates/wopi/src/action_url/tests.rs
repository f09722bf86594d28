use proptest::prelude::*;

use super::*;

const SRC: &str = "https://wopi.contoso.com/wopi/files/abc";
const ENCODED_SRC: &str = "https%3A%2F%2Fwopi.contoso.com%2Fwopi%2Ffiles%2Fabc";

fn facts() -> ActionUrlFacts<'static> {
    ActionUrlFacts::new(SRC)
}

/// Everything there is to say.
fn all() -> ActionUrlFacts<'static> {
    ActionUrlFacts {
        ui_language: Some("de-DE"),
        data_language: Some("fr-FR"),
        session_context: Some("a b"),
        business_user: true,
        host_session_id: Some("h/1"),
        disable_chat: true,
        validator_category: Some(ValidatorCategory::OfficeOnline),
        activity_navigation_id: Some("n"),
        theme: Some(Theme::Dark),
        embedded: true,
        disable_async: true,
        disable_broadcast: true,
        fullscreen: true,
        recording: true,
        ..facts()
    }
}

/// The table of the module, one row each: wanted, and not wanted.
#[test]
fn every_placeholder() {
    for (placeholder, wanted, otherwise) in [
        ("UI_LLCC", Some("de-DE"), None),
        ("DC_LLCC", Some("fr-FR"), None),
        ("WOPI_SOURCE", Some(ENCODED_SRC), Some(ENCODED_SRC)),
        ("SESSION_CONTEXT", Some("a%20b"), None),
        ("BUSINESS_USER", Some("1"), None),
        ("HOST_SESSION_ID", Some("h%2F1"), None),
        ("DISABLE_CHAT", Some("1"), None),
        ("VALIDATOR_TEST_CATEGORY", Some("OfficeOnline"), None),
        ("ACTIVITY_NAVIGATION_ID", Some("n"), None),
        ("THEME_ID", Some("2"), None),
        ("EMBEDDED", Some("true"), None),
        ("DISABLE_ASYNC", Some("true"), None),
        ("DISABLE_BROADCAST", Some("true"), None),
        ("FULLSCREEN", Some("true"), None),
        ("RECORDING", Some("true"), None),
        ("PERFSTATS", None, None),
        ("NEVER_HEARD_OF", None, None),
        ("", None, None),
        ("ui_llcc", None, None),
    ] {
        for (facts, value) in [(all(), wanted), (facts(), otherwise)] {
            // The second group keeps WOPISrc from being appended.
            let url = action_url(&format!("https://o.example/x?a=1&<any={placeholder}&><w=WOPI_SOURCE>"), &facts);
            let group = value.map(|value| format!("any={value}&")).unwrap_or_default();
            // `sc` is appended only where the template is from before WOPI_SOURCE.
            assert_eq!(url, format!("https://o.example/x?a=1&{group}w={ENCODED_SRC}"), "{placeholder}");
        }
    }
}

#[test]
fn values_of_the_fixed_lists() {
    let category = |category| {
        let facts = ActionUrlFacts { validator_category: Some(category), ..facts() };
        action_url("https://o.example/?<c=VALIDATOR_TEST_CATEGORY&><w=WOPI_SOURCE>", &facts)
    };
    assert!(category(ValidatorCategory::All).contains("?c=All&"));
    assert!(category(ValidatorCategory::OfficeNativeClient).contains("?c=OfficeNativeClient&"));
    let light = ActionUrlFacts { theme: Some(Theme::Light), ..facts() };
    assert!(action_url("https://o.example/?<thm=THEME_ID&>", &light).contains("?thm=1&"));
}

/// | from | template |
/// |---|---|
/// | Office Online Server | groups, no `WOPI_SOURCE` |
/// | Microsoft 365 | groups, `WOPI_SOURCE` among them |
/// | Collabora | ends in `cool.html?` |
/// | ONLYOFFICE | groups, then `&` |
/// | some Microsoft actions | no query at all; groups without `&`; fixed parameters |
#[test]
fn templates_of_every_vendor() {
    let german = ActionUrlFacts { ui_language: Some("de-DE"), ..facts() };
    for (template, expected) in [
        (
            "http://owa.example/x/_layouts/xlviewerinternal.aspx?edit=1&<ui=UI_LLCC&><rs=DC_LLCC&><dchat=DISABLE_CHAT&><IsLicensedUser=BUSINESS_USER&>",
            "http://owa.example/x/_layouts/xlviewerinternal.aspx?edit=1&ui=de-DE&rs=de-DE&WOPISrc=",
        ),
        (
            "https://word-edit.example/we/wordeditorframe.aspx?<ui=UI_LLCC&><rs=DC_LLCC&><dchat=DISABLE_CHAT&><hid=HOST_SESSION_ID&><sc=SESSION_CONTEXT&><wopisrc=WOPI_SOURCE&><showpagestats=PERFSTATS&><IsLicensedUser=BUSINESS_USER&><actnavid=ACTIVITY_NAVIGATION_ID&>",
            "https://word-edit.example/we/wordeditorframe.aspx?ui=de-DE&rs=de-DE&wopisrc=",
        ),
        ("https://cool.example/browser/abc123/cool.html?", "https://cool.example/browser/abc123/cool.html?WOPISrc="),
        (
            "https://oo.example/hosting/wopi/word/edit?<rs=DC_LLCC&><dchat=DISABLE_CHAT&><embed=EMBEDDED&><fs=FULLSCREEN&><hid=HOST_SESSION_ID&><rec=RECORDING&><sc=SESSION_CONTEXT&><thm=THEME_ID&><ui=UI_LLCC&><wopisrc=WOPI_SOURCE&>&",
            "https://oo.example/hosting/wopi/word/edit?rs=de-DE&ui=de-DE&wopisrc=",
        ),
        ("https://o.example/rtc2/", "https://o.example/rtc2/?WOPISrc="),
        ("https://o.example/a.ashx<ui=UI_LLCC>", "https://o.example/a.ashx?ui=de-DE&WOPISrc="),
        ("https://o.example/v?x=1&<ui=UI_LLCC><rs=DC_LLCC>", "https://o.example/v?x=1&ui=de-DE&rs=de-DE&WOPISrc="),
        ("https://o.example/v?<ui=UI_LLCC>x=1", "https://o.example/v?ui=de-DE&x=1&WOPISrc="),
        ("https://o.example/v?PdfMode=1&<e=NOTHING&>", "https://o.example/v?PdfMode=1&WOPISrc="),
        ("https://o.example/v?x=1", "https://o.example/v?x=1&WOPISrc="),
    ] {
        assert_eq!(action_url(template, &german), format!("{expected}{ENCODED_SRC}"), "{template}");
    }
    assert_eq!(
        action_url("https://o.example/v?a#part", &german),
        format!("https://o.example/v?a&WOPISrc={ENCODED_SRC}#part")
    );
}

#[test]
fn a_template_without_wopi_source_gets_the_session_context_with_it() {
    let facts = ActionUrlFacts { session_context: Some("s"), ..facts() };
    assert_eq!(action_url("https://o.example/v?", &facts), format!("https://o.example/v?WOPISrc={ENCODED_SRC}&sc=s"));
    let url = action_url("https://o.example/v?<x=SESSION_CONTEXT&>", &facts);
    assert_eq!(url, format!("https://o.example/v?x=s&WOPISrc={ENCODED_SRC}"));
    let url = action_url("https://o.example/v?<w=WOPI_SOURCE&>", &facts);
    assert_eq!(url, format!("https://o.example/v?w={ENCODED_SRC}"));
}

#[test]
fn wopi_src_is_encoded_exactly_once() {
    let facts = ActionUrlFacts::new("https://host.example:8443/a b/wopi/files/1%2F2?x=ä&y=+");
    assert_eq!(
        action_url("https://o.example/?<w=WOPI_SOURCE>", &facts),
        "https://o.example/?w=https%3A%2F%2Fhost.example%3A8443%2Fa%20b%2Fwopi%2Ffiles%2F1%252F2%3Fx%3D%C3%A4%26y%3D%2B"
    );
}

#[test]
fn getinfo_takes_the_token_in_its_query() {
    let facts = ActionUrlFacts {
        token_in_query: Some(QueryToken { access_token: "a/b", access_token_ttl: 1_704_067_200_000 }),
        validator_category: Some(ValidatorCategory::All),
        ..facts()
    };
    assert_eq!(
        action_url("https://o.example/getinfo?<testcategory=VALIDATOR_TEST_CATEGORY>", &facts),
        format!(
            "https://o.example/getinfo?testcategory=All&WOPISrc={ENCODED_SRC}&access_token=a%2Fb&access_token_ttl=1704067200000"
        )
    );
    assert_eq!(format!("{:?}", facts.token_in_query), "Some(QueryToken(..))");
}

#[test]
fn parameters_of_the_page_are_passed_on_unless_the_url_grows_too_long() {
    let extra = wd_parameters("id=7&wdOrigin=a%26b&WdNot=1&wdPid=%C3%A4&xwd=2");
    assert_eq!(
        extra,
        [("wdOrigin".into(), "a&b".into()), ("wdPid".into(), "ä".into())] as [(Cow<'_, str>, Cow<'_, str>); 2]
    );
    let facts = ActionUrlFacts { extra: &extra, ..facts() };
    assert_eq!(
        action_url("https://o.example/v?", &facts),
        format!("https://o.example/v?WOPISrc={ENCODED_SRC}&wdOrigin=a%26b&wdPid=%C3%A4")
    );

    let bare = action_url("https://o.example/v?", &ActionUrlFacts::new(SRC));
    let room = ACTION_URL_LENGTH_MAX - bare.len() - "&wdA=".len();
    for (length, fits) in [(room, true), (room + 1, false)] {
        let extra = [("wdA".into(), "x".repeat(length).into())];
        let url = action_url("https://o.example/v?", &ActionUrlFacts { extra: &extra, ..ActionUrlFacts::new(SRC) });
        assert_eq!(url.len(), if fits { ACTION_URL_LENGTH_MAX } else { bare.len() });
    }

    let many = (0..WD_PARAMETERS_MAX + 5).map(|n| format!("wd{n}=1&")).collect::<String>();
    assert_eq!(wd_parameters(&many).len(), WD_PARAMETERS_MAX);
}

#[test]
fn preloading_needs_nothing_but_the_language() {
    let template = "https://o.example/wv/StaticLoad.aspx?wx=w&usescript=1&<ui=UI_LLCC><sc=SESSION_CONTEXT&>";
    assert_eq!(preload_url(template, Some("en-US")), "https://o.example/wv/StaticLoad.aspx?wx=w&usescript=1&ui=en-US");
    assert_eq!(preload_url(template, None), "https://o.example/wv/StaticLoad.aspx?wx=w&usescript=1");
    assert_eq!(preload_url("https://o.example/p?<w=WOPI_SOURCE&>", None), "https://o.example/p");
}

#[test]
fn brackets_that_make_no_group_do_no_harm() {
    for (template, expected) in [
        ("https://o.example/v?<ui=UI_LLCC&", "https://o.example/v?%3Cui=UI_LLCC&WOPISrc="),
        ("https://o.example/v?ui=UI_LLCC&>", "https://o.example/v?ui=UI_LLCC&%3E&WOPISrc="),
        ("https://o.example/v?<<ui=UI_LLCC&>", "https://o.example/v?%3C&ui=de-DE&WOPISrc="),
        ("https://o.example/v?<>", "https://o.example/v?WOPISrc="),
        ("https://o.example/v?<UI_LLCC>", "https://o.example/v?WOPISrc="),
        ("", "?WOPISrc="),
    ] {
        let german = ActionUrlFacts { ui_language: Some("de-DE"), ..facts() };
        assert_eq!(action_url(template, &german), format!("{expected}{ENCODED_SRC}"), "{template}");
    }
    assert!(has_placeholders("https://o.example/v?<ui=UI_LLCC&>"));
    assert!(!has_placeholders("https://o.example/v?") && !has_placeholders("https://o.example/v?<ui"));
}

proptest! {
    #[test]
    fn a_template_never_panics_never_leaves_brackets_and_always_names_the_file(template in "[a-z?&#=<>_A-Z]{0,60}") {
        let url = action_url(&template, &all());
        prop_assert!(!url.split('#').next().unwrap().contains(['<', '>']), "{}", url);
        prop_assert!(url.contains(ENCODED_SRC), "{}", url);
        preload_url(&template, Some("en"));
    }
}
