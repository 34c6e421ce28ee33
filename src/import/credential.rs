//! The credential of a row, in the form that a row of `member_auth` stores.

use super::columns::Column;
use super::row::Row;
use crate::action::Rules;
use crate::hex::unhex;
use crate::identity::Key;
use crate::member::Credential;
use crate::password::{Cryptpass, Hash, PASSWORD_EXPECTED, Password, Seal, Stored, Vault, Wrapped};
use crate::reply::Refusal;

const CRYPTPASS_EXPECTED: &str = "expected a hash of argon2id, or of crypt(3) in DES, MD5, \
     SHA-256, SHA-512, bcrypt, yescrypt, $apr1$ or {SHA} form, within the cost of a login";
const HASH_EXPECTED: &str =
    "expected a password in clear text, or a hash in a form that a login can use";
const WRAPPED_EXPECTED: &str = "expected a wrapped cryptpass, as export writes it";
const SEAL_EXPECTED: &str =
    "expected a seal of this member under the seal.key of this data directory, as export writes it";
const ONE_EXPECTED: &str = "expected a password or a cryptpass";

/// Seals or takes over what the row has. A password comes before a cryptpass, as in a postback.
pub(super) fn credential(row: &Row, key: Key, rules: &Rules) -> Result<Credential, Refusal> {
    let stored = stored(row, key, &rules.vault)?;
    let kept = row.get(Column::Cryptpass).filter(|_| rules.keep_cryptpass);
    Ok(Credential { stored, cryptpass: kept.and_then(Cryptpass::of_any_form) })
}

fn stored(row: &Row, key: Key, vault: &Vault) -> Result<Stored, Refusal> {
    if let Some(text) = row.get(Column::Password) {
        return password(text, key, vault);
    }
    if let Some(text) = row.get(Column::Sealed) {
        let seal = unhex(text).and_then(Seal::parse);
        let opened = seal.filter(|seal| vault.open(key, seal).is_ok());
        return opened
            .map(Stored::Sealed)
            .ok_or_else(|| Refusal::malformed_secret("sealed", SEAL_EXPECTED, text));
    }
    if let Some(text) = row.get(Column::CryptpassWrapped) {
        return Wrapped::parse(text)
            .map(Stored::Wrapped)
            .ok_or_else(|| Refusal::malformed_secret("cryptpass_wrapped", WRAPPED_EXPECTED, text));
    }
    match row.get(Column::Cryptpass) {
        Some(text) => hashed(text, key, vault)
            .ok_or_else(|| Refusal::malformed_secret("cryptpass", CRYPTPASS_EXPECTED, text)),
        None => Err(Refusal::missing("password", ONE_EXPECTED)),
    }
}

/// A password in clear, or a hash that cannot be meant as one. DES looks like a password, so it
/// counts only in the column `cryptpass`.
fn password(text: &str, key: Key, vault: &Vault) -> Result<Stored, Refusal> {
    if let Some(stored) = Some(text)
        .filter(|text| text.starts_with('$') || text.starts_with("{SHA}"))
        .and_then(|text| hashed(text, key, vault))
    {
        return Ok(stored);
    }
    // A login with the text of the hash would succeed.
    if looks_hashed(text) {
        return Err(Refusal::malformed_secret("password", HASH_EXPECTED, text));
    }
    Password::parse(text)
        .map(|password| Stored::Sealed(vault.seal_password(key, &password)))
        .ok_or_else(|| Refusal::malformed_secret("password", PASSWORD_EXPECTED, text))
}

/// Whether the text has the form of a hash: a name, as in `$6$`, `{SSHA}` or `pbkdf2_sha256$`, and
/// at least as many characters behind it as the shortest hash has; or what PASSWORD() of MySQL
/// gives.
fn looks_hashed(text: &str) -> bool {
    const DIGEST_CHARS_MIN: usize = 22;
    const MYSQL_DIGITS: usize = 40;
    let between =
        |open: char, close| text.strip_prefix(open).and_then(|rest| rest.split_once(close));
    let named = between('$', '$').or_else(|| between('{', '}'));
    let is_named = named.is_some_and(|(name, rest)| {
        (1..=16).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && rest.len() >= DIGEST_CHARS_MIN
    });
    // As Django writes them.
    let is_prefixed = text.split_once('$').is_some_and(|(name, rest)| {
        let kinds = ["pbkdf2", "bcrypt", "argon2", "scrypt"];
        kinds.iter().any(|kind| name.starts_with(kind)) && rest.len() >= DIGEST_CHARS_MIN
    });
    let is_mysql = text.strip_prefix('*').is_some_and(|digits| {
        digits.len() == MYSQL_DIGITS && digits.bytes().all(|b| b.is_ascii_hexdigit())
    });
    is_named || is_prefixed || is_mysql || text.starts_with("{SHA}")
}

/// Whether a password in clear begins as a hash of crypt(3) does. It may have been cut off.
fn begins_as_hash(text: &str) -> bool {
    const IDS: [&str; 9] = ["1", "2a", "2b", "2y", "5", "6", "y", "apr1", "argon2id"];
    let id = text.strip_prefix('$').and_then(|rest| rest.split_once('$')).map(|(id, _)| id);
    id.is_some_and(|id| IDS.contains(&id))
}

/// A hash that a login verifies as it is, or a crypt string, which is sealed to be wrapped.
fn hashed(text: &str, key: Key, vault: &Vault) -> Option<Stored> {
    if let Some(hash) = Hash::parse(text) {
        return Some(Stored::Hash(hash));
    }
    let cryptpass = Cryptpass::of_any_form(text)?;
    Some(Stored::Sealed(vault.seal_cryptpass(key, &cryptpass)))
}

/// What is to be said of a password that is taken as clear text, and may be none: a digest without
/// a salt, which a program may also have drawn as a password, a part of a hash, or several lines.
pub(super) fn doubt(row: &Row, taken: &Stored) -> Option<&'static str> {
    let text = row.get(Column::Password).filter(|_| matches!(taken, Stored::Sealed(_)))?;
    let is_digest =
        [32, 40, 64].contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit());
    if is_digest {
        return Some(
            "password: taken as clear text, and it looks like a hash without a salt, which no \
             login can use",
        );
    }
    if text.contains(['\n', '\r']) {
        return Some(
            "password: taken as clear text with a line break in it: is a quotation mark not \
             closed?",
        );
    }
    (begins_as_hash(text) && Cryptpass::of_any_form(text).is_none()).then_some(
        "password: taken as clear text, and it begins as a hash does: it may have been cut off",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{ExpiryRule, Zone};
    use crate::hex::hex;
    use crate::identity::{MemberId, SiteId};
    use crate::password::{Cost, HashKind, Hasher, verify};

    fn key() -> Key {
        Key { site: SiteId::parse("1").unwrap(), member: MemberId::parse("71").unwrap() }
    }

    fn rules(keep_cryptpass: bool) -> Rules {
        let expiry = ExpiryRule { zone: Zone::UTC, grace_hours: 0 };
        Rules { vault: Vault::from_key([7; 32]), keep_cryptpass, expiry, stale_guard: false }
    }

    fn given(column: Column, text: &str) -> Result<Credential, String> {
        let mut row = Row::default();
        row.set(column, text);
        credential(&row, key(), &rules(false)).map_err(|refusal| refusal.to_string())
    }

    fn form(stored: &Stored) -> &'static str {
        match stored {
            Stored::Sealed(_) => "sealed",
            Stored::Hash(_) => "hash",
            Stored::Wrapped(_) => "wrapped",
        }
    }

    #[test]
    fn each_form_is_stored_so_that_its_password_logs_in() {
        let mut hasher = Hasher::new(Cost::lowest(HashKind::Argon2id));
        let testtest = Password::parse("testtest").unwrap();
        let argon2id = hasher.hash(&testtest).unwrap();
        let des = Cryptpass::parse("41R19prsa7NLQ").unwrap();
        let wrapped = hasher.wrap(&des).unwrap();
        let seal = rules(false).vault.seal_password(key(), &testtest);
        let hex = hex(seal.as_bytes());
        let bcrypt = bcrypt::hash("testtest", 4).unwrap();
        let apr1 = "$apr1$abcdefgh$0UjStWmXslmzQv7sQKyIS/";
        let sha = "{SHA}Uau5Y2B43vv4iNhFenx2+FyPEUw=";
        let yescrypt = "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$B7RKt0vq1twPDblWvudBzozXGE485nqQPDWqERW8dR8";
        for (column, text, stored) in [
            (Column::Password, "testtest", "sealed"),
            (Column::Password, argon2id.as_str(), "hash"),
            (Column::Password, &bcrypt, "hash"),
            (Column::Password, apr1, "sealed"),
            (Column::Password, sha, "sealed"),
            (Column::Password, yescrypt, "sealed"),
            (Column::Cryptpass, yescrypt, "sealed"),
            (Column::Cryptpass, "41R19prsa7NLQ", "sealed"),
            (Column::Cryptpass, apr1, "sealed"),
            (Column::Cryptpass, sha, "sealed"),
            (Column::Cryptpass, &bcrypt, "hash"),
            (Column::Cryptpass, argon2id.as_str(), "hash"),
            (Column::CryptpassWrapped, wrapped.as_str(), "wrapped"),
            (Column::Sealed, &hex, "sealed"),
        ] {
            let credential = given(column, text).unwrap();
            assert_eq!(form(&credential.stored), stored, "{text}");
            let vault = &rules(false).vault;
            assert!(verify(&credential.stored, key(), vault, &testtest).unwrap(), "{text}");
        }
        let clear = given(Column::Password, "41R19prsa7NLQ").unwrap();
        let typed = Password::parse("41R19prsa7NLQ").unwrap();
        assert!(verify(&clear.stored, key(), &rules(false).vault, &typed).unwrap());
        let clear = given(Column::Password, "$ecret$").unwrap();
        assert_eq!(form(&clear.stored), "sealed", "not every $ begins a hash");
    }

    #[test]
    fn what_no_login_can_use_is_refused_without_showing_it() {
        let foreign = Vault::from_key([8; 32]);
        let seal = foreign.seal_password(key(), &Password::parse("x").unwrap());
        let hex = hex(seal.as_bytes());
        let yescrypt = "$y$jAT$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7";
        for (column, text, said) in [
            (Column::Password, yescrypt, format!("password: {HASH_EXPECTED}, found 73 bytes")),
            (Column::Password, "{SHA}x", format!("password: {HASH_EXPECTED}, found 6 bytes")),
            (
                Column::Password,
                "{SSHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=",
                format!("password: {HASH_EXPECTED}, found 34 bytes"),
            ),
            (
                Column::Password,
                "pbkdf2_sha256$260000$abcdefgh$QYrTqc6wXJ8=",
                format!("password: {HASH_EXPECTED}, found 42 bytes"),
            ),
            (
                Column::Password,
                "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19",
                format!("password: {HASH_EXPECTED}, found 41 bytes"),
            ),
            (
                Column::Password,
                &"x".repeat(1025),
                format!("password: {PASSWORD_EXPECTED}, found 1025 bytes"),
            ),
            (
                Column::Cryptpass,
                yescrypt,
                format!("cryptpass: {CRYPTPASS_EXPECTED}, found 73 bytes"),
            ),
            (
                Column::Cryptpass,
                "secret",
                format!("cryptpass: {CRYPTPASS_EXPECTED}, found 6 bytes"),
            ),
            (
                Column::CryptpassWrapped,
                "x",
                format!("cryptpass_wrapped: {WRAPPED_EXPECTED}, found 1 bytes"),
            ),
            (Column::Sealed, &hex, format!("sealed: {SEAL_EXPECTED}, found 208 bytes")),
            (Column::Sealed, "é", format!("sealed: {SEAL_EXPECTED}, found 2 bytes")),
            (Column::Email, "a", format!("password: {ONE_EXPECTED}, not given")),
        ] {
            assert_eq!(given(column, text).err(), Some(said));
        }
    }

    #[test]
    fn a_cryptpass_is_kept_where_the_setting_says_so() {
        let mut row = Row::default();
        row.set(Column::Cryptpass, "41R19prsa7NLQ");
        let kept = |keep| credential(&row, key(), &rules(keep)).unwrap().cryptpass;
        assert_eq!(kept(true).unwrap().expose(), "41R19prsa7NLQ");
        assert_eq!(kept(false), None);
    }
}
