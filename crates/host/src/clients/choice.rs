//! Which action of which client opens a file: one rule for the pages and for `lectern token --page`.

use super::ClientAction;

/// What somebody wants to do with a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wanted {
    /// Look at it.
    View,
    /// Change it.
    Edit,
    /// Have a file of today's format made of it, and change that.
    Convert,
}

/// What clients call the actions that pages open.
mod names {
    pub(super) const VIEW: &str = "view";
    pub(super) const EDIT: &str = "edit";
    pub(super) const EDIT_NEW: &str = "editnew";
    pub(super) const CONVERT: &str = "convert";
}

/// Whether an action of this name is one that changes what it is pointed at, so that its token has to.
pub fn changes(action: &str) -> bool {
    [names::EDIT, names::EDIT_NEW, names::CONVERT].iter().any(|name| action.eq_ignore_ascii_case(name))
}

/// Which of the `offered` actions (client and name, best client first) it is to be; `client` says whose, if it matters.
///
/// | wanted | the file | first of these that is offered |
/// |---|---|---|
/// | edit | empty | `editnew`, `edit`, `convert`, `view` |
/// | edit | | `edit`, `convert`, `view` |
/// | view | | `view`, `edit` |
/// | convert | | `convert` |
///
/// The page that `HostEditUrl` names shows a file of an old format by `convert` (protocol/hostpage.md 2). Who only looks at a file in an action for editing gets a token for viewing, and the client then shows it so; some
/// clients have no other action for their own formats.
pub fn choose<'a>(
    offered: &(impl Iterator<Item = (&'a str, &'a str)> + Clone),
    client: Option<&str>,
    wanted: Wanted,
    empty: bool,
) -> Option<usize> {
    let names: &[&str] = match (wanted, empty) {
        (Wanted::Edit, true) => &[names::EDIT_NEW, names::EDIT, names::CONVERT, names::VIEW],
        (Wanted::Edit, false) => &[names::EDIT, names::CONVERT, names::VIEW],
        (Wanted::View, _) => &[names::VIEW, names::EDIT],
        (Wanted::Convert, _) => &[names::CONVERT],
    };
    names.iter().find_map(|name| {
        let is_it =
            |(of, action): (&str, &str)| action.eq_ignore_ascii_case(name) && client.is_none_or(|client| client == of);
        offered.clone().position(is_it)
    })
}

/// The same among actions as [`super::Clients::actions_for`] gives them.
pub fn choose_action<'a>(
    actions: &'a [ClientAction],
    client: Option<&str>,
    wanted: Wanted,
    empty: bool,
) -> Option<&'a ClientAction> {
    let offered = actions.iter().map(|action| (action.client.as_str(), action.name.as_str()));
    actions.get(choose(&offered, client, wanted, empty)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table in the description of [`choose`].
    #[test]
    fn the_table_of_choices() {
        let all = [("m", "view"), ("m", "edit"), ("m", "editnew"), ("m", "convert"), ("c", "EDIT"), ("v", "view")];
        let only_edits = [("c", "edit"), ("d", "edit")];
        let old_format = [("m", "view"), ("m", "convert")];
        for (offered, client, wanted, empty, expected) in [
            (&all[..], None, Wanted::View, false, Some(("m", "view"))),
            (&all, None, Wanted::View, true, Some(("m", "view"))),
            (&all, None, Wanted::Edit, false, Some(("m", "edit"))),
            (&all, None, Wanted::Edit, true, Some(("m", "editnew"))),
            (&all, None, Wanted::Convert, false, Some(("m", "convert"))),
            (&all, Some("c"), Wanted::View, false, Some(("c", "EDIT"))),
            (&all, Some("c"), Wanted::Edit, true, Some(("c", "EDIT"))),
            (&all, Some("c"), Wanted::Convert, true, None),
            (&all, Some("v"), Wanted::Edit, false, Some(("v", "view"))),
            (&all, Some("x"), Wanted::View, false, None),
            (&only_edits, None, Wanted::View, false, Some(("c", "edit"))),
            (&only_edits, Some("d"), Wanted::Edit, false, Some(("d", "edit"))),
            (&old_format, None, Wanted::Edit, false, Some(("m", "convert"))),
            (&old_format, None, Wanted::View, false, Some(("m", "view"))),
            (&[], None, Wanted::Edit, false, None),
        ] {
            let chosen = choose(&offered.iter().copied(), client, wanted, empty).map(|at| offered[at]);
            assert_eq!(chosen, expected, "{client:?} {wanted:?} {empty}");
        }
        for (action, expected) in [("view", false), ("Edit", true), ("editnew", true), ("convert", true), ("x", false)]
        {
            assert_eq!(changes(action), expected, "{action}");
        }
    }
}
