use std::net::Ipv4Addr;

use super::*;
use crate::identity::{MemberId, SiteId};

const NOON: i64 = 1_781_524_800;
const HOUR: i64 = 3_600;

fn bob() -> Key {
    Key { site: SiteId::parse("1").unwrap(), member: MemberId::parse("71").unwrap() }
}

/// The members area, and what it has written.
struct Scene {
    sharing: Sharing,
    rows: HashMap<String, MemberNetwork>,
    block: Option<SharingBlock>,
    looked: u32,
}

impl Scene {
    fn new(change: impl FnOnce(&mut SharingConfig)) -> Self {
        let mut config = SharingConfig { action: SharingAction::Block, ..SharingConfig::default() };
        change(&mut config);
        Self { sharing: Sharing::new(config), rows: HashMap::new(), block: None, looked: 0 }
    }

    /// Whether bob gets in.
    fn enters(&mut self, address: &str, now: i64) -> bool {
        self.enters_from(address, "", now)
    }

    /// Whether bob gets in from an address in this country.
    fn enters_from(&mut self, address: &str, country: &str, now: i64) -> bool {
        let address = address.parse().unwrap();
        match self.sharing.from_memory(bob(), address, now) {
            FromMemory::Open => true,
            FromMemory::Blocked => false,
            FromMemory::Unknown => {
                self.looked += 1;
                let stored: Vec<_> = self.rows.values().cloned().collect();
                let settled = self.sharing.settle(
                    Use { member: bob(), address, at: now },
                    Country::parse(country),
                    &stored,
                    self.block,
                );
                if let Some(row) = settled.network {
                    self.rows.insert(row.network.clone(), row);
                }
                if settled.shared.is_some() {
                    self.block = settled.shared;
                }
                settled.shared.is_none_or(|block| block.until <= now)
            }
        }
    }

    /// Forgets what was in memory, and keeps the database.
    fn restarted(&mut self) {
        self.sharing = Sharing::new(self.sharing.config.clone());
        self.sharing.take_up(self.block.into_iter().collect(), NOON);
    }
}

#[test]
fn thirteen_networks_within_a_day_are_too_many_and_twelve_are_not() {
    let mut scene = Scene::new(|_| {});
    for hour in 0..12 {
        assert!(scene.enters(&format!("198.51.{hour}.7"), NOON + hour * HOUR), "{hour}");
        assert!(scene.enters(&format!("198.51.{hour}.8"), NOON + hour * HOUR), "the same /24");
    }
    assert!(!scene.enters("198.51.100.7", NOON + 12 * HOUR));
    let block = scene.block.unwrap();
    assert_eq!((block.why, block.until), (SharingReason::Networks, NOON + 13 * HOUR));
    assert!(!scene.enters("198.51.0.7", NOON + 12 * HOUR + 1), "from everywhere");
    assert!(scene.enters("198.51.0.7", NOON + 13 * HOUR), "until it ends, and then anew");
    assert!(scene.enters("198.51.1.7", NOON + 13 * HOUR + 1));
}

#[test]
fn networks_of_yesterday_do_not_count() {
    let mut scene = Scene::new(|_| {});
    for number in 0..100 {
        assert!(scene.enters(&format!("198.51.{number}.7"), NOON + number * 2 * HOUR), "{number}");
    }
}

#[test]
fn nine_networks_at_once_are_too_many_and_nine_one_after_the_other_are_not() {
    let mut scene = Scene::new(|_| {});
    for number in 0..8 {
        assert!(scene.enters(&format!("2001:db8:{number}::1"), NOON + number));
    }
    assert!(!scene.enters("2001:db8:8::1", NOON + 8));
    assert_eq!(scene.block.unwrap().why, SharingReason::AtOnce);

    let mut scene = Scene::new(|_| {});
    for number in 0..9 {
        let now = NOON + number * AT_ONCE_SECONDS;
        assert!(scene.enters(&format!("2001:db8:{number}::1"), now), "{number}");
    }
    let back = NOON + 20 * AT_ONCE_SECONDS;
    assert!((0..8).all(|number| scene.enters(&format!("2001:db8:{number}::1"), back)));
    assert!(!scene.enters("2001:db8:8::1", back), "all are used again");
}

/// A home, a hotel and a train: each with IPv4 and IPv6, and a phone beside with both.
#[test]
fn a_traveller_with_a_phone_who_changes_network_twice_a_day_is_never_blocked() {
    let mut scene = Scene::new(|_| {});
    for hour in 0..24 * 30 {
        // The last use in one network is a second before the first one in the next.
        for second in [0, 60, 600, 1_200, 3_599] {
            let now = NOON + hour * HOUR + second;
            // Each change leads to a network that was never used before.
            let place = hour / 12;
            for device in [0, 500] {
                let place = place * 2 + device;
                let (high, low) = (place / 256, place % 256);
                assert!(scene.enters(&format!("10.{high}.{low}.7"), now), "{hour}:{second}");
                assert!(scene.enters(&format!("2001:db8:{place:x}::7"), now), "{hour}:{second}");
            }
        }
    }
}

#[test]
fn five_countries_within_a_day_are_too_many_and_four_are_not() {
    let mut scene = Scene::new(|config| config.countries = 4);
    for (hour, country) in (0..).zip(["DE", "FR", "US", "JP", "", "DE", "FR"]) {
        assert!(scene.enters_from(&format!("198.51.{hour}.7"), country, NOON + hour * HOUR));
    }
    assert!(!scene.enters_from("198.51.100.7", "AU", NOON + 7 * HOUR));
    assert_eq!(scene.block.unwrap().why, SharingReason::Countries);
    assert!(!scene.enters_from("198.51.0.7", "DE", NOON + 7 * HOUR + 1), "from everywhere");
    assert!(scene.enters_from("198.51.0.7", "DE", NOON + 8 * HOUR), "and then anew");

    let mut scene = Scene::new(|config| config.countries = 4);
    let countries = ["DE", "FR", "US", "JP", "AU", "NZ", "CA", "BR", "AR", "CL"];
    for (number, country) in (0..).zip(countries) {
        let now = NOON + number * 6 * HOUR;
        assert!(scene.enters_from(&format!("198.51.{number}.7"), country, now), "{country}");
    }
}

#[test]
fn countries_survive_a_restart_and_those_of_networks_that_were_stored_without_one_are_written() {
    let mut scene = Scene::new(|config| config.countries = 2);
    assert!(scene.enters("198.51.0.7", NOON), "without a file of countries");
    scene.restarted();
    assert!(scene.enters_from("198.51.0.7", "DE", NOON + 1));
    assert_eq!(scene.rows["198.51.0.0/24"].country.as_deref(), Some("DE"));
    scene.restarted();
    assert!(scene.enters_from("198.51.1.7", "FR", NOON + 2));
    scene.restarted();
    assert!(!scene.enters_from("198.51.2.7", "US", NOON + 3));
}

#[test]
fn countries_are_counted_where_networks_have_no_limit() {
    let mut scene = Scene::new(|config| {
        (config.networks, config.at_once, config.countries) = (0, 0, 2);
    });
    assert!(scene.enters_from("198.51.0.7", "DE", NOON));
    for number in 1..50 {
        let address = format!("203.0.{number}.7");
        assert!(scene.enters_from(&address, "FR", NOON + number * 60), "{number}");
    }
    assert!(!scene.enters_from("192.0.2.7", "US", NOON + HOUR));
}

/// Each place is in a country of its own, and the phone's provider is at home.
#[test]
fn a_traveller_who_is_in_another_country_twice_a_day_is_never_blocked() {
    let mut scene = Scene::new(|config| config.countries = 4);
    for hour in 0..24 * 30 {
        let place = u8::try_from(hour / 12).unwrap();
        let country = format!("{}{}", char::from(b'A' + place / 26), char::from(b'A' + place % 26));
        for second in [0, 1_200, 3_599] {
            let now = NOON + hour * HOUR + second;
            assert!(scene.enters_from(&format!("10.0.{place}.7"), &country, now), "{hour}");
            assert!(scene.enters_from("203.0.113.9", "ZZ", now), "{hour}");
        }
    }
}

#[test]
fn a_use_in_a_network_that_is_known_writes_nothing_and_reads_nothing() {
    let mut scene = Scene::new(|_| {});
    for second in 0..6 * HOUR {
        assert!(scene.enters("203.0.113.9", NOON + second));
    }
    assert_eq!((scene.looked, scene.rows.len()), (1, 1));
    assert!(scene.enters("203.0.113.9", NOON + 6 * HOUR));
    assert_eq!(scene.looked, 2, "a quarter of the period later it is written again");
}

#[test]
fn what_was_counted_survives_a_restart_and_so_does_a_block() {
    let mut scene = Scene::new(|config| config.networks = 3);
    for number in 0..3 {
        assert!(scene.enters(&format!("198.51.{number}.7"), NOON));
        scene.restarted();
    }
    assert!(!scene.enters("198.51.3.7", NOON + 1));
    scene.restarted();
    assert!(!scene.enters("198.51.0.7", NOON + 2));
    assert!(scene.enters("198.51.0.7", NOON + 1 + HOUR));
    scene.restarted();
    assert!(scene.enters("198.51.1.7", NOON + 2 + HOUR), "counted from the end of the block");
}

#[test]
fn exempt_members_and_networks_are_not_counted() {
    let mut scene = Scene::new(|config| {
        config.networks = 1;
        config.exempt_networks = vec!["198.51.0.0/16".parse().unwrap()];
    });
    assert!((0..9).all(|number| scene.enters(&format!("198.51.{number}.7"), NOON)));
    assert!(scene.enters("203.0.113.9", NOON));
    assert!(!scene.enters("192.0.2.9", NOON));
    let mut scene = Scene::new(|config| {
        config.networks = 1;
        config.exempt_members = vec![bob()];
    });
    assert!((0..9).all(|number| scene.enters(&format!("198.51.{number}.7"), NOON)));
}

#[test]
fn with_the_action_log_nobody_is_blocked_and_a_member_is_told_of_once_in_so_many_networks() {
    let mut scene = Scene::new(|config| {
        config.action = SharingAction::Log;
        config.networks = 3;
        config.at_once = 0;
    });
    let mut told = 0;
    for number in 0..20 {
        let before = scene.block;
        assert!(scene.enters(&format!("198.51.{number}.7"), NOON + number));
        told += u32::from(scene.block != before);
    }
    assert_eq!((told, scene.sharing.blocked()), (5, 0));
    let mut scene = Scene::new(|config| config.action = SharingAction::Off);
    assert!((0..200).all(|number| scene.enters(&format!("198.51.{number}.7"), NOON)));
    assert_eq!(scene.looked, 0);
}

#[test]
fn blocks_of_other_receivers_begin_and_lifted_ones_end() {
    let scene = Scene::new(|_| {});
    let block =
        SharingBlock { key: bob(), since: NOON, until: NOON + HOUR, why: SharingReason::Networks };
    let home = "203.0.113.9".parse().unwrap();
    assert!(scene.sharing.take_up(vec![block], NOON).is_empty());
    assert_eq!(scene.sharing.from_memory(bob(), home, NOON + 1), FromMemory::Blocked);
    assert!(scene.sharing.take_up(vec![block], NOON + 60).is_empty());
    assert_eq!(scene.sharing.take_up(Vec::new(), NOON + 61), [bob()]);
    assert_eq!(scene.sharing.from_memory(bob(), home, NOON + 62), FromMemory::Unknown);
    assert_eq!(scene.sharing.blocked(), 0);
}

/// Blocks bob for an hour from NOON on. Nothing is in the database yet.
fn just_blocked() -> (Scene, SharingBlock) {
    let mut scene = Scene::new(|_| {});
    assert!(!(0..13).all(|number| scene.enters(&format!("198.51.{number}.7"), NOON)));
    let block = scene.block.unwrap();
    (scene, block)
}

/// Regression: where a block could not be written within five seconds, as with a full disk, it
/// ended, and the log said that it was lifted.
#[test]
fn a_block_that_cannot_be_written_holds_until_its_end() {
    let (scene, block) = just_blocked();
    let earlier = SharingBlock { since: NOON - 9 * HOUR, until: NOON - 8 * HOUR, ..block };
    for (second, stored) in [(4, vec![]), (5, vec![]), (600, vec![earlier]), (3_599, vec![])] {
        assert_eq!(scene.sharing.take_up(stored, NOON + second), [], "{second}");
        assert_eq!(scene.sharing.blocked(), 1, "{second}");
    }
    assert_eq!(scene.sharing.take_up(Vec::new(), NOON + HOUR), [], "it ended by itself");
    assert_eq!(scene.sharing.blocked(), 0);
}

#[test]
fn a_block_that_was_written_late_ends_as_soon_as_it_is_lifted() {
    let (scene, block) = just_blocked();
    assert_eq!(scene.sharing.take_up(Vec::new(), NOON + 60), []);
    assert_eq!(scene.sharing.take_up(vec![block], NOON + 61), [], "now it is written");
    assert_eq!(scene.sharing.take_up(Vec::new(), NOON + 62), [bob()]);
    assert_eq!(scene.sharing.blocked(), 0);
}

/// A lift leaves the row, and moves its end.
#[test]
fn a_block_that_is_lifted_before_its_row_was_seen_ends_at_once() {
    let (scene, block) = just_blocked();
    let lifted = SharingBlock { until: NOON, ..block };
    assert!(scene.sharing.reads_after(NOON) < lifted.until, "the row is read");
    assert!(scene.sharing.reads_after(NOON + 600) < lifted.until, "and later too");
    assert_eq!(scene.sharing.take_up(vec![lifted], NOON), [bob()]);
    assert_eq!(scene.sharing.blocked(), 0);
    assert_eq!(scene.sharing.reads_after(NOON), NOON, "then only rows of blocks that hold");
}

#[test]
fn after_a_lift_the_receiver_that_blocked_counts_as_every_other_does() {
    let (mut scene, block) = just_blocked();
    let now = NOON + 60;
    assert!(scene.sharing.take_up(vec![block], now - 1).is_empty());
    let lifted = SharingBlock { until: now, ..block };
    assert_eq!(scene.sharing.take_up(vec![lifted], now), [bob()]);
    scene.block = Some(lifted);
    let entered: Vec<bool> =
        (100..109).map(|n| scene.enters(&format!("192.0.{n}.1"), now + 10)).collect();
    assert_eq!(entered, [[true; 8].as_slice(), &[false]].concat());
}

#[test]
fn a_block_that_the_lane_of_notes_refused_is_noted_again_and_else_it_is_not() {
    let (scene, block) = just_blocked();
    assert_eq!(scene.sharing.take_refused(), []);
    scene.sharing.was_refused(bob());
    assert_eq!(scene.sharing.take_up(Vec::new(), NOON + 5), []);
    assert_eq!(scene.sharing.take_refused(), [block]);
    assert_eq!(scene.sharing.take_refused(), [], "one note is enough");
}

#[test]
fn a_clock_that_is_set_back_does_not_make_a_block_longer() {
    let scene = Scene::new(|_| {});
    let block =
        SharingBlock { key: bob(), since: NOON, until: NOON + HOUR, why: SharingReason::Networks };
    scene.sharing.take_up(vec![block], NOON);
    let home = "203.0.113.9".parse().unwrap();
    assert_eq!(scene.sharing.from_memory(bob(), home, NOON - 1), FromMemory::Unknown);
}

#[test]
fn networks_of_a_time_when_the_clock_was_ahead_do_not_count() {
    for is_restarted in [false, true] {
        let mut scene = Scene::new(|_| {});
        for number in 0..8 {
            assert!(scene.enters(&format!("192.0.{number}.1"), NOON + 30 * 24 * HOUR));
        }
        if is_restarted {
            scene.restarted();
        }
        // With the eight of the future, the first of these would be the ninth at once.
        for number in 0..8 {
            let address = format!("198.51.{number}.1");
            assert!(scene.enters(&address, NOON + number), "{address} {is_restarted}");
        }
        assert!(scene.enters("192.0.7.1", NOON + 9 * HOUR));
        assert_eq!(scene.rows["192.0.7.0/24"].last_at, NOON + 9 * HOUR, "written anew");
    }
}

#[test]
fn a_block_of_a_time_when_the_clock_was_ahead_does_not_hide_later_sharing() {
    let mut scene = Scene::new(|_| {});
    let ahead = NOON + 30 * 24 * HOUR;
    let enters_all = |scene: &mut Scene, now| -> Vec<bool> {
        (0..9).map(|number| scene.enters(&format!("192.0.{number}.1"), now)).collect()
    };
    let expected = [[true; 8].as_slice(), &[false]].concat();
    assert_eq!(enters_all(&mut scene, ahead), expected);
    assert_eq!(enters_all(&mut scene, NOON), expected);
}

#[test]
fn with_as_many_blocks_as_there_may_be_nobody_is_said_to_be_blocked_who_is_not() {
    let mut scene = Scene::new(|_| {});
    let others = |from: u64| {
        let block = |id: u64| SharingBlock {
            key: Key { member: MemberId::parse(&id.to_string()).unwrap(), ..bob() },
            since: NOON,
            until: NOON + HOUR,
            why: SharingReason::Networks,
        };
        (from..1_000 + u64::from(BLOCKS_MAX)).map(block).collect::<Vec<_>>()
    };
    scene.sharing.take_up(others(1_000), NOON);
    for number in 0..9 {
        assert!(scene.enters(&format!("192.0.{number}.1"), NOON));
    }
    assert_eq!(scene.block, None, "nothing is written either");
    scene.sharing.take_up(others(1_001), NOON);
    assert!(!scene.enters("192.0.9.1", NOON), "there is room again");
    assert_eq!(scene.block.map(|block| block.why), Some(SharingReason::AtOnce));
}

#[test]
fn uses_that_are_counted_later_are_one_per_member_and_network_and_at_most_64() {
    let scene = Scene::new(|config| config.action = SharingAction::Log);
    let used = |number: u32| Use {
        member: bob(),
        address: Ipv4Addr::from_bits(0x0a00_0000 + number).into(),
        at: NOON,
    };
    let began = |number| scene.sharing.count_later(used(number));
    assert!(began(0), "somebody must count them");
    assert!(!(1..512).any(began));
    let networks = |uses: Vec<Use>| {
        let network = |used: &Use| scene.sharing.network(used.address).to_string();
        uses.iter().map(network).collect::<std::collections::BTreeSet<_>>()
    };
    let two = ["10.0.0.0/24".to_owned(), "10.0.1.0/24".to_owned()];
    assert_eq!(networks(scene.sharing.uncounted()), two.into());
    assert!(scene.sharing.uncounted().is_empty());
    assert!(began(0));
    assert!(!(1..300).any(|number| began(number * 256)));
    assert_eq!(scene.sharing.uncounted().len(), 64);
    assert!(began(0));
    assert_eq!(scene.sharing.uncounted(), [used(0)], "there is room again");
}
