//! Provisional members: rows that an import brought without a memberid. The first postback that
//! gives such a name another memberid tells who the member is.
//!
//! The row gets that memberid, and the action is decided on it. If the member of that memberid is
//! here already, that member keeps the row, and the provisional row is removed: the name belongs to
//! the memberid that NATS gives. An ERROR changes nothing here either.

use crate::action::{Action, Change, Known, Standing};
use crate::identity::Key;
use crate::member::{Credential, Former, Member};
use crate::password::{Opened, Stored, Vault};
use crate::reply::Reply;
use crate::store::{ProvisionalRow, TakenOver, View};

/// The provisional members whom this action identifies, and their row under the new memberid. A
/// replay gives the credential that the journal has of the row.
pub(super) fn find(
    vault: &Vault,
    action: &Action,
    view: &View,
    recorded: Option<&Credential>,
) -> Option<TakenOver> {
    let key = action.key().filter(|key| !key.member.is_provisional() && !key.member.is_test())?;
    let own = view.standing(key);
    let gone = provisional(action, key, view);
    let first = gone.first()?.key;
    if matches!(own, Standing::Here(_) | Standing::Lapsed(_)) {
        return Some(TakenOver { gone, moved: None, replaces_former: false });
    }
    let former = if let Standing::Former(former) = own { Some(former) } else { None };
    let under_key = |row: &Member| {
        let mut row = Member { key, before: None, ..row.clone() };
        // No cookie of the member's earlier membership becomes valid again.
        let version = former.map_or(0, |former| former.member.login_version);
        row.login_version = row.login_version.max(version);
        let sealed = recorded.cloned().or_else(|| sealed_again(vault, first, &row));
        // An action with a credential of its own replaces one that cannot be opened.
        match sealed {
            Some(credential) => row.credential = credential,
            None if action.credential().is_some() => {}
            None => return None,
        }
        Some(row)
    };
    let moved = match view.standing(first) {
        Standing::Here(row) => Standing::Here(under_key(row)?),
        Standing::Former(former) => {
            Standing::Former(Former { member: under_key(&former.member)?, ..former.clone() })
        }
        Standing::Lapsed(_) | Standing::Unknown => return None,
    };
    Some(TakenOver { gone, moved: Some(moved), replaces_former: former.is_some() })
}

/// The provisional members who hold a name of this member; else the one who had it last, if the
/// member has no row.
fn provisional(action: &Action, key: Key, view: &View) -> Vec<ProvisionalRow> {
    let names = || action.names().into_iter().flatten();
    let mut found: Vec<ProvisionalRow> = Vec::new();
    let mut add = |member, is_here: bool| {
        let row = ProvisionalRow { key: Key { member, ..key }, is_here };
        let is_there = match view.standing(row.key) {
            Standing::Here(_) => is_here,
            Standing::Former(_) => !is_here,
            Standing::Lapsed(_) | Standing::Unknown => false,
        };
        if is_there && !found.contains(&row) {
            found.push(row);
        }
    };
    for holder in names().filter_map(|name| view.holder(key.site, name)) {
        if holder.is_provisional() {
            add(holder, true);
        }
    }
    if found.is_empty() && matches!(view.standing(key), Standing::Unknown) {
        let former = names().find_map(|name| view.provisional_former(key.site, name));
        found.extend(
            former.map(|member| ProvisionalRow { key: Key { member, ..key }, is_here: false }),
        );
    }
    found
}

/// The credential for the row's new key: a seal is bound to its member, every other form is not.
fn sealed_again(vault: &Vault, old: Key, row: &Member) -> Option<Credential> {
    let Stored::Sealed(seal) = &row.credential.stored else { return Some(row.credential.clone()) };
    let seal = match vault.open(old, seal).ok()? {
        Opened::Password(password) => vault.seal_password(row.key, &password),
        Opened::Cryptpass(cryptpass) => vault.seal_cryptpass(row.key, &cryptpass),
    };
    Some(Credential { stored: Stored::Sealed(seal), ..row.credential.clone() })
}

/// The state that the action is decided on, with the provisional members under their new memberid.
pub(super) fn known<'k>(taken: &'k TakenOver, key: Key, known: Known<'k>) -> Known<'k> {
    let is_gone = |member| taken.gone.iter().any(|gone| gone.key.member == member);
    let Some(holder) = known.holder.filter(|&holder| is_gone(holder)) else {
        return Known { standing: taken.moved.as_ref().unwrap_or(known.standing), ..known };
    };
    let is_moved = taken.gone.first().is_some_and(|first| first.key.member == holder);
    let moved = taken.moved.as_ref();
    let holder = (is_moved && moved.is_some()).then_some(key.member);
    Known { standing: moved.unwrap_or(known.standing), holder, ..known }
}

/// The row that the member has after the change.
pub(super) fn row_after<'a>(taken: &'a TakenOver, change: &'a Change) -> Option<&'a Member> {
    match change {
        Change::Insert(row) | Change::Restore(row) | Change::Update(row) => Some(row),
        Change::Leave(former) => Some(&former.member),
        Change::Erase(_) => None,
        Change::None => match taken.moved.as_ref()? {
            Standing::Here(row) => Some(row),
            Standing::Former(former) => Some(&former.member),
            Standing::Lapsed(_) | Standing::Unknown => None,
        },
    }
}

/// Leaves no form before the credential of a row that was moved: it is sealed or hashed under the
/// provisional memberid, and a replay may find another form there.
pub(super) fn forget_before(change: &mut Change) {
    match change {
        Change::Insert(row) | Change::Restore(row) | Change::Update(row) => row.before = None,
        Change::Leave(former) => former.member.before = None,
        Change::None | Change::Erase(_) => {}
    }
}

/// Stands in the reply before the memberid of each provisional member.
pub(crate) const PROVISIONAL: &str = "the provisional member ";

/// Says in the reply which provisional members were identified.
pub(super) fn name_in(reply: &mut Reply, taken: &TakenOver) {
    for (place, gone) in taken.gone.iter().enumerate() {
        let member = gone.key.member;
        if place == 0 && taken.moved.is_some() {
            reply.push(format_args!("; until now {PROVISIONAL}{member}"));
        } else {
            reply.push(format_args!("; {PROVISIONAL}{member} was removed"));
        }
    }
}
