//! What nodes tell one another.

use lectern_host::ports::MEMO_VALUE_BYTES_MAX;
use lectern_host::records::{RefusedRequest, Revision, Timestamp};

use super::{Fresh, No, no, race};

/// A memo is what was put last until the millisecond at which it runs out; names are compared byte for byte.
pub async fn a_memo_is_remembered_until_it_runs_out(registry: Fresh) {
    let put = async |name: &str, seen, value: &[u8], until, now| {
        registry.put_memo(name, seen, value, Timestamp(until), Timestamp(now)).await
    };
    let value = async |name: &str, now| registry.memo(name, Timestamp(now)).await.unwrap().map(|memo| memo.value);
    assert_eq!(value("a", 0).await, None);
    let first = put("a", None, b"one", 10, 0).await.unwrap();
    let other = put("A", None, &vec![0xFF; MEMO_VALUE_BYTES_MAX], i64::MAX, 0).await.unwrap();
    let memo = registry.memo("a", Timestamp(9)).await.unwrap().unwrap();
    assert_eq!((&*memo.value, memo.revision, memo.until), (&b"one"[..], first, Timestamp(10)));
    assert_eq!(value("a", 10).await, None);
    assert_eq!(value("A", 10).await, Some(vec![0xFF; MEMO_VALUE_BYTES_MAX]));
    // Over what is there only by who has seen it; over what ran out only by who has seen that nothing is there.
    assert_eq!(no(put("a", None, b"two", 20, 9).await), No::Conflict);
    assert_eq!(no(put("a", Some(Revision(first.0 + 1)), b"two", 20, 9).await), No::Conflict);
    assert_eq!(no(put("a", Some(first), b"two", 20, 10).await), No::Conflict);
    assert_eq!(no(put("b", Some(first), b"two", 20, 9).await), No::Conflict);
    let second = put("a", Some(first), b"", 20, 9).await.unwrap();
    assert_eq!(value("a", 19).await, Some(Vec::new()));
    let third = put("a", None, b"three", 30, 20).await.unwrap();
    assert!(first < second && second < third, "a revision never comes again");
    assert_eq!(no(put("a", Some(second), b"four", 40, 21).await), No::Conflict);
    // Taken away once, and its revision is not used again either.
    assert_eq!(no(registry.remove_memo("a", second, Timestamp(21)).await), No::Conflict);
    registry.remove_memo("a", third, Timestamp(21)).await.unwrap();
    assert_eq!(no(registry.remove_memo("a", third, Timestamp(21)).await), No::Conflict);
    assert_eq!(value("a", 21).await, None);
    let fourth = put("a", None, b"five", 50, 21).await.unwrap();
    assert!(fourth > third);
    assert_eq!(registry.prune_memos(Timestamp(50)).await.unwrap(), 0);
    assert_eq!(registry.prune_memos(Timestamp(51)).await.unwrap(), 1);
    assert_eq!(registry.memo("A", Timestamp(51)).await.unwrap().map(|memo| memo.revision), Some(other));
}

/// Of all who put over the same at once exactly one wins, whether something was there or not; so of those who take it.
pub async fn of_two_memos_over_the_same_exactly_one_wins(registry: Fresh) {
    const UNTIL: Timestamp = Timestamp(100);
    let mut seen = None;
    for round in 0..5 {
        let tasks = (0..8_u8).map(|task| {
            let registry = registry.clone();
            async move { registry.put_memo("lease", seen, &[task], UNTIL, Timestamp(round)).await }
        });
        let answers = race(tasks).await;
        let won: Vec<usize> = (0..8).filter(|at| answers[*at].is_ok()).collect();
        assert_eq!(won.len(), 1, "{answers:?}");
        let memo = registry.memo("lease", Timestamp(round)).await.unwrap().unwrap();
        assert_eq!(usize::from(memo.value[0]), won[0]);
        seen = Some(memo.revision);
    }
    let tasks = (0..8).map(|_| {
        let (registry, seen) = (registry.clone(), seen.unwrap());
        async move { registry.remove_memo("lease", seen, Timestamp(9)).await.is_ok() }
    });
    assert_eq!(race(tasks).await.into_iter().filter(|taken| *taken).count(), 1);
}

/// Refused requests come back with every field, the last first, and no more of them than were to be kept.
pub async fn the_last_refused_requests_are_remembered(registry: Fresh) {
    let refused = |number: i64| RefusedRequest {
        // Nodes' clocks differ: the order is that of remembering.
        at: Timestamp(-number),
        node: "knoten-'1'".into(),
        status: 409,
        operation: "Lock".into(),
        because: format!("der 'Grund' {number}\n"),
        url: "https://example.org/wopi/files/x".into(),
        correlation_id: String::new(),
        request_id: "r".into(),
    };
    assert_eq!(registry.refusals(9).await.unwrap(), []);
    registry.add_refusals(&[refused(1), refused(2)], 5).await.unwrap();
    registry.add_refusals(&[], 5).await.unwrap();
    assert_eq!(registry.refusals(9).await.unwrap(), [refused(2), refused(1)]);
    registry.add_refusals(&[refused(3), refused(4), refused(5), refused(6)], 5).await.unwrap();
    assert_eq!(registry.refusals(9).await.unwrap(), [6, 5, 4, 3, 2].map(refused));
    assert_eq!(registry.refusals(2).await.unwrap(), [6, 5].map(refused));
    let many: Vec<_> = (0..20).map(refused).collect();
    registry.add_refusals(&many, 5).await.unwrap();
    assert_eq!(registry.refusals(9).await.unwrap(), [19, 18, 17, 16, 15].map(refused));
}
