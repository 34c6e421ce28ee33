//! NATS's list of members, as CSV or JSON, with and without passwords: no input makes the reader
//! panic, the same input is the same list, and no refusal shows a value.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nats_userman::clock::Zone;
use nats_userman::identity::SiteId;
use nats_userman::reconcile::{ListWish, MemberList, ReconcileError, read_list};

/// Planted in the place of values of the corpus.
const PLANTED: &str = "Zq7-planted-Xw4";

fuzz_target!(|list: &[u8]| {
    for (sites, keeps_secrets) in [(vec![], true), (vec!["1"], false)] {
        let sites = sites.into_iter().filter_map(SiteId::parse).collect();
        let wish = ListWish { sites, zone: Zone::UTC, keeps_secrets };
        let (once, again) = (read(list, &wish), read(list, &wish));
        match (once, again) {
            (Ok(once), Ok(again)) => {
                assert_eq!(once.members(), again.members());
                assert_eq!((&once.refused, once.sites()), (&again.refused, again.sites()));
                assert!(once.members() > 0, "an empty list is an error");
                assert!(once.refused.iter().all(|row| !row.why.contains(PLANTED)));
                assert!(!format!("{once:?}").contains(PLANTED));
            }
            (Err(once), Err(again)) => {
                assert_eq!(once.to_string(), again.to_string());
                let is_header = matches!(once, ReconcileError::ColumnTwice(_));
                assert!(is_header || !once.to_string().contains(PLANTED), "{once}");
            }
            (once, again) => panic!("{once:?} and then {again:?}"),
        }
    }
});

fn read(list: &[u8], wish: &ListWish) -> Result<MemberList, ReconcileError> {
    read_list(list, wish, &mut |_| ())
}
