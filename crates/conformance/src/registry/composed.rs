//! Contents that are made of pieces of others.

use lectern_host::records::{ContentId, ContentPiece};

use super::Fresh;
use super::samples::content_id;

fn piece(number: u64, offset: u64, size: u64) -> ContentPiece {
    ContentPiece { content: content_id(number), offset, size }
}

/// The pieces of a content come back in their order, one content's twice if it is there twice; of any other there are none.
pub async fn the_pieces_of_a_content_come_back_in_their_order(registry: Fresh) {
    let pieces = [piece(9, 5, 1), piece(1, 0, 1 << 40), piece(9, 5, 1), piece(2, 1 << 41, 3)];
    registry.add_composed(&content_id(100), &pieces).await.unwrap();
    registry.add_composed(&content_id(101), &pieces[..1]).await.unwrap();
    assert_eq!(registry.composed(&content_id(100)).await.unwrap(), pieces);
    assert_eq!(registry.composed(&content_id(101)).await.unwrap(), pieces[..1]);
    for plain in [9, 102] {
        assert_eq!(registry.composed(&content_id(plain)).await.unwrap(), []);
    }
}

/// The contents of pieces are pointed to until the last content that is made of them is forgotten; that itself is not.
pub async fn a_piece_points_to_its_content(registry: Fresh) {
    let contents = [1, 2, 100, 101].map(content_id);
    registry.add_composed(&contents[2], &[piece(1, 0, 1), piece(2, 0, 1)]).await.unwrap();
    registry.add_composed(&contents[3], &[piece(2, 1, 1)]).await.unwrap();
    assert_eq!(registry.unreferenced(&contents).await.unwrap(), contents[2..]);
    for _ in 0..2 {
        registry.remove_composed(&contents[2]).await.unwrap();
    }
    assert_eq!(registry.unreferenced(&contents).await.unwrap(), [contents[0], contents[2], contents[3]]);
    assert_eq!(registry.composed(&contents[2]).await.unwrap(), []);
}

/// Every content that is made of pieces is listed once, however small the pages are.
pub async fn composed_contents_are_listed_page_by_page(registry: Fresh) {
    let ids: Vec<ContentId> = (100..107).map(content_id).collect();
    for id in ids.iter().rev() {
        registry.add_composed(id, &[piece(1, 0, 1), piece(2, 0, 1), piece(3, 0, 1)]).await.unwrap();
    }
    let (mut found, mut after) = (Vec::new(), None);
    for _ in 0..4 {
        let page = registry.composed_ids(after.as_ref(), 2).await.unwrap();
        after = page.last().copied();
        found.extend(page);
    }
    assert_eq!(found, ids);
    assert_eq!(registry.composed_ids(after.as_ref(), 2).await.unwrap(), []);
}
