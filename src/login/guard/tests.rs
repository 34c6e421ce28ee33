use std::net::Ipv4Addr;

use super::*;
use crate::login::remembered::Remembered;
use crate::password::Password;

const NOON: i64 = 1_781_524_800;

fn login_name(name: &str) -> LoginName {
    LoginName::new(name)
}

fn network(number: u32) -> Network {
    Network::of(Ipv4Addr::from_bits(0x0a00_0000 + number).into())
}

/// A /64 in 2001:db8::/32.
fn network6(number: u32) -> Network {
    Network::of(
        std::net::Ipv6Addr::from_bits((0x2001_0db8_u128 << 96) + (u128::from(number) << 64)).into(),
    )
}

/// A moment at which both clocks show the same.
fn moment(now: i64) -> Reading {
    Reading { steady: now, wall: now }
}

/// A guard, and a visitor who guesses. Each guess is a new password unless the test says
/// otherwise.
struct Scene {
    guard: Guard,
    remembered: Remembered,
    guesses: u32,
}

impl Scene {
    fn new(limits: GuessLimits) -> Self {
        Self {
            guard: Guard::new(limits, true, NOON),
            remembered: Remembered::new().unwrap(),
            guesses: 0,
        }
    }

    fn types(&self, secret: &str, name: &str, from: Network, now: i64) -> Vec<Block> {
        self.types_at(NameHolder::Member, secret, name, from, moment(now))
    }

    fn types_at(
        &self,
        holder: NameHolder,
        secret: &str,
        name: &str,
        network: Network,
        now: Reading,
    ) -> Vec<Block> {
        let secret = self.remembered.secret(&Password::parse(secret).unwrap());
        self.guard.wrong(
            &WrongPassword { name: &login_name(name), holder, network, is_known: false, secret },
            now,
        )
    }

    /// The blocks that are in force, oldest first.
    fn blocks(&self, now: i64) -> Vec<Block> {
        let (_, held) = self.guard.blocks_since(None, now).unwrap();
        let mut blocks: Vec<Block> = held.into_iter().map(|(block, _)| block).collect();
        blocks.sort_by_key(|block| (block.since, block.to_string()));
        blocks
    }

    fn guesses(&mut self, times: u32, name: &str, from: Network, now: i64) -> Vec<Block> {
        let mut begun = Vec::new();
        for _ in 0..times {
            self.guesses += 1;
            begun.extend(self.types(&format!("guess {}", self.guesses), name, from, now));
        }
        begun
    }

    fn verdict(&self, name: &str, from: Network, now: i64) -> Verdict {
        self.guard.verdict(&login_name(name), from, now)
    }
}

fn lines(blocks: &[Block]) -> Vec<String> {
    blocks.iter().map(Block::line).collect()
}

/// Regression: all of sixty guesses that were sent at once were answered, and one /64 blocked
/// the name for the /56.
#[test]
fn what_was_under_way_when_its_network_was_blocked_counts_for_nobody_else() {
    let mut scene = Scene::new(GuessLimits::default());
    assert_eq!(lines(&scene.guesses(99, "bob", network6(0), NOON)).len(), 1, "the pair");
    assert_eq!(scene.verdict("bob", network6(1), NOON), Verdict::Open, "its neighbour");
    assert_eq!(scene.guesses(9, "bob", network6(1 << 16), NOON), [], "nor does the name wait");
    let names = 0..400;
    let begun: Vec<Block> =
        names.flat_map(|nth| scene.guesses(1, &format!("name {nth}"), network6(2), NOON)).collect();
    assert_eq!(
        lines(&begun),
        ["login blocked: network=2001:db8:0:2::/64 kind=network until=2026-06-15T12:15:00Z"]
    );
    assert_eq!(scene.verdict("ann", network6(3), NOON), Verdict::Open);
}

#[test]
fn ten_different_wrong_passwords_block_the_pair_for_a_quarter_of_an_hour() {
    let mut scene = Scene::new(GuessLimits::default());
    let (home, elsewhere) = (network(9), network(10));
    assert_eq!(scene.guesses(9, "bob", home, NOON), []);
    assert_eq!(scene.verdict("bob", home, NOON), Verdict::Open);
    let begun = scene.guesses(1, "BOB", home, NOON);
    assert_eq!(
        lines(&begun),
        ["login blocked: network=10.0.0.9 name=\"bob\" kind=pair until=2026-06-15T12:15:00Z"]
    );
    assert_eq!(scene.verdict("bob", home, NOON + 899), Verdict::Blocked(BlockKind::Pair));
    assert_eq!(
        scene.verdict("Bob", home, NOON),
        Verdict::Blocked(BlockKind::Pair),
        "case is no way out"
    );
    assert_eq!(scene.verdict("alice", home, NOON), Verdict::Open, "another name");
    assert_eq!(scene.verdict("bob", elsewhere, NOON), Verdict::Open, "another network");
    assert_eq!(scene.blocks(NOON + 899), begun);
    assert_eq!(scene.verdict("bob", home, NOON + 900), Verdict::Open);
    assert_eq!(scene.blocks(NOON + 900), []);
    assert_eq!(scene.guard.blocks.load(Ordering::Relaxed), 0, "and a check costs nothing again");
    assert_eq!(scene.guesses(9, "bob", home, NOON + 900), [], "the count begins anew");
}

#[test]
fn an_identical_wrong_password_counts_once_in_a_window() {
    let scene = Scene::new(GuessLimits { pair: 2, ..GuessLimits::default() });
    for seconds in 0..600 {
        assert_eq!(scene.types("old password", "bob", network(9), NOON + seconds), [], "{seconds}");
    }
    assert_eq!(
        scene.types("old password", "bob", network(9), NOON + 600),
        [],
        "counted again, alone in its window"
    );
    assert_eq!(scene.types("another", "bob", network(9), NOON + 601).len(), 1);
}

#[test]
fn what_is_older_than_the_window_does_not_count() {
    let mut scene = Scene::new(GuessLimits::default());
    for nth in 0..100 {
        assert_eq!(
            scene.guesses(1, "bob", network(9), NOON + nth * 67),
            [],
            "nine in any 600 seconds: {nth}"
        );
    }
    let mut scene = Scene::new(GuessLimits::default());
    let begun: Vec<Block> =
        (0..10).flat_map(|nth| scene.guesses(1, "bob", network(9), NOON + nth * 66)).collect();
    assert_eq!(begun.len(), 1, "ten in 594 seconds");
}

#[test]
fn a_hundred_at_whatever_names_block_the_network() {
    let mut scene = Scene::new(GuessLimits::default());
    let begun: Vec<Block> = (0..99)
        .flat_map(|nth| scene.guesses(1, &format!("name {nth}"), network(9), NOON))
        .collect();
    assert_eq!(begun, []);
    let begun = scene.guesses(1, "bob", network(9), NOON);
    assert_eq!(
        lines(&begun),
        ["login blocked: network=10.0.0.9 kind=network until=2026-06-15T12:15:00Z"]
    );
    assert_eq!(scene.verdict("mallory", network(9), NOON), Verdict::Blocked(BlockKind::Network));
    assert_eq!(scene.verdict("bob", network(8), NOON), Verdict::Open);
}

#[test]
fn a_hundred_at_one_name_block_it() {
    let mut scene = Scene::new(GuessLimits::default());
    let begun: Vec<Block> =
        (100..200).flat_map(|number| scene.guesses(1, "bob", network(number), NOON)).collect();
    assert_eq!(lines(&begun), ["login blocked: name=\"bob\" kind=name until=2026-06-15T12:15:00Z"]);
    assert_eq!(scene.verdict("bob", network(2), NOON), Verdict::Blocked(BlockKind::Name));
    assert_eq!(scene.verdict("alice", network(2), NOON), Verdict::Open);
    // A known network may not guess either: this verdict comes first.
    assert_eq!(scene.guesses(10, "bob", network(1), NOON)[0].target.kind(), BlockKind::Pair);
    assert_eq!(scene.verdict("bob", network(1), NOON), Verdict::Blocked(BlockKind::Pair));
    // Further guesses of others do not lengthen the block.
    assert_eq!(scene.verdict("bob", network(2), NOON + 900), Verdict::Open);
}

/// One wrong password from a hundred networks: a member's old one, on all their devices.
#[test]
fn the_same_wrong_password_counts_once_for_a_name_wherever_it_comes_from() {
    let scene = Scene::new(GuessLimits::default());
    for number in 0..300 {
        assert_eq!(scene.types("old", "bob", network(number), NOON), [], "{number}");
    }
}

#[test]
fn no_name_is_blocked_before_the_given_moment() {
    let mut scene = Scene {
        guard: Guard::new(GuessLimits::default(), true, NOON + 900),
        ..Scene::new(GuessLimits::default())
    };
    let at_once: Vec<Block> =
        (0..300).flat_map(|number| scene.guesses(1, "bob", network(number), NOON + 899)).collect();
    assert_eq!(at_once, []);
    let later: Vec<Block> =
        (0..100).flat_map(|number| scene.guesses(1, "bob", network(number), NOON + 900)).collect();
    assert_eq!(
        later.iter().map(|block| block.target.kind()).collect::<Vec<_>>(),
        [BlockKind::Name]
    );
}

#[test]
fn several_blocks_can_begin_at_once_and_what_was_under_way_begins_no_other() {
    let mut scene =
        Scene::new(GuessLimits { pair: 3, network: 3, name: 3, ..GuessLimits::default() });
    let kinds: Vec<BlockKind> =
        scene.guesses(3, "bob", network(9), NOON).iter().map(|block| block.target.kind()).collect();
    assert_eq!(kinds, [BlockKind::Pair, BlockKind::Network, BlockKind::Name]);
    assert_eq!(scene.guesses(9, "bob", network(9), NOON), []);
}

#[test]
fn a_limit_of_0_is_off() {
    let off = GuessLimits { pair: 0, network: 0, name: 0, ..GuessLimits::default() };
    let mut scene = Scene::new(off);
    assert_eq!(scene.guesses(2_000, "bob", network(9), NOON), []);
    scene.guard.begin(
        Block { target: Target::Network(network(9)), since: NOON, until: NOON + 900 },
        NameHolder::Member,
        moment(NOON),
    );
    assert_eq!(
        scene.verdict("bob", network(9), NOON),
        Verdict::Open,
        "nor does a block of an earlier run hold"
    );
}

#[test]
fn loopback_is_neither_blocked_nor_counted_while_all_visitors_look_alike() {
    for address in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
        let here = Network::parse(address).unwrap();
        let mut scene = Scene::new(GuessLimits::default());
        assert_eq!(scene.guesses(500, "bob", here, NOON), [], "{address}");
        let others: Vec<Block> =
            (10..109).flat_map(|number| scene.guesses(1, "bob", network(number), NOON)).collect();
        assert_eq!(others, [], "{address}: 99 at the name, and none of them from here");
        assert_eq!(scene.verdict("bob", here, NOON), Verdict::Open);
        scene.guard.begin(
            Block { target: Target::Name(login_name("bob")), since: NOON, until: NOON + 900 },
            NameHolder::Member,
            moment(NOON),
        );
        assert_eq!(scene.verdict("bob", here, NOON), Verdict::Open, "{address}");

        let mut scene = Scene { guard: Guard::new(GuessLimits::default(), false, NOON), ..scene };
        assert_eq!(
            scene.guesses(10, "bob", here, NOON).len(),
            1,
            "{address}: behind a listed proxy it is somebody"
        );
        scene.guard.set_exempt_loopback(true);
        assert_eq!(scene.verdict("bob", here, NOON), Verdict::Open, "{address}: without one");
        scene.guard.set_exempt_loopback(false);
        assert_ne!(scene.verdict("bob", here, NOON), Verdict::Open, "{address}: and with one");
    }
}

#[test]
fn a_stored_block_holds_again_until_it_ends_or_is_lifted() {
    let scene = Scene::new(GuessLimits::default());
    let block = |target| Block { target, since: NOON - 60, until: NOON + 60 };
    let stored =
        [block(Target::Network(network(9))), block(Target::Pair(login_name("bob"), network(8)))];
    for block in &stored {
        scene.guard.begin(block.clone(), NameHolder::Member, moment(NOON));
    }
    assert_eq!(scene.verdict("alice", network(9), NOON), Verdict::Blocked(BlockKind::Network));
    assert_eq!(scene.verdict("bob", network(8), NOON), Verdict::Blocked(BlockKind::Pair));
    scene.guard.lift(&stored[0].target);
    assert_eq!(scene.verdict("alice", network(9), NOON), Verdict::Open);
    assert_eq!(scene.blocks(NOON), stored[1..]);
    assert_eq!(scene.verdict("bob", network(8), NOON + 60), Verdict::Open);
}

#[test]
fn new_counters_push_out_counters_and_never_a_block() {
    let mut scene = Scene::new(GuessLimits { network: 2, ..GuessLimits::default() });
    assert_eq!(scene.guesses(2, "bob", network(1), NOON).len(), 1);
    for number in 0..20_000 {
        assert_eq!(
            scene.guesses(1, &format!("name {number}"), network(10 + number), NOON),
            [],
            "{number}"
        );
    }
    assert_eq!(scene.verdict("bob", network(1), NOON), Verdict::Blocked(BlockKind::Network));
    assert!(scene.guard.state().counters.keep_their_bounds());
}

#[test]
fn a_wrong_password_of_ipv6_counts_for_the_64_the_56_and_the_48() {
    let mut scene = Scene::new(GuessLimits { network: 0, name: 0, ..GuessLimits::default() });
    let begun: Vec<String> = (0..300)
        .flat_map(|number| scene.guesses(9, "bob", network6(number), NOON))
        .map(|block| block.target.network().unwrap().to_string())
        .collect();
    // Nine from each /64 are below every limit of a /64. Forty block a /56, and 160 the /48.
    assert_eq!(begun, ["2001:db8::/56", "2001:db8::/48", "2001:db8:0:100::/56"]);
    assert_eq!(
        scene.verdict("bob", network6(65_535), NOON),
        Verdict::BlockedAround(BlockKind::Pair),
        "the same /48"
    );
    assert_eq!(scene.verdict("bob", network6(65_536), NOON), Verdict::Open, "the next /48");
    assert_eq!(scene.verdict("ann", network6(0), NOON), Verdict::Open, "another name");
}

/// Regression: ten requests from each /64 of a /48 made 65,536 blocks.
#[test]
fn whoever_has_a_48_gets_few_blocks_whatever_names_and_passwords_he_sends() {
    for (what, names) in [("one name", 1), ("another name at each network", 4_096)] {
        let mut begun = 0;
        let scene = Scene::new(GuessLimits::default());
        for number in 0..4_096 {
            let (name, network) = (format!("name {}", number % names), network6(number));
            for guess in 0..10 {
                if scene.verdict(&name, network, NOON) == Verdict::Open {
                    begun += scene
                        .types_at(
                            NameHolder::Nobody,
                            &format!("guess {guess}"),
                            &name,
                            network,
                            moment(NOON),
                        )
                        .len();
                }
            }
        }
        assert!(begun < 250, "{what}: {begun}");
    }
}

#[test]
fn a_block_of_a_wider_network_is_told_from_one_of_the_visitors_own() {
    let mut scene = Scene::new(GuessLimits::default());
    let (home, neighbour) = (network6(9), network6(10));
    for number in 100..150 {
        scene.guesses(9, "bob", network6(number), NOON);
        scene.guesses(90, &format!("name {number}"), network6(number), NOON);
    }
    assert_eq!(scene.verdict("bob", neighbour, NOON), Verdict::BlockedAround(BlockKind::Pair));
    assert_eq!(scene.verdict("ann", neighbour, NOON), Verdict::BlockedAround(BlockKind::Network));
    // A member who has logged in from it before may log in, but may not guess.
    assert_eq!(
        scene.guesses(10, "bob", home, NOON)[0].target,
        Target::Pair(login_name("bob"), home)
    );
    assert_eq!(scene.verdict("bob", home, NOON), Verdict::Blocked(BlockKind::Pair));
}

/// Regression: 4,200 networks evicted the block of a guesser, which had 15 minutes to go.
#[test]
fn a_flood_of_other_networks_and_names_frees_nobody_who_guessed_at_a_member() {
    let mut scene =
        Scene::new(GuessLimits { pair: 2, network: 0, name: 0, ..GuessLimits::default() });
    assert_eq!(scene.guesses(2, "bob", network(1), NOON).len(), 1);
    for number in 0..9_000_u32 {
        let from = network(1_000 + number * 256);
        // Names that no member has, and the guesser's own account.
        for (holder, name) in
            [(NameHolder::Nobody, format!("name {number}")), (NameHolder::Member, "mallory".into())]
        {
            for guess in ["a", "b"] {
                scene.types_at(holder, guess, &name, from, moment(NOON + 1));
            }
        }
    }
    assert_eq!(scene.verdict("bob", network(1), NOON + 2), Verdict::Blocked(BlockKind::Pair));
}

#[test]
fn a_count_of_a_members_name_is_not_pushed_out_by_names_that_nobody_has() {
    let mut scene = Scene::new(GuessLimits { network: 0, name: 0, ..GuessLimits::default() });
    assert_eq!(scene.guesses(9, "bob", network(1), NOON), []);
    for number in 0..20_000 {
        scene.types_at(
            NameHolder::Nobody,
            "a",
            &format!("name {number}"),
            network(number),
            moment(NOON),
        );
    }
    assert_eq!(scene.guesses(1, "bob", network(1), NOON).len(), 1);
}

/// The steady clock decides how long a block lasts; the wall clock is only shown.
#[test]
fn a_wall_clock_that_is_set_makes_no_block_longer_or_shorter() {
    let mut scene = Scene::new(GuessLimits { network: 0, name: 0, ..GuessLimits::default() });
    let year = 365 * 86_400;
    for guess in 0..10 {
        scene.guesses += 1;
        let ahead = Reading { steady: NOON, wall: NOON + year };
        scene.types_at(NameHolder::Member, &format!("{guess}"), "bob", network(9), ahead);
    }
    assert_eq!(scene.blocks(NOON)[0].until, NOON + year + 900, "as the clock said");
    assert_eq!(scene.verdict("bob", network(9), NOON + 899), Verdict::Blocked(BlockKind::Pair));
    assert_eq!(scene.verdict("bob", network(9), NOON + 900), Verdict::Open);
}

#[test]
fn a_stored_block_lasts_no_longer_than_a_new_one() {
    for (until, shown, why) in [
        (NOON + 60, Some(NOON + 60), "its rest"),
        (NOON + 365 * 86_400, Some(NOON + 900), "the clock was a year ahead when it began"),
        (i64::MAX, Some(NOON + 900), "whatever stands there"),
        (NOON, None, "it has ended"),
        (i64::MIN, None, "long ago"),
    ] {
        let scene = Scene::new(GuessLimits::default());
        let block = Block { target: Target::Network(network(9)), since: NOON - 60, until };
        // The machine was started an hour ago.
        scene.guard.begin(block, NameHolder::Nobody, Reading { steady: 3_600, wall: NOON });
        assert_eq!(scene.blocks(3_600).first().map(|block| block.until), shown, "{why}");
        assert_eq!(scene.blocks(3_600 + 900), [], "{why}");
    }
}

#[test]
fn a_clock_that_jumps_is_survived() {
    let mut scene = Scene::new(GuessLimits { network: 0, name: 0, ..GuessLimits::default() });
    let mut begun = Vec::new();
    for now in [i64::MAX, i64::MIN, NOON, 0, i64::MAX] {
        begun.extend(scene.guesses(9, "bob", network(9), now));
        scene.verdict("bob", network(9), now);
    }
    assert!(!begun.is_empty());
}
