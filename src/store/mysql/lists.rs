//! Lists, page by page: members, former members, forms of passwords, blocks.

use std::sync::LazyLock;

use mysql::Value;

use super::reader::Reader;
use super::rows::{
    FORMER_COLUMNS, HERE_COLUMNS, MEMBER_COLUMNS, get, read_form, read_former, read_here,
};
use crate::block::{Block, BlockKind, LoginName, NameHolder, Network, Target};
use crate::identity::Key;
use crate::member::{Former, Member};
use crate::password::Stored;
use crate::store::bounds::PAGE_ROWS;
use crate::store::{BlockCursor, BlockPage, Fault, Forms, FormsCursor, FormsPage};

static MEMBERS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {MEMBER_COLUMNS}, {HERE_COLUMNS} FROM member_auth
         WHERE (siteid > ? OR (siteid = ? AND memberid > ?)) AND siteid <= ?
             AND (expire_at IS NULL OR expire_at > ?)
         ORDER BY siteid, memberid LIMIT {PAGE_ROWS}"
    )
});

static FORMERS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {MEMBER_COLUMNS}, {FORMER_COLUMNS} FROM former_member
         WHERE (siteid > ? OR (siteid = ? AND memberid > ?)) AND siteid <= ?
         ORDER BY siteid, memberid LIMIT {PAGE_ROWS}"
    )
});

static FORMS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT siteid, memberid, password, cryptpass_wrapped IS NOT NULL, cryptpass IS NULL
         FROM member_auth
         WHERE (siteid > ? OR (siteid = ? AND memberid > ?))
             AND (expire_at IS NULL OR expire_at > ?)
         ORDER BY siteid, memberid LIMIT {PAGE_ROWS}"
    )
});

static BLOCKS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT kind, network, username, since, until,
             EXISTS (SELECT 1 FROM member_auth AS m WHERE m.username_key = block.username)
             OR EXISTS (SELECT 1 FROM member_auth AS m
                        WHERE m.username_key = CONCAT(0x00, block.username))
         FROM block
         WHERE until > ? AND (kind > ? OR (kind = ? AND (network > ?
             OR (network = ? AND username > ?))))
         ORDER BY kind, network, username LIMIT {PAGE_ROWS}"
    )
});

/// The bounds of a page of members: site, site, member, last site.
fn bounds(site: Option<i64>, after: Option<Key>) -> Vec<Value> {
    // Every memberid and siteid is at least 1.
    let (first, member) =
        after.map_or((site.unwrap_or(0), 0), |key| (key.site.get(), key.member.get()));
    let last = site.unwrap_or(i64::MAX);
    [first, first, member, last].map(Value::Int).to_vec()
}

impl Reader {
    pub(super) fn select_members(
        &self,
        site: Option<i64>,
        after: Option<Key>,
        now: i64,
    ) -> Result<Vec<Member>, Fault> {
        let mut values = bounds(site, after);
        values.push(now.into());
        self.rows(&MEMBERS, values)?.iter_mut().map(read_here).collect()
    }

    pub(super) fn select_formers(
        &self,
        site: Option<i64>,
        after: Option<Key>,
    ) -> Result<Vec<Former>, Fault> {
        self.rows(&FORMERS, bounds(site, after))?.iter_mut().map(read_former).collect()
    }

    /// See [`crate::store::Read::sample`].
    pub(super) fn sample_forms(&self, most: u32) -> Result<Vec<Stored>, Fault> {
        let mut forms = Vec::new();
        for sql in [
            "SELECT password, sealed, cryptpass_wrapped FROM member_auth
             ORDER BY siteid, memberid LIMIT ?",
            "SELECT password, sealed, cryptpass_wrapped FROM member_auth
             ORDER BY siteid DESC, memberid DESC LIMIT ?",
        ] {
            for mut row in self.rows(sql, vec![(most / 2).into()])? {
                // A row that another program wrote and that cannot be read is skipped.
                forms.extend(read_form(&mut row, 0, 1, 2).ok().flatten());
            }
        }
        Ok(forms)
    }

    pub(super) fn count_forms(
        &self,
        after: Option<FormsCursor>,
        now: i64,
    ) -> Result<FormsPage, Fault> {
        let FormsCursor((site, member)) = after.unwrap_or(FormsCursor((0, 0)));
        let mut page = FormsPage::default();
        let mut last = None;
        for mut row in self.rows(&FORMS, [site, site, member, now].map(Value::Int).to_vec())? {
            last = Some(FormsCursor((get(&mut row, 0)?, get(&mut row, 1)?)));
            let hash: Option<Vec<u8>> = get(&mut row, 2)?;
            let has =
                |start: &[u8]| u64::from(hash.as_ref().is_some_and(|hash| hash.starts_with(start)));
            page.forms.add(&Forms {
                members: 1,
                bcrypt: has(b"$2"),
                argon2id: has(b"$argon2id$"),
                wrapped: u64::from(get::<bool>(&mut row, 3)?),
                without_cryptpass: u64::from(get::<bool>(&mut row, 4)?),
            });
        }
        page.next = last.filter(|_| page.forms.members == u64::from(PAGE_ROWS));
        Ok(page)
    }

    /// See [`crate::store::Read::blocks_of`]. The table has no index of names, and is small.
    pub(super) fn blocks_of_name(&self, name: &LoginName, now: i64) -> Result<Vec<Block>, Fault> {
        let rows = self.rows(
            "SELECT kind, network, since, until FROM block WHERE username = ? AND until > ?",
            vec![Value::Bytes(name.as_str().as_bytes().to_vec()), now.into()],
        )?;
        let mut found = Vec::new();
        for mut row in rows {
            let (kind, network): (String, String) = (get(&mut row, 0)?, get(&mut row, 1)?);
            let target = BlockKind::parse(&kind).and_then(|kind| {
                Target::from_parts(kind, Some(name.clone()), Network::parse(&network))
            });
            let (since, until) = (get(&mut row, 2)?, get(&mut row, 3)?);
            found.extend(target.map(|target| Block { target, since, until }));
        }
        Ok(found)
    }

    /// See [`crate::store::Read::block_of_network`].
    pub(super) fn network_block(&self, network: &str, now: i64) -> Result<Option<Block>, Fault> {
        let Some(parsed) = Network::parse(network) else { return Ok(None) };
        let found = self.first(
            "SELECT since, until FROM block
             WHERE kind = 'network' AND network = ? AND username = '' AND until > ?",
            vec![network.into(), now.into()],
        )?;
        let Some(mut row) = found else { return Ok(None) };
        let (since, until) = (get(&mut row, 0)?, get(&mut row, 1)?);
        Ok(Some(Block { target: Target::Network(parsed), since, until }))
    }

    pub(super) fn select_blocks(
        &self,
        after: Option<&BlockCursor>,
        now: i64,
    ) -> Result<BlockPage, Fault> {
        let (kind, network, name) = after
            .map_or(("", "", ""), |BlockCursor([kind, network, name])| {
                (kind.as_str(), network.as_str(), name.as_str())
            });
        let text = |text: &str| Value::Bytes(text.as_bytes().to_vec());
        let values =
            vec![now.into(), text(kind), text(kind), text(network), text(network), text(name)];
        let rows = self.rows(&BLOCKS, values)?;
        let is_full = u32::try_from(rows.len()) == Ok(PAGE_ROWS);
        let (mut page, mut last) = (BlockPage::default(), None);
        for mut row in rows {
            let cursor: [String; 3] = [get(&mut row, 0)?, get(&mut row, 1)?, get(&mut row, 2)?];
            let [kind, network, name] = &cursor;
            let network = Network::parse(network);
            let name = Some(name.as_str()).filter(|name| !name.is_empty()).map(LoginName::new);
            let target =
                BlockKind::parse(kind).and_then(|kind| Target::from_parts(kind, name, network));
            let holder =
                if get::<bool>(&mut row, 5)? { NameHolder::Member } else { NameHolder::Nobody };
            match target {
                Some(target) => {
                    let block =
                        Block { target, since: get(&mut row, 3)?, until: get(&mut row, 4)? };
                    page.blocks.push((block, holder));
                }
                // A row that another program wrote is no reason to refuse the others.
                None => page.unreadable += 1,
            }
            last = Some(BlockCursor(cursor));
        }
        page.next = last.filter(|_| is_full);
        Ok(page)
    }
}
