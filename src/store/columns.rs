//! Lists of columns: where in a list a column is.

/// The place of a column in a list of columns. Found when the program is compiled, so that reading
/// by name costs nothing, and a name that the list lacks does not compile.
pub(super) const fn place(list: &str, column: &str) -> usize {
    let (list, column) = (list.as_bytes(), column.as_bytes());
    let (mut start, mut place) = (0, 0);
    loop {
        let mut same = 0;
        while same < column.len() && start + same < list.len() && list[start + same] == column[same]
        {
            same += 1;
        }
        let ends = start + same == list.len() || list[start + same] == b',';
        if same == column.len() && ends {
            return place;
        }
        while start < list.len() && list[start] != b',' {
            start += 1;
        }
        assert!(start < list.len(), "no such column in the list");
        start += ", ".len();
        place += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_only_begins_or_ends_like_another_one_is_not_found() {
        assert_eq!((place("expires, expire", "expire"), place("a, ab", "ab")), (1, 1));
        assert!(std::panic::catch_unwind(|| place("a, ab", "b")).is_err());
    }
}
