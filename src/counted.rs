//! Numbers with their noun, as in "1 member" and "2 members".

/// The number and the noun. Unless the number is 1, the noun gets an s, and "ry" becomes "ries".
pub(crate) fn counted(number: impl Into<u64>, noun: &str) -> String {
    match (number.into(), noun.strip_suffix("ry")) {
        (1, _) => format!("1 {noun}"),
        (other, Some(start)) => format!("{other} {start}ries"),
        (other, None) => format!("{other} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_1_has_the_noun_in_the_singular() {
        assert_eq!(counted(0_u64, "former member"), "0 former members");
        assert_eq!(counted(1_u64, "former member"), "1 former member");
        assert_eq!(counted(2_u64, "former member"), "2 former members");
        assert_eq!(
            [1_u64, 2].map(|number| counted(number, "country")),
            ["1 country", "2 countries"]
        );
    }
}
