//! What holds for every page: headers, refusals, languages, assets.

use http::Request;
use lectern_host::records::Role;
use lectern_web::{SettingOrigin, SettingValue, SettingsReport, SettingsRow, SettingsSection, WebSettings};

use crate::world::{World, form};

/// Every form there is, with fields that would be taken.
const FORMS: &[(&str, &[(&str, &str)])] = &[
    ("/sign-in", &[("name", "ada"), ("password", "correct horse")]),
    ("/sign-out", &[]),
    ("/language", &[("language", "de")]),
    ("/account/password", &[("current", "correct horse"), ("password", "a new one"), ("again", "a new one")]),
    ("/account/sessions/end", &[("session", "x")]),
    ("/account/sessions/end-all", &[]),
    ("/welcome/secret", &[("name", "x"), ("password", "correct horse"), ("again", "correct horse")]),
];

#[tokio::test]
async fn every_form_refuses_what_another_site_sends() {
    let world = World::new().await;
    let mut ada = world.browser_of("ada", Role::Editor).await;
    for (path, fields) in FORMS {
        for (name, value) in [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("origin", "https://evil.example"),
            ("origin", "null"),
        ] {
            let request = Request::post(*path).header(name, value);
            let request = request.header("content-type", "application/x-www-form-urlencoded");
            let answer = ada.send(request, form(fields)).await;
            assert_eq!(answer.status, 403, "{path} {name}: {value}");
            assert!(answer.text().contains("This did not come from Lectern"), "{path}");
            assert!(answer.headers.get("set-cookie").is_none(), "{path}");
        }
    }
    assert_eq!(ada.get("/account").await.status, 200, "nothing happened");
}

#[tokio::test]
async fn every_answer_has_the_headers_that_keep_it_harmless() {
    let world = World::new().await;
    let mut ada = world.browser_of("ada", Role::Editor).await;
    for path in ["/", "/account", "/sign-in", "/nothing", "/welcome/x", "/assets/x/lectern.css", "/assets/x/none.css"] {
        let answer = ada.get(path).await;
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "same-origin", "{path}");
        assert!(!answer.header("cache-control").is_empty(), "{path}");
        if !path.starts_with("/assets/") {
            assert_eq!(answer.header("cache-control"), "no-store", "{path}");
            let text = answer.text();
            assert!(!text.contains("<style") && !text.contains("style=") && !text.contains(" onclick"), "{path}");
        }
    }
}

#[tokio::test]
async fn a_page_that_is_not_there_says_so_in_the_language_of_the_browser() {
    let world = World::new().await;
    let mut browser = world.browser();
    for (language, says) in [("en-GB", "There is nothing here"), ("de-AT,en;q=0.5", "Hier ist nichts")] {
        browser.language = language;
        let answer = browser.get("/nothing").await;
        assert_eq!(answer.status, 404);
        assert!(answer.text().contains(says), "{}", answer.text());
    }
    let answer = browser.post("/language", &[("language", "en"), ("next", "/sign-in?next=%2Faccount")]).await;
    assert_eq!(answer.location(), "/sign-in?next=%2Faccount");
    assert!(browser.get("/nothing").await.text().contains("There is nothing here"), "chosen, not guessed");
    assert_eq!(browser.post("/language", &[("language", "xx")]).await.status, 400);
    let away = browser.post("/language", &[("language", "de"), ("next", "//evil.example")]).await;
    assert_eq!(away.location(), "/");
}

#[tokio::test]
async fn methods_and_bodies_that_no_page_of_ours_sends_are_refused() {
    let world = World::new().await;
    let mut ada = world.browser_of("ada", Role::Editor).await;
    assert_eq!(ada.post("/account", &[]).await.status, 405);
    assert_eq!(ada.send(Request::delete("/account"), "").await.status, 405);
    assert_eq!(ada.post("/sign-in", &[("name", "ada")]).await.status, 400);
    let large = "x".repeat(100_000);
    assert_eq!(ada.post("/sign-in", &[("name", &large), ("password", "x")]).await.status, 413);
    let request = Request::post("/sign-in").header("content-type", "application/json");
    assert_eq!(ada.send(request, "{}").await.status, 400);
}

#[tokio::test]
async fn an_asset_is_kept_for_ever_under_its_own_name_only() {
    let world = World::new().await;
    let mut browser = world.browser();
    let page = browser.get("/sign-in").await;
    let address = page.text().split("href=\"").find(|rest| rest.contains("lectern.css")).unwrap();
    let address = address.split('"').next().unwrap();
    let asset = browser.get(address).await;
    assert_eq!(asset.status, 200);
    assert!(asset.header("cache-control").contains("immutable"));
    assert_eq!(asset.header("content-type"), "text/css; charset=utf-8");
    let other = browser.get("/assets/old/lectern.css").await;
    assert_eq!((other.status, other.header("cache-control")), (http::StatusCode::OK, "no-cache"));
    assert_eq!(browser.get("/assets/x/..%2f..%2fCargo.toml").await.status, 404);
}

#[tokio::test]
async fn names_that_people_chose_run_nothing() {
    let world = World::new().await;
    let name = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>";
    let mut ada = world.browser_of(name, Role::Editor).await;
    let page = ada.get("/account").await;
    assert_eq!(page.status, 200);
    assert!(!page.text().contains("<script>alert") && !page.text().contains("<img"), "{}", page.text());
    let page = ada.post("/sign-in", &[("name", name), ("password", "wrong")]).await;
    assert_eq!(page.status, 401);
    assert!(!page.text().contains("<script>alert") && !page.text().contains("<img"));
}

#[tokio::test]
async fn pages_below_a_path_lead_to_pages_below_it() {
    let world = World::at("https://lectern.example/docs").await;
    let mut ada = world.browser();
    world.person("ada", "correct horse", Role::Editor).await;
    let request = Request::post("/sign-in").header("origin", "https://lectern.example");
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let answer = ada.send(request, form(&[("name", "ada"), ("password", "correct horse")])).await;
    assert_eq!(answer.location(), "/docs/");
    let cookie = answer.header("set-cookie");
    assert!(cookie.starts_with("__Host-lectern_session=") && cookie.ends_with("; Secure"), "{cookie}");
    let page = ada.get("/account").await;
    for part in page.text().split("href=\"").skip(1).chain(page.text().split("action=\"").skip(1)) {
        assert!(part.starts_with("/docs/") || part.starts_with('#'), "{}", part.split('"').next().unwrap());
    }
}

#[tokio::test]
async fn administrators_see_every_setting_and_nobody_else_does() {
    let row = |name: &str, value, origin| SettingsRow { name: name.to_owned(), value, origin };
    let shown = |text: &str| SettingValue::Shown(text.to_owned());
    let rows = vec![
        row("label", shown("<b>&"), SettingOrigin::File("/etc/lectern.toml".to_owned())),
        row("client_secret_file", SettingValue::Secret { file: Some("/etc/kept".to_owned()) }, SettingOrigin::Default),
        row("listen", shown("127.0.0.1:1"), SettingOrigin::Flag("--listen".to_owned())),
        row("folder", SettingValue::Unset, SettingOrigin::Variable("LECTERN_FOLDER".to_owned())),
        row("secret_key", SettingValue::Secret { file: None }, SettingOrigin::Default),
    ];
    let section = SettingsSection { name: "provider".to_owned(), about: "About it.".to_owned(), rows };
    let report = SettingsReport { file: Some("/etc/lectern.toml".to_owned()), sections: vec![section] };
    let world = World::built("http://lectern.example", "", WebSettings::default(), None, report).await;
    let mut ada = world.browser_of("ada", Role::Administrator).await;
    let page = ada.get("/admin/settings").await;
    let text = page.text();
    for told in [
        "The settings file is /etc/lectern.toml.",
        "About it.",
        "&#60;b&#62;&#38;",
        "from /etc/lectern.toml",
        "set, from /etc/kept",
        "from --listen on the command line",
        "from the variable LECTERN_FOLDER",
        "not set",
    ] {
        assert!(text.contains(told), "{told} in {text}");
    }
    let mut bob = world.browser_of("bob", Role::Editor).await;
    assert_eq!(bob.get("/admin/settings").await.status, 403);
    assert_eq!(world.browser().get("/admin/settings").await.status, 303);
}

#[tokio::test]
async fn administrators_see_how_much_is_stored_and_nobody_else_does() {
    let world = World::new().await;
    let mut ada = world.browser_of("ada", Role::Administrator).await;
    let root = ada.get("/").await.location().to_owned();
    ada.post(&format!("{root}/new"), &[("name", "a"), ("kind", "docx")]).await;
    let page = ada.get("/admin/storage").await;
    for told in ["Rescued saves", "<td class=\"number\">12 B</td>", "5.0 GB of 10 GB are free", "value=\"5000000000\""]
    {
        assert!(page.text().contains(told), "{told} in {}", page.text());
    }
    let mut bob = world.browser_of("bob", Role::Editor).await;
    assert_eq!(bob.get("/admin/storage").await.status, 403);
}

#[tokio::test]
async fn the_address_of_a_form_leads_to_its_page_when_somebody_asks_for_it() {
    let world = World::new().await;
    let mut ada = world.browser_of("ada", Role::Administrator).await;
    for (form, page) in [
        ("/share/file/x/link", "/details/x"),
        ("/share/container/x", "/sharing/x"),
        ("/details/x/restore", "/details/x"),
        ("/files/x/rename", "/details/x"),
        ("/browse/x/new", "/browse/x"),
        ("/browse/x/upload", "/browse/x"),
        ("/admin/people/x/role", "/admin/people"),
        ("/admin/clients/try", "/admin/clients"),
        ("/account/password", "/account"),
        ("/bin/empty", "/bin"),
    ] {
        let answer = ada.get(form).await;
        assert_eq!((answer.status.as_u16(), answer.location()), (303, page), "{form}");
    }
    assert_eq!(ada.get("/sign-out").await.status, 405);
    assert_eq!(ada.send(Request::delete("/share/file/x/link"), "").await.status, 405);
}

#[tokio::test]
async fn what_answers_a_refused_form_can_be_reloaded_and_read_in_another_language() {
    let world = World::new().await;
    let mut ada = world.browser_of("ada", Role::Administrator).await;
    let root = ada.get("/").await.location().to_owned();
    let opened = ada.post(&format!("{root}/new"), &[("name", "a"), ("kind", "docx")]).await;
    let id = opened.location().split('/').nth(2).unwrap().to_owned();
    let link = [("right", "view"), ("days", "7"), ("password", "short")];
    let refused = ada.post(&format!("/share/file/{id}/link"), &link).await;
    assert_eq!(refused.status, 422);
    let page = refused.text();
    assert!(page.contains(&format!("<body data-here=\"/details/{id}\">")), "{page}");
    assert!(page.contains(&format!("name=\"next\" value=\"/details/{id}\"")), "{page}");
    assert!(!ada.get(&format!("/details/{id}")).await.text().contains("data-here"));
}
