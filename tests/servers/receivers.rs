//! Two receivers of one database on a server: what one of them does counts at the other.

mod locked;
mod races;
mod sharing;

use std::fs;
use std::path::Path;
use std::process::Stdio;

use nats_userman::member_change::lift::Lift;
use nats_userman::store::{open_reader, pages, with_engine};
use tempfile::TempDir;

use crate::support::ran::run_on;
use crate::support::visit::{BOB, Visit, admitted, cookie, log_in, raw};
use crate::support::{
    App, Beside, EngineKind, Program, TestDatabase, eventually, program, temp_dir,
};

const GUESSER: &str = "198.51.100.1";

/// A database on a server, and what receivers of it have in common.
struct Site {
    database: TestDatabase,
}

impl Site {
    /// `None`, with a loud line, where no server is installed.
    fn new() -> Option<Self> {
        TestDatabase::new(EngineKind::MariaDb).map(|database| Self { database })
    }

    fn flags(&self) -> Vec<String> {
        let more = ["--trusted-proxy", "127.0.0.1"].map(str::to_owned);
        self.database.flags().into_iter().chain(more).collect()
    }

    fn start(&self, dir: TempDir) -> App {
        let flags = self.flags();
        App::start_in(dir, &flags.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Another receiver, with the keys of the first one.
    fn start_beside(&self, first: &App) -> App {
        let flags = self.flags();
        Self::with_keys_of(first, &flags.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Another receiver, with the keys of the first one and these flags.
    fn with_keys_of(first: &App, flags: &[&str]) -> App {
        let dir = temp_dir();
        let data = dir.path().join("data");
        fs::create_dir(&data).unwrap();
        for name in ["seal.key", "cookie.key"] {
            fs::copy(first.config.data_dir.path().join(name), data.join(name)).unwrap();
        }
        App::start_in(dir, flags)
    }

    /// Why `serve` does not start on this data directory.
    fn refused(&self, data: &Path) -> String {
        let flags = self.flags();
        let own = ["serve", "--time-zone", "Europe/Rome"];
        let args: Vec<&str> = own.into_iter().chain(flags.iter().map(|it| &**it)).collect();
        let ran = run_on(data, &args);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        ran.err.lines().last().unwrap().to_owned()
    }
}

/// Ten wrong passwords for Bob.
fn guess(app: &App) {
    for number in 0..10 {
        assert_eq!(status(app, &format!("guess {number}"), GUESSER), 401);
    }
}

fn status(app: &App, password: &str, from: &str) -> u16 {
    admitted(app, Visit::with("bob", password).from(from)).0
}

#[test]
fn a_block_that_one_receiver_begins_counts_at_the_other_until_a_command_lifts_it() {
    let Some(site) = Site::new() else { return };
    let first = site.start(temp_dir());
    let second = site.start_beside(&first);
    first.post(BOB);
    first.harden();
    guess(&first);
    assert_eq!(status(&first, "secret", GUESSER), 403);
    assert_eq!(status(&second, "secret", GUESSER), 200, "not yet");
    first.look_at_blocks();
    second.look_at_blocks();
    assert_eq!(status(&second, "secret", GUESSER), 403, "a second later");
    assert_eq!(status(&second, "secret", "198.51.100.2"), 200, "from elsewhere");
    // As `block lift --all` does.
    let location = &first.config.location;
    let all = pages::blocks(&*open_reader(location).unwrap(), first.now()).unwrap();
    let [block] = <[_; 1]>::try_from(all).unwrap();
    let lift = Lift::of_block(block, None);
    with_engine(location, false, |engine| {
        engine.begin().unwrap();
        lift.run(engine, first.now().into()).unwrap();
        engine.commit().unwrap();
    })
    .unwrap();
    for app in [&second, &first] {
        app.look_at_blocks();
        assert_eq!(status(app, "secret", GUESSER), 200, "a second later");
    }
}

#[test]
fn a_receiver_that_starts_takes_up_the_blocks_of_the_others_and_keeps_their_rows() {
    let Some(site) = Site::new() else { return };
    let first = site.start(temp_dir());
    first.post(BOB);
    first.harden();
    guess(&first);
    first.look_at_blocks();
    let second = site.start_beside(&first);
    assert_eq!(status(&second, "secret", GUESSER), 403, "from its first moment");
    second.look_at_blocks();
    first.look_at_blocks();
    assert_eq!(status(&first, "secret", GUESSER), 403);
    assert_eq!(first.rows("SELECT count(*) FROM block"), ["1"]);
}

#[test]
fn a_login_counts_at_both_receivers_and_a_logout_at_one_ends_it_at_both() {
    let Some(site) = Site::new() else { return };
    let first = site.start(temp_dir());
    let second = site.start_beside(&first);
    first.post(BOB);
    first.harden();
    let login = cookie(&log_in(&first, "bob", "secret"));
    assert_eq!(admitted(&second, Visit::holding(&login)).0, 200);
    let headers = format!("Cookie: {login}\r\nSec-Fetch-Site: same-origin\r\n");
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let logged_out = raw(&second, "POST /logout", &(headers + form), "");
    assert!(logged_out.status < 400, "{logged_out:?}");
    for app in [&first, &second] {
        assert_eq!(admitted(app, Visit::holding(&login)).0, 401);
    }
}

#[test]
fn a_receiver_with_other_keys_does_not_start_and_names_the_files_to_copy() {
    let Some(site) = Site::new() else { return };
    let first = site.start(temp_dir());
    let dir = temp_dir();
    let data = dir.path().join("data");
    let said = |file: &str, found: &str| {
        format!(
            "nats-userman: {}: expected the key of the other receivers of {}, found {found}: copy \
             seal.key*, cookie.key* and postback-token from the data directory of one of them to \
             {}, over what is there",
            data.join(file).display(),
            first.config.location,
            data.display()
        )
    };
    let settings = || {
        let rows = "SELECT name, value FROM receiver_setting ORDER BY name";
        Beside::open(&site.database.location()).rows(rows)
    };
    let before = settings();
    assert_eq!(site.refused(&data), said("seal.key", "no file"));
    assert!(!data.join("seal.key").exists() && !data.join("cookie.key").exists());
    let from = first.config.data_dir.path();
    fs::copy(from.join("seal.key"), data.join("seal.key")).unwrap();
    assert_eq!(site.refused(&data), said("cookie.key", "no file"));
    let other = format!("{}\n", "7".repeat(64));
    fs::write(data.join("cookie.key"), &other).unwrap();
    assert_eq!(site.refused(&data), said("cookie.key", "another one"));
    fs::write(data.join("seal.key"), &other).unwrap();
    assert_eq!(site.refused(&data), said("seal.key", "another one"));
    assert!(first.post(BOB).starts_with("OK|"), "the others go on");
    assert_eq!(settings(), before, "and the next one to start is compared with them");
}

#[test]
fn a_start_warns_of_each_setting_that_differs_from_that_of_the_receiver_before() {
    let Some(site) = Site::new() else { return };
    let first = site.start(temp_dir());
    let second = site.start_beside(&first);
    let data = second.stop();
    let flags = site.flags();
    let mut flags: Vec<&str> = flags.iter().map(|it| &**it).collect();
    flags.extend(["--time-zone", "Europe/Berlin"]);
    let mut program = Program::serve(&data.path().join("data"), &flags);
    assert!(program.terminate().success());
    let log = program.stderr();
    let warned: Vec<&str> = log.lines().filter(|line| line.contains(" at the receiver ")).collect();
    let said = "time_zone is Europe/Berlin here and UTC at the receiver that started before this \
        one: receivers of one database need the same value";
    assert!(matches!(warned[..], [line] if line.ends_with(said)), "{log}");
}

/// `serve` with the tokens of its data directory.
fn serve_with_own_tokens(data: &Path, flags: &[&str]) -> Program {
    let mut command = program();
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(data).args(flags);
    command.stdout(Stdio::null());
    Program::spawn(command).unwrap_or_else(|stderr| panic!("{stderr}"))
}

/// Regression: a token that was added at both receivers while they ran made the next start of one
/// warn that their tokens differ.
#[test]
fn tokens_that_were_replaced_at_all_receivers_while_they_ran_are_the_same_at_the_next_start() {
    let Some(site) = Site::new() else { return };
    let (dir, flags) = (temp_dir(), site.flags());
    let flags: Vec<&str> = flags.iter().map(|it| &**it).collect();
    let (here, there) = (dir.path().join("here"), dir.path().join("there"));
    let mut first = serve_with_own_tokens(&here, &flags);
    fs::create_dir(&there).unwrap();
    let copy = |name: &str| {
        fs::copy(here.join(name), there.join(name)).unwrap();
    };
    ["seal.key", "cookie.key", "postback-token"].into_iter().for_each(copy);
    let mut second = serve_with_own_tokens(&there, &flags);
    let prints = || {
        Beside::open(&site.database.location())
            .rows("SELECT value FROM receiver_setting WHERE name LIKE '%tokens'")
    };
    let before = prints();
    run_on(&here, &["token", "add"]).printed();
    copy("postback-token");
    for receiver in [&first, &second] {
        eventually("the tokens are read", || receiver.stderr().contains("2 tokens read from"));
    }
    eventually("the tokens are stored", || prints() != before);
    let warned = |log: &str| log.contains("tokens is ");
    assert!(second.terminate().success());
    let mut second = serve_with_own_tokens(&there, &flags);
    assert!(second.terminate().success());
    assert!(!warned(&second.stderr()), "{}", second.stderr());

    // One that was retired at one receiver alone differs.
    let before = prints();
    run_on(&here, &["token", "retire", "1"]).printed();
    eventually("the tokens are stored", || prints() != before);
    assert!(!warned(&first.stderr()), "the other receiver may follow: {}", first.stderr());
    let mut second = serve_with_own_tokens(&there, &flags);
    assert!(second.terminate().success() && first.terminate().success());
    assert!(warned(&second.stderr()), "{}", second.stderr());
}
