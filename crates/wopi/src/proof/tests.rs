use std::sync::{Arc, LazyLock};

use http::{HeaderName, HeaderValue};
use serde_json::Value;

use super::*;

/// 2024-01-01T00:00:00Z
const NOW_MS: i64 = 1_704_067_200_000;
const URL: &str = "https://host.example/wopi/files/1?access_token=abc";
const TOKEN: &str = "abc";

/// Made once: it takes most of a second without optimisation.
static KEYS: LazyLock<(SigningKey, SigningKey, SigningKey)> = LazyLock::new(|| {
    (SigningKey::generate().unwrap(), SigningKey::generate().unwrap(), SigningKey::generate().unwrap())
});

fn current() -> &'static SigningKey {
    &KEYS.0
}

fn old() -> &'static SigningKey {
    &KEYS.1
}

fn stranger() -> &'static SigningKey {
    &KEYS.2
}

fn known() -> ProofKeys {
    ProofKeys { current: current().public().clone(), old: Some(old().public().clone()) }
}

fn signed(by: &SigningKey, old_by: &SigningKey, at_ms: i64) -> HeaderMap {
    let mut headers = HeaderMap::new();
    sign(by, old_by, URL, TOKEN, at_ms).unwrap().put_into(&mut headers);
    headers
}

fn check(headers: &HeaderMap) -> Result<Matched, ProofError> {
    verify(&known(), headers, &[URL], &[TOKEN], NOW_MS)
}

fn vectors(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn the_layout_of_what_is_signed() {
    let bytes = preimage(TOKEN, URL, ticks_from_unix_ms(NOW_MS));
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        hex,
        "00000003616263\
         0000003248545450533a2f2f484f53542e4558414d504c452f574f50492f46494c45532f313f4143434553535f544f4b454e3d414243\
         0000000808dc0a5c9900c000"
    );
}

#[test]
fn the_published_cases() {
    let file = vectors(include_str!("../../tests/data/proof-vectors.json"));
    let key = |name: &str| {
        let key = &file["keys"][name];
        let text = |name: &str| key[name].as_str().unwrap();
        let parsed = PublicKey::from_modulus_exponent(text("modulus"), text("exponent")).unwrap();
        assert_eq!(PublicKey::from_capi_blob(text("capi_blob")).unwrap(), parsed);
        assert_eq!(parsed.capi_blob_base64(), text("capi_blob"));
        assert_eq!(parsed.modulus_base64(), text("modulus"));
        parsed
    };
    let keys = ProofKeys { current: key("current"), old: Some(key("old")) };
    let cases = file["vectors"].as_array().unwrap();
    assert_eq!(cases.len(), 8);
    for case in cases {
        let text = |name: &str| case[name].as_str().unwrap();
        let ticks: i64 = text("timestamp").parse().unwrap();
        let bytes = preimage(text("access_token"), text("url"), ticks);
        assert_eq!(bytes.len() as u64, case["preimage_len"].as_u64().unwrap());
        let hash = digest::digest(&digest::SHA256, &bytes);
        let hex: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, text("preimage_sha256"));

        let mut headers = HeaderMap::new();
        for (name, value) in [(PROOF, "proof"), (PROOF_OLD, "proof_old"), (TIMESTAMP, "timestamp")] {
            headers.insert(HeaderName::try_from(name).unwrap(), HeaderValue::try_from(text(value)).unwrap());
        }
        let expected = match case["verifies"][0].as_str() {
            Some("proof+current") => Ok(Matched::Current),
            Some("proof_old+current") => Ok(Matched::ProofOldByCurrent),
            Some("proof+old") => Ok(Matched::ProofByOld),
            None => Err(ProofError::Mismatch),
            Some(other) => panic!("{other}"),
        };
        let now_ms = unix_ms_from_ticks(ticks);
        assert_eq!(
            verify(&keys, &headers, &[text("url")], &[text("access_token")], now_ms),
            expected,
            "{}",
            text("name")
        );
        // They are from 2015.
        let today = verify(&keys, &headers, &[text("url")], &[text("access_token")], NOW_MS);
        assert!(matches!(today, Err(ProofError::TooOld { .. })));
    }
}

#[test]
fn keys_of_every_accepted_size_verify() {
    let file = vectors(include_str!("../../tests/data/proof-key-sizes.json"));
    for case in file["keys"].as_array().unwrap() {
        let text = |name: &str| case[name].as_str().unwrap();
        let current = PublicKey::from_modulus_exponent(text("modulus"), text("exponent")).unwrap();
        assert_eq!(current.bits() as u64, case["bits"].as_u64().unwrap());
        let keys = ProofKeys { current, old: None };
        let mut headers = HeaderMap::new();
        let ticks = ticks_from_unix_ms(NOW_MS).to_string();
        headers.insert("X-WOPI-Proof", HeaderValue::try_from(text("proof")).unwrap());
        headers.insert("X-WOPI-TimeStamp", HeaderValue::try_from(ticks).unwrap());
        assert_eq!(verify(&keys, &headers, &[URL], &[TOKEN], NOW_MS), Ok(Matched::Current), "{}", case["bits"]);
        assert_eq!(verify(&keys, &headers, &[URL], &["x"], NOW_MS), Err(ProofError::Mismatch), "{}", case["bits"]);
    }
}

/// What Microsoft's validator checks in its group `ProofKeys`, and a little more.
///
/// | Proof | ProofOld | |
/// |---|---|---|
/// | current | old | accepted |
/// | current | garbage | accepted |
/// | current | absent | accepted |
/// | garbage | current | accepted, keys stale |
/// | absent | current | accepted, keys stale |
/// | old | garbage | accepted, keys stale |
/// | old | current | accepted, keys stale |
/// | current | current | accepted (Collabora) |
/// | garbage | old | refused |
/// | absent | old | refused |
/// | garbage | garbage | refused |
/// | stranger | stranger | refused |
#[test]
fn which_signature_counts() {
    use Matched::{Current, ProofByOld, ProofOldByCurrent};
    use ProofError::Mismatch;
    let message = preimage(TOKEN, URL, ticks_from_unix_ms(NOW_MS));
    let of = |key: &SigningKey| Some(key.sign(&message).unwrap());
    // What the validator sends: seven bytes that are no signature of any length.
    let garbage = || Some("SU5WQUxJRA==".to_owned());
    for (row, proof, proof_old, expected) in [
        (1, of(current()), of(old()), Ok(Current)),
        (2, of(current()), garbage(), Ok(Current)),
        (3, of(current()), None, Ok(Current)),
        (4, garbage(), of(current()), Ok(ProofOldByCurrent)),
        (5, None, of(current()), Ok(ProofOldByCurrent)),
        (6, of(old()), garbage(), Ok(ProofByOld)),
        (7, of(old()), of(current()), Ok(ProofOldByCurrent)),
        (8, of(current()), of(current()), Ok(Current)),
        (9, garbage(), of(old()), Err(Mismatch)),
        (10, None, of(old()), Err(Mismatch)),
        (11, garbage(), garbage(), Err(Mismatch)),
        (12, of(stranger()), of(stranger()), Err(Mismatch)),
    ] {
        let mut headers = signed(current(), old(), NOW_MS);
        headers.remove(PROOF);
        headers.remove(PROOF_OLD);
        for (name, value) in [("x-wopi-proof", proof), ("x-wopi-proofold", proof_old)] {
            if let Some(value) = value {
                headers.insert(name, HeaderValue::try_from(value).unwrap());
            }
        }
        assert_eq!(check(&headers), expected, "row {row}");
        assert_eq!(expected.is_ok_and(Matched::keys_are_stale), (4..=7).contains(&row), "row {row}");
    }
}

#[test]
fn an_old_key_that_was_never_published_does_not_count() {
    let keys = ProofKeys { current: current().public().clone(), old: None };
    let headers = signed(old(), old(), NOW_MS);
    assert_eq!(verify(&keys, &headers, &[URL], &[TOKEN], NOW_MS), Err(ProofError::Mismatch));
}

#[test]
fn a_proof_is_good_for_twenty_minutes_and_a_clock_may_be_five_ahead() {
    let age = i64::try_from(PROOF_AGE_MAX.as_millis()).unwrap();
    let skew = i64::try_from(PROOF_SKEW_MAX.as_millis()).unwrap();
    for (signed_at, expected) in [
        (NOW_MS, Ok(Matched::Current)),
        (NOW_MS - age, Ok(Matched::Current)),
        (NOW_MS - age - 1, Err(ProofError::TooOld { age: PROOF_AGE_MAX + Duration::from_millis(1) })),
        (NOW_MS + skew, Ok(Matched::Current)),
        (NOW_MS + skew + 1, Err(ProofError::FromTheFuture { ahead: PROOF_SKEW_MAX + Duration::from_millis(1) })),
    ] {
        assert_eq!(check(&signed(current(), old(), signed_at)), expected);
    }
}

#[test]
fn a_time_is_digits_and_nothing_else() {
    for (text, header) in [
        ("", Err(ProofError::Malformed { header: TIMESTAMP })),
        ("+638396640000000000", Err(ProofError::Malformed { header: TIMESTAMP })),
        ("-1", Err(ProofError::Malformed { header: TIMESTAMP })),
        ("2024-01-01T00:00:00Z", Err(ProofError::Malformed { header: TIMESTAMP })),
        ("99999999999999999999", Err(ProofError::Malformed { header: TIMESTAMP })),
        (" 0638396640000000000 ", Ok(Matched::Current)),
    ] {
        let mut headers = signed(current(), old(), NOW_MS);
        headers.insert("x-wopi-timestamp", HeaderValue::try_from(text).unwrap());
        assert_eq!(check(&headers), header, "{text:?}");
    }
    for extreme in [0, i64::MAX] {
        let mut headers = signed(current(), old(), NOW_MS);
        headers.insert("x-wopi-timestamp", HeaderValue::from(extreme));
        assert!(matches!(check(&headers), Err(ProofError::TooOld { .. } | ProofError::FromTheFuture { .. })));
        assert!(verify(&known(), &headers, &[URL], &[TOKEN], i64::MIN).is_err());
    }
}

#[test]
fn headers_that_are_absent_doubled_or_no_base64_are_named() {
    let good = signed(current(), old(), NOW_MS);
    let without = |names: &[&str]| {
        let mut headers = good.clone();
        for name in names {
            headers.remove(*name);
        }
        check(&headers)
    };
    assert_eq!(without(&[TIMESTAMP]), Err(ProofError::Missing { header: TIMESTAMP }));
    assert_eq!(without(&[PROOF, PROOF_OLD]), Err(ProofError::Missing { header: PROOF }));
    assert_eq!(check(&HeaderMap::new()), Err(ProofError::Missing { header: TIMESTAMP }));

    let mut doubled = good.clone();
    doubled.append("x-wopi-timestamp", good[TIMESTAMP].clone());
    assert_eq!(check(&doubled), Err(ProofError::Malformed { header: TIMESTAMP }));
    let mut doubled = good.clone();
    doubled.append("x-wopi-proof", good[PROOF].clone());
    assert_eq!(check(&doubled), Err(ProofError::Malformed { header: PROOF }));

    for bad in [HeaderValue::from_static("%%%"), HeaderValue::from_bytes(b"\xff\xfe").unwrap()] {
        let mut headers = good.clone();
        headers.insert("x-wopi-proof", bad.clone());
        assert_eq!(check(&headers), Err(ProofError::Malformed { header: PROOF }));
        headers.remove(PROOF);
        headers.insert("x-wopi-proofold", bad);
        assert_eq!(check(&headers), Err(ProofError::Malformed { header: PROOF_OLD }));
    }
    let mut long = good.clone();
    long.insert("x-wopi-proof", HeaderValue::try_from("A".repeat(SIGNATURE_TEXT_LENGTH_MAX + 1)).unwrap());
    assert_eq!(check(&long), Err(ProofError::Malformed { header: PROOF }));
}

#[test]
fn any_of_the_urls_and_spellings_of_the_token_may_be_the_signed_one() {
    let raw = "https://host.example/wopi/files/1?access_token=a%2fb";
    let by_proxy = "http://10.0.0.1:8080/wopi/files/1?access_token=a%2fb";
    for token in ["a%2fb", "a/b"] {
        let mut headers = HeaderMap::new();
        sign(current(), old(), raw, token, NOW_MS).unwrap().put_into(&mut headers);
        let verify = |urls: &[&str], tokens: &[&str]| verify(&known(), &headers, urls, tokens, NOW_MS);
        assert_eq!(verify(&[raw], &["a%2fb", "a/b"]), Ok(Matched::Current));
        assert_eq!(verify(&[by_proxy, raw], &["a%2fb", "a/b"]), Ok(Matched::Current));
        assert_eq!(verify(&[by_proxy], &["a%2fb", "a/b"]), Err(ProofError::Mismatch));
        assert_eq!(verify(&[], &[]), Err(ProofError::Mismatch));
    }
}

#[test]
fn upper_casing_is_that_of_ascii_or_that_of_unicode() {
    let url = "https://host.example/wopi/files/ä?access_token=abc";
    let ticks = ticks_from_unix_ms(NOW_MS);
    for upper in [url.to_ascii_uppercase(), url.to_uppercase()] {
        let mut headers = signed(current(), old(), NOW_MS);
        let signature = current().sign(&preimage_of(TOKEN, &upper, ticks)).unwrap();
        headers.insert("x-wopi-proof", HeaderValue::try_from(signature).unwrap());
        assert_eq!(verify(&known(), &headers, &[url], &[TOKEN], NOW_MS), Ok(Matched::Current), "{upper}");
    }
}

#[test]
fn no_more_spellings_are_tried_than_allowed() {
    let urls: Vec<String> = (0..PREIMAGES_MAX).map(|n| format!("{URL}&n={n}")).collect();
    let mut urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    urls.push(URL);
    let headers = signed(current(), old(), NOW_MS);
    assert_eq!(verify(&known(), &headers, &urls, &[TOKEN], NOW_MS), Err(ProofError::Mismatch));
    assert_eq!(verify(&known(), &headers, &urls[1..], &[TOKEN], NOW_MS), Ok(Matched::Current));
    // The same one twice counts once.
    let doubled: Vec<&str> = [urls[0]; 50].into_iter().chain([URL]).collect();
    assert_eq!(verify(&known(), &headers, &doubled, &[TOKEN, TOKEN], NOW_MS), Ok(Matched::Current));
}

#[test]
fn a_rule_accepts_the_keys_of_any_of_its_clients_and_none_without_keys() {
    let other = Arc::new(ProofKeys { current: stranger().public().clone(), old: None });
    let known = Arc::new(known());
    let headers = signed(current(), old(), NOW_MS);
    let check = |rule: &ProofRule, headers: &HeaderMap| rule.check(headers, &[URL], &[TOKEN], NOW_MS);
    let both = ProofRule::Required([Arc::clone(&other), known].into());
    assert_eq!(check(&both, &headers), Ok(Some(Matched::Current)));
    assert_eq!(check(&both, &signed(stranger(), old(), NOW_MS)), Ok(Some(Matched::Current)));
    assert_eq!(check(&both, &HeaderMap::new()), Err(ProofError::Missing { header: TIMESTAMP }));
    let one = ProofRule::Required([other].into());
    assert_eq!(check(&one, &headers), Err(ProofError::Mismatch));
    let none = ProofRule::Required([].into());
    assert_eq!(check(&none, &headers), Err(ProofError::NoKeys));
    assert_eq!(check(&ProofRule::Off, &HeaderMap::new()), Ok(None));
}

#[test]
fn every_refusal_tells_the_operator_where_to_look() {
    let all = [
        ProofError::Missing { header: PROOF },
        ProofError::Malformed { header: TIMESTAMP },
        ProofError::TooOld { age: Duration::from_secs(1260) },
        ProofError::FromTheFuture { ahead: Duration::from_secs(301) },
        ProofError::Mismatch,
        ProofError::NoKeys,
    ];
    let words: Vec<String> = all.iter().map(ToString::to_string).collect();
    for (text, word) in words.iter().zip(["X-WOPI-Proof", "X-WOPI-TimeStamp", "1260", "301", "URL", "discovery"]) {
        assert!(text.contains(word), "{text}");
    }
    let refresh: Vec<bool> = all.iter().map(|error| error.may_be_stale_keys()).collect();
    assert_eq!(refresh, [false, false, false, false, true, true]);
}

/// Prints what checking costs: `cargo test -p wopi --release proof_cost -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement, not a check"]
fn proof_cost() {
    const ROUNDS: u32 = 2000;
    let keys = known();
    let cost = |what: &str, work: &dyn Fn()| {
        let start = std::time::Instant::now();
        (0..ROUNDS).for_each(|_| work());
        println!("{what}: {:?}", start.elapsed() / ROUNDS);
    };
    let good = signed(current(), old(), NOW_MS);
    let forged = signed(stranger(), stranger(), NOW_MS);
    cost("accepted", &|| assert!(verify(&keys, &good, &[URL], &[TOKEN], NOW_MS).is_ok()));
    cost("refused", &|| assert!(verify(&keys, &forged, &[URL], &[TOKEN], NOW_MS).is_err()));
    let signature = super::key::BASE64.decode(&good[PROOF]).unwrap();
    let message = preimage(TOKEN, URL, ticks_from_unix_ms(NOW_MS));
    let modulus = super::key::BASE64.decode(current().public().modulus_base64()).unwrap();
    cost("parsing the key each time", &|| {
        let components = aws_lc_rs::rsa::PublicKeyComponents { n: &modulus[..], e: &[1, 0, 1][..] };
        assert!(components.verify(&aws_lc_rs::signature::RSA_PKCS1_2048_8192_SHA256, &message, &signature).is_ok());
    });
}
