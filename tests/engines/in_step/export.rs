//! What is in the file of an export.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::Scene;
use crate::ENGINES;

pub const HEAD: &str = "siteid,memberid,username,password,cryptpass,cryptpass_wrapped,sealed,\
                        seal_key,email,trial,biller,joined,expires,expire_at";

pub const MEMBERS: [&str; 5] = [
    "action=ADD&siteid=1&memberid=71&username=bob&password=secret&email=bob@example.com&\
     joined=1496792016&expires=1499470416",
    "action=ADD&siteid=1&memberid=72&username=ann&password=secret&trial=1&biller=CCBILL:1,2",
    "action=ADD&siteid=1&memberid=73&username=cleo&cryptpass=41R19prsa7NLQ",
    "action=ADD&siteid=2&memberid=71&username=%3Ddora&password=secret",
    "action=DELETE&siteid=1&memberid=72",
];

#[test]
fn csv_and_json_lines_have_each_member_with_the_stored_form_of_the_password_on_every_engine() {
    for engine in ENGINES {
        let Some(scene) = Scene::on(engine, &[]) else { continue };
        scene.post(&MEMBERS);
        scene.app.harden();
        let column = |name: &str, site: i64, member: i64| {
            scene.app.rows(&format!(
                "SELECT {name} FROM member_auth WHERE siteid = {site} AND memberid = {member}"
            ))[0]
                .clone()
        };
        let (bob, dora) = (column("password", 1, 71), column("password", 2, 71));
        let cleo = column("cryptpass_wrapped", 1, 73);
        assert!(bob.starts_with("$argon2id$") && cleo.starts_with("41 $argon2id$"), "{engine:?}");

        let file = scene.file("members.csv");
        let said = format!(
            "1 value with =, +, - or @ as the first character, which a spreadsheet may run as a \
             formula: import all columns as text there\n3 members in {}\n",
            file.display()
        );
        assert_eq!(scene.export("csv", &file, &[]).printed(), said, "{engine:?}");
        assert_eq!(
            fs::read_to_string(&file).unwrap(),
            format!(
                "{HEAD}\n1,71,bob,\"{bob}\",,,,,bob@example.com,0,,1496792016,1499470416,\n\
                 1,73,cleo,,,\"{cleo}\",,,,0,,,,\n2,71,=dora,\"{dora}\",,,,,,0,,,,\n"
            ),
            "{engine:?}"
        );
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o600);

        let file = scene.file("members.jsonl");
        let json = scene.export("jsonl", &file, &["--site", "1", "--json"]).printed();
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!((&json["members"], &json["written"]), (&2.into(), &true.into()));
        assert_eq!(
            fs::read_to_string(&file).unwrap(),
            format!(
                "{{\"siteid\":1,\"memberid\":71,\"username\":\"bob\",\"password\":\"{bob}\",\
                 \"email\":\"bob@example.com\",\"trial\":0,\"joined\":1496792016,\
                 \"expires\":1499470416}}\n{{\"siteid\":1,\"memberid\":73,\"username\":\"cleo\",\
                 \"cryptpass_wrapped\":\"{cleo}\",\"trial\":0}}\n"
            ),
            "{engine:?}"
        );
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o600);
    }
}
