//! What the console says of the settings after a reload.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use nats_userman::operator::Role;
use nats_userman::store::Location;
use rustix::process::{Pid, Signal, kill_process};

use super::{page, says};
use crate::support::{App, Console, NOON, OPS, Program, add_operator, eventually};
use crate::support::{program, temp_dir};

/// Regression: the checks judged the settings of the start.
#[test]
fn the_checks_judge_the_settings_that_a_reload_has_put_into_effect() {
    let dir = temp_dir();
    let file = dir.path().join("proxies");
    fs::write(&file, "0.0.0.0/0\n").unwrap();
    let proxies = ["--trusted-proxy-file", file.to_str().unwrap()];
    let app = App::start_with(&[&OPS[..], &proxies].concat());
    let anna = app.console("anna", Role::Admin);
    let wrong = "--trusted-proxy has 0.0.0.0/0, which is every address";
    says(&page(anna.get("/health")), wrong);

    fs::write(&file, "192.0.2.0/24\n").unwrap();
    app.reload_keys();
    // The machine is checked once in ten seconds.
    app.set_unix(NOON + 10);
    let body = page(anna.get("/health"));
    assert!(!body.contains("which is every address"), "{body}");
}

#[test]
fn the_checks_judge_the_files_that_the_configuration_file_names_since_a_reload() {
    let dir = temp_dir();
    let (data, file) = (dir.path().join("data"), dir.path().join("nats-userman.toml"));
    let keys = dir.path().join("api-keys");
    fs::write(&keys, "shop:a-key-of-many-letters\n").unwrap();
    fs::set_permissions(&keys, Permissions::from_mode(0o644)).unwrap();
    fs::write(&file, "public_url = \"http://members.example.com\"\n").unwrap();
    let mut command = program();
    command.env("USERMAN_CONFIG", &file);
    let served = Program::run(command, &data, &OPS).unwrap_or_else(|stderr| panic!("{stderr}"));
    add_operator(&Location::sqlite(data.join("userman.db")), "anna", Role::Admin);
    let anna = Console::log_in(served.operations(), "anna");

    let text = format!(
        "public_url = \"https://members.example.com\"\napi_key_file = \"{}\"\n",
        keys.display()
    );
    fs::write(&file, text).unwrap();
    kill_process(Pid::from_child(&served.child), Signal::HUP).unwrap();
    eventually("the reload is done", || served.stderr().contains("reload: changed"));
    let body = page(anna.get("/health"));
    says(&body, "https://members.example.com is encrypted");
    says(&body, &format!("run `chmod o= {}`", keys.display()));
}
