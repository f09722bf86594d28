//! The table of coauth locks, which three operations answer.

use crate::coauth::CoauthLockType;

answer! {
    /// GetCoauthLock, RefreshCoauthLock, and GetCoauthTable unless the client has the current table. The official
    /// validator allows no further member here or in a row.
    CoauthTable {
        /// One for each coauth lock that holds.
        coauth_table: Vec<CoauthTableRow>,
    }
}

answer! {
    /// One coauth lock.
    CoauthTableRow {
        /// The id that its client gave.
        coauth_lock_id: String,
        /// What its client last gave, or nothing.
        coauth_lock_metadata: String,
        /// What it is good for.
        coauth_lock_type: CoauthLockType,
        /// The display name of the user who took it. Never empty.
        user_friendly_name: String,
        /// When it was first taken, in milliseconds since 1970-01-01 UTC. No renewal changes it.
        coauth_lock_time: i64,
    }
}
