//! Rows of whole tables as they are, for `migrate-store`.

use rusqlite::{OptionalExtension as _, Params, Row, params};

use super::engine::Sqlite;
use super::journal::page;
use super::login_records::read_login_record;
use super::reader::Reader;
use super::rows::{FORMER_COLUMNS, HERE_COLUMNS, MEMBER_COLUMNS, read_former, read_here, read_key};
use super::{operators, sharing};
use crate::identity::{Key, MemberId};
use crate::login_record::StoredLogin;
use crate::store::bounds::PAGE_ROWS;
use crate::store::{
    BlockCursor, Fault, JournalFilter, KnownId, KnownNetwork, Logout, LogoutBefore, Seen, Table,
    TableRow,
};

impl Sqlite<'_> {
    /// See [`crate::store::Engine::insert_rows`].
    pub(super) fn insert_row(&mut self, row: &TableRow) -> Result<(), Fault> {
        let ids = |key: Key| (key.site.get(), key.member.get());
        match row {
            TableRow::Member(row) => self.write_member(row),
            TableRow::Former(row) => self.write_former(row),
            TableRow::Record(record) => self.journal.insert_stored(record),
            TableRow::Logout(Logout { id, until, of }) => {
                let member = of.map(|(key, _)| ids(key));
                let (site, member) = member.unzip();
                let issued = of.map(|(_, issued)| issued);
                self.insert(
                    "INSERT INTO logout (id, until, siteid, memberid, issued)
                     VALUES (?1, ?2, ?3, ?4, ?5)",
                    params![id, until, site, member, issued],
                )
            }
            TableRow::LogoutBefore(LogoutBefore { key, issued, login_version }) => {
                let (site, member) = ids(*key);
                self.insert(
                    "INSERT INTO logout_before (siteid, memberid, issued, login_version)
                     VALUES (?1, ?2, ?3, ?4)",
                    [site, member, *issued, *login_version],
                )
            }
            TableRow::LastUse(Seen { key, id, at }) => {
                let (site, member) = ids(*key);
                self.insert(
                    "INSERT INTO login_seen (siteid, memberid, id, at) VALUES (?1, ?2, ?3, ?4)",
                    params![site, member, id, at],
                )
            }
            TableRow::KnownNetwork(KnownNetwork { id: KnownId { member, network }, day }) => self
                .insert(
                    "INSERT INTO known_network (member, network, day) VALUES (?1, ?2, ?3)",
                    params![member, network, day],
                ),
            TableRow::Block(block) => self.write_block(block),
            TableRow::Login(StoredLogin { id, record }) => self.insert(
                "INSERT INTO login (id, at, event, way, siteid, memberid, name, network)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                params![
                    id,
                    record.at,
                    record.event.as_str(),
                    record.way.as_str(),
                    record.site.get(),
                    record.member.map(MemberId::get),
                    record.name,
                    record.network
                ],
            ),
            TableRow::MemberNetwork(row) => sharing::write_network(self.conn, row),
            TableRow::SharingBlock(row) => sharing::write_block(self.conn, row),
            TableRow::Operator(row) => operators::add(self.conn, row).map(|_| ()),
        }
    }

    fn insert(&self, sql: &'static str, values: impl Params) -> Result<(), Fault> {
        self.conn.prepare_cached(sql)?.execute(values)?;
        Ok(())
    }
}

impl Reader {
    /// See [`crate::store::Read::folding_version`].
    pub(super) fn folding_version(&self) -> Result<Option<i64>, Fault> {
        let version = "SELECT version FROM folding";
        Ok(self.conn.query_row(version, [], |row| row.get(0)).optional()?)
    }

    /// See [`crate::store::Read::count_rows`].
    pub(super) fn row_count(&self) -> Result<u64, Fault> {
        let mut all = 0;
        for table in Table::ALL {
            let count = format!("SELECT count(*) FROM {}", table.name());
            let count: i64 = self.conn.query_row(&count, [], |row| row.get(0))?;
            all += u64::try_from(count).unwrap_or(0);
        }
        Ok(all)
    }

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
            Some(TableRow::Member(row)) => Some(row.key),
            _ => None,
        };
        let columns = format!("{MEMBER_COLUMNS}, {HERE_COLUMNS}");
        self.rows_by_key(Table::Members, &columns, after, |row| {
            read_here(row).map(TableRow::Member)
        })
    }

    fn formers_from(&self, after: Option<&TableRow>) -> Result<Vec<TableRow>, Fault> {
        let after = match after {
            Some(TableRow::Former(row)) => Some(row.member.key),
            _ => None,
        };
        let columns = format!("{MEMBER_COLUMNS}, {FORMER_COLUMNS}");
        self.rows_by_key(Table::Formers, &columns, after, |row| {
            read_former(row).map(TableRow::Former)
        })
    }

    fn records_from(&self, after: Option<&TableRow>) -> Result<Vec<TableRow>, Fault> {
        let after = match after {
            Some(TableRow::Record(record)) => record.id,
            _ => 0,
        };
        let page = page(&self.conn, &JournalFilter::default(), after, i64::MAX)?;
        page.into_iter().map(TableRow::of_record).collect()
    }

    fn logouts_from(&self, after: Option<&TableRow>) -> Result<Vec<TableRow>, Fault> {
        let after: &[u8] = match after {
            Some(TableRow::Logout(row)) => &row.id,
            _ => &[],
        };
        self.rows_of(
            Table::Logouts,
            &format!(
                "SELECT id, until, siteid, memberid, issued FROM logout WHERE id > ?1
                 ORDER BY id LIMIT {PAGE_ROWS}"
            ),
            [after],
            |row| read_logout(row).map(TableRow::Logout),
        )
    }

    fn logouts_before_from(&self, after: Option<&TableRow>) -> Result<Vec<TableRow>, Fault> {
        let after = match after {
            Some(TableRow::LogoutBefore(row)) => Some(row.key),
            _ => None,
        };
        let columns = "siteid, memberid, issued, login_version";
        self.rows_by_key(Table::LogoutsBefore, columns, after, |row| {
            Ok(TableRow::LogoutBefore(LogoutBefore {
                key: read_key(row, 0, 1)?,
                issued: row.get(2)?,
                login_version: row.get(3)?,
            }))
        })
    }

    fn last_uses_from(&self, after: Option<&TableRow>) -> Result<Vec<TableRow>, Fault> {
        let ((site, member), id): (_, &[u8]) = match after {
            Some(TableRow::LastUse(row)) => (ids(&row.key), &row.id),
            _ => ((0, 0), &[]),
        };
        self.rows_of(
            Table::LastUses,
            &format!(
                "SELECT siteid, memberid, id, at FROM login_seen
                 WHERE (siteid, memberid, id) > (?1, ?2, ?3)
                 ORDER BY siteid, memberid, id LIMIT {PAGE_ROWS}"
            ),
            params![site, member, id],
            |row| {
                Ok(TableRow::LastUse(Seen {
                    key: read_key(row, 0, 1)?,
                    id: row.get(2)?,
                    at: row.get(3)?,
                }))
            },
        )
    }

    fn known_networks_from(&self, after: Option<&TableRow>) -> Result<Vec<TableRow>, Fault> {
        let (member, network): (&[u8], &[u8]) = match after {
            Some(TableRow::KnownNetwork(row)) => (&row.id.member, &row.id.network),
            _ => (&[], &[]),
        };
        self.rows_of(
            Table::KnownNetworks,
            &format!(
                "SELECT member, network, day FROM known_network
                 WHERE (member, network) > (?1, ?2) ORDER BY member, network
                 LIMIT {PAGE_ROWS}"
            ),
            [member, network],
            |row| {
                let id = KnownId { member: row.get(0)?, network: row.get(1)? };
                Ok(TableRow::KnownNetwork(KnownNetwork { id, day: row.get(2)? }))
            },
        )
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
        self.rows_of(
            Table::Logins,
            &format!(
                "SELECT id, at, event, way, siteid, memberid, name, network FROM login
                 WHERE id > ?1 ORDER BY id LIMIT {PAGE_ROWS}"
            ),
            [after],
            |row| read_login_record(row).map(TableRow::Login),
        )
    }

    fn member_networks_from(&self, after: Option<&TableRow>) -> Result<Vec<TableRow>, Fault> {
        let ((site, member), network) = match after {
            Some(TableRow::MemberNetwork(row)) => (ids(&row.key), row.network.as_str()),
            _ => ((0, 0), ""),
        };
        self.rows_of(
            Table::MemberNetworks,
            &format!(
                "SELECT siteid, memberid, network, first_at, last_at, country
                 FROM sharing_network WHERE (siteid, memberid, network) > (?1, ?2, ?3)
                 ORDER BY siteid, memberid, network LIMIT {PAGE_ROWS}"
            ),
            params![site, member, network],
            |row| sharing::read_network(row).map(TableRow::MemberNetwork),
        )
    }

    fn sharing_blocks_from(&self, after: Option<&TableRow>) -> Result<Vec<TableRow>, Fault> {
        let after = match after {
            Some(TableRow::SharingBlock(row)) => Some(row.key),
            _ => None,
        };
        let columns = "siteid, memberid, since, until, why";
        self.rows_by_key(Table::SharingBlocks, columns, after, |row| {
            sharing::read_block(row).map(TableRow::SharingBlock)
        })
    }

    fn operators_from(&self, after: Option<&TableRow>) -> Result<Vec<TableRow>, Fault> {
        let after = match after {
            Some(TableRow::Operator(row)) => row.name.as_str(),
            _ => "",
        };
        self.rows_of(
            Table::Operators,
            &format!(
                "SELECT name, role, password_hash, created_at, changed_at FROM operator
                 WHERE name > ?1 ORDER BY name LIMIT {PAGE_ROWS}"
            ),
            [after],
            |row| operators::read_operator(row).map(TableRow::Operator),
        )
    }

    /// A page of a table that has one row of a member at most.
    fn rows_by_key(
        &self,
        table: Table,
        columns: &str,
        after: Option<Key>,
        read: fn(&Row<'_>) -> Result<TableRow, Fault>,
    ) -> Result<Vec<TableRow>, Fault> {
        let sql = format!(
            "SELECT {columns} FROM {} WHERE (siteid, memberid) > (?1, ?2)
             ORDER BY siteid, memberid LIMIT {PAGE_ROWS}",
            table.name()
        );
        self.rows_of(table, &sql, after.as_ref().map_or((0, 0), ids), read)
    }

    fn rows_of(
        &self,
        table: Table,
        sql: &str,
        after: impl Params,
        read: fn(&Row<'_>) -> Result<TableRow, Fault>,
    ) -> Result<Vec<TableRow>, Fault> {
        let mut statement = self.conn.prepare_cached(sql)?;
        let mut rows = statement.query(after)?;
        let mut page = Vec::new();
        while let Some(row) = rows.next()? {
            page.push(read(row).map_err(|fault| fault.in_row(&place(row, table)))?);
        }
        Ok(page)
    }
}

/// Where a row is, for messages: members are named, ids of logins and networks are not.
fn place(row: &Row<'_>, table: Table) -> String {
    let name = table.name();
    match (row.get::<_, i64>(0), row.get::<_, i64>(1)) {
        (Ok(site), Ok(member)) => format!("{name} with siteid {site} and memberid {member}"),
        _ => name.to_owned(),
    }
}

fn read_logout(row: &Row<'_>) -> Result<Logout, Fault> {
    let of = match row.get::<_, Option<i64>>(2)? {
        None => None,
        Some(_) => Some((read_key(row, 2, 3)?, row.get(4)?)),
    };
    Ok(Logout { id: row.get(0)?, until: row.get(1)?, of })
}

/// Both ids of a key. Each is at least 1, so that a list from the beginning comes after (0, 0).
fn ids(key: &Key) -> (i64, i64) {
    (key.site.get(), key.member.get())
}
