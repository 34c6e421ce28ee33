//! The settings in the console, of the real program with a configuration file.

use nats_userman::operator::Role;
use nats_userman::store::Location;

use super::{page, says};
use crate::support::{Console, Program, TOKEN, add_operator, eventually, program, temp_dir};

#[test]
fn each_setting_has_its_value_and_its_place_and_no_secret_is_shown() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    let file = dir.path().join("nats-userman.toml");
    let text = |allowed: &str| {
        format!("allow_ip = [\"{allowed}\"]\nops_listen = \"127.0.0.1:0\"\njournal_days = 90\n")
    };
    std::fs::write(&file, text("127.0.0.0/8")).unwrap();
    let mut command = program();
    command.env("USERMAN_CONFIG", &file).env("USERMAN_TIME_ZONE", "Europe/Berlin");
    let served = Program::run(command, &data, &["--log", "info"]);
    let served = served.unwrap_or_else(|stderr| panic!("{stderr}"));
    let ops = served.operations();
    add_operator(&Location::sqlite(data.join("userman.db")), "anna", Role::Admin);
    let anna = Console::log_in(ops, "anna");
    let body = page(anna.get("/settings"));
    for text in [
        &*format!("Configuration file: {} .", file.display()),
        "data_dir",
        "postback_token set, and not shown",
        "journal_days 90",
        "time_zone Europe/Berlin variable USERMAN_TIME_ZONE",
        "allow_ip 127.0.0.0/8",
        &*format!("{}:1", file.display()),
    ] {
        says(&body, text);
    }
    assert!(!body.contains(TOKEN), "{body}");

    // A reload takes up some settings; the others keep the value of the start.
    std::fs::write(&file, text("127.0.0.0/16").replace("90", "30")).unwrap();
    let pid = rustix::process::Pid::from_child(&served.child);
    rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
    eventually("the reload is done", || {
        let body = page(anna.get("/settings"));
        body.contains("127.0.0.0&#x2f;16")
    });
    let body = page(anna.get("/settings"));
    says(&body, "A restart is needed for: journal_days.");
    says(&body, "journal_days 90");
}
