//! What is stored about logins by cookie: one statement for the logins of many visitors, so that
//! all of them see one moment.

use std::sync::LazyLock;

use mysql::Value;

use super::connection::{Many, ROWS_MAX};
use super::reader::Reader;
use super::rows::{LOGIN_COLUMNS, LOGIN_COUNT, get, key_values, read_login};
use crate::store::{Cause, CookieLogin, CookieLoginState, Fault, if_readable};

/// The logins, as a table with the place of each.
const LOGIN: &str = "SELECT CAST(? AS SIGNED) AS place, CAST(? AS SIGNED) AS siteid, \
    CAST(? AS SIGNED) AS memberid, CAST(? AS BINARY(16)) AS id, CAST(? AS SIGNED) AS issued, \
    CAST(? AS SIGNED) AS login_version, CAST(? AS SIGNED) AS now";

/// A row for each login: [`LOGIN_COLUMNS`], which are NULL where the member is not here, and behind
/// them what the other constants name. Each table is read by its primary key.
static STATES: LazyLock<Many> = LazyLock::new(|| {
    states(
        "s.at",
        "LEFT JOIN login_seen AS s
             ON s.siteid = q.siteid AND s.memberid = q.memberid AND s.id = q.id",
    )
});

/// [`STATES`] without the last use.
static STATES_WITHOUT_USE: LazyLock<Many> = LazyLock::new(|| states("NULL", ""));

/// The place of whether there is a row of the member.
const IS_HERE: usize = LOGIN_COUNT;
/// The place of whether the login was ended.
const ENDED: usize = LOGIN_COUNT + 1;
/// The place of when the login was last used.
const LAST_USE: usize = LOGIN_COUNT + 2;
/// The place of the place of the login among those queried.
const PLACE: usize = LOGIN_COUNT + 3;

fn states(last_use: &str, join: &str) -> Many {
    let columns = LOGIN_COLUMNS.replace(", ", ", m.");
    let before = format!(
        "SELECT m.{columns}, m.siteid IS NOT NULL, o.id IS NOT NULL OR b.siteid IS NOT NULL,
             {last_use}, q.place
         FROM ("
    );
    let after = format!(
        ") AS q
         LEFT JOIN member_auth AS m ON m.siteid = q.siteid AND m.memberid = q.memberid
             AND (m.expire_at IS NULL OR m.expire_at > q.now)
         LEFT JOIN logout AS o ON o.id = q.id
         LEFT JOIN logout_before AS b ON b.siteid = q.siteid AND b.memberid = q.memberid
             AND b.issued >= q.issued AND b.login_version >= q.login_version
         {join}"
    );
    Many::between(before, LOGIN, " UNION ALL ", after)
}

impl Reader {
    /// What is stored about each of these logins at `now`, in their order.
    pub(super) fn cookie_states(
        &self,
        logins: &[CookieLogin],
        now: i64,
    ) -> Result<Vec<CookieLoginState>, Fault> {
        let wants_use = logins.iter().any(|login| login.wants_last_use);
        let many = if wants_use { &*STATES } else { &*STATES_WITHOUT_USE };
        let keys: Vec<Vec<Value>> =
            (0_i64..).zip(logins).map(|(place, login)| values(place, login, now)).collect();
        let rows = self.at_one_moment(logins.len().div_ceil(ROWS_MAX), || {
            self.alone(|connection| connection.rows_by(many, keys.clone()))
        })?;
        let mut found: Vec<Option<CookieLoginState>> = logins.iter().map(|_| None).collect();
        for mut row in rows {
            let place: usize = get(&mut row, PLACE)?;
            let is_here: bool = get(&mut row, IS_HERE)?;
            let state = CookieLoginState {
                is_logged_out: get(&mut row, ENDED)?,
                last_used: get(&mut row, LAST_USE)?,
                row: if is_here { if_readable(read_login(&mut row).map(Some))? } else { Ok(None) },
            };
            // A login that fills the statement comes several times.
            if let (Some(slot), Some(login)) = (found.get_mut(place), logins.get(place)) {
                let last_used = state.last_used.filter(|_| login.wants_last_use);
                *slot = Some(CookieLoginState { last_used, ..state });
            }
        }
        found.into_iter().collect::<Option<_>>().ok_or_else(|| {
            Fault::Unusable(Cause::new("the server did not answer about each login", None))
        })
    }
}

fn values(place: i64, login: &CookieLogin, now: i64) -> Vec<Value> {
    let mut values = vec![place.into()];
    values.extend(key_values(login.key));
    values.extend([
        Value::Bytes(login.id.to_vec()),
        login.issued.into(),
        login.login_version.into(),
        now.into(),
    ]);
    values
}
