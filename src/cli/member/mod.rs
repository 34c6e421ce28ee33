//! `member`: for support staff. A change is a postback of the operator, with the rules and the
//! journal of all postbacks.

mod conflicts;
mod expiry;
mod export;
mod find;
mod forget;
mod lapsed_early;
mod list;
mod logout;
mod operator;
mod password;
mod person;
mod restore;
mod show;

use clap::Subcommand;

use super::failure::Failure;
use crate::config::Config;
use crate::database;
use crate::identity::{ID_EXPECTED, Key, MemberId, SiteId};
use crate::member_change::MemberChange;

#[derive(Debug, Subcommand)]
pub(super) enum MemberCommand {
    /// Show members: whether they get in now and why not, their last logins, and their journal
    /// records
    #[command(allow_missing_positional = true)]
    Show {
        /// siteid [default: all sites]
        site: Option<String>,
        /// memberid, username or e-mail address
        member: String,
    },
    /// List members
    List {
        /// Only who has this memberid, username or e-mail address
        member: Option<String>,
        /// Only this siteid
        #[arg(long, value_parser = super::failure::id)]
        site: Option<i64>,
        /// List former members
        #[arg(long)]
        former: bool,
    },
    /// List members who were not let in because another member held the name, and from when the
    /// postback would succeed
    Conflicts {
        /// Only this siteid
        #[arg(long, value_parser = super::failure::id)]
        site: Option<i64>,
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Remove a member, as a DELETE does
    Remove {
        /// siteid
        site: String,
        /// memberid
        memberid: String,
    },
    /// Restore a former member with the kept credential, as an ACTIVATE does; or all who expired
    /// because of a wrong clock
    Restore {
        /// siteid
        #[arg(required_unless_present = "lapsed_early")]
        site: Option<String>,
        /// memberid
        #[arg(required_unless_present = "lapsed_early", conflicts_with = "lapsed_early")]
        memberid: Option<String>,
        /// New username, where another member has the old one
        #[arg(long, conflicts_with = "lapsed_early")]
        username: Option<String>,
        /// Restore all members whose expiry is still ahead: they expired because the clock was
        /// wrong. Correct the clock first. With SITE, those of that site
        #[arg(long)]
        lapsed_early: bool,
    },
    /// Let a membership end at another time, or never. NATS's next EXPIRE sets another end, and its
    /// next ADD or ACTIVATE removes it
    Expiry {
        /// siteid
        site: String,
        /// memberid
        memberid: String,
        /// YYYY-MM-DD, which means its beginning, or "YYYY-MM-DD hh:mm" (in --time-zone), unix
        /// seconds, or never. A time that is over ends the membership at once
        when: String,
        /// Say what would be changed, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Set the password of a member, which ends their logins: typed twice on a terminal, or one
    /// line of standard input. Set it in NATS too, whose next postback with a password replaces it
    Password {
        /// siteid
        site: String,
        /// memberid
        memberid: String,
    },
    /// Print all that is stored of a member as a JSON object, for a request of that person; of a
    /// password only the form
    Export {
        /// siteid
        site: String,
        /// memberid
        memberid: String,
    },
    /// Remove all that is stored of a member: row, journal records, logins, networks and blocks;
    /// this cannot be undone
    Forget {
        /// siteid
        site: String,
        /// memberid
        memberid: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        /// Say what would be removed, and change nothing
        #[arg(long)]
        dry_run: bool,
        /// Print the result as a JSON object
        #[arg(long)]
        json: bool,
    },
    /// End the logins of a member, or of all members with --all; they can log in again with their
    /// passwords
    Logout {
        /// siteid
        #[arg(required_unless_present = "all")]
        site: Option<String>,
        /// memberid
        #[arg(required_unless_present = "all")]
        memberid: Option<String>,
        /// End the logins of all members, as after the restore of a backup, which brings back
        /// logins that were ended since
        #[arg(long, conflicts_with_all = ["site", "memberid"])]
        all: bool,
    },
}

impl MemberCommand {
    pub(super) fn run(&self, config: &Config) -> Result<(), Failure> {
        match self {
            MemberCommand::Show { site, member } => {
                let parsed =
                    |text: &String| SiteId::parse(text).ok_or_else(|| bad_id("SITE", text));
                show::run(config, site.as_ref().map(parsed).transpose()?, member)
            }
            MemberCommand::List { member, site, former } => {
                list::run(config, *site, *former, member.as_deref())
            }
            MemberCommand::Conflicts { site, json } => conflicts::run(config, *site, *json),
            MemberCommand::Remove { site, memberid } => {
                let key = key(site, memberid)?;
                database::check(config)?;
                let rules = operator::rules_without_key(config);
                operator::change(config, &MemberChange::Remove, key, &rules)
            }
            MemberCommand::Expiry { site, memberid, when, dry_run } => {
                expiry::run(config, key(site, memberid)?, when, *dry_run)
            }
            MemberCommand::Password { site, memberid } => {
                password::run(config, key(site, memberid)?)
            }
            MemberCommand::Export { site, memberid } => export::run(config, key(site, memberid)?),
            MemberCommand::Forget { site, memberid, yes, dry_run, json } => {
                let how = forget::How { yes: *yes, dry_run: *dry_run, json: *json };
                forget::run(config, key(site, memberid)?, how)
            }
            MemberCommand::Logout { site: Some(site), memberid: Some(memberid), all: _ } => {
                logout::one(config, key(site, memberid)?)
            }
            // The other arguments are needed without --all.
            MemberCommand::Logout { .. } => logout::all(config),
            MemberCommand::Restore { site, lapsed_early: true, .. } => {
                lapsed_early::run(config, site_of(site.as_deref())?)
            }
            MemberCommand::Restore { site, memberid, username, lapsed_early: false } => {
                let (site, memberid) =
                    (site.as_deref().unwrap_or_default(), memberid.as_deref().unwrap_or_default());
                restore::run(config, key(site, memberid)?, username.as_deref())
            }
        }
    }
}

fn key(site: &str, memberid: &str) -> Result<Key, Failure> {
    Ok(Key {
        site: SiteId::parse(site).ok_or_else(|| bad_id("SITE", site))?,
        member: MemberId::parse(memberid).ok_or_else(|| bad_id("MEMBERID", memberid))?,
    })
}

fn site_of(text: Option<&str>) -> Result<Option<i64>, Failure> {
    text.map(|text| SiteId::parse(text).map(SiteId::get).ok_or_else(|| bad_id("SITE", text)))
        .transpose()
}

fn bad_id(name: &str, text: &str) -> Failure {
    Failure::usage(format!("{name}: {ID_EXPECTED}, found {text:?}"))
}
