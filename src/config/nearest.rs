//! Finds the name of a setting that a misspelt one may have meant.

/// How similar a name must be to be suggested (Jaro, 0 to 1): clap uses this value for flags.
const LIKENESS_MIN: f64 = 0.7;

/// The known name that is most similar to this one, if one is similar enough. All names are in one
/// case, with `_` between words.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|known| (likeness(name, known), known))
        // Of several that are equally similar, the first.
        .min_by(|left, right| right.0.total_cmp(&left.0))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .map(|(_, known)| known)
        .filter(|known| is_part(name, known) || has_few_changes(name, known))
}

/// How similar a name is to a known one. A name that lacks words, such as TOKEN for POSTBACK_TOKEN,
/// has few letters in common with it. It ranks above all similar spellings, and higher the fewer
/// words it lacks.
fn likeness(name: &str, known: &str) -> f64 {
    match is_part(name, known) {
        true => 1.0 + 1.0 / f64::from(known.split('_').count() as u32),
        false => strsim::jaro(name, known),
    }
}

/// Whether all words of a name are words of the known one.
fn is_part(name: &str, known: &str) -> bool {
    !name.is_empty() && name.split('_').all(|word| known.split('_').any(|other| other == word))
}

/// Whether at most half of the letters differ. Jaro alone finds "aaa" similar to "database".
fn has_few_changes(name: &str, known: &str) -> bool {
    strsim::normalized_damerau_levenshtein(name, known) >= 0.5
}
