//! The blocks in force: how many there may be, and which are evicted.
//!
//! At the bound, narrow blocks under one prefix are merged into one of a wider network. If there
//! are none, a block is evicted: first one of a name that no member has, then one of a network,
//! then one of a member's name. Of members' names, the one with the most blocks loses one, so that
//! blocks of one name cannot evict those of another. Every operation takes logarithmic time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::block::{Block, BlockKind, LoginName, NameHolder, Target};

/// The most blocks in force, some hundred bytes each.
const HELD_MAX: usize = 8_192;
/// How many narrow blocks under one prefix are merged into one of the wider network.
const MERGED_MIN: usize = 4;

/// The weight of a block. The lowest is evicted first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Weight {
    /// A block of a name that no member has: there is no password to guess.
    Nobody,
    /// A block of a network, for any names.
    Network,
    /// A block of a member's name.
    Member,
}

impl Weight {
    pub(super) fn of(kind: BlockKind, holder: NameHolder) -> Self {
        match (kind, holder) {
            (BlockKind::Network, _) => Weight::Network,
            (BlockKind::Pair | BlockKind::Name, NameHolder::Nobody) => Weight::Nobody,
            (BlockKind::Pair | BlockKind::Name, NameHolder::Member) => Weight::Member,
        }
    }
}

/// A block in force.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) block: Block,
    pub(super) weight: Weight,
    /// When it ends, by the steady clock: the first second in which it is not in force.
    pub(super) ends: i64,
    /// Whether it is never merged into a block of a wider network.
    pub(super) stays_narrow: bool,
}

/// When a block ends, and a number that orders blocks that end in the same second.
type Place = (i64, u64);

/// A group of blocks of which one is evicted. Each member's name is a group.
type Group = (Weight, Option<LoginName>);

/// The blocks, and the order of their eviction.
pub(super) struct Blocks {
    held_max: usize,
    held: HashMap<Target, (Held, Place)>,
    ends: BTreeMap<Place, Target>,
    groups: HashMap<Group, BTreeMap<Place, Target>>,
    /// The groups by weight and size. The first one loses a block next.
    sizes: BTreeSet<(Weight, Reverse<usize>, Option<LoginName>)>,
    /// The number of narrow blocks under each wider target that may be merged.
    narrow_counts: HashMap<Target, usize>,
    /// The wider targets with enough blocks to merge. The last one has the most.
    mergeable: BTreeSet<(usize, Target)>,
    next: u64,
    changes: u64,
}

impl Blocks {
    pub(super) fn new() -> Self {
        Self::with_bound(HELD_MAX)
    }

    fn with_bound(held_max: usize) -> Self {
        Self {
            held_max,
            held: HashMap::new(),
            ends: BTreeMap::new(),
            groups: HashMap::new(),
            sizes: BTreeSet::new(),
            narrow_counts: HashMap::new(),
            mergeable: BTreeSet::new(),
            next: 0,
            changes: 0,
        }
    }

    /// Adds a block. It replaces one against the same target.
    pub(super) fn begin(&mut self, held: Held) {
        self.lift(&held.block.target);
        while self.held.len() >= self.held_max {
            if !self.merge() {
                self.evict_one();
            }
        }
        self.put(held);
    }

    /// Removes the blocks that have ended.
    pub(super) fn end(&mut self, now: i64) {
        while let Some(first) = self.ends.first_entry().filter(|first| first.key().0 <= now) {
            let target = first.get().clone();
            self.lift(&target);
        }
    }

    /// Ends a block early.
    pub(super) fn lift(&mut self, target: &Target) {
        let Some((held, place)) = self.held.remove(target) else { return };
        self.changes += 1;
        self.ends.remove(&place);
        self.change_group(group_of(&held), |group| {
            group.remove(&place);
        });
        self.change_narrow_count(&held, |count| count.saturating_sub(1));
    }

    pub(super) fn hold(&self, target: &Target) -> bool {
        self.held.contains_key(target)
    }

    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether one more block makes an eviction or a merge necessary.
    pub(super) fn is_full(&self) -> bool {
        self.held.len() >= self.held_max
    }

    /// A number that changes whenever the blocks change.
    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Held> {
        self.held.values().map(|(held, _)| held)
    }

    fn put(&mut self, held: Held) {
        let (target, place) = (held.block.target.clone(), (held.ends, self.next));
        self.next += 1;
        self.changes += 1;
        self.ends.insert(place, target.clone());
        self.change_group(group_of(&held), |group| {
            group.insert(place, target.clone());
        });
        self.change_narrow_count(&held, |count| count + 1);
        self.held.insert(target, (held, place));
    }

    /// Merges the narrow blocks of the prefix that has the most. Returns `false` if no prefix has
    /// enough.
    fn merge(&mut self) -> bool {
        let Some((_, wide)) = self.mergeable.last().cloned() else { return false };
        let held = |target: &Target| self.held.get(target).map(|(held, _)| held.clone());
        let narrow: Vec<Held> = wide
            .narrower()
            .filter_map(|target| held(&target))
            .filter(|held| !held.stays_narrow)
            .collect();
        let there = held(&wide);
        let merged = narrow
            .into_iter()
            .chain(there)
            .inspect(|held| self.lift(&held.block.target))
            .reduce(Held::and);
        merged.into_iter().for_each(|held| {
            self.put(Held { block: Block { target: wide.clone(), ..held.block }, ..held })
        });
        true
    }

    fn evict_one(&mut self) {
        let Some((weight, _, name)) = self.sizes.first().cloned() else { return };
        let first = self.groups.get(&(weight, name)).and_then(|group| group.first_key_value());
        if let Some(target) = first.map(|(_, target)| target.clone()) {
            self.lift(&target);
        }
    }

    fn change_group(&mut self, key: Group, change: impl FnOnce(&mut BTreeMap<Place, Target>)) {
        let group = self.groups.entry(key.clone()).or_default();
        let before = group.len();
        change(group);
        let after = group.len();
        self.sizes.remove(&(key.0, Reverse(before), key.1.clone()));
        if after > 0 {
            self.sizes.insert((key.0, Reverse(after), key.1));
        } else {
            self.groups.remove(&key);
        }
    }

    fn change_narrow_count(&mut self, held: &Held, change: impl FnOnce(usize) -> usize) {
        let Some(wide) = held.block.target.wider().filter(|_| !held.stays_narrow) else { return };
        let before = self.narrow_counts.get(&wide).copied().unwrap_or(0);
        let after = change(before);
        self.mergeable.remove(&(before, wide.clone()));
        if after >= MERGED_MIN {
            self.mergeable.insert((after, wide.clone()));
        }
        if after > 0 {
            self.narrow_counts.insert(wide, after);
        } else {
            self.narrow_counts.remove(&wide);
        }
    }
}

fn group_of(held: &Held) -> Group {
    let name = held.block.target.name().filter(|_| held.weight == Weight::Member);
    (held.weight, name.cloned())
}

impl Held {
    /// Joins two blocks: the longer duration and the higher weight.
    fn and(self, other: Self) -> Self {
        let (since, until) =
            (self.block.since.min(other.block.since), self.block.until.max(other.block.until));
        Self {
            block: Block { since, until, ..self.block },
            weight: self.weight.max(other.weight),
            ends: self.ends.max(other.ends),
            stays_narrow: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::login::guard::Network;

    /// The target of a text such as "bob@203.0.113.9", "203.0.113.9" or "bob".
    fn target(text: &str) -> Target {
        let network = |text: &str| Network::parse(text);
        match text.split_once('@') {
            Some((name, at)) => Target::Pair(LoginName::new(name), network(at).unwrap()),
            None => {
                network(text).map_or_else(|| Target::Name(LoginName::new(text)), Target::Network)
            }
        }
    }

    fn held(text: &str, weight: Weight, ends: i64) -> Held {
        let stays_narrow = text == "known@203.0.113.1";
        Held {
            block: Block { target: target(text), since: 0, until: ends },
            weight,
            ends,
            stays_narrow,
        }
    }

    /// Begins these blocks one after the other, with a bound. Returns those that are left.
    fn left(bound: usize, begun: &[(&str, Weight)]) -> Vec<String> {
        let mut blocks = Blocks::with_bound(bound);
        for (&(text, weight), ends) in begun.iter().zip(1_000..) {
            blocks.begin(held(text, weight, ends));
            assert!(blocks.len() <= bound, "{text}");
        }
        shown(&blocks)
    }

    fn shown(blocks: &Blocks) -> Vec<String> {
        let text = |target: &Target| match (target.name(), target.network()) {
            (Some(name), Some(network)) => format!("{}@{network}", name.as_str()),
            (Some(name), None) => name.as_str().to_owned(),
            (None, network) => network.map(|network| network.to_string()).unwrap_or_default(),
        };
        let mut shown: Vec<String> = blocks.iter().map(|held| text(&held.block.target)).collect();
        shown.sort();
        shown
    }

    use Weight::{Member, Network as Net, Nobody};

    #[test]
    fn names_that_nobody_has_go_first_then_networks_and_members_names_last() {
        let all = [
            ("bob@192.0.2.1", Member),
            ("198.51.100.1", Net),
            ("x@192.0.2.1", Nobody),
            ("y", Nobody),
            ("ann", Member),
        ];
        let mut order = Vec::new();
        let mut before = left(5, &all);
        for bound in (1..5).rev() {
            let after = left(bound, &all);
            order.extend(before.iter().filter(|one| !after.contains(one)).cloned());
            before = after;
        }
        // Of two equal ones, the one that ends first is evicted: bob's began before ann's.
        assert_eq!(
            (order, before),
            (
                ["x@192.0.2.1", "y", "198.51.100.1", "bob@192.0.2.1"].map(String::from).to_vec(),
                vec!["ann".into()]
            )
        );
    }

    #[test]
    fn of_members_names_the_one_with_the_most_blocks_gives_way() {
        let all = [
            ("bob@192.0.2.1", Member),
            ("mallory@192.0.3.1", Member),
            ("mallory@192.0.4.1", Member),
            ("mallory@192.0.5.1", Member),
            ("eve@192.0.6.1", Member),
        ];
        assert_eq!(
            left(4, &all),
            ["bob@192.0.2.1", "eve@192.0.6.1", "mallory@192.0.4.1", "mallory@192.0.5.1"]
        );
        assert_eq!(left(3, &all), ["bob@192.0.2.1", "eve@192.0.6.1", "mallory@192.0.5.1"]);
    }

    #[test]
    fn at_the_bound_four_under_one_prefix_become_one() {
        let narrow = |name: &str, first: u8| {
            (first..first + 4).map(|host| format!("{name}203.0.113.{host}")).collect::<Vec<_>>()
        };
        let six: Vec<String> = (0..4).map(|number| format!("2001:db8:1:20{number}::/64")).collect();
        for (texts, weight, merged) in [
            (narrow("", 1), Net, "203.0.113.0/24"),
            (narrow("bob@", 1), Member, "bob@203.0.113.0/24"),
            (narrow("x@", 1), Nobody, "x@203.0.113.0/24"),
            (six, Net, "2001:db8:1:200::/56"),
        ] {
            let mut begun: Vec<(&str, Weight)> =
                texts.iter().map(|text| (text.as_str(), weight)).collect();
            begun.push(("192.0.2.1", Net));
            assert_eq!(left(5, &begun).len(), 5, "{merged}: below the bound nothing is merged");
            let mut expected = vec!["192.0.2.1", merged];
            expected.sort();
            assert_eq!(left(4, &begun), expected);
        }
    }

    #[test]
    fn what_is_merged_is_merged_again_and_lasts_as_long_as_the_longest() {
        let mut blocks = Blocks::with_bound(15);
        for number in 0..16 {
            let text = format!("bob@2001:db8:1:{:x}::/64", (number / 4) * 0x100 + number % 4);
            blocks.begin(held(&text, Member, 1_000 + number));
        }
        // Each merge removes three blocks more than needed, until four /56 under one /48 are
        // merged.
        for ends in 2_000..2_040 {
            blocks.begin(held(&format!("198.51.{}.1", ends - 2_000), Net, ends));
        }
        let wide: Vec<&Held> = blocks.iter().filter(|held| held.weight == Member).collect();
        assert_eq!(wide.len(), 1, "{:?}", shown(&blocks));
        assert_eq!((&wide[0].block.target, wide[0].ends), (&target("bob@2001:db8:1::/48"), 1_015));
        assert_eq!((wide[0].block.since, wide[0].block.until), (0, 1_015));
    }

    #[test]
    fn a_known_network_keeps_its_narrow_block() {
        let mut begun: Vec<(String, Weight)> =
            (1..=5).map(|host| (format!("known@203.0.113.{host}"), Member)).collect();
        begun.push(("192.0.2.1".into(), Net));
        let begun: Vec<(&str, Weight)> =
            begun.iter().map(|(text, weight)| (text.as_str(), *weight)).collect();
        assert_eq!(left(5, &begun), ["192.0.2.1", "known@203.0.113.0/24", "known@203.0.113.1"]);
    }

    #[test]
    fn a_block_ends_at_its_second() {
        let mut blocks = Blocks::new();
        for (text, ends) in [("192.0.2.1", 10), ("192.0.2.2", 20), ("192.0.2.3", 20)] {
            blocks.begin(held(text, Net, ends));
        }
        for (now, left) in [(9, 3), (10, 2), (19, 2), (20, 0)] {
            blocks.end(now);
            assert_eq!(blocks.len(), left, "{now}");
        }
    }

    /// All indexes agree, whatever happened.
    #[test]
    fn nothing_is_left_of_what_has_ended() {
        let mut blocks = Blocks::with_bound(64);
        for number in 0..5_000_u32 {
            let weight = [Member, Nobody][(number % 2) as usize];
            let text = match number % 3 {
                0 => format!(
                    "name {}@10.{}.{}.{}",
                    number % 7,
                    number % 5,
                    number % 11,
                    number % 251
                ),
                1 => format!("name {}", number % 40),
                _ => format!("2001:db8:{}:{:x}::1", number % 3, number % 1_024),
            };
            let weight = if text.starts_with("2001") { Net } else { weight };
            blocks.begin(held(&text, weight, i64::from(number % 100)));
            let before = blocks.changes();
            blocks.lift(&target(&text));
            assert_ne!(blocks.changes(), before);
            blocks.begin(held(&text, weight, i64::from(number % 100)));
            assert_eq!(blocks.ends.len(), blocks.len());
            assert_eq!(blocks.groups.values().map(BTreeMap::len).sum::<usize>(), blocks.len());
        }
        assert_eq!(blocks.len(), 64);
        blocks.end(100);
        assert_eq!(
            (blocks.len(), blocks.ends.len(), blocks.groups.len(), blocks.sizes.len()),
            (0, 0, 0, 0)
        );
        assert_eq!((blocks.narrow_counts.len(), blocks.mergeable.len()), (0, 0));
    }

    /// Regression: with a list that was searched, this took minutes.
    #[test]
    fn a_hundred_thousand_blocks_beyond_the_bound_cost_little() {
        let mut blocks = Blocks::new();
        for number in 0..100_000_u32 {
            let network = Network::of(
                std::net::Ipv4Addr::from_bits(number.wrapping_mul(2_654_435_761)).into(),
            );
            let (target, weight) = match number % 3 {
                0 => (Target::Network(network), Net),
                1 => (Target::Pair(LoginName::new(&format!("name {number}")), network), Nobody),
                _ => (
                    Target::Pair(LoginName::new(&format!("name {}", number % 1_000)), network),
                    Member,
                ),
            };
            blocks.begin(Held {
                block: Block { target, since: 0, until: 0 },
                weight,
                ends: i64::from(number),
                stays_narrow: false,
            });
        }
        assert_eq!(blocks.len(), HELD_MAX);
    }
}
