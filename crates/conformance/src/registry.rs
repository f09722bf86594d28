//! The suite for [`Registry`].
//!
//! ```
//! use std::sync::Arc;
//! use lectern_conformance::registry;
//! use lectern_host::memory::registry::MemoryRegistry;
//!
//! #[tokio::main(flavor = "multi_thread")]
//! async fn main() {
//!     registry::suite(async || Arc::new(MemoryRegistry::new()) as registry::Fresh).await;
//! }
//! ```
//!
//! It wants a runtime with several threads: some of its functions race.

#![allow(clippy::unwrap_used, reason = "a suite fails by panicking")]

pub mod bin;
pub mod composed;
pub mod condemned;
pub mod containers;
pub mod files;
pub mod history;
pub mod listing;
pub mod memos;
pub mod names;
pub mod parts;
pub mod people;
mod samples;
pub mod sharing;
pub mod uploads;

use std::fmt::Debug;
use std::sync::Arc;

use lectern_host::ports::{Registry, RegistryError};

pub use samples::{container, file, session, user};

/// What the functions of the suite are given: a registry that nobody used before.
pub type Fresh = Arc<dyn Registry>;

/// Runs every function of the suite, each on a registry of its own.
pub async fn suite(make: impl AsyncFn() -> Fresh) {
    macro_rules! run {
        ($($module:ident :: { $($function:ident),+ $(,)? })+) => {
            $($(
                eprintln!(concat!("  ", stringify!($module), "::", stringify!($function)));
                $module::$function(make().await).await;
            )+)+
        };
    }
    run! {
        files::{
            every_field_of_a_file_comes_back,
            every_lock_follows_every_other,
            a_created_file_has_revision_1_and_is_found_by_id_and_name,
            a_file_is_created_once_and_only_in_a_container_that_is_there,
            a_commit_counts_the_revision_and_is_what_the_next_read_sees,
            a_commit_at_another_revision_is_a_conflict_and_changes_nothing,
            a_commit_that_is_refused_leaves_no_history,
            of_two_commits_at_one_revision_exactly_one_wins,
            sixteen_writers_of_25_increments_lose_none,
            a_read_never_goes_back_while_somebody_commits,
            files_are_found_by_inode_and_birth_unless_deleted,
            files_with_something_pending_are_listed_deleted_ones_too,
            many_files_are_created_at_once_but_those_whose_name_is_taken,
            many_files_are_created_together_or_not_at_all,
            a_removed_file_is_forgotten_with_its_history,
            a_file_is_removed_only_at_the_revision_that_was_seen,
        }
        names::{
            a_name_is_taken_once_however_many_ask,
            a_name_belongs_to_a_file_or_to_a_container,
            names_are_compared_byte_for_byte,
            a_rename_gives_the_old_name_free_and_takes_the_new_one,
            files_change_names_with_each_other_through_a_third_name,
            a_deleted_file_has_no_name_and_is_still_found_by_id,
            a_file_that_comes_back_needs_its_name,
            a_file_moves_to_another_container,
            files_of_a_container_are_listed_by_name_in_pages,
        }
        history::{
            every_field_of_a_version_comes_back,
            versions_are_listed_latest_first,
            a_version_is_replaced_once,
            a_version_is_amended,
            versions_are_removed_one_by_one,
            the_walk_over_files_with_versions_sees_each_once,
            every_field_of_a_rescued_save_comes_back,
            rescued_saves_are_listed_latest_first_of_everybody_or_of_one,
            rescued_saves_are_forgotten,
            a_content_is_referenced_by_files_pending_notes_versions_and_rescued_saves,
            a_content_is_referenced_as_long_as_one_of_many_that_share_it_stands,
            a_discovery_document_is_replaced,
            everything_is_counted_and_summed_by_kind,
        }
        parts::{
            every_field_of_the_parts_comes_back,
            parts_are_replaced_as_a_whole,
            a_commit_that_is_refused_leaves_the_parts,
            a_content_is_referenced_by_streams,
            parts_are_pruned_by_age_and_by_version,
        }
        uploads::{
            every_field_of_an_upload_comes_back,
            a_piece_is_added_only_behind_what_came,
            of_two_pieces_at_one_place_one_is_added,
            a_content_is_referenced_by_uploads_until_they_are_removed,
            uploads_are_counted_and_pruned_by_age,
        }
        composed::{
            the_pieces_of_a_content_come_back_in_their_order,
            a_piece_points_to_its_content,
            composed_contents_are_listed_page_by_page,
        }
        containers::{
            there_is_one_root_from_the_start,
            the_root_is_renamed_but_stays_the_root,
            every_field_of_a_container_comes_back,
            a_container_is_created_once_and_only_in_one_that_is_there,
            of_two_commits_of_a_container_exactly_one_wins,
            a_container_is_renamed_and_moved,
            containers_are_listed_by_name_in_pages,
            containers_are_found_by_inode_and_birth,
            a_container_with_something_in_it_stays,
            a_container_is_removed_only_at_the_revision_that_was_seen,
            a_container_that_is_removed_while_files_are_made_in_it_loses_none,
            a_file_comes_with_the_containers_it_is_in,
        }
        listing::{
            files_are_listed_in_every_order,
            a_listing_goes_on_after_a_file_that_is_gone,
            containers_are_listed_as_people_order_them,
            what_is_in_a_container_is_counted,
            names_are_searched_without_letter_case_and_accents,
        }
        people::{
            every_field_of_a_user_comes_back,
            user_names_are_unique_without_regard_to_letter_case,
            a_user_name_is_taken_once_however_many_ask,
            users_are_listed_by_name,
            a_user_is_replaced_only_at_the_revision_that_was_read,
            every_field_of_a_session_comes_back,
            sessions_of_a_user_are_listed_latest_first,
            a_revoked_session_stays_revoked_since_the_first_time,
            sessions_that_ran_out_are_forgotten,
            a_session_comes_with_its_user,
            a_visit_is_what_its_parts_are_now,
        }
        condemned::{
            what_is_pointed_to_is_not_condemned,
            nothing_is_made_to_point_to_what_was_condemned,
            a_content_is_saved_or_condemned_never_both,
        }
        memos::{
            a_memo_is_remembered_until_it_runs_out,
            of_two_memos_over_the_same_exactly_one_wins,
            the_last_refused_requests_are_remembered,
        }
        bin::{
            deletions_are_remembered_latest_first,
            containers_in_the_bin_are_remembered_with_what_is_shared,
            deleted_files_are_found_by_their_container,
        }
        sharing::{
            of_a_thing_with_somebody_there_is_one_grant,
            groups_have_names_of_their_own,
            people_are_in_groups,
            links_are_found_by_their_secret_and_revoked,
            what_is_shared_of_things_that_are_gone_is_forgotten,
            a_visit_has_what_is_shared_now,
            who_else_sees_everything_depends_on_roles,
        }
    }
}

/// The variant, for comparing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum No {
    NotFound,
    Conflict,
    NameTaken,
    NotEmpty,
    Condemned,
}

/// How it was refused.
///
/// # Panics
///
/// If it was not, or if it failed.
#[track_caller]
fn no<T: Debug>(answer: Result<T, RegistryError>) -> No {
    match answer {
        Err(RegistryError::NotFound) => No::NotFound,
        Err(RegistryError::Conflict) => No::Conflict,
        Err(RegistryError::NameTaken) => No::NameTaken,
        Err(RegistryError::NotEmpty) => No::NotEmpty,
        Err(RegistryError::Condemned) => No::Condemned,
        other => panic!("neither success nor failure was expected: {other:?}"),
    }
}

/// Runs the tasks at once, each started as one of the runtime's, and gives their answers in order.
async fn race<T, F>(tasks: impl IntoIterator<Item = F>) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let tasks: Vec<_> = tasks.into_iter().map(tokio::spawn).collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    answers
}
