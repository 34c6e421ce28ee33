//! Rows of whole tables as they are, for `migrate-store`.

use std::sync::LazyLock;

use mysql::{Row, Value};

use super::connection::Insert;
use super::engine::Mysql;
use super::login_records::{read_login_record, record_values};
use super::operators::{OPERATOR_COLUMNS, operator_values, read_operator};
use super::outcome::Written;
use super::reader::Reader;
use super::rows::{
    FORMER_COLUMNS, HERE_COLUMNS, MEMBER_COLUMNS, former_values, get, here_values, key_values,
    read_former, read_here, read_id, read_key,
};
use super::save::INSERT_HERE;
use super::sharing::{block_values, network_values, read_block, read_network};
use crate::identity::Key;
use crate::login_record::StoredLogin;
use crate::store::bounds::PAGE_ROWS;
use crate::store::{
    BlockCursor, Fault, JournalFilter, KnownId, KnownNetwork, Logout, LogoutBefore, Seen,
    StoredRecord, Table, TableRow,
};

static INSERT_FORMER: LazyLock<Insert> = LazyLock::new(|| {
    let columns = format!("{MEMBER_COLUMNS}, {FORMER_COLUMNS}");
    Insert::new("INSERT INTO former_member", &columns)
});
static INSERT_LOGOUT: LazyLock<Insert> =
    LazyLock::new(|| Insert::new("INSERT INTO logout", "id, until, siteid, memberid, issued"));
static INSERT_LOGOUT_BEFORE: LazyLock<Insert> = LazyLock::new(|| {
    Insert::new("INSERT INTO logout_before", "siteid, memberid, issued, login_version")
});
static INSERT_LAST_USE: LazyLock<Insert> =
    LazyLock::new(|| Insert::new("INSERT INTO login_seen", "siteid, memberid, id, at"));
static INSERT_KNOWN: LazyLock<Insert> =
    LazyLock::new(|| Insert::new("INSERT INTO known_network", "member, network, day"));
static INSERT_LOGIN: LazyLock<Insert> = LazyLock::new(|| {
    Insert::new("INSERT INTO login", "id, at, event, way, siteid, memberid, name, network")
});
static INSERT_NETWORK: LazyLock<Insert> = LazyLock::new(|| {
    let columns = "siteid, memberid, network, first_at, last_at, country";
    Insert::new("INSERT INTO sharing_network", columns)
});
static INSERT_SHARING: LazyLock<Insert> = LazyLock::new(|| {
    Insert::new("INSERT INTO sharing_block", "siteid, memberid, since, until, why")
});
static INSERT_OPERATOR: LazyLock<Insert> =
    LazyLock::new(|| Insert::new("INSERT INTO operator", OPERATOR_COLUMNS));

static MEMBERS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {MEMBER_COLUMNS}, {HERE_COLUMNS} FROM member_auth
         WHERE siteid > ? OR (siteid = ? AND memberid > ?)
         ORDER BY siteid, memberid LIMIT {PAGE_ROWS}"
    )
});
static FORMERS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {MEMBER_COLUMNS}, {FORMER_COLUMNS} FROM former_member
         WHERE siteid > ? OR (siteid = ? AND memberid > ?)
         ORDER BY siteid, memberid LIMIT {PAGE_ROWS}"
    )
});
static LOGOUTS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT id, until, siteid, memberid, issued FROM logout WHERE id > ?
         ORDER BY id LIMIT {PAGE_ROWS}"
    )
});
static LOGOUTS_BEFORE: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT siteid, memberid, issued, login_version FROM logout_before
         WHERE siteid > ? OR (siteid = ? AND memberid > ?)
         ORDER BY siteid, memberid LIMIT {PAGE_ROWS}"
    )
});
static LAST_USES: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT siteid, memberid, id, at FROM login_seen
         WHERE siteid > ? OR (siteid = ? AND (memberid > ? OR (memberid = ? AND id > ?)))
         ORDER BY siteid, memberid, id LIMIT {PAGE_ROWS}"
    )
});
static LOGINS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT id, at, event, way, siteid, memberid, name, network FROM login WHERE id > ?
         ORDER BY id LIMIT {PAGE_ROWS}"
    )
});
static NETWORKS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT siteid, memberid, network, first_at, last_at, country FROM sharing_network
         WHERE siteid > ? OR (siteid = ? AND (memberid > ? OR (memberid = ? AND network > ?)))
         ORDER BY siteid, memberid, network LIMIT {PAGE_ROWS}"
    )
});
static SHARING: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT siteid, memberid, since, until, why FROM sharing_block
         WHERE siteid > ? OR (siteid = ? AND memberid > ?)
         ORDER BY siteid, memberid LIMIT {PAGE_ROWS}"
    )
});
static OPERATORS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {OPERATOR_COLUMNS} FROM operator WHERE name > ? ORDER BY name LIMIT {PAGE_ROWS}"
    )
});
static KNOWN: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT member, network, day FROM known_network
         WHERE member > ? OR (member = ? AND network > ?)
         ORDER BY member, network LIMIT {PAGE_ROWS}"
    )
});

impl Mysql<'_> {
    /// See [`crate::store::Engine::insert_rows`].
    pub(super) fn insert_all(&mut self, rows: &[TableRow]) -> Result<(), Fault> {
        for of_table in rows.chunk_by(|one, other| one.table() == other.table()) {
            self.insert_of_table(of_table)?;
        }
        self.written = Written::Copies;
        Ok(())
    }

    fn insert_of_table(&mut self, rows: &[TableRow]) -> Result<(), Fault> {
        let (mut records, mut values): (Vec<&StoredRecord>, Vec<Vec<Value>>) = Default::default();
        let mut insert: Option<&'static Insert> = None;
        for row in rows {
            let (into, row) = match row {
                TableRow::Record(record) => {
                    records.push(record);
                    continue;
                }
                TableRow::Block(block) => {
                    super::notes::write_block(self.connection()?, block)?;
                    continue;
                }
                TableRow::Member(row) => {
                    self.has_unfolded |= !row.holds_folded;
                    (&*INSERT_HERE, here_values(row))
                }
                TableRow::Former(row) => (&*INSERT_FORMER, former_values(row)),
                TableRow::Logout(row) => (&*INSERT_LOGOUT, logout_values(row)),
                TableRow::LogoutBefore(LogoutBefore { key, issued, login_version }) => {
                    let of = [(*issued).into(), (*login_version).into()];
                    (&*INSERT_LOGOUT_BEFORE, [&key_values(*key)[..], &of].concat())
                }
                TableRow::LastUse(Seen { key, id, at }) => {
                    let of = [Value::Bytes(id.to_vec()), (*at).into()];
                    (&*INSERT_LAST_USE, [&key_values(*key)[..], &of].concat())
                }
                TableRow::KnownNetwork(KnownNetwork { id, day }) => {
                    let bytes = |id: [u8; 16]| Value::Bytes(id.to_vec());
                    (&*INSERT_KNOWN, vec![bytes(id.member), bytes(id.network), (*day).into()])
                }
                TableRow::Login(StoredLogin { id, record }) => {
                    (&*INSERT_LOGIN, [&[(*id).into()], &record_values(record)[..]].concat())
                }
                TableRow::MemberNetwork(row) => (&*INSERT_NETWORK, network_values(row)),
                TableRow::SharingBlock(row) => (&*INSERT_SHARING, block_values(row)),
                TableRow::Operator(row) => (&*INSERT_OPERATOR, operator_values(row)),
            };
            insert = Some(into);
            values.push(row);
        }
        self.insert_stored(&records)?;
        match insert {
            Some(insert) => self.connection()?.insert(insert, values).map(drop),
            None => Ok(()),
        }
    }
}

/// A logout of before version 4 of SQLite's schema has no member. It is kept under siteid 0, which
/// no member has, and counts as issued when the row may be deleted: so it stays at least that long.
fn logout_values(Logout { id, until, of }: &Logout) -> Vec<Value> {
    let (site, member, issued) =
        of.map_or((0, 0, *until), |(key, issued)| (key.site.get(), key.member.get(), issued));
    let mut values = vec![Value::Bytes(id.to_vec())];
    values.extend([*until, site, member, issued].map(Value::Int));
    values
}

fn read_logout(row: &mut Row) -> Result<Logout, Fault> {
    let (id, until) = (read_id(row, 0)?, get(row, 1)?);
    let of = match row.as_ref(2) {
        Some(Value::Int(0) | Value::UInt(0)) => None,
        _ => Some((read_key(row, 2, 3)?, get(row, 4)?)),
    };
    Ok(Logout { id, until, of })
}

/// The bounds of a page by siteid and memberid. Every id is at least 1.
fn behind(key: Option<&Key>) -> Vec<Value> {
    let (site, member) = key.map_or((0, 0), |key| (key.site.get(), key.member.get()));
    [site, site, member].map(Value::Int).to_vec()
}

fn bytes(id: Option<&[u8; 16]>) -> Value {
    Value::Bytes(id.map_or_else(Vec::new, |id| id.to_vec()))
}

impl Reader {
    /// See [`crate::store::Read::rows_page`].
    pub(super) fn select_rows(
        &self,
        table: Table,
        after: Option<&TableRow>,
    ) -> Result<Vec<TableRow>, Fault> {
        match table {
            Table::Members => self.members_from(after),
            Table::Formers => self.formers_from(after),
            Table::Journal => self.records_from(after),
            Table::Logouts => self.logouts_from(after),
            Table::LogoutsBefore => self.logouts_before_from(after),
            Table::LastUses => self.last_uses_from(after),
            Table::KnownNetworks => self.known_networks_from(after),
            Table::Blocks => self.blocks_from(after),
            Table::Logins => self.logins_from(after),
            Table::MemberNetworks => self.member_networks_from(after),
            Table::SharingBlocks => self.sharing_blocks_from(after),
            Table::Operators => self.operators_from(after),
        }
    }

    fn members_from(&self, after: Option<&TableRow>) -> Result<Vec<TableRow>, Fault> {
        let after = match after {
            Some(TableRow::Member(row)) => Some(&row.key),
            _ => None,
        };
        self.rows_of(Table::Members, &MEMBERS, behind(after), |row| {
            read_here(row).map(TableRow::Member)
        })
    }

    fn formers_from(&self, after: Option<&TableRow>) -> Result<Vec<TableRow>, Fault> {
        let after = match after {
            Some(TableRow::Former(row)) => Some(&row.member.key),
            _ => None,
        };
        self.rows_of(Table::Formers, &FORMERS, behind(after), |row| {
            read_former(row).map(TableRow::Former)
        })
    }

    fn records_from(&self, after: Option<&TableRow>) -> Result<Vec<TableRow>, Fault> {
        let after = match after {
            Some(TableRow::Record(record)) => record.id,
            _ => 0,
        };
        let page = self.page_of_records(&JournalFilter::default(), after, i64::MAX)?;
        page.into_iter().map(TableRow::of_record).collect()
    }

    fn logouts_from(&self, after: Option<&TableRow>) -> Result<Vec<TableRow>, Fault> {
        let after = match after {
            Some(TableRow::Logout(row)) => Some(&row.id),
            _ => None,
        };
        self.rows_of(Table::Logouts, &LOGOUTS, vec![bytes(after)], |row| {
            read_logout(row).map(TableRow::Logout)
        })
    }

    fn logouts_before_from(&self, after: Option<&TableRow>) -> Result<Vec<TableRow>, Fault> {
        let after = match after {
            Some(TableRow::LogoutBefore(row)) => Some(&row.key),
            _ => None,
        };
        // Siteid 0 has logouts without a member, which were merged when they were over.
        self.rows_of(Table::LogoutsBefore, &LOGOUTS_BEFORE, behind(after), |row| {
            Ok(TableRow::LogoutBefore(LogoutBefore {
                key: read_key(row, 0, 1)?,
                issued: get(row, 2)?,
                login_version: get(row, 3)?,
            }))
        })
    }

    fn last_uses_from(&self, after: Option<&TableRow>) -> Result<Vec<TableRow>, Fault> {
        let (key, id) = match after {
            Some(TableRow::LastUse(row)) => (Some(&row.key), Some(&row.id)),
            _ => (None, None),
        };
        let mut after = behind(key);
        after.extend([after.last().cloned().unwrap_or(Value::Int(0)), bytes(id)]);
        self.rows_of(Table::LastUses, &LAST_USES, after, |row| {
            let (key, id) = (read_key(row, 0, 1)?, read_id(row, 2)?);
            Ok(TableRow::LastUse(Seen { key, id, at: get(row, 3)? }))
        })
    }

    fn known_networks_from(&self, after: Option<&TableRow>) -> Result<Vec<TableRow>, Fault> {
        let (member, network) = match after {
            Some(TableRow::KnownNetwork(row)) => (Some(&row.id.member), Some(&row.id.network)),
            _ => (None, None),
        };
        let after = vec![bytes(member), bytes(member), bytes(network)];
        self.rows_of(Table::KnownNetworks, &KNOWN, after, |row| {
            let id = KnownId { member: read_id(row, 0)?, network: read_id(row, 1)? };
            Ok(TableRow::KnownNetwork(KnownNetwork { id, day: get(row, 2)? }))
        })
    }

    fn blocks_from(&self, after: Option<&TableRow>) -> Result<Vec<TableRow>, Fault> {
        let after = match after {
            Some(TableRow::Block(block)) => Some(BlockCursor::of(block)),
            _ => None,
        };
        TableRow::of_blocks(self.select_blocks(after.as_ref(), i64::MIN)?)
    }

    fn logins_from(&self, after: Option<&TableRow>) -> Result<Vec<TableRow>, Fault> {
        let after = match after {
            Some(TableRow::Login(row)) => row.id,
            _ => 0,
        };
        self.rows_of(Table::Logins, &LOGINS, vec![after.into()], |row| {
            read_login_record(row).map(TableRow::Login)
        })
    }

    fn member_networks_from(&self, after: Option<&TableRow>) -> Result<Vec<TableRow>, Fault> {
        let (key, network) = match after {
            Some(TableRow::MemberNetwork(row)) => (Some(&row.key), row.network.as_str()),
            _ => (None, ""),
        };
        let mut after = behind(key);
        after.extend([after.last().cloned().unwrap_or(Value::Int(0)), network.into()]);
        self.rows_of(Table::MemberNetworks, &NETWORKS, after, |row| {
            read_network(row).map(TableRow::MemberNetwork)
        })
    }

    fn sharing_blocks_from(&self, after: Option<&TableRow>) -> Result<Vec<TableRow>, Fault> {
        let after = match after {
            Some(TableRow::SharingBlock(row)) => Some(&row.key),
            _ => None,
        };
        self.rows_of(Table::SharingBlocks, &SHARING, behind(after), |row| {
            read_block(row).map(TableRow::SharingBlock)
        })
    }

    fn operators_from(&self, after: Option<&TableRow>) -> Result<Vec<TableRow>, Fault> {
        let after = match after {
            Some(TableRow::Operator(row)) => row.name.as_str(),
            _ => "",
        };
        self.rows_of(Table::Operators, &OPERATORS, vec![after.into()], |row| {
            read_operator(row).map(TableRow::Operator)
        })
    }

    fn rows_of(
        &self,
        table: Table,
        sql: &'static str,
        after: Vec<Value>,
        read: fn(&mut Row) -> Result<TableRow, Fault>,
    ) -> Result<Vec<TableRow>, Fault> {
        let read_one = |mut row: Row| {
            let place = place(&row, table);
            read(&mut row).map_err(|fault| fault.in_row(&place))
        };
        self.rows(sql, after)?.into_iter().map(read_one).collect()
    }
}

/// Where a row is, for messages: members are named, ids of logins and networks are not.
fn place(row: &Row, table: Table) -> String {
    let name = table.name();
    match (row.as_ref(0), row.as_ref(1)) {
        (Some(Value::Int(site)), Some(Value::Int(member))) => {
            format!("{name} with siteid {site} and memberid {member}")
        }
        _ => name.to_owned(),
    }
}
