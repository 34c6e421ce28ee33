//! `reconcile FILE`: what differs from NATS's list, and what `--apply` mends.

use super::Scene;
use crate::ENGINES;
use crate::support::ran::Ran;
use crate::support::{EngineKind, eventually};

/// bob (1), ann (2, trial), cleo (3, deleted) and dora (4) of site 1; eve (1) of site 2.
const MEMBERS: [&str; 6] = [
    "action=ADD&siteid=1&memberid=1&username=bob&password=secret&expires=1700000000",
    "action=ADD&siteid=1&memberid=2&username=ann&password=secret&trial=1",
    "action=ADD&siteid=1&memberid=3&username=cleo&password=secret",
    "action=ADD&siteid=1&memberid=4&username=dora&password=secret",
    "action=ADD&siteid=2&memberid=1&username=eve&password=secret",
    "action=DELETE&siteid=1&memberid=3",
];

pub fn scene(engine: EngineKind) -> Option<Scene> {
    let scene = Scene::on(engine, &[])?;
    scene.post(&MEMBERS);
    scene.app.harden();
    Some(scene)
}

/// The names of the members of site 1, and whether they are on trial.
pub fn members(scene: &Scene) -> Vec<String> {
    let name =
        scene.app.rows("SELECT username FROM member_auth WHERE siteid = 1 ORDER BY memberid");
    let trial = scene.app.rows("SELECT trial FROM member_auth WHERE siteid = 1 ORDER BY memberid");
    name.iter().zip(trial).map(|(name, trial)| format!("{name} {trial}")).collect()
}

/// The actions that operators have done so far.
pub fn operators(scene: &Scene) -> Vec<String> {
    scene.app.rows(
        "SELECT CONCAT(action, ' ', memberid) FROM journal WHERE source = 'operator' ORDER BY id",
    )
}

pub fn reconcile(scene: &Scene, list: impl AsRef<[u8]>, more: &[&str]) -> Ran {
    let file = scene.write("list", list);
    scene.run(&[&["reconcile", file.as_str()], more].concat())
}

pub const ALL_DIFFER: &str = "Member ID,username,SITEID,status,trial,expires,cryptpass,extra\n\
                          1,rob,1,1,0,1800000000,,x\n\
                          2,ANN,1,1,0,0,,x\n\
                          3,cleo,1,1,1,,,x\n\
                          5,new,1,1,0,,41R19prsa7NLQ,x\n\
                          6,bare,1,1,0,,,x\n\
                          7,gone,1,2,0,,,x\n";

const REPORT: &str = "member 1 \"bob\" of site 1: NATS has the name \"rob\"\n\
    member 1 \"bob\" of site 1: NATS has the expiry 2027-01-15T08:00:00Z, here it is \
    2023-11-14T22:13:20Z\n\
    member 2 \"ann\" of site 1: NATS has trial 0, here it is 1\n\
    member 4 \"dora\" of site 1: here, not active at NATS\n\
    member 3 \"cleo\" of site 1: active at NATS, not here; a former member, whom --apply \
    restores\n";

const COUNTS: &str = "3 members compared with 5 active members of the list: 3 active at NATS and \
                      not here (1 of them former members), 1 here and not active at NATS, 1 with \
                      another name, 1 with another trial flag, 1 with another expiry; 1 not active \
                      in the list";

#[test]
fn each_difference_is_a_line_and_nothing_is_changed_on_every_engine() {
    for engine in ENGINES {
        let Some(scene) = scene(engine) else { continue };
        let before = members(&scene);
        let ran = reconcile(&scene, ALL_DIFFER, &[]);
        ran.ended(
            1,
            "nats-userman: 6 differences found: see above; --apply mends what can be mended\n",
        );
        let never = "active at NATS, not here, and never was; import them with a password or a \
                     cryptpass";
        let rest = format!(
            "member 5 \"new\" of site 1: {never}\nmember 6 \"bare\" of site 1: {never}\n{COUNTS}\n"
        );
        assert_eq!(ran.out, format!("{REPORT}{rest}"), "{engine:?}");
        assert_eq!(members(&scene), before);
        assert_eq!(operators(&scene), [""; 0]);
    }
}

#[test]
fn apply_mends_by_postbacks_of_the_operator_and_a_second_run_finds_only_what_cannot_be_mended() {
    for engine in ENGINES {
        let Some(scene) = scene(engine) else { continue };
        assert_eq!(members(&scene), ["bob 0", "ann 1", "dora 0"]);
        let ran = reconcile(&scene, ALL_DIFFER, &["--apply", "--allow-many"]);
        ran.ended(1, "nats-userman: 1 difference could not be mended: see above\n");
        let adds = "member 5 \"new\" of site 1: active at NATS, not here; --apply adds them with \
                    the credential of the list\n";
        let bare = "member 6 \"bare\" of site 1: active at NATS, not here, and never was; import \
                    them with a password or a cryptpass\n";
        let mended = "; 5 mended, 1 could not be mended, 0 had changed meanwhile\n";
        assert_eq!(ran.out, format!("{REPORT}{adds}{bare}{COUNTS}{mended}"), "{engine:?}");
        assert_eq!(members(&scene), ["rob 0", "ann 0", "cleo 1", "new 0"], "{engine:?}");
        let mut done = operators(&scene);
        done.sort();
        assert_eq!(done, ["ACTIVATE 3", "CHANGE 1", "CHANGE 2", "DELETE 4", "MANUALADD 5"]);
        scene.app.harden();
        assert!(scene.app.opens(1, 3, "secret") && scene.app.opens(1, 5, "testtest"));

        // The operator's own records are changes since the list was made, so another list.
        let list = "memberid,username,siteid\n1,rob,1\n2,ann,1\n3,cleo,1\n5,new,1\n6,bare,1\n";
        let again = reconcile(&scene, list, &["--list-time", "2030-01-01"]);
        again.ended(
            1,
            "nats-userman: 1 difference found: see above; --apply mends what can be mended\n",
        );
        assert!(again.out.starts_with("member 6 \"bare\" of site 1: "), "{}", again.out);
    }
}

/// Regression: they were deleted here, because no list has their memberids.
#[test]
fn members_who_were_imported_without_a_memberid_get_that_of_nats_and_keep_their_passwords() {
    for engine in ENGINES {
        let Some(scene) = scene(engine) else { continue };
        let hash = "41R19prsa7NLQ";
        let file = scene.write("htpasswd", format!("Kim:{hash}\nleft:{hash}\ncloe:{hash}\n"));
        scene.run(&["import", "--format", "htpasswd", "--site", "1", &file]).printed();
        let own = "SELECT memberid FROM member_auth WHERE memberid > 1000000 ORDER BY memberid";
        let [kim, left, cleo] = scene.app.rows(own).try_into().unwrap();
        let list = "memberid,username,siteid\n1,bob,1\n2,ann,1\n3,cloe,1\n4,dora,1\n50,KIM,1\n";
        let here = "here under the provisional memberid";
        let gives = "--apply gives them that of NATS";
        let report = format!(
            "member 3 \"cloe\" of site 1: {here} {cleo}; {gives}\n\
             member 50 \"Kim\" of site 1: {here} {kim}; {gives}\n\
             member {left} \"left\" of site 1: here, not active at NATS\n\
             6 members compared with 5 active members of the list: 0 active at NATS and not here \
             (0 of them former members), 1 here and not active at NATS, 0 with another name, 0 \
             with another trial flag, 0 with another expiry, 2 with a provisional memberid"
        );
        let after_import = &scene.app.rows("SELECT max(at) + 1 FROM journal")[0];
        let later = ["--list-time", after_import];
        let dry_run = [&later[..], &["--apply", "--dry-run"]].concat();
        eventually("that is not in the future", || {
            reconcile(&scene, list, &dry_run).code != Some(2)
        });
        let ran = reconcile(&scene, list, &later);
        assert_eq!((ran.code, ran.out.trim_end()), (Some(1), report.as_str()), "{engine:?}");
        let apply = [&later[..], &["--apply", "--allow-many"]].concat();
        let ran = reconcile(&scene, list, &apply);
        let mended = "; 3 mended, 0 could not be mended, 0 had changed meanwhile\n";
        assert_eq!((ran.code, ran.out), (Some(0), report + mended), "{engine:?}");
        assert_eq!(members(&scene), ["bob 0", "ann 1", "cloe 0", "dora 0", "KIM 0"], "{engine:?}");
        for member in [3, 50] {
            assert!(scene.app.opens(1, member, "testtest"), "{engine:?} {member}");
        }
        assert_eq!(reconcile(&scene, list, &later).code, Some(0), "{engine:?}");
    }
}
