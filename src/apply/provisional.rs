//! Memberids for members who are imported without one. See [`MemberId::FIRST_PROVISIONAL`].

use std::collections::HashMap;

use crate::identity::{Key, MemberId, SiteId, Username};
use crate::store::{Fault, View, Wanted};

/// Whose a name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// That of a provisional member: of an earlier import, or new.
    Provisional(MemberId),
    /// That of a member whom NATS has named. An import without a memberid must not change them.
    Member(MemberId),
}

/// Gives out provisional memberids. They begin at a random place of their range and rise from
/// there. So no receiver has to ask another one, and none is used twice: an old login cookie names
/// the memberid that it was made for.
#[derive(Debug)]
pub struct Provisionals {
    next: u64,
}

impl Provisionals {
    /// Begins at a random place.
    ///
    /// # Errors
    ///
    /// If the system gives no random numbers.
    pub fn new() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes)?;
        Ok(Self::beginning_at(u64::from_ne_bytes(bytes)))
    }

    /// Begins at this place of the range.
    pub fn beginning_at(place: u64) -> Self {
        Self { next: place }
    }

    /// Whose each of these names is, in their order. `load` loads from the database: see
    /// [`crate::store::Read::load`] and [`crate::store::Engine::load`]. A name that an earlier
    /// import brought, in any spelling, keeps its memberid, also where that member has left.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub fn assign(
        &mut self,
        names: &[(SiteId, Username)],
        load: impl FnOnce(&Wanted<'_>, &mut View) -> Result<(), Fault>,
    ) -> Result<Vec<Whose>, Fault> {
        let (mut wanted, mut view) = (Wanted::default(), View::default());
        for (site, name) in names {
            // A member without a row: those who left are found too.
            let key = Key { site: *site, member: MemberId::provisional(self.next) };
            wanted.called.insert((key, name));
        }
        load(&wanted, &mut view)?;
        let mut new: HashMap<(SiteId, &str), MemberId> = HashMap::new();
        let whose = names.iter().map(|(site, name)| {
            let held = view.holder(*site, name);
            match held.or_else(|| view.provisional_former(*site, name)) {
                Some(member) if member.is_provisional() => Whose::Provisional(member),
                Some(member) => Whose::Member(member),
                None => Whose::Provisional(
                    *new.entry((*site, name.folded())).or_insert_with(|| self.take()),
                ),
            }
        });
        Ok(whose.collect())
    }

    fn take(&mut self) -> MemberId {
        let member = MemberId::provisional(self.next);
        self.next = self.next.wrapping_add(1);
        member
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::Rules;
    use crate::apply::losing::{NOON, Scene, postback};
    use crate::apply::{Postback, transact};
    use crate::clock::{ExpiryRule, Zone};
    use crate::fields::Fields;
    use crate::journal::Origin;
    use crate::store::{open_reader, with_engine};

    fn name(site: &str, text: &str) -> (SiteId, Username) {
        (SiteId::parse(site).unwrap(), Username::parse(text).unwrap())
    }

    fn by_operator(scene: &Scene, body: &str) -> Postback {
        let expiry = ExpiryRule { zone: Zone::UTC, grace_hours: 0 };
        let vault = scene.vault.clone();
        let rules = Rules { vault, keep_cryptpass: false, expiry, stale_guard: false };
        let fields = Fields::from_urlencoded(body.as_bytes());
        Postback::read(&fields, &rules, Origin::Operator, None).0
    }

    #[test]
    fn a_name_gets_one_memberid_however_often_it_comes_and_a_member_of_nats_keeps_theirs() {
        let scene = Scene::new();
        let first = MemberId::FIRST_PROVISIONAL;
        let known = [
            postback("action=ADD&siteid=1&memberid=71&username=bob&password=x"),
            by_operator(
                &scene,
                &format!("action=MANUALADD&siteid=1&memberid={first}&username=Ann&password=x"),
            ),
            by_operator(
                &scene,
                &format!(
                    "action=MANUALADD&siteid=1&memberid={}&username=eve&password=x",
                    first + 1
                ),
            ),
            by_operator(&scene, &format!("action=DELETE&siteid=1&memberid={}", first + 1)),
        ];
        with_engine(&scene.location, false, |engine| {
            let all: Vec<&Postback> = known.iter().collect();
            for reply in transact(engine, &scene.vault, &all, || NOON).unwrap() {
                assert!(reply.unwrap().as_str().starts_with("OK|"));
            }
        })
        .unwrap();
        let names = [
            name("1", "BOB"),
            name("1", "ann"),
            name("1", "Eve"),
            name("1", "dan"),
            name("2", "dan"),
            name("1", "Dan"),
        ];
        let reader = open_reader(&scene.location).unwrap();
        let mut ids = Provisionals::beginning_at(9);
        let whose = ids.assign(&names, |wanted, view| reader.load(wanted, view, NOON)).unwrap();
        let provisional = |place| Whose::Provisional(MemberId::provisional(place));
        let bob = Whose::Member(MemberId::parse("71").unwrap());
        assert_eq!(
            whose,
            [bob, provisional(0), provisional(1), provisional(9), provisional(10), provisional(9)]
        );
    }
}
