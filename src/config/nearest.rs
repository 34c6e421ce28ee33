//! Finds the name of a setting that a misspelt one may have meant.

/// How similar a name must be to be suggested (Jaro, 0 to 1): clap uses this value for flags.
const LIKENESS_MIN: f64 = 0.7;

/// The known name that is most similar to this one, if one is similar enough. All names are in one
/// case, with `_` between words.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|known| (likeness(name, known), known))
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .map(|(_, known)| known)
}

/// How similar a name is to a known one. A name that lacks words, such as TOKEN for POSTBACK_TOKEN,
/// has few letters in common with it. It ranks above all similar spellings, and higher the fewer
/// words it lacks.
fn likeness(name: &str, known: &str) -> f64 {
    let is_part =
        !name.is_empty() && name.split('_').all(|word| known.split('_').any(|other| other == word));
    let lacking = if is_part { 1.0 / f64::from(known.split('_').count() as u32) } else { 0.0 };
    strsim::jaro(name, known) + 2.0 * lacking
}
