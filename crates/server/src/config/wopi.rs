//! `[wopi]`

use super::section::section;
use super::values::Size;

section! {
    /// What is offered to clients.
    pub struct Wopi = "wopi" {
        /// Offer containers and the ecosystem: clients can browse the folder and make files in it (Office on phones does).
        pub containers: bool = true;
        /// Let clients make a file beside another one: "save as", conversion of old formats (PutRelativeFile).
        pub relative_writes: bool = true;
        /// Offer a second, unsigned URL for the bytes of a file (FileUrl). Some clients load faster through it.
        pub file_url: bool = false;
        /// Let a FileUrl lead on to the object store that has the bytes, by a redirection to a URL that is signed for a
        /// minute. Clients have to follow redirections and to reach the store.
        pub direct_reads: bool = false;
        /// Files of up to this size are hashed while CheckFileInfo waits, if their hash is not known because another program
        /// wrote them. Larger ones have no SHA256 in the answer until they are saved through us.
        pub hash_inline_bytes_max: Size<0, { 1 << 40 }> = const { Size::bytes(256 << 20) };
        /// Mark users as business users, for whom Microsoft 365 checks a licence before they edit.
        pub business_users: bool = false;
    }
}
