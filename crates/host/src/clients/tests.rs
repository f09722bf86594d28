use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use tokio::sync::Semaphore;
use wopi::action_url::QueryToken;
use wopi::discovery::NetZone;
use wopi::proof::{Matched, ProofError, SigningKey, sign};

use super::*;
use crate::BoxError;

const COOL: &str = "http://cool.example/hosting/discovery";
const OFFICE: &str = "https://office.example/hosting/discovery";
const START: i64 = 1_704_067_200_000;

// ── Doubles ──────────────────────────────────────────────────────────────────────────────────────────────────────────

#[derive(Debug)]
struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

impl TestClock {
    fn advance(&self, span: Duration) {
        self.0.fetch_add(i64::try_from(span.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

#[derive(Debug, Default, Clone)]
struct TestStore {
    kept: Arc<Mutex<HashMap<String, DiscoveryCache>>>,
    broken: bool,
}

#[async_trait]
impl DiscoveryStore for TestStore {
    async fn kept(&self, client: &str) -> Result<Option<DiscoveryCache>, RegistryError> {
        if self.broken {
            return Err(RegistryError::Unavailable("no disk".into()));
        }
        Ok(self.kept.lock().unwrap().get(client).cloned())
    }

    async fn keep(&self, document: &DiscoveryCache) -> Result<(), RegistryError> {
        self.kept.lock().unwrap().insert(document.client.clone(), document.clone());
        Ok(())
    }
}

/// Answers with what the test put there. A fetch takes a permit, so that a test can hold fetches up.
#[derive(Debug)]
struct TestSource {
    answers: Mutex<HashMap<String, Result<String, String>>>,
    fetches: AtomicUsize,
    permits: Semaphore,
}

#[async_trait]
impl DiscoverySource for TestSource {
    async fn fetch(&self, url: &str) -> Result<String, BoxError> {
        self.fetches.fetch_add(1, Ordering::SeqCst);
        let _permit = self.permits.acquire().await?;
        let answer = self.answers.lock().unwrap().get(url).cloned();
        match answer {
            Some(Ok(xml)) if xml == "panic" => panic!("as the test wanted"),
            Some(answer) => answer.map_err(Into::into),
            None => Err("connection refused".into()),
        }
    }
}

/// The clients with everything around them in the test's hands.
struct World {
    clients: Arc<Clients>,
    clock: Arc<TestClock>,
    source: Arc<TestSource>,
    store: TestStore,
}

impl World {
    async fn new(settings: Vec<ClientSettings>) -> Self {
        Self::with_store(settings, TestStore::default()).await
    }

    async fn with_store(settings: Vec<ClientSettings>, store: TestStore) -> Self {
        let clock = Arc::new(TestClock(AtomicI64::new(START)));
        let source = Arc::new(TestSource {
            answers: Mutex::default(),
            fetches: AtomicUsize::new(0),
            permits: Semaphore::new(100),
        });
        let clients = Clients::load(settings, store.clone(), source.clone(), clock.clone()).await.unwrap();
        Self { clients, clock, source, store }
    }

    fn answer(&self, url: &str, xml: &str) {
        self.source.answers.lock().unwrap().insert(url.to_owned(), Ok(xml.to_owned()));
    }

    fn fail(&self, url: &str, why: &str) {
        self.source.answers.lock().unwrap().insert(url.to_owned(), Err(why.to_owned()));
    }

    fn fetches(&self) -> usize {
        self.source.fetches.load(Ordering::SeqCst)
    }

    async fn hold_fetches(&self) -> tokio::sync::SemaphorePermit<'_> {
        self.source.permits.acquire_many(100).await.unwrap()
    }

    /// Checks a request signed by `key` as the gate does.
    fn knocks(&self, client: Option<&str>, key: &SigningKey) -> Result<Option<Matched>, ProofError> {
        let url = "https://host.example/wopi/files/1?access_token=t";
        let now = self.clock.now().0;
        let mut headers = http::HeaderMap::new();
        sign(key, key, url, "t", now).unwrap().put_into(&mut headers);
        self.clients.proof_rule(client).check(&headers, &[url], &["t"], now)
    }

    fn status(&self, name: &str) -> ClientStatus {
        self.clients.status().into_iter().find(|status| status.name == name).unwrap()
    }
}

/// Lets the other tasks run until they have come so far.
async fn until(reached: impl Fn() -> bool) {
    for _ in 0..10_000 {
        if reached() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("never reached");
}

fn client(name: &str, url: &str) -> ClientSettings {
    ClientSettings::new(name, url).unwrap()
}

fn with_proof(proof: ProofSetting) -> ClientSettings {
    ClientSettings { proof, ..client("cool", COOL) }
}

fn document(apps: &str, key: Option<&SigningKey>) -> String {
    let key = key.map(SigningKey::public).map_or(String::new(), |key| {
        format!(r#"<proof-key modulus="{}" exponent="{}"/>"#, key.modulus_base64(), key.exponent_base64())
    });
    format!(r#"<wopi-discovery><net-zone name="external-http">{apps}</net-zone>{key}</wopi-discovery>"#)
}

fn writer(host: &str) -> String {
    format!(
        r#"<app name="writer" favIconUrl="http://{host}/icon.svg">
             <action name="view" ext="odt" urlsrc="http://{host}/browser/1a2b/cool.html?"/>
             <action name="edit" ext="odt" default="true" urlsrc="http://{host}/browser/1a2b/cool.html?"/>
             <action name="edit" ext="docx" urlsrc="http://{host}/browser/1a2b/cool.html?"/>
           </app>"#
    )
}

fn key() -> SigningKey {
    SigningKey::generate().unwrap()
}

// ── Start, settings, store ───────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn a_start_uses_what_was_kept_and_fetches_nothing() {
    let store = TestStore::default();
    let first = World::with_store(vec![client("cool", COOL)], store.clone()).await;
    assert_eq!(first.status("cool").proof, ProofStatus::NeverSeen);
    first.answer(COOL, &document(&writer("cool.example"), None));
    first.clients.refresh("cool").await.unwrap();

    let again = World::with_store(vec![client("cool", COOL)], store.clone()).await;
    assert_eq!(again.fetches(), 0);
    assert_eq!(again.status("cool").fetched_at, Some(Timestamp(START)));
    assert_eq!(again.clients.actions_for("odt").len(), 2);

    let moved = World::with_store(vec![client("cool", OFFICE)], store.clone()).await;
    assert_eq!(moved.status("cool").proof, ProofStatus::NeverSeen, "kept from another URL");

    store.kept.lock().unwrap().get_mut("cool").unwrap().xml.truncate(50);
    let damaged = World::with_store(vec![client("cool", COOL)], store).await;
    assert_eq!(damaged.status("cool").proof, ProofStatus::NeverSeen);
}

#[tokio::test]
async fn settings_that_contradict_themselves_and_a_store_that_fails_stop_the_start() {
    let load = async |settings: Vec<ClientSettings>, broken: bool| {
        let world = World::new(vec![]).await;
        let store = TestStore { broken, ..TestStore::default() };
        Clients::load(settings, store, world.source, world.clock).await.err().map(|error| error.to_string())
    };
    assert_eq!(load(vec![client("a", COOL), client("b", COOL)], false).await, None);
    assert_eq!(load(vec![client("a", COOL), client("a", OFFICE)], false).await.unwrap(), "two clients are called `a`");
    let many = (0..=CLIENTS_MAX).map(|n| client(&n.to_string(), COOL)).collect();
    assert_eq!(load(many, false).await.unwrap(), "more than 32 clients");
    let origin = ClientSettings { public_origin: Some("cool.example".into()), ..client("a", COOL) };
    assert!(load(vec![origin], false).await.unwrap().contains("public origin"));
    let error = load(vec![client("a", COOL)], true).await.unwrap();
    assert_eq!(error, "cannot read the kept discovery document of client `a`");
}

#[tokio::test]
async fn what_was_fetched_is_kept_and_a_failure_loses_nothing() {
    let world = World::new(vec![client("cool", COOL)]).await;
    let xml = document(&writer("cool.example"), None);
    world.answer(COOL, &xml);
    assert_eq!(world.clients.refresh("cool").await, Ok(Refreshed { rule_changed: true }));
    let kept = world.store.kept.lock().unwrap()["cool"].clone();
    assert_eq!(
        kept,
        DiscoveryCache { client: "cool".into(), url: COOL.into(), xml: xml.clone(), fetched_at: Timestamp(START) }
    );

    world.clock.advance(Duration::from_secs(1));
    world.fail(COOL, "no route\nto host");
    assert!(matches!(world.clients.refresh("cool").await, Err(RefreshError::Fetch(why)) if why == "no route to host"));
    world.answer(COOL, &xml[..xml.len() - 5]);
    assert!(matches!(world.clients.refresh("cool").await, Err(RefreshError::Document(_))));
    assert_eq!(world.clients.actions_for("odt").len(), 2);
    assert_eq!(world.store.kept.lock().unwrap()["cool"], kept);
    let status = world.status("cool");
    assert_eq!((status.fetched_at, status.tried_at), (Some(Timestamp(START)), Some(Timestamp(START + 1000))));
    assert!(status.last_error.unwrap().contains("cut off"));

    world.answer(COOL, &xml);
    assert_eq!(world.clients.refresh("cool").await, Ok(Refreshed { rule_changed: false }));
    assert_eq!(world.status("cool").last_error, None);
    assert_eq!(world.clients.refresh("nobody").await, Err(RefreshError::UnknownClient));
}

// ── When it is fetched ───────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn it_is_fetched_at_the_start_then_every_twelve_hours_and_sooner_after_failures() {
    let world = World::new(vec![client("cool", COOL)]).await;
    let mut expected = 0;
    // 5, 10, 20, … seconds, up to ten minutes.
    for delay in [5, 10, 20, 40, 80, 160, 320, 600, 600] {
        world.clients.refresh_due().await;
        expected += 1;
        assert_eq!(world.fetches(), expected);
        world.clock.advance(Duration::from_secs(delay) - Duration::from_millis(1));
        world.clients.refresh_due().await;
        assert_eq!(world.fetches(), expected, "not before {delay} s");
        world.clock.advance(Duration::from_millis(1));
    }
    world.answer(COOL, &document("", None));
    world.clients.refresh_due().await;
    expected += 1;
    assert_eq!(world.clients.next_due(), Some(world.clock.now().plus(REFRESH_INTERVAL)));
    world.clock.advance(REFRESH_INTERVAL - Duration::from_millis(1));
    world.clients.refresh_due().await;
    assert_eq!(world.fetches(), expected);
    world.clock.advance(Duration::from_millis(1));
    world.clients.refresh_due().await;
    assert_eq!(world.fetches(), expected + 1);
}

#[tokio::test(start_paused = true)]
async fn it_is_kept_fresh_until_told_to_stop() {
    let world = World::new(vec![client("cool", COOL), client("office", OFFICE)]).await;
    world.answer(OFFICE, &document("", None));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let keeper = tokio::spawn(Arc::clone(&world.clients).keep_fresh(async {
        let _ = stopped.await;
    }));
    // Time is paused: it moves only here, and whoever sleeps wakes as it does.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(world.fetches(), 2);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(world.fetches(), 2, "by the clock nothing is due yet");
    // Only the one that failed is due again soon.
    world.clock.advance(RETRY_DELAY_FIRST);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(world.fetches(), 3);
    assert_eq!(world.status("office").tried_at, Some(Timestamp(START)));
    stop.send(()).unwrap();
    keeper.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_does_not_end_is_given_up() {
    let world = World::new(vec![client("cool", COOL)]).await;
    let _held = world.hold_fetches().await;
    assert_eq!(world.clients.refresh("cool").await, Err(RefreshError::Timeout));
    assert!(world.status("cool").last_error.unwrap().contains("30 seconds"));
}

#[tokio::test]
async fn a_fetch_that_panics_counts_as_failed() {
    let world = World::new(vec![client("cool", COOL)]).await;
    world.answer(COOL, "panic");
    assert_eq!(world.clients.refresh("cool").await, Err(RefreshError::Stopped));
    assert_eq!(world.clients.next_due(), Some(Timestamp(START).plus(RETRY_DELAY_FIRST)));
    world.answer(COOL, &document("", None));
    assert!(world.clients.refresh("cool").await.is_ok());
}

#[tokio::test]
async fn whoever_asks_meanwhile_shares_the_fetch() {
    let world = World::new(vec![client("cool", COOL)]).await;
    world.answer(COOL, &document("", None));
    let held = world.hold_fetches().await;
    let mut callers: Vec<_> = (0..10)
        .map(|_| {
            let clients = Arc::clone(&world.clients);
            tokio::spawn(async move { clients.refresh("cool").await })
        })
        .collect();
    until(|| world.fetches() > 0).await;
    // One who leaves does not take the fetch from the others.
    callers.remove(0).abort();
    drop(held);
    for caller in callers {
        assert_eq!(caller.await.unwrap(), Ok(Refreshed { rule_changed: true }));
    }
    assert_eq!(world.fetches(), 1);
}

// ── Proofs ───────────────────────────────────────────────────────────────────────────────────────────────────────────

/// | setting | discovery | unsigned | signed |
/// |---|---|---|---|
/// | auto | never seen | no key | no key |
/// | auto | no key | let in | let in |
/// | auto | key | refused | let in |
/// | auto | unusable key | no key | no key |
/// | required | no key | no key | no key |
/// | required | key | refused | let in |
/// | off | never seen | let in | let in |
/// | off | key | let in | let in |
#[tokio::test]
async fn the_rule_follows_from_setting_and_discovery() {
    use ProofSetting::{Auto, Off, Required};
    let key = key();
    let signing = document("", Some(&key));
    let silent = document("", None);
    let unusable = r#"<wopi-discovery><proof-key modulus="AAAA" exponent="AQAB"/></wopi-discovery>"#;
    let refused = Err(ProofError::NoKeys);
    for (setting, discovery, signed, status) in [
        (Auto, None, refused, ProofStatus::NeverSeen),
        (Auto, Some(silent.as_str()), Ok(None), ProofStatus::DoesNotSign),
        (Auto, Some(signing.as_str()), Ok(Some(Matched::Current)), ProofStatus::Required { old_key: false }),
        (Auto, Some(unusable), refused, ProofStatus::UnusableKey(wopi::proof::KeyError::Empty)),
        (Required, Some(silent.as_str()), refused, ProofStatus::RequiredButNoKey),
        (Required, Some(signing.as_str()), Ok(Some(Matched::Current)), ProofStatus::Required { old_key: false }),
        (Off, None, Ok(None), ProofStatus::SwitchedOff),
        (Off, Some(signing.as_str()), Ok(None), ProofStatus::SwitchedOff),
    ] {
        let world = World::new(vec![with_proof(setting)]).await;
        if let Some(discovery) = discovery {
            world.answer(COOL, discovery);
            world.clients.refresh("cool").await.unwrap();
        }
        assert_eq!(world.status("cool").proof, status);
        assert_eq!(status.refuses_everything(), signed == refused, "{status}");
        for client in [Some("cool"), None] {
            assert_eq!(world.knocks(client, &key), signed, "{setting:?}, {status}");
            let unsigned = world.clients.proof_rule(client).check(&http::HeaderMap::new(), &[""], &[""], START);
            assert_eq!(unsigned.is_ok(), signed == Ok(None), "{setting:?}, {status}");
        }
    }
}

#[tokio::test]
async fn a_token_that_names_no_client_may_show_the_proof_of_any() {
    let (cool, office, stranger) = (key(), key(), key());
    let off = ClientSettings { proof: ProofSetting::Off, ..client("test", "http://test.example") };
    let world = World::new(vec![client("cool", COOL), client("office", OFFICE), off]).await;
    world.answer(COOL, &document("", Some(&cool)));
    world.answer(OFFICE, &document("", Some(&office)));
    world.clients.refresh_due().await;
    assert_eq!(world.knocks(None, &cool), Ok(Some(Matched::Current)));
    assert_eq!(world.knocks(None, &office), Ok(Some(Matched::Current)));
    assert_eq!(world.knocks(None, &stranger), Err(ProofError::Mismatch));
    assert_eq!(world.knocks(Some("cool"), &office), Err(ProofError::Mismatch));
    assert_eq!(world.knocks(Some("test"), &stranger), Ok(None));
    assert_eq!(world.knocks(Some("removed from the settings"), &cool), Err(ProofError::NoKeys));

    let nobody = World::new(vec![]).await;
    assert_eq!(nobody.clients.proof_rule(None), ProofRule::Off);
    assert_eq!(nobody.clients.next_due(), None);
    assert!(!nobody.clients.refresh_after_proof_trouble(None).await);
}

#[tokio::test]
async fn a_failed_proof_fetches_new_keys_at_most_once_a_minute() {
    let (before, after) = (key(), key());
    let world = World::new(vec![client("cool", COOL)]).await;
    world.answer(COOL, &document("", Some(&before)));
    world.clients.refresh_due().await;
    world.clock.advance(PROOF_REFRESH_INTERVAL_MIN);

    // Forged: one fetch, nothing new, and no more for a minute.
    assert!(!world.clients.refresh_after_proof_trouble(Some("cool")).await);
    assert_eq!(world.fetches(), 2);
    world.clock.advance(PROOF_REFRESH_INTERVAL_MIN - Duration::from_millis(1));
    for client in [Some("cool"), None, Some("nobody")] {
        assert!(!world.clients.refresh_after_proof_trouble(client).await);
    }
    assert_eq!(world.fetches(), 2);

    // The client has new keys.
    world.answer(COOL, &document("", Some(&after)));
    assert_eq!(world.knocks(Some("cool"), &after), Err(ProofError::Mismatch));
    assert!(!world.clients.refresh_after_proof_trouble(Some("cool")).await, "still in the same minute");
    world.clock.advance(Duration::from_millis(1));
    assert!(world.clients.refresh_after_proof_trouble(Some("cool")).await);
    assert_eq!(world.knocks(Some("cool"), &after), Ok(Some(Matched::Current)));
    assert_eq!(world.knocks(Some("cool"), &before), Err(ProofError::Mismatch));

    // Whoever checked with the former keys and comes late learns of the new ones without another fetch.
    assert!(world.clients.refresh_after_proof_trouble(Some("cool")).await);
    assert!(world.clients.refresh_after_proof_trouble(None).await);
    assert_eq!(world.fetches(), 3);
}

#[tokio::test]
async fn the_first_request_of_a_client_never_seen_fetches_its_keys() {
    let key = key();
    let world = World::new(vec![client("cool", COOL)]).await;
    world.answer(COOL, &document("", Some(&key)));
    assert_eq!(world.knocks(Some("cool"), &key), Err(ProofError::NoKeys));
    assert!(world.clients.refresh_after_proof_trouble(Some("cool")).await);
    assert_eq!(world.knocks(Some("cool"), &key), Ok(Some(Matched::Current)));
}

#[tokio::test]
async fn a_hundred_failed_proofs_share_one_fetch() {
    let world = World::new(vec![client("cool", COOL)]).await;
    world.answer(COOL, &document("", Some(&key())));
    let held = world.hold_fetches().await;
    let callers: Vec<_> = (0..100)
        .map(|n| {
            let clients = Arc::clone(&world.clients);
            tokio::spawn(async move { clients.refresh_after_proof_trouble(Some("cool").filter(|_| n % 2 == 0)).await })
        })
        .collect();
    until(|| world.fetches() > 0).await;
    drop(held);
    for caller in callers {
        assert!(caller.await.unwrap());
    }
    assert_eq!(world.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failed_proof_does_not_wait_for_a_slow_client() {
    let world = World::new(vec![client("cool", COOL)]).await;
    world.answer(COOL, &document("", Some(&key())));
    let held = world.hold_fetches().await;
    let start = tokio::time::Instant::now();
    assert!(!world.clients.refresh_after_proof_trouble(Some("cool")).await);
    assert_eq!(start.elapsed(), PROOF_REFRESH_WAIT_MAX);
    // The fetch goes on, and the next one to come joins it.
    drop(held);
    assert!(world.clients.refresh_after_proof_trouble(Some("cool")).await);
    assert_eq!(world.fetches(), 1);
}

#[tokio::test]
async fn a_stale_key_is_fetched_in_the_background_and_only_once() {
    let world = World::new(vec![client("cool", COOL)]).await;
    world.answer(COOL, &document("", None));
    for _ in 0..3 {
        world.clients.refresh_soon(Some("cool"));
    }
    until(|| world.status("cool").fetched_at.is_some()).await;
    world.clients.refresh_soon(Some("cool"));
    assert_eq!(world.fetches(), 1);
    // Nobody waited for it, and it is over all the same.
    world.clock.advance(PROOF_REFRESH_INTERVAL_MIN);
    world.clients.refresh("cool").await.unwrap();
    assert_eq!(world.fetches(), 2);
}

#[tokio::test]
async fn a_clock_that_was_set_back_does_not_stop_refreshing() {
    let world = World::new(vec![client("cool", COOL)]).await;
    world.answer(COOL, &document("", None));
    world.clients.refresh("cool").await.unwrap();
    world.clock.0.store(START - 3_600_000, Ordering::SeqCst);
    world.clients.refresh_after_proof_trouble(Some("cool")).await;
    assert_eq!(world.fetches(), 2);
}

// ── Actions ──────────────────────────────────────────────────────────────────────────────────────────────────────────

fn names(actions: &[ClientAction]) -> Vec<String> {
    actions.iter().map(|action| format!("{} {} {}", action.client, action.app, action.name)).collect()
}

#[tokio::test]
async fn the_best_client_comes_first_by_rank_and_by_extension() {
    let mut cool = client("cool", COOL);
    cool.rank = 2;
    cool.ranks = BTreeMap::from([("odt".to_owned(), 0)]);
    let mut office = client("office", OFFICE);
    office.rank = 1;
    let world = World::new(vec![cool, office, client("unseen", "http://unseen.example")]).await;
    world.answer(COOL, &document(&writer("cool.example"), None));
    let word = r#"<app name="Word" checkLicense="true">
        <action name="edit" ext="docx" urlsrc="https://office.example/we?&lt;ui=UI_LLCC&amp;&gt;"/>
        <action name="view" ext="odt" urlsrc="https://office.example/wv?"/></app>"#;
    world.answer(OFFICE, &document(word, None));
    world.clients.refresh_due().await;

    assert_eq!(names(&world.clients.actions_for(".ODT")), ["cool writer edit", "cool writer view", "office Word view"]);
    assert_eq!(names(&world.clients.actions_for("docx")), ["office Word edit", "cool writer edit"]);
    assert_eq!(names(&world.clients.actions_for("xlsx")), [""; 0]);
    assert_eq!(world.clients.names().collect::<Vec<_>>(), ["cool", "office", "unseen"]);
    assert!(world.clients.has("cool") && !world.clients.has("Cool"));

    let best = world.clients.action(None, "docx", "EDIT").unwrap();
    assert_eq!((best.client.as_str(), best.rank, best.check_license), ("office", 1, true));
    let chosen = world.clients.action(Some("cool"), "docx", "edit").unwrap();
    assert_eq!((chosen.client.as_str(), chosen.rank), ("cool", 2));
    assert_eq!(world.clients.action(Some("unseen"), "docx", "edit"), None);

    let status = world.status("cool");
    assert_eq!((status.apps, status.actions, status.skipped_actions), (1, 3, 0));
    assert_eq!(status.extensions, BTreeSet::from(["docx".to_owned(), "odt".to_owned()]));
}

#[tokio::test]
async fn only_what_we_understand_and_can_serve_is_offered() {
    let world = World::new(vec![client("office", OFFICE)]).await;
    let apps = r#"<app name="Word">
        <action name="view" ext="x" urlsrc="https://o.example/1"/>
        <action name="edit" ext="x" requires="locks,update" urlsrc="https://o.example/2"/>
        <action name="edit" ext="x" requires="locks,cobalt,update" urlsrc="https://o.example/3"/>
        <action name="view" ext="x" requires="cobalt,containers" urlsrc="https://o.example/4"/>
        <action name="view" ext="x" useParent="true" urlsrc="https://o.example/5"/>
        <action name="teleport" ext="x" urlsrc="https://o.example/6"/>
        <action name="convert" ext="x" targetext="y" requires="update" urlsrc="https://o.example/7"/>
        <action name="view" progid="x" urlsrc="https://o.example/8"/>
        <action name="view" ext="" urlsrc="https://o.example/9"/></app>"#;
    world.answer(OFFICE, &document(apps, None));
    world.clients.refresh_due().await;
    let actions = world.clients.actions_for("x");
    let urls: Vec<_> = actions.iter().map(|action| action.url_template.as_str()).collect();
    assert_eq!(urls, ["https://o.example/1", "https://o.example/2", "https://o.example/7"]);
    assert_eq!(actions[2].target_extension.as_deref(), Some("y"));
}

#[tokio::test]
async fn the_zone_is_the_chosen_one_or_the_one_people_reach() {
    let zone = |name: &str, actions: &[&str]| {
        let actions: String = actions
            .iter()
            .map(|action| format!(r#"<action name="{action}" ext="x" urlsrc="http://{name}/{action}"/>"#))
            .collect();
        format!(r#"<net-zone name="{name}"><app name="Word">{actions}</app></net-zone>"#)
    };
    let xml = format!(
        "<wopi-discovery>{}{}{}</wopi-discovery>",
        zone("internal-http", &["view", "edit", "convert"]),
        zone("external-http", &["view"]),
        zone("external-https", &["view", "edit"])
    );
    for (chosen, expected) in [
        (None, ["http://external-https/view", "http://external-https/edit", "http://internal-http/convert"]),
        (
            Some(NetZone::InternalHttp),
            ["http://internal-http/view", "http://internal-http/edit", "http://internal-http/convert"],
        ),
        (
            Some(NetZone::ExternalHttp),
            ["http://external-http/view", "http://external-https/edit", "http://internal-http/convert"],
        ),
    ] {
        let world = World::new(vec![ClientSettings { zone: chosen, ..client("office", OFFICE) }]).await;
        world.answer(OFFICE, &xml);
        world.clients.refresh_due().await;
        let actions = world.clients.actions_for("x");
        assert_eq!(actions.iter().map(|action| action.url_template.as_str()).collect::<Vec<_>>(), expected);
    }
}

#[tokio::test]
async fn a_client_fetched_by_an_internal_name_is_shown_at_its_public_origin() {
    let settings = ClientSettings { public_origin: Some("https://docs.example/".into()), ..client("cool", COOL) };
    let world = World::new(vec![settings]).await;
    world.answer(COOL, &document(&writer("10.0.0.5:9980"), None));
    world.clients.refresh_due().await;
    let action = world.clients.action(None, "odt", "edit").unwrap();
    assert_eq!(action.url_template, "https://docs.example/browser/1a2b/cool.html?");
    assert_eq!(action.fav_icon_url.as_deref(), Some("https://docs.example/icon.svg"));
}

#[tokio::test]
async fn action_urls_carry_what_each_client_reads() {
    let world = World::new(vec![client("cool", COOL), client("office", OFFICE)]).await;
    world.answer(COOL, &document(&writer("cool.example"), None));
    let apps = r#"<app name="WopiTest">
        <action name="view" ext="wopitest" urlsrc="https://o.example/cool.html?&lt;ui=UI_LLCC&amp;&gt;"/>
        <action name="preloadview" ext="wopitest" urlsrc="https://o.example/p?&lt;ui=UI_LLCC&gt;"/>
        <action name="getinfo" ext="wopitest" urlsrc="https://o.example/getinfo"/></app>"#;
    world.answer(OFFICE, &document(apps, None));
    world.clients.refresh_due().await;
    let extra = [("wdOrigin".into(), "x".into())];
    let facts = ActionUrlFacts {
        ui_language: Some("de"),
        extra: &extra,
        token_in_query: Some(QueryToken { access_token: "t", access_token_ttl: 7 }),
        ..ActionUrlFacts::new("http://h/1")
    };
    let src = "WOPISrc=http%3A%2F%2Fh%2F1";
    for (extension, name, expected) in [
        ("odt", "edit", format!("http://cool.example/browser/1a2b/cool.html?{src}&lang=de&wdOrigin=x")),
        ("wopitest", "view", format!("https://o.example/cool.html?ui=de&{src}&wdOrigin=x")),
        ("wopitest", "preloadview", "https://o.example/p?ui=de".to_owned()),
        (
            "wopitest",
            "getinfo",
            format!("https://o.example/getinfo?{src}&access_token=t&access_token_ttl=7&wdOrigin=x"),
        ),
    ] {
        assert_eq!(world.clients.action_url(None, extension, name, &facts), Some(expected));
    }
    assert_eq!(world.clients.action_url(Some("cool"), "wopitest", "view", &facts), None);
}

/// The registry is a store by itself: this only has to compile.
#[allow(dead_code)]
async fn every_registry_is_a_store(registry: Arc<dyn Registry>, world: World) -> Result<Arc<Clients>, ClientsError> {
    Clients::load(vec![], registry, world.source, world.clock).await
}
