//! Listings as people read them.

use lectern_host::ports::{Mark, Named, Slice, Sort};
use lectern_host::records::{Content, FileRecord, ModifiedAt, Timestamp};
use lectern_host::wopi::ContainerId;

use super::Fresh;
use super::files::{commit, root};
use super::samples::{container, content, file, name};

/// (name, size, time)
const FILES: [(&str, u64, i64); 9] = [
    ("Band 10.docx", 5, 30),
    ("Äpfel.odt", 7, 10),
    ("apfel.DOCX", 7, 20),
    ("Band 9.docx", 0, 30),
    ("Zebra", 7, 50),
    ("band 9.docx", 1, -4),
    ("Ωmega.ods", 900, 30),
    ("a\u{10FFFF}", 7, 30),
    ("\u{10FFFF}.odt", 2, 1),
];

async fn filled(registry: &Fresh) -> ContainerId {
    let root = root(registry).await;
    let inner = registry.create_container(&container("inner", &root, "inner")).await.unwrap().id;
    for (number, (called, size, at)) in FILES.into_iter().enumerate() {
        let content = Content { size, modified_at: ModifiedAt(at), ..content(number as u64) };
        let record = FileRecord { content, ..file(&format!("f{number}"), &inner, called) };
        registry.create_file(&record).await.unwrap();
    }
    // None of these belongs to the listing.
    registry.create_file(&file("other", &root, "other.docx")).await.unwrap();
    registry.create_container(&container("deep", &inner, "Band 9b")).await.unwrap();
    let deleted = registry.create_file(&file("gone", &inner, "gone.docx")).await.unwrap();
    registry.commit_file(&commit(&FileRecord { deleted_at: Some(Timestamp(1)), ..deleted })).await.unwrap();
    inner
}

async fn walked(registry: &Fresh, inner: &ContainerId, sort: Sort, descending: bool, limit: usize) -> Vec<String> {
    let mut slice = Slice { sort, descending, after: None, limit };
    let mut names = Vec::new();
    loop {
        let page = registry.files_listed(inner, &slice).await.unwrap();
        assert!(page.len() <= limit);
        names.extend(page.iter().map(|file| file.name.to_string()));
        match page.last() {
            Some(last) => slice.after = Some(Mark::of(last, sort)),
            None => return names,
        }
        assert!(names.len() <= FILES.len(), "the listing goes in a circle: {names:?}");
    }
}

/// Slices of one listing have every file once, in the order that was asked for, forwards and backwards.
pub async fn files_are_listed_in_every_order(registry: Fresh) {
    let inner = filled(&registry).await;
    for (sort, order) in [
        (Sort::Name, [2, 1, 7, 3, 5, 0, 4, 6, 8]),
        (Sort::Size, [3, 5, 8, 0, 2, 1, 7, 4, 6]),
        (Sort::Time, [5, 8, 1, 2, 7, 3, 0, 6, 4]),
        (Sort::Kind, [7, 4, 2, 3, 5, 0, 6, 1, 8]),
    ] {
        let mut expected = order.map(|at: usize| {
            // `apfel` and `Äpfel` have other extensions, which count among letters.
            FILES[at].0.to_owned()
        });
        for limit in [1, 2, 4, 100] {
            assert_eq!(walked(&registry, &inner, sort, false, limit).await, expected, "{sort:?} {limit}");
        }
        expected.reverse();
        for limit in [1, 2, 4, 100] {
            assert_eq!(walked(&registry, &inner, sort, true, limit).await, expected, "{sort:?} backwards {limit}");
        }
    }
    let nothing = Slice { sort: Sort::Name, descending: false, after: None, limit: 0 };
    assert_eq!(registry.files_listed(&inner, &nothing).await.unwrap(), []);
}

/// A listing goes on after a file that is gone, or that has changed, as if it were still there.
pub async fn a_listing_goes_on_after_a_file_that_is_gone(registry: Fresh) {
    let inner = filled(&registry).await;
    for (sort, after) in [(Sort::Name, "Band 10.docx"), (Sort::Time, "Band 10.docx"), (Sort::Kind, "Band 9.docx")] {
        let before = walked(&registry, &inner, sort, false, 100).await;
        let at = before.iter().position(|called| called == after).unwrap();
        let record = registry.file_named(&inner, &name(after)).await.unwrap();
        let mark = Mark::of(&record, sort);
        registry.commit_file(&commit(&FileRecord { name: name("0 renamed.zip"), ..record.clone() })).await.unwrap();
        let slice = Slice { sort, descending: false, after: Some(mark), limit: 100 };
        let rest = registry.files_listed(&inner, &slice).await.unwrap();
        let mut rest: Vec<String> = rest.iter().map(|file| file.name.to_string()).collect();
        rest.retain(|called| called != "0 renamed.zip");
        assert_eq!(rest, before[at + 1..], "{sort:?}");
        let renamed = registry.file(&record.id).await.unwrap();
        registry.commit_file(&commit(&FileRecord { name: name(after), ..renamed })).await.unwrap();
    }
}

/// Containers are listed by name, forwards and backwards, renamed ones at their new place.
pub async fn containers_are_listed_as_people_order_them(registry: Fresh) {
    let root = root(&registry).await;
    for (number, called) in ["Band 10", "band 2", "Äther", "Zoll"].into_iter().enumerate() {
        registry.create_container(&container(&format!("c{number}"), &root, called)).await.unwrap();
    }
    registry.create_file(&file("f", &root, "Band 5")).await.unwrap();
    let mut zoll = registry.container_named(&root, &name("Zoll")).await.unwrap();
    zoll.name = name("Amsel");
    registry.commit_container(&zoll).await.unwrap();
    let mut expected = vec!["Amsel", "Äther", "band 2", "Band 10"];
    for descending in [false, true] {
        for limit in [1, 3, 9] {
            let mut names: Vec<String> = Vec::new();
            loop {
                let after = names.last().map(|last| name(last));
                let page = registry.containers_listed(&root, after.as_ref(), descending, limit).await.unwrap();
                names.extend(page.iter().map(|container| container.name.to_string()));
                if page.len() < limit {
                    break;
                }
                assert!(names.len() <= expected.len());
            }
            assert_eq!(names, expected, "{descending} {limit}");
        }
        expected.reverse();
    }
}

/// What is in a container is counted, no further than asked.
pub async fn what_is_in_a_container_is_counted(registry: Fresh) {
    let inner = filled(&registry).await;
    for (max, count) in [(0, 0), (3, 3), (10, 10), (1000, 10)] {
        assert_eq!(registry.count_in(&inner, max).await.unwrap(), count);
    }
}

/// A search compares folded names, finds files and containers, and knows its limits.
pub async fn names_are_searched_without_letter_case_and_accents(registry: Fresh) {
    let inner = filled(&registry).await;
    let found = async |text: &str, looked_at_max, limit| {
        let mut ids = Vec::new();
        for named in registry.named_like(text, looked_at_max, limit).await.unwrap() {
            ids.push(match named {
                Named::File(id) => registry.file(&id).await.unwrap().name.to_string(),
                Named::Container(id) => registry.container(&id).await.unwrap().name.to_string(),
            });
        }
        ids.sort();
        ids
    };
    assert_eq!(found("apfel", 100, 100).await, ["apfel.DOCX", "Äpfel.odt"]);
    assert_eq!(found("band 9", 100, 100).await, ["Band 9.docx", "Band 9b", "band 9.docx"]);
    assert_eq!(found("1", 100, 100).await, ["Band 10.docx"]);
    assert_eq!(found("gone", 100, 100).await, [] as [String; 0]);
    assert_eq!(found("%", 100, 100).await, [] as [String; 0]);
    assert_eq!(found("inner", 100, 100).await, ["inner"]);
    assert_eq!(found("a", 100, 3).await.len(), 3);
    assert_eq!(found("a", 0, 3).await, [] as [String; 0]);
    let mut band = registry.file_named(&inner, &name("Zebra")).await.unwrap();
    band.name = name("Apfelsine");
    registry.commit_file(&commit(&band)).await.unwrap();
    assert_eq!(found("apfels", 100, 100).await, ["Apfelsine"]);
}
