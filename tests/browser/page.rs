//! A page of the console in the browser.

use std::path::Path;

use serde_json::json;

use super::accessible::{EXAMINE, FITS};
use super::driver::Browser;
use crate::support::App;

/// What the page has loaded from elsewhere.
const FROM_ELSEWHERE: &str = "return performance.getEntriesByType('resource') \
    .map(entry => entry.name).filter(name => !name.startsWith(location.origin + '/') \
    && !name.startsWith('data:'))";

/// The beginning of the console's addresses.
pub fn base(app: &App) -> String {
    format!("http://localhost:{}", app.ops.unwrap().port())
}

/// Nothing is wrong with the page that is shown.
pub fn check(browser: &Browser, axe: &str, width: u32, what: &str) {
    assert_eq!(browser.logged(), [""; 0], "{what}: the browser's console");
    assert_eq!(browser.script(FROM_ELSEWHERE), json!([]), "{what}: loaded from elsewhere");
    assert_eq!(browser.script(FITS), json!(width), "{what}: cut off");
    browser.script(axe);
    assert_eq!(browser.script_that_waits(EXAMINE), json!([]), "{what}");
    browser.logged();
}

/// Keeps a picture of the page in the documentation, with UPDATE_DOCS=1.
pub fn keep_picture(browser: &Browser, name: &str, width: u32) {
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/console");
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join(format!("{name}-{width}.png")), browser.screenshot()).unwrap();
    }
}
