//! Uploads in several requests.

use lectern_host::records::{ContentId, Timestamp, Upload, UploadPiece};

use super::samples::{content_id, file_id, user_id};
use super::{Fresh, No, no};

const THEN: Timestamp = Timestamp(1_700_000_000_000);

fn at(later: i64) -> Timestamp {
    Timestamp(THEN.0 + later)
}

fn piece(number: u64) -> UploadPiece {
    UploadPiece { content: content_id(number), size: number }
}

fn upload(id: &str, user: &str, updated_at: Timestamp, pieces: &[u64]) -> Upload {
    let pieces = pieces.iter().map(|number| piece(*number)).collect();
    Upload { id: id.to_owned(), file: file_id("a"), user: user_id(user), updated_at, pieces }
}

/// Every field of an upload comes back, its pieces in order; one that was never added is not known.
pub async fn every_field_of_an_upload_comes_back(registry: Fresh) {
    assert_eq!(no(registry.upload("a").await), No::NotFound);
    let mut expected = upload("a", "anna", at(1), &[]);
    registry.create_upload(&expected).await.unwrap();
    registry.create_upload(&upload("b", "bert", at(2), &[7])).await.unwrap();
    assert_eq!(registry.upload("a").await.unwrap(), expected);
    for (received, number) in [(0, 9), (9, 3), (12, 100)] {
        registry.extend_upload("a", received, Some(piece(number)), at(number.cast_signed())).await.unwrap();
        expected = Upload { updated_at: at(number.cast_signed()), ..expected };
        expected.pieces.push(piece(number));
        assert_eq!(registry.upload("a").await.unwrap(), expected);
    }
    registry.extend_upload("a", 112, None, at(200)).await.unwrap();
    assert_eq!(registry.upload("a").await.unwrap(), Upload { updated_at: at(200), ..expected });
    assert_eq!(registry.upload("b").await.unwrap(), upload("b", "bert", at(2), &[7]));
}

/// A piece is added only behind what came before it, and nothing is added to an upload that is not there.
pub async fn a_piece_is_added_only_behind_what_came(registry: Fresh) {
    let expected = upload("a", "anna", at(1), &[5]);
    registry.create_upload(&expected).await.unwrap();
    for received in [0, 4, 6, u64::from(u32::MAX)] {
        assert_eq!(no(registry.extend_upload("a", received, Some(piece(1)), at(2)).await), No::Conflict);
        assert_eq!(no(registry.extend_upload("a", received, None, at(2)).await), No::Conflict);
    }
    assert_eq!(registry.upload("a").await.unwrap(), expected);
    assert_eq!(no(registry.extend_upload("b", 0, Some(piece(1)), at(2)).await), No::NotFound);
    assert_eq!(registry.unreferenced(&[content_id(1)]).await.unwrap(), [content_id(1)]);
}

/// However many add a piece at one place at once, one of them does.
pub async fn of_two_pieces_at_one_place_one_is_added(registry: Fresh) {
    registry.create_upload(&upload("a", "anna", at(1), &[5])).await.unwrap();
    let add = |number| registry.extend_upload("a", 5, Some(piece(number)), at(2));
    let added = futures_util::future::join_all((10..20).map(add)).await;
    assert_eq!(added.iter().filter(|added| added.is_ok()).count(), 1);
    assert_eq!(registry.upload("a").await.unwrap().pieces.len(), 2);
}

/// The contents of pieces are pointed to until their upload is removed; removing one that is not there is success.
pub async fn a_content_is_referenced_by_uploads_until_they_are_removed(registry: Fresh) {
    registry.create_upload(&upload("a", "anna", at(1), &[1, 2])).await.unwrap();
    registry.create_upload(&upload("b", "anna", at(1), &[3])).await.unwrap();
    let contents: Vec<ContentId> = (1..=4).map(content_id).collect();
    assert_eq!(registry.unreferenced(&contents).await.unwrap(), contents[3..]);
    registry.remove_upload("a").await.unwrap();
    registry.remove_upload("a").await.unwrap();
    assert_eq!(no(registry.upload("a").await), No::NotFound);
    assert_eq!(registry.unreferenced(&contents).await.unwrap(), [contents[0], contents[1], contents[3]]);
}

/// Uploads of a user are counted by their last update, and old ones are forgotten with all their pieces.
pub async fn uploads_are_counted_and_pruned_by_age(registry: Fresh) {
    registry.create_upload(&upload("a", "anna", at(1), &[1, 2])).await.unwrap();
    registry.create_upload(&upload("b", "anna", at(2), &[])).await.unwrap();
    registry.create_upload(&upload("c", "anna", at(3), &[3])).await.unwrap();
    registry.create_upload(&upload("d", "bert", at(1), &[4])).await.unwrap();
    let count = async |user: &str, since| registry.upload_count(&user_id(user), at(since)).await.unwrap();
    assert_eq!([count("anna", 0).await, count("anna", 1).await, count("anna", 3).await], [3, 2, 0]);
    assert_eq!([count("bert", 0).await, count("carl", 0).await], [1, 0]);
    let mut freed = registry.prune_uploads(at(3)).await.unwrap();
    freed.sort();
    assert_eq!(freed, [1, 2, 4].map(content_id));
    for id in ["a", "b", "d"] {
        assert_eq!(no(registry.upload(id).await), No::NotFound);
    }
    assert_eq!(registry.upload("c").await.unwrap().pieces, [piece(3)]);
    assert_eq!(registry.prune_uploads(at(3)).await.unwrap(), []);
}
